// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/notifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include <sys/socket.h>
#include <unistd.h>

namespace xsd::daemon {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

net::Endpoint loopback() {
  return {net::Transport::Stream, *net::SocketAddress::parse("127.0.0.1", 0), {}};
}

TEST(StoreRoom, is_what_the_manager_keeps_but_leaves_descriptors_to_the_loader) {
  EXPECT_EQ(store_room(0, 1024, 0), 0U);
  EXPECT_EQ(store_room(100, 1024, 0), 100U);
  EXPECT_EQ(store_room(4096, 1024, 0), 960U);
  EXPECT_EQ(store_room(4096, 1024, 900), 60U);
  EXPECT_EQ(store_room(4096, 1024, 2000), 0U);
  EXPECT_EQ(store_room(4096, 20, 0), 0U);
  EXPECT_EQ(store_room(4096, RLIM_INFINITY, 3), 4096U);
}

TEST(StoreName, is_told_from_others_by_its_form) {
  const net::Endpoint tcp{net::Transport::Stream, *net::SocketAddress::parse("127.0.0.1", 7), {}};
  EXPECT_EQ(store_name(tcp), "xsd-tcp+3a//127.0.0.1+3a7");
  for (const auto transport : {net::Transport::Stream, net::Transport::Datagram, net::Transport::SeqPacket}) {
    EXPECT_TRUE(is_store_name(store_name({transport, *net::SocketAddress::unix_path("/run/x y"), {}})));
    if (transport == net::Transport::SeqPacket) continue;
    EXPECT_TRUE(is_store_name(store_name({transport, *net::SocketAddress::parse("::1", 7), "eth0"})));
  }
  for (const std::string_view name :
       {"", "xsd-", "xsd-inetd.socket", "xsd-tcp.socket", "xsd-tcp", "xsd-sctp+3a//x", "tcp+3a//127.0.0.1"})
    EXPECT_FALSE(is_store_name(name)) << name;
}

// The test is the manager.
class NotifierTest : public testing::Test {
 protected:
  NotifierTest() : loop_(std::move(reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_).value())) {
    char name[] = "/tmp/xsd-notify-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/notify";
    rebind();
    setenv("NOTIFY_SOCKET", path_.c_str(), 1);
    setenv("FDSTORE", "64", 1);
  }
  ~NotifierTest() override {
    for (const char* const name : {"NOTIFY_SOCKET", "FDSTORE", "WATCHDOG_USEC", "WATCHDOG_PID"})
      unsetenv(name);
    std::filesystem::remove_all(folder_);
  }

  void rebind() {
    (void)unlink(path_.c_str());
    manager_ = UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto address = net::SocketAddress::unix_path(path_);
    ASSERT_EQ(bind(manager_.get(), address->raw(), address->raw_length()), 0);
  }
  /// What has come so far. Descriptors are closed by the kernel.
  std::vector<std::string> read() const {
    std::vector<std::string> all;
    char buffer[4096];
    ssize_t count = 0;
    while ((count = recv(manager_.get(), buffer, sizeof buffer, 0)) >= 0)
      all.emplace_back(buffer, static_cast<std::size_t>(count));
    return all;
  }
  /// Until somebody says it, in turns of the loop.
  std::vector<std::string> read_until(std::string_view part) {
    std::vector<std::string> all;
    const MonotonicTime end = clock_.monotonic() + std::chrono::seconds(20);
    while (clock_.monotonic() < end && (all.empty() || all.back().find(part) == std::string::npos)) {
      loop_->run_once(std::chrono::milliseconds(10));
      for (std::string& one : read())
        all.push_back(std::move(one));
    }
    return all;
  }

  SystemClock clock_;
  std::unique_ptr<reactor::EventLoop> loop_;
  std::string folder_;
  std::string path_;
  UniqueFd manager_;
};

TEST_F(NotifierTest, says_by_which_name_a_socket_is_kept_and_that_it_is_not_to_be_polled) {
  const auto socket = net::BoundSocket::open(loopback(), 1);
  ASSERT_TRUE(socket);
  Notifier notifier;
  const std::string name = notifier.keep(*socket).value_or("");
  EXPECT_EQ(name, store_name(socket->endpoint()));
  EXPECT_THAT(read(), ElementsAre("FDSTORE=1\nFDNAME=" + name + "\nFDPOLL=0\n"));
  notifier.forget(name);
  EXPECT_THAT(read(), ElementsAre("FDSTOREREMOVE=1\nFDNAME=" + name + "\n"));
}

TEST_F(NotifierTest, drops_descriptors_that_nobody_takes_but_nothing_else) {
  constexpr std::size_t kMany = 5000;
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max < 2 * kMany) GTEST_SKIP() << "needs more descriptors";
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  const auto socket = net::BoundSocket::open(loopback(), 1);
  ASSERT_TRUE(socket);
  Notifier notifier;
  notifier.use(*loop_);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < kMany; ++i)
    kept += notifier.keep(*socket).value_or("").empty() ? 0U : 1U;
  EXPECT_LT(kept, kMany);
  notifier.ready("serving");
  const auto all = read_until("READY=1");
  EXPECT_THAT(all, SizeIs(kept + 1)) << "what is said to be kept is sent";
  EXPECT_THAT(all.back(), HasSubstr("READY=1"));
}

TEST_F(NotifierTest, sends_first_what_has_waited) {
  Notifier notifier;  // without a loop
  constexpr std::size_t kMany = 2000;
  for (std::size_t i = 0; i < kMany; ++i)
    notifier.reloading({});
  std::vector<std::string> all = read();
  EXPECT_LT(all.size(), kMany) << "a socket has room for that many";
  for (std::size_t i = 0; i < kMany && all.size() < kMany; ++i) {
    notifier.ready("serving");
    for (std::string& one : read())
      all.push_back(std::move(one));
  }
  ASSERT_GE(all.size(), kMany);
  for (std::size_t i = 0; i < kMany; ++i)
    EXPECT_THAT(all[i], HasSubstr("RELOADING=1")) << i;
}

TEST_F(NotifierTest, finds_a_manager_whose_socket_is_another_one) {
  Notifier notifier;
  notifier.ready("one");
  EXPECT_THAT(read(), SizeIs(1));
  rebind();
  notifier.ready("two");
  EXPECT_THAT(read(), ElementsAre("READY=1\nSTATUS=two\n"));
}

TEST_F(NotifierTest, says_who_serves_if_its_parent_was_started) {
  Notifier notifier(true);
  notifier.ready("x");
  EXPECT_THAT(read(), ElementsAre("READY=1\nSTATUS=x\nMAINPID=" + std::to_string(getpid()) + "\n"));
}

TEST_F(NotifierTest, says_how_long_a_stop_may_take) {
  Notifier notifier;
  notifier.stopping();
  notifier.extend_stop(std::chrono::seconds(200));
  EXPECT_THAT(read(), ElementsAre("STOPPING=1\n", "EXTEND_TIMEOUT_USEC=205000000\n"));
}

TEST_F(NotifierTest, sends_at_the_end_what_has_waited) {
  Notifier notifier;
  constexpr std::size_t kMany = 1000;
  for (std::size_t i = 0; i < kMany; ++i)
    notifier.ready("serving");
  notifier.stopping();
  std::vector<std::string> all;
  std::thread manager([&] { all = read_until("STOPPING=1"); });
  notifier.finish();
  manager.join();
  EXPECT_EQ(all.size(), kMany + 1);
}

TEST_F(NotifierTest, owes_a_sign_of_life_while_the_manager_does_not_read) {
  setenv("WATCHDOG_USEC", "20000", 1);
  unsetenv("WATCHDOG_PID");
  Notifier notifier;
  notifier.use(*loop_);
  constexpr std::size_t kMany = 1000;
  for (std::size_t i = 0; i < kMany; ++i)
    notifier.ready("serving");
  const MonotonicTime end = clock_.monotonic() + std::chrono::milliseconds(60);
  while (clock_.monotonic() < end)
    loop_->run_once();
  const auto all = read_until("WATCHDOG=1");
  EXPECT_EQ(all.size(), kMany + 1) << "one sign, behind what has waited";
}

TEST_F(NotifierTest, tells_regularly_that_it_is_alive) {
  setenv("WATCHDOG_USEC", "20000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  Notifier notifier;
  notifier.use(*loop_);
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(read_until("WATCHDOG=1"), Contains("WATCHDOG=1\n"));
}

TEST_F(NotifierTest, has_no_timer_unless_it_is_meant) {
  for (const char* const time : {"", "0", "x", "20000"}) {
    setenv("WATCHDOG_USEC", time, 1);
    setenv("WATCHDOG_PID", "1", 1);
    Notifier notifier;
    notifier.use(*loop_);
    EXPECT_EQ(loop_->timer_count(), 0U);
  }
  setenv("WATCHDOG_USEC", "0", 1);
  unsetenv("WATCHDOG_PID");
  Notifier notifier;
  notifier.use(*loop_);
  EXPECT_EQ(loop_->timer_count(), 0U);
}

}  // namespace
}  // namespace xsd::daemon
