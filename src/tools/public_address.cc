#include "tools/public_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstring>

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

bool is_public_v6(const in6_addr& address) {
  const uint8_t* b = address.s6_addr;
  constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
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

}  // namespace gossamer::tools
