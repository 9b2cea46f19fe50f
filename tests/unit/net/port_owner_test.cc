// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/port_owner.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include "xsd/net/socket.h"

namespace xsd::net {
namespace {

std::string ourselves() {
  return "test_net[" + std::to_string(getpid()) + "]";
}

BoundSocket bind(Endpoint endpoint) {
  auto bound = BoundSocket::open(endpoint, 10);
  EXPECT_TRUE(bound);
  return std::move(*bound);
}

void run(PortOwnerSearch& search, Duration budget = std::chrono::seconds(10)) {
  const SystemClock clock;
  for (int step = 0; !search.step(clock, budget); ++step)
    ASSERT_LT(step, 1'000'000);
}

TEST(PortOwnerSearch, names_program_and_process_of_all_endpoints) {
  const BoundSocket tcp = bind({Transport::Stream, *SocketAddress::parse("127.0.0.1", 0), {}});
  const BoundSocket udp = bind({Transport::Datagram, *SocketAddress::parse("::1", 0), {}});
  const Endpoint unix_path{
      Transport::Stream, *SocketAddress::unix_path("@xsd-owner-" + std::to_string(getpid())), {}};
  const BoundSocket unix_socket = bind(unix_path);
  const Endpoint tcp_wanted{Transport::Stream, SocketAddress::any_v4(local_address(tcp.fd()).port()), {}};
  const Endpoint udp_wanted{Transport::Datagram, SocketAddress::any_v6(local_address(udp.fd()).port()), {}};
  PortOwnerSearch search({tcp_wanted, udp_wanted, unix_path});
  run(search);
  EXPECT_EQ(search.owner(tcp_wanted), ourselves());
  EXPECT_EQ(search.owner(udp_wanted), ourselves());
  EXPECT_EQ(search.owner(unix_path), ourselves());
}

TEST(PortOwnerSearch, stops_after_its_budget_and_goes_on) {
  const BoundSocket tcp = bind({Transport::Stream, *SocketAddress::parse("127.0.0.1", 0), {}});
  const Endpoint wanted{Transport::Stream, local_address(tcp.fd()), {}};
  PortOwnerSearch search({wanted});
  EXPECT_FALSE(search.step(SystemClock(), Duration::zero()));
  run(search, Duration::zero());
  EXPECT_EQ(search.owner(wanted), ourselves());
}

TEST(PortOwnerSearch, names_nobody_when_nobody_holds_the_port) {
  const std::uint16_t port =
      local_address(bind({Transport::Stream, *SocketAddress::parse("127.0.0.1", 0), {}}).fd()).port();
  const Endpoint free{Transport::Stream, SocketAddress::any_v4(port), {}};
  PortOwnerSearch search({free});
  EXPECT_TRUE(search.step(SystemClock(), Duration::zero())) << "there is nobody to look for";
  EXPECT_EQ(search.owner(free), "");
}

}  // namespace
}  // namespace xsd::net
