#include "tools/public_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>

namespace gossamer::tools {
namespace {

struct Block {
  uint32_t first;
  int bits;
};

constexpr uint32_t at(uint32_t a, uint32_t b, uint32_t c) {
  return a << 24 | b << 16 | c << 8;
}

bool is_public_v4(uint32_t address) {
  constexpr Block kSpecial[] = {
      {at(0, 0, 0), 8},     {at(10, 0, 0), 8},      {at(100, 64, 0), 10},  {at(127, 0, 0), 8},    {at(169, 254, 0), 16},
      {at(172, 16, 0), 12}, {at(192, 0, 0), 24},    {at(192, 0, 2), 24},   {at(192, 88, 99), 24}, {at(192, 168, 0), 16},
      {at(198, 18, 0), 15}, {at(198, 51, 100), 24}, {at(203, 0, 113), 24}, {at(224, 0, 0), 4},    {at(240, 0, 0), 4},
  };
  for (const Block& block : kSpecial)
    if ((address ^ block.first) >> (32 - block.bits) == 0) return false;
  return true;
}

constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_public_v6(const in6_addr& address) {
  const uint8_t* b = address.s6_addr;
  if (std::memcmp(b, kMapped, sizeof kMapped) == 0) {
    uint32_t v4;
    std::memcpy(&v4, b + sizeof kMapped, sizeof v4);
    return is_public_v4(ntohl(v4));
  }
  if (b[0] >> 5 != 1) return false;                               // 2000::/3 is all that is public
  if (b[0] == 0x20 && b[1] == 0x02) return false;                 // 6to4: an IPv4 address inside
  if (b[0] == 0x20 && b[1] == 0x01 && b[2] < 0x02) return false;  // 2001::/23: Teredo, ORCHID and others
  if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8) return false;  // documentation
  if (b[0] == 0x3f && b[1] == 0xff) return false;                                  // documentation
  return true;
}

struct FreeAddresses {
  void operator()(ifaddrs* list) const { freeifaddrs(list); }
};

/// As IPv6, an IPv4 address mapped into it; all zeros where it is neither.
std::array<uint8_t, 16> as_v6(const sockaddr_storage& address) {
  std::array<uint8_t, 16> bytes{};
  if (address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    std::copy(std::begin(kMapped), std::end(kMapped), bytes.begin());
    std::memcpy(bytes.data() + sizeof kMapped, &v4.sin_addr, sizeof v4.sin_addr);
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof v6);
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  }
  return bytes;
}

}  // namespace

bool is_public_address(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    return is_public_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof v6);
    return is_public_v6(v6.sin6_addr);
  }
  return false;
}

Result<std::vector<sockaddr_storage>> machine_addresses() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0)
    return make_error(ErrorCode::kIo, "cannot list this machine's addresses: {}", std::strerror(errno));
  const std::unique_ptr<ifaddrs, FreeAddresses> list(first);
  std::vector<sockaddr_storage> addresses;
  for (const ifaddrs* entry = list.get(); entry; entry = entry->ifa_next) {
    if (!entry->ifa_addr) continue;
    const sa_family_t family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    sockaddr_storage address{};
    std::memcpy(&address, entry->ifa_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    addresses.push_back(address);
  }
  return addresses;
}

bool is_public_elsewhere(const sockaddr_storage& address, const std::vector<sockaddr_storage>& machine) {
  return is_public_address(address) && std::none_of(machine.begin(), machine.end(), [&](const sockaddr_storage& own) {
           return as_v6(own) == as_v6(address);
         });
}

bool is_public_elsewhere(const sockaddr_storage& address) {
  const Result<std::vector<sockaddr_storage>> machine = machine_addresses();
  return machine.ok() && is_public_elsewhere(address, *machine);
}

}  // namespace gossamer::tools
