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

TEST(BoundFile, is_what_the_socket_was_bound_to) {
  const std::string path = "/tmp/xsd-diag-" + std::to_string(getpid());
  auto bound = BoundSocket::open({Transport::Datagram, *SocketAddress::unix_path(path), {}}, 1);
  ASSERT_TRUE(bound) << bound.error().text();
  const auto file = bound_file(bound->fd());
  if (!file) GTEST_SKIP() << "no unix_diag here";
  struct stat info {};
  ASSERT_EQ(lstat(path.c_str(), &info), 0);
  EXPECT_EQ(file->inode, static_cast<std::uint32_t>(info.st_ino));
  ASSERT_EQ(unlink(path.c_str()), 0);
  EXPECT_TRUE(bound_file(bound->fd())) << "it has that file yet";
}

TEST(BoundFile, is_none_of_other_sockets) {
  const UniqueFd unbound(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_FALSE(bound_file(unbound.get()));
  const UniqueFd tcp(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_FALSE(bound_file(tcp.get()));
  EXPECT_FALSE(bound_file(-1));
}

}  // namespace
}  // namespace xsd::net
