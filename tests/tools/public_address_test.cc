#include "tools/public_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace gossamer::tools {
namespace {

bool is_public(const char* text) {
  sockaddr_storage storage{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
    storage.ss_family = AF_INET;
  else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
    storage.ss_family = AF_INET6;
  else
    ADD_FAILURE() << text;
  return is_public_address(storage);
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

TEST(PublicAddress, SocketsOfOtherKindsAreNone) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  EXPECT_FALSE(is_public_address(storage));
}

}  // namespace
}  // namespace gossamer::tools
