// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/address.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>

namespace xsd::net {
namespace {

std::string shown(std::string_view literal, std::uint16_t port) {
  const auto address = SocketAddress::parse(literal, port);
  return address ? address->to_string() : "refused";
}

TEST(SocketAddress, reads_and_writes_both_families) {
  EXPECT_EQ(shown("192.0.2.7", 40122), "192.0.2.7:40122");
  EXPECT_EQ(shown("0.0.0.0", 0), "0.0.0.0:0");
  EXPECT_EQ(shown("255.255.255.255", 65535), "255.255.255.255:65535");
  EXPECT_EQ(shown("2001:DB8::1", 7), "[2001:db8::1]:7");
}

TEST(SocketAddress, refuses_what_is_no_literal) {
  for (const char* const wrong : {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "[::1]", "::1%nosuchif",
                                  "fe80::1%", "01.2.3.4"}) {
    EXPECT_FALSE(SocketAddress::parse(wrong, 1)) << wrong;
  }
}

TEST(SocketAddress, keeps_the_zone_of_a_link_local_address) {
  const auto address = SocketAddress::parse("fe80::1%lo", 9);
  ASSERT_TRUE(address);
  EXPECT_EQ(address->host(), "fe80::1%lo");
}

TEST(SocketAddress, shows_a_mapped_address_as_ipv4) {
  EXPECT_EQ(shown("::ffff:192.0.2.7", 5), "192.0.2.7:5");
}

TEST(SocketAddress, knows_what_kind_of_address_it_is) {
  EXPECT_TRUE(SocketAddress::parse("127.9.9.9", 1)->is_loopback());
  EXPECT_TRUE(SocketAddress::parse("::1", 1)->is_loopback());
  EXPECT_FALSE(SocketAddress::parse("10.0.0.1", 1)->is_loopback());
  EXPECT_TRUE(SocketAddress::parse("224.0.0.1", 1)->is_multicast());
  EXPECT_TRUE(SocketAddress::parse("255.255.255.255", 1)->is_multicast());
  EXPECT_TRUE(SocketAddress::parse("ff02::1", 1)->is_multicast());
  EXPECT_TRUE(SocketAddress::any_v4(7).is_any());
  EXPECT_TRUE(SocketAddress::any_v6(7).is_any());
  EXPECT_FALSE(SocketAddress().is_ip());
}

TEST(SocketAddress, compares_address_and_port) {
  EXPECT_EQ(SocketAddress::parse("::1", 7), SocketAddress::parse("0:0::1", 7));
  EXPECT_FALSE(SocketAddress::parse("::1", 7) == SocketAddress::parse("::1", 8));
  EXPECT_TRUE(SocketAddress::parse("::1", 7)->same_host(*SocketAddress::parse("::1", 8)));
  EXPECT_FALSE(SocketAddress::any_v4(7) == SocketAddress::any_v6(7));
}

TEST(SocketAddress, holds_unix_names_of_both_kinds) {
  EXPECT_EQ(SocketAddress::unix_path("/run/x.sock")->to_string(), "unix:/run/x.sock");
  EXPECT_EQ(SocketAddress::unix_path("@name")->to_string(), "unix:@name");
  EXPECT_EQ(SocketAddress::unix_path("@name")->raw()->sa_data[0], '\0');
  EXPECT_FALSE(SocketAddress::unix_path(""));
  EXPECT_FALSE(SocketAddress::unix_path(std::string(108, 'a')));
  EXPECT_TRUE(SocketAddress::unix_path(std::string(107, 'a')));
}

TEST(SocketAddress, stays_unspecified_when_the_kernel_gives_too_little) {
  sockaddr_in short_one{};
  short_one.sin_family = AF_INET;
  EXPECT_EQ(SocketAddress(reinterpret_cast<const sockaddr*>(&short_one), 4).family(), AF_UNSPEC);
  EXPECT_EQ(SocketAddress(nullptr, 0).to_string(), "unknown");
}

TEST(FormatAddress, agrees_with_inet_ntop) {
  for (const char* const literal :
       {"0.0.0.0", "10.20.30.40", "255.255.255.255", "100.1.0.99", "::", "2001:db8:1:2:3:4:5:6"}) {
    const auto address = SocketAddress::parse(literal, 65535);
    char text[64];
    EXPECT_EQ(std::string(text, format_address(*address, text)), address->to_string());
  }
}

}  // namespace
}  // namespace xsd::net
