// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/socket_diag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include "xsd/net/socket.h"

namespace xsd::net {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class QueuedPeersTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto bound = BoundSocket::open({Transport::Stream, *SocketAddress::parse(GetParam(), 0), {}}, 64);
    if (!bound) GTEST_SKIP() << bound.error().text();
    listener_.emplace(std::move(*bound));
    address_ = local_address(listener_->fd());
    if (!queued_peers(address_)) GTEST_SKIP() << "no sock_diag here";
  }

  UniqueFd connect_one() const {
    UniqueFd fd(socket(address_.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), address_.raw(), address_.raw_length()), 0);
    return fd;
  }

  std::optional<BoundSocket> listener_;
  SocketAddress address_;
};

TEST_P(QueuedPeersTest, names_those_that_nobody_accepted) {
  EXPECT_THAT(queued_peers(address_), Optional(IsEmpty()));
  const UniqueFd one = connect_one();
  const UniqueFd two = connect_one();
  EXPECT_THAT(queued_peers(address_),
              Optional(UnorderedElementsAre(local_address(one.get()), local_address(two.get()))));
  const Accepted accepted = accept_connection(listener_->fd(), true);
  ASSERT_TRUE(accepted.fd);
  EXPECT_THAT(queued_peers(address_), Optional(ElementsAre(local_address(two.get()))));
}

TEST_P(QueuedPeersTest, names_one_that_closed_before_it_was_accepted) {
  UniqueFd one = connect_one();
  const SocketAddress peer = local_address(one.get());
  one.reset();
  EXPECT_THAT(queued_peers(address_), Optional(ElementsAre(peer)));
}

TEST_P(QueuedPeersTest, counts_what_the_wildcard_covers) {
  const UniqueFd one = connect_one();
  SocketAddress any = address_.family() == AF_INET ? SocketAddress::any_v4(address_.port())
                                                   : SocketAddress::any_v6(address_.port());
  EXPECT_THAT(queued_peers(any), Optional(SizeIs(1)));
}

INSTANTIATE_TEST_SUITE_P(Family, QueuedPeersTest, ::testing::Values("127.0.0.1", "::1"),
                         [](const auto& param) { return std::string(param.index == 0 ? "v4" : "v6"); });

TEST(QueuedPeers, are_not_known_of_a_unix_socket) {
  EXPECT_EQ(queued_peers(*SocketAddress::unix_path("@xsd-test")), std::nullopt);
}

TEST(QueuedPeers, of_another_address_with_the_same_port_do_not_count) {
  auto bound = BoundSocket::open({Transport::Stream, *SocketAddress::parse("127.0.0.1", 0), {}}, 64);
  ASSERT_TRUE(bound);
  const SocketAddress address = local_address(bound->fd());
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect(fd.get(), address.raw(), address.raw_length()), 0);
  if (!queued_peers(address)) GTEST_SKIP() << "no sock_diag here";
  EXPECT_THAT(queued_peers(*SocketAddress::parse("127.0.0.2", address.port())), Optional(IsEmpty()));
}

TEST(InodesAtPort, are_those_of_listening_and_bound_sockets) {
  for (const Transport transport : {Transport::Stream, Transport::Datagram}) {
    auto bound = BoundSocket::open({transport, *SocketAddress::parse("127.0.0.1", 0), {}}, 10);
    ASSERT_TRUE(bound);
    struct stat info {};
    ASSERT_EQ(fstat(bound->fd(), &info), 0);
    const std::uint16_t port = local_address(bound->fd()).port();
    std::vector<std::uint64_t> inodes;
    for (const PortSocket& socket : sockets_at_port(transport, port))
      inodes.push_back(socket.inode);
    if (inodes.empty() && !queued_peers(local_address(bound->fd()))) GTEST_SKIP() << "no sock_diag here";
    EXPECT_THAT(inodes, Contains(info.st_ino));
  }
}

}  // namespace
}  // namespace xsd::net
