// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/prefix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <arpa/inet.h>

namespace xsd::net {
namespace {

Prefix prefix(const std::string& address, unsigned length) {
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) return Prefix::v4(v4, length);
  in6_addr v6{};
  EXPECT_EQ(inet_pton(AF_INET6, address.c_str(), &v6), 1) << address;
  return Prefix::v6(v6, length);
}

Prefix of(std::string_view address) {
  const auto parsed = SocketAddress::parse(address, 7);
  EXPECT_TRUE(parsed) << address;
  return *Prefix::of(*parsed);
}

TEST(Prefix, is_small) {
  EXPECT_EQ(sizeof(Prefix), 17U);
}

TEST(Prefix, drops_host_bits) {
  EXPECT_EQ(prefix("10.1.2.3", 8).to_string(), "10.0.0.0/8");
  EXPECT_EQ(prefix("10.1.2.3", 0).to_string(), "0.0.0.0/0");
  EXPECT_EQ(prefix("255.255.255.255", 31).to_string(), "255.255.255.254/31");
  EXPECT_EQ(prefix("255.255.255.255", 9).to_string(), "255.128.0.0/9");
  EXPECT_EQ(prefix("192.0.2.7", 32).to_string(), "192.0.2.7/32");
  EXPECT_EQ(prefix("2001:db8::1", 32).to_string(), "2001:db8::/32");
  EXPECT_EQ(prefix("2001:db8::1", 128).to_string(), "2001:db8::1/128");
  EXPECT_EQ(prefix("ffff::", 0).to_string(), "::/0");
  EXPECT_EQ(prefix("ffff:ffff:ffff::", 33).to_string(), "ffff:ffff:8000::/33");
  EXPECT_EQ(prefix("10.1.2.3", 8), prefix("10.9.9.9", 8));
  EXPECT_NE(prefix("10.0.0.0", 8), prefix("10.0.0.0", 9));
  EXPECT_EQ(Prefix().to_string(), "::/0");
}

TEST(Prefix, has_no_length_beyond_the_address) {
  EXPECT_EQ(prefix("10.1.2.3", 33).to_string(), "10.1.2.3/32");
  EXPECT_EQ(prefix("::1", 1000).to_string(), "::1/128");
}

TEST(Prefix, takes_a_mapped_network_for_the_one_it_stands_for) {
  EXPECT_EQ(prefix("::ffff:10.1.2.3", 104), prefix("10.0.0.0", 8));
  EXPECT_EQ(prefix("::ffff:0:0", 96), prefix("0.0.0.0", 0));
  EXPECT_EQ(prefix("::ffff:10.1.2.3", 128).to_string(), "10.1.2.3/32");
  EXPECT_TRUE(prefix("::ffff:10.1.2.3", 96).is_v4());
  EXPECT_FALSE(prefix("::ffff:10.1.2.3", 95).is_v4());
  EXPECT_EQ(prefix("::ffff:10.1.2.3", 95).to_string(), "::fffe:0:0/95");
  EXPECT_FALSE(prefix("::1.2.3.4", 128).is_v4());
}

TEST(Prefix, comes_from_an_address) {
  EXPECT_EQ(of("192.0.2.7"), prefix("192.0.2.7", 32));
  EXPECT_EQ(of("::ffff:192.0.2.7"), prefix("192.0.2.7", 32));
  EXPECT_EQ(of("2001:db8::1"), prefix("2001:db8::1", 128));
  EXPECT_EQ(of("fe80::1%lo"), prefix("fe80::1", 128));
  EXPECT_TRUE(of("2001:db8::1").is_address());
  EXPECT_FALSE(prefix("2001:db8::1", 127).is_address());
  EXPECT_FALSE(Prefix::of(SocketAddress()));
  EXPECT_FALSE(Prefix::of(*SocketAddress::unix_path("/run/x")));
}

TEST(Prefix, contains_itself_and_its_parts) {
  const Prefix ten = prefix("10.0.0.0", 8);
  EXPECT_TRUE(ten.contains(ten));
  EXPECT_TRUE(ten.contains(prefix("10.255.0.0", 16)));
  EXPECT_TRUE(ten.contains(of("10.0.0.1")));
  EXPECT_TRUE(ten.contains(of("::ffff:10.0.0.1")));
  EXPECT_FALSE(ten.contains(of("11.0.0.1")));
  EXPECT_FALSE(ten.contains(prefix("0.0.0.0", 0)));
  EXPECT_TRUE(prefix("2001:db8::", 33).contains(of("2001:db8:7fff::1")));
  EXPECT_FALSE(prefix("2001:db8::", 33).contains(of("2001:db8:8000::1")));
}

TEST(Prefix, keeps_the_families_apart) {
  EXPECT_FALSE(prefix("::", 0).contains(of("10.0.0.1")));
  EXPECT_FALSE(prefix("::", 95).contains(prefix("0.0.0.0", 0)));
  EXPECT_FALSE(prefix("0.0.0.0", 0).contains(of("::1")));
  EXPECT_FALSE(prefix("0.0.0.0", 0).contains(of("::")));
  EXPECT_TRUE(prefix("0.0.0.0", 0).contains(of("255.255.255.255")));
  EXPECT_TRUE(prefix("::", 0).contains(of("ffff::1")));
}

TEST(Prefix, sorts_a_network_in_front_of_its_parts) {
  std::mt19937 random(1);
  std::vector<Prefix> all;
  for (unsigned i = 0; i < 300; ++i) {
    in_addr address{};
    address.s_addr = htonl(0x0A000000U | (random() & 0x0F0F0F0FU));
    all.push_back(Prefix::v4(address, static_cast<unsigned>(random() % 33)));
  }
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); ++i) {
    bool is_part = true;  // until the first that is none
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      EXPECT_FALSE(all[j].contains(all[i]) && all[j] != all[i]);
      const bool contained = all[i].contains(all[j]);
      EXPECT_TRUE(is_part || !contained);
      is_part = contained;
    }
  }
}

}  // namespace
}  // namespace xsd::net
