#include "tools/public_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>

namespace gossamer::tools {
namespace {

sockaddr_storage address_of(const char* text) {
  sockaddr_storage storage{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
    storage.ss_family = AF_INET;
  else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
    storage.ss_family = AF_INET6;
  else
    ADD_FAILURE() << text;
  return storage;
}

bool is_public(const char* text) {
  return is_public_address(address_of(text));
}

TEST(PublicAddress, OthersAreRefused) {
  for (const char* text : {"127.0.0.1",
                           "127.255.0.9",
                           "0.0.0.0",
                           "10.1.2.3",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.1.1",
                           "169.254.169.254",
                           "100.64.0.1",
                           "192.0.0.192",
                           "198.18.0.1",
                           "224.0.0.1",
                           "255.255.255.255",
                           "240.0.0.1",
                           "::",
                           "::1",
                           "fe80::1",
                           "fc00::1",
                           "fd00:ec2::254",
                           "ff02::1",
                           "::ffff:127.0.0.1",
                           "::ffff:169.254.169.254",
                           "::127.0.0.1",
                           "64:ff9b::7f00:1",
                           "2002:7f00:1::",
                           "2001:0:1::",
                           "2001:db8::1"})
    EXPECT_FALSE(is_public(text)) << text;
}

TEST(PublicAddress, TheInternetIsAllowed) {
  for (const char* text : {"1.1.1.1", "8.8.8.8", "172.32.0.1", "172.15.0.1", "100.128.0.1", "11.0.0.1", "223.255.255.1",
                           "::ffff:1.1.1.1", "2606:4700::1111", "2a00:1450:4001::1"})
    EXPECT_TRUE(is_public(text)) << text;
}

TEST(PublicAddress, OfThisMachineIsNotElsewhere) {
  const std::vector<sockaddr_storage> machine = {address_of("8.8.4.4"), address_of("2606:4700::1")};
  const auto is_elsewhere = [&](const char* text) { return is_public_elsewhere(address_of(text), machine); };
  for (const char* text : {"8.8.4.4", "::ffff:8.8.4.4", "2606:4700::1", "127.0.0.1", "10.0.0.1", "::"})
    EXPECT_FALSE(is_elsewhere(text)) << text;
  for (const char* text : {"8.8.4.5", "::ffff:8.8.4.5", "2606:4700::2"}) EXPECT_TRUE(is_elsewhere(text)) << text;
}

TEST(PublicAddress, ThisMachineHasItsLoopback) {
  const Result<std::vector<sockaddr_storage>> machine = machine_addresses();
  ASSERT_TRUE(machine.ok()) << machine.error().message;
  const sockaddr_storage loopback = address_of("127.0.0.1");
  const auto* wanted = reinterpret_cast<const sockaddr_in*>(&loopback);
  EXPECT_TRUE(std::any_of(machine->begin(), machine->end(), [&](const sockaddr_storage& own) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&own);
    return own.ss_family == AF_INET && v4->sin_addr.s_addr == wanted->sin_addr.s_addr;
  }));
}

TEST(PublicAddress, SocketsOfOtherKindsAreNone) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  EXPECT_FALSE(is_public_address(storage));
}

}  // namespace
}  // namespace gossamer::tools
