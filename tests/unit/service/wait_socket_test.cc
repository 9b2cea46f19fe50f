// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/wait_socket.h"

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace xsd::service {
namespace {

using net::BoundSocket;
using net::SocketAddress;
using net::Transport;

net::Endpoint unix_endpoint(Transport transport) {
  return {transport, *SocketAddress::unix_path("@xsd-wait-" + std::to_string(getpid())), {}};
}

net::Endpoint loopback(Transport transport, const char* host = "127.0.0.1") {
  return {transport, *SocketAddress::parse(host, 0), {}};
}

BoundSocket open_socket(const net::Endpoint& endpoint) {
  auto bound = BoundSocket::open(endpoint, 64);
  if (!bound) {
    ADD_FAILURE() << bound.error().text();
    _exit(1);
  }
  return std::move(*bound);
}

int type_of(Transport transport) {
  return transport == Transport::Stream ? SOCK_STREAM : SOCK_DGRAM;
}

UniqueFd connect_to(const BoundSocket& socket) {
  const SocketAddress address = net::local_address(socket.fd());
  UniqueFd fd(::socket(address.family(), type_of(socket.endpoint().transport) | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(fd.get(), address.raw(), address.raw_length()), 0);
  return fd;
}

// ---- datagrams

class DatagramQueue : public testing::TestWithParam<bool> {
 protected:
  static net::Endpoint endpoint() {
    if (GetParam()) return unix_endpoint(Transport::Datagram);
    // A number of our own, as services have: one that the kernel chose ends with a connection.
    const BoundSocket free = open_socket(loopback(Transport::Datagram));
    return {Transport::Datagram, net::local_address(free.fd()), {}};
  }
  BoundSocket socket_ = open_socket(endpoint());
  UniqueFd client_ = connect_to(socket_);
};
INSTANTIATE_TEST_SUITE_P(Of, DatagramQueue, testing::Bool(),
                         [](const auto& param) { return std::string(param.param ? "unix" : "udp"); });

TEST_P(DatagramQueue, has_no_head_when_it_is_empty) {
  EXPECT_EQ(queue_head(socket_.fd()), std::nullopt);
}

TEST_P(DatagramQueue, keeps_its_head_until_that_is_read) {
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(send(client_.get(), "same", 4, 0), 4);
  for (int i = 0; i < 3; ++i) {
    const auto head = queue_head(socket_.fd());
    ASSERT_TRUE(head);
    EXPECT_EQ(head->size, 4);
    EXPECT_EQ(queue_head(socket_.fd()), head);
    char text[9];
    ASSERT_EQ(recv(socket_.fd(), text, sizeof text, 0), 4);
    EXPECT_NE(queue_head(socket_.fd()), head) << "equal datagrams are told apart";
  }
  EXPECT_EQ(queue_head(socket_.fd()), std::nullopt);
}

TEST_P(DatagramQueue, has_an_empty_head_that_can_be_dropped) {
  ASSERT_EQ(send(client_.get(), "", 0, 0), 0);
  ASSERT_EQ(send(client_.get(), "next", 4, 0), 4);
  ASSERT_TRUE(queue_head(socket_.fd()));
  EXPECT_EQ(queue_head(socket_.fd())->size, 0);
  drop_head(socket_.fd());
  ASSERT_TRUE(queue_head(socket_.fd()));
  EXPECT_EQ(queue_head(socket_.fd())->size, 4);
}

TEST_P(DatagramQueue, gives_its_servers_no_times_that_they_did_not_ask_for) {
  ASSERT_EQ(send(client_.get(), "text", 4, 0), 4);
  (void)queue_head(socket_.fd());
  int on = 1;
  socklen_t size = sizeof on;
  ASSERT_EQ(getsockopt(socket_.fd(), SOL_SOCKET, SO_TIMESTAMPNS, &on, &size), 0);
  EXPECT_EQ(on, 0);
}

TEST_P(DatagramQueue, is_open_to_all_again_after_a_connect) {
  const UniqueFd other = connect_to(socket_);
  SocketAddress peer = net::local_address(client_.get());
  if (GetParam()) {  // the client of a unix socket has no name yet
    sockaddr name{};
    name.sa_family = AF_UNIX;
    ASSERT_EQ(bind(client_.get(), &name, sizeof name.sa_family), 0);
    peer = net::local_address(client_.get());
  }
  ASSERT_EQ(connect(socket_.fd(), peer.raw(), peer.raw_length()), 0);
  EXPECT_TRUE(undo_connect(socket_));
  EXPECT_TRUE(undo_connect(socket_)) << "nothing to undo";
  EXPECT_EQ(send(other.get(), "text", 4, 0), 4);
  const auto head = queue_head(socket_.fd());
  ASSERT_TRUE(head);
  EXPECT_EQ(head->size, 4);
}

TEST_P(DatagramQueue, that_was_shut_down_is_known) {
  EXPECT_FALSE(is_shut_down(socket_.fd()));
  (void)shutdown(socket_.fd(), SHUT_RDWR);  // ENOTCONN, and yet
  EXPECT_TRUE(is_shut_down(socket_.fd()));
}

TEST(UnixDatagram, keeps_the_descriptors_that_it_carries) {
  const BoundSocket socket = open_socket(unix_endpoint(Transport::Datagram));
  const UniqueFd client = connect_to(socket);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  iovec text{control, 1};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  ASSERT_EQ(sendmsg(client.get(), &message, 0), 1);
  const UniqueFd before(dup(0));
  ASSERT_TRUE(queue_head(socket.fd()));
  const UniqueFd after(dup(0));
  EXPECT_EQ(after.get(), before.get() + 1) << "a descriptor of somebody's came in";
}

TEST(UdpErrors, that_a_server_asked_for_are_drained) {
  for (const char* const host : {"127.0.0.1", "::1"}) {
    auto bound = BoundSocket::open(loopback(Transport::Datagram, host), 0);
    if (!bound) continue;  // no IPv6 here
    const int fd = bound->fd();
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
    SocketAddress nobody = net::local_address(connect_to(*bound).get());  // closed again
    for (int i = 0; i < 3; ++i)
      (void)sendto(fd, "x", 1, 0, nobody.raw(), nobody.raw_length());
    EXPECT_EQ(queue_head(fd), std::nullopt);
    ASSERT_TRUE(is_ready(fd));
    EXPECT_TRUE(drain_errors(fd));
    EXPECT_FALSE(is_ready(fd));
    EXPECT_FALSE(drain_errors(fd));
  }
}

TEST(UnixDatagram, is_not_lost_for_an_error) {
  const BoundSocket socket = open_socket(unix_endpoint(Transport::Datagram));
  ASSERT_EQ(send(connect_to(socket).get(), "text", 4, 0), 4);
  EXPECT_FALSE(drain_errors(socket.fd()));
  EXPECT_TRUE(queue_head(socket.fd()));
}

// ---- connections

class Queue : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!ClientQueue::of(socket_.fd())) GTEST_SKIP() << "no sock_diag here";
  }
  static net::Endpoint endpoint() {
    return GetParam() ? unix_endpoint(Transport::Stream) : loopback(Transport::Stream);
  }
  BoundSocket socket_ = open_socket(endpoint());
};
INSTANTIATE_TEST_SUITE_P(OfClients, Queue, testing::Bool(),
                         [](const auto& param) { return std::string(param.param ? "unix" : "tcp"); });

TEST_P(Queue, has_moved_when_somebody_was_accepted) {
  EXPECT_EQ(queued_clients(socket_.fd()), 0U);
  const UniqueFd one = connect_to(socket_);
  const UniqueFd two = connect_to(socket_);
  EXPECT_GE(queued_clients(socket_.fd()), 1U);
  const auto before = ClientQueue::of(socket_.fd());
  ASSERT_TRUE(before);
  EXPECT_FALSE(before->has_moved_since(*before));
  const UniqueFd three = connect_to(socket_);
  EXPECT_FALSE(ClientQueue::of(socket_.fd())->has_moved_since(*before));
  ASSERT_TRUE(net::accept_connection(socket_.fd(), true).fd);
  EXPECT_TRUE(ClientQueue::of(socket_.fd())->has_moved_since(*before));
}

TEST_P(Queue, has_not_moved_when_somebody_gave_up) {
  UniqueFd one = connect_to(socket_);
  const UniqueFd two = connect_to(socket_);
  const auto before = ClientQueue::of(socket_.fd());
  ASSERT_TRUE(before);
  one.reset();
  EXPECT_FALSE(ClientQueue::of(socket_.fd())->has_moved_since(*before));
  ASSERT_TRUE(net::accept_connection(socket_.fd(), true).fd);
  EXPECT_TRUE(ClientQueue::of(socket_.fd())->has_moved_since(*before));
}

TEST_P(Queue, that_was_shut_down_is_known) {
  EXPECT_FALSE(is_shut_down(socket_.fd()));
  const UniqueFd client = connect_to(socket_);
  EXPECT_FALSE(is_shut_down(socket_.fd()));
  ASSERT_EQ(shutdown(socket_.fd(), SHUT_RDWR), 0);
  EXPECT_TRUE(is_shut_down(socket_.fd()));
}

TEST(ShutDown, is_what_has_no_socket) {
  EXPECT_TRUE(is_shut_down(-1));
}

TEST(ShutDown, is_a_tcp_socket_no_more_that_listens_again) {
  BoundSocket socket = open_socket(loopback(Transport::Stream));
  ASSERT_EQ(shutdown(socket.fd(), SHUT_RDWR), 0);
  EXPECT_TRUE(socket.set_backlog(64));
  EXPECT_FALSE(is_shut_down(socket.fd()));
  (void)connect_to(socket);
}

}  // namespace
}  // namespace xsd::service
