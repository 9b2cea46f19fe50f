// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/unix_diag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xsd/net/socket.h"

namespace xsd::net {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

std::uint32_t inode_of(const UniqueFd& fd) {
  struct stat info {};
  EXPECT_EQ(fstat(fd.get(), &info), 0);
  return static_cast<std::uint32_t>(info.st_ino);
}

class QueuedUnixClients : public ::testing::TestWithParam<Transport> {
 protected:
  void SetUp() override {
    const std::string name = "@xsd-test-" + std::to_string(getpid());
    auto bound = BoundSocket::open({GetParam(), *SocketAddress::unix_path(name), {}}, 64);
    ASSERT_TRUE(bound) << bound.error().text();
    listener_.emplace(std::move(*bound));
    if (!queued_unix_clients(listener_->fd())) GTEST_SKIP() << "no unix_diag here";
  }

  UniqueFd connect_one() const {
    const SocketAddress& address = listener_->endpoint().address;
    const int type = GetParam() == Transport::Stream ? SOCK_STREAM : SOCK_SEQPACKET;
    UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), address.raw(), address.raw_length()), 0);
    return fd;
  }

  std::optional<BoundSocket> listener_;
};

TEST_P(QueuedUnixClients, are_those_that_nobody_accepted) {
  EXPECT_THAT(queued_unix_clients(listener_->fd()), Optional(IsEmpty()));
  const UniqueFd one = connect_one();
  const UniqueFd two = connect_one();
  EXPECT_THAT(queued_unix_clients(listener_->fd()), Optional(ElementsAre(inode_of(one), inode_of(two))));
  const Accepted accepted = accept_connection(listener_->fd(), true);
  ASSERT_TRUE(accepted.fd);
  EXPECT_THAT(queued_unix_clients(listener_->fd()), Optional(ElementsAre(inode_of(two))));
}

TEST_P(QueuedUnixClients, stay_in_the_queue_when_they_are_gone) {
  (void)connect_one();
  EXPECT_THAT(queued_unix_clients(listener_->fd()), Optional(ElementsAre(0U)));
}

INSTANTIATE_TEST_SUITE_P(Of, QueuedUnixClients, ::testing::Values(Transport::Stream, Transport::SeqPacket),
                         [](const auto& param) {
                           return std::string(param.index == 0 ? "stream" : "seqpacket");
                         });

TEST(QueuedUnixClientsOf, other_sockets_are_not_known) {
  const UniqueFd tcp(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(queued_unix_clients(tcp.get()), std::nullopt);
  EXPECT_EQ(queued_unix_clients(-1), std::nullopt);
}

}  // namespace
}  // namespace xsd::net
