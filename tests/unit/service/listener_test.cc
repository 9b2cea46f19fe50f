// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/listener.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "xsd/base/log.h"

namespace {

int accept_error = 0;  // what accept4 fails with
int accept_tries = 0;
int last_failing_try = 0;

}  // namespace

// In front of the library's: the seam for errors that no socket can be made to give.
extern "C" int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  ++accept_tries;
  if (accept_error == 0 || accept_tries > last_failing_try)
    return static_cast<int>(syscall(SYS_accept4, fd, address, length, flags));
  errno = accept_error;
  return -1;
}

namespace xsd::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ManualClock final : public Clock {
 public:
  MonotonicTime monotonic() const noexcept override { return now; }
  WallTime wall() const noexcept override { return {}; }
  MonotonicTime now{seconds(1000)};
};

class Owner final : public ListenerOwner {
 public:
  const std::string& name() const noexcept override { return name_; }
  void on_connection(Listener& /*listener*/, UniqueFd socket, const net::SocketAddress& /*remote*/) override {
    connections.push_back(std::move(socket));
  }
  void on_input(Listener& listener) override {
    ++inputs;
    if (input_error != 0) {
      listener.on_fault("receive", input_error);
      return;
    }
    listener.on_fault_over("receive");
    char byte = 0;
    (void)recv(listener.socket().fd(), &byte, 1, MSG_DONTWAIT);
  }

  std::vector<UniqueFd> connections;
  int inputs = 0;
  int input_error = 0;

 private:
  std::string name_ = "game";
};

class ListenerTest : public testing::Test {
 protected:
  ListenerTest() {
    accept_error = 0;
    accept_tries = 0;
    last_failing_try = INT_MAX;
    char name[] = "/tmp/xsd-listener-XXXXXX";
    folder_ = mkdtemp(name);
    EXPECT_TRUE(log::open({.target = log::TargetKind::File, .path = folder_ + "/log"}));
  }
  ~ListenerTest() override {
    accept_error = 0;  // other tests of this program accept too
    EXPECT_TRUE(log::open({}));
    std::filesystem::remove_all(folder_);
  }
  void listen(Listener::Mode mode) {
    const auto transport = mode == Listener::Mode::Notify ? net::Transport::Datagram : net::Transport::Stream;
    socket_.emplace(std::move(
        *net::BoundSocket::open({transport, *net::SocketAddress::parse("127.0.0.1", 0), {}}, 4096)));
    listener_ = std::move(*Listener::create(context_, owner_, *socket_, mode));
  }
  void connect_clients(int count) {
    const net::SocketAddress to = net::local_address(socket_->fd());
    for (int i = 0; i < count; ++i) {
      clients_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      ASSERT_EQ(connect(clients_.back().get(), to.raw(), to.raw_length()), 0);
    }
  }
  void send_datagram() {
    const net::SocketAddress to = net::local_address(socket_->fd());
    const UniqueFd from(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(sendto(from.get(), "x", 1, 0, to.raw(), to.raw_length()), 1);
  }
  std::size_t turn() { return loop_->run_once(Duration::zero()); }
  /// Turns until nothing is to be done; false if that never comes.
  bool comes_to_rest() {
    for (int turns = 0; turns < 1000; ++turns) {
      if (turn() == 0) return true;
    }
    return false;
  }
  void advance(Duration by) {
    clock_.now += by;
    turn();  // timers that are due now run
  }
  std::size_t told(std::string_view part) const {
    std::ostringstream out;
    out << std::ifstream(folder_ + "/log").rdbuf();
    const std::string text = out.str();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size())
      ++count;
    return count;
  }

  ManualClock clock_;
  std::string folder_;
  std::unique_ptr<reactor::EventLoop> loop_ =
      std::move(*reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_));
  ServiceContext context_{*loop_, process::Inheritance::capture()};
  Owner owner_;
  std::optional<net::BoundSocket> socket_;
  std::unique_ptr<Listener> listener_;
  std::vector<UniqueFd> clients_;
};

TEST_F(ListenerTest, hands_over_connections_in_the_mode_that_was_asked_for) {
  for (const auto mode : {Listener::Mode::AcceptBlocking, Listener::Mode::AcceptNonBlocking}) {
    listen(mode);
    connect_clients(1);
    ASSERT_TRUE(comes_to_rest());
    ASSERT_FALSE(owner_.connections.empty());
    const bool non_blocking = (fcntl(owner_.connections.back().get(), F_GETFL) & O_NONBLOCK) != 0;
    EXPECT_EQ(non_blocking, mode == Listener::Mode::AcceptNonBlocking);
    listener_.reset();
  }
  EXPECT_EQ(owner_.connections.size(), 2U);
}

TEST_F(ListenerTest, takes_a_bounded_batch_a_turn) {
  listen(Listener::Mode::AcceptBlocking);
  connect_clients(20);
  turn();
  EXPECT_EQ(owner_.connections.size(), 8U);
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(owner_.connections.size(), 20U);
}

TEST_F(ListenerTest, leaves_clients_in_the_backlog_while_suspended) {
  listen(Listener::Mode::AcceptNonBlocking);
  listener_->suspend();
  connect_clients(3);
  EXPECT_EQ(turn(), 0U);
  EXPECT_TRUE(listener_->suspended());
  listener_->resume();
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(owner_.connections.size(), 3U);
}

TEST_F(ListenerTest, puts_a_socket_that_was_left_in_blocking_mode_right) {
  listen(Listener::Mode::AcceptNonBlocking);
  listener_.reset();
  ASSERT_EQ(fcntl(socket_->fd(), F_SETFL, 0), 0);
  listener_ = std::move(*Listener::create(context_, owner_, *socket_, Listener::Mode::Notify));
  EXPECT_EQ(fcntl(socket_->fd(), F_GETFL) & O_NONBLOCK, 0) << "a server may be at work on it yet";
  listener_.reset();
  listener_ = std::move(*Listener::create(context_, owner_, *socket_, Listener::Mode::AcceptNonBlocking));
  EXPECT_NE(fcntl(socket_->fd(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(ListenerTest, takes_the_rest_of_a_socket_that_goes) {
  listen(Listener::Mode::AcceptBlocking);
  connect_clients(100);
  listener_->suspend();
  listener_->accept_rest();
  EXPECT_EQ(owner_.connections.size(), 100U);
}

TEST_F(ListenerTest, goes_on_after_an_error_of_one_connection) {
  listen(Listener::Mode::AcceptNonBlocking);
  connect_clients(1);
  accept_error = ECONNABORTED;
  last_failing_try = 5;
  turn();
  EXPECT_EQ(owner_.connections.size(), 1U);
  EXPECT_EQ(told("error:"), 0U);
}

class LastingError : public ListenerTest, public testing::WithParamInterface<Listener::Mode> {};

INSTANTIATE_TEST_SUITE_P(Modes, LastingError,
                         testing::Values(Listener::Mode::AcceptBlocking, Listener::Mode::AcceptNonBlocking),
                         [](const auto& mode) {
                           return mode.param == Listener::Mode::AcceptBlocking ? "programs" : "plugins";
                         });

TEST_P(LastingError, of_one_connection_after_the_other_pauses_and_is_told_of_once) {
  listen(GetParam());
  connect_clients(1);
  accept_error = EPERM;  // an LSM: the connection stays in the queue
  ASSERT_TRUE(comes_to_rest()) << "it tries without end";
  EXPECT_LE(accept_tries, 100);
  EXPECT_EQ(told("error: game: accept on tcp://127.0.0.1:0: Operation not permitted"), 1U);
  accept_tries = 0;
  advance(milliseconds(900));
  EXPECT_EQ(accept_tries, 0);
  advance(milliseconds(200));
  ASSERT_TRUE(comes_to_rest());
  EXPECT_GE(accept_tries, 1);
  EXPECT_LE(accept_tries, 100);
  accept_error = 0;
  advance(seconds(2));
  ASSERT_TRUE(comes_to_rest());
  EXPECT_EQ(owner_.connections.size(), 1U);
  EXPECT_EQ(told("error:"), 1U);
  EXPECT_EQ(told("info: game: accept on tcp://127.0.0.1:0 works again"), 1U);
}

TEST_P(LastingError, does_not_hold_up_the_last_accepts_of_a_socket_that_goes) {
  listen(GetParam());
  connect_clients(1);
  accept_error = EPERM;
  listener_->accept_rest();
  EXPECT_LE(accept_tries, 100);
}

TEST_F(ListenerTest, pauses_once_its_owner_says_that_the_socket_has_a_fault) {
  listen(Listener::Mode::Notify);
  send_datagram();
  owner_.input_error = ENOMEM;
  ASSERT_TRUE(comes_to_rest()) << "it asks without end";
  EXPECT_EQ(owner_.inputs, 1);
  advance(seconds(2));
  ASSERT_TRUE(comes_to_rest());
  EXPECT_EQ(owner_.inputs, 2);
  EXPECT_EQ(told("error: game: receive on udp://127.0.0.1:0: Cannot allocate memory"), 1U);
  owner_.input_error = 0;
  advance(seconds(2));
  ASSERT_TRUE(comes_to_rest());
  EXPECT_EQ(owner_.inputs, 3);
  EXPECT_EQ(told("info: game: receive on udp://127.0.0.1:0 works again"), 1U);
}

TEST_F(ListenerTest, waits_at_the_gate_when_there_are_no_descriptors) {
  listen(Listener::Mode::AcceptNonBlocking);
  connect_clients(1);
  accept_error = EMFILE;
  ASSERT_TRUE(comes_to_rest());
  EXPECT_EQ(accept_tries, 1);
  EXPECT_TRUE(context_.gate.is_shut());
  accept_error = 0;
  advance(seconds(1));
  ASSERT_TRUE(comes_to_rest());
  EXPECT_EQ(owner_.connections.size(), 1U);
}

}  // namespace
}  // namespace xsd::service
