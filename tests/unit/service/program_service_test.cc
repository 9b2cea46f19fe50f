// SPDX-License-Identifier: Apache-2.0
//
// What happens when this process has no descriptors left, or none that can be watched. The rest of a
// ProgramService is tested with the whole daemon.
#include "xsd/service/program_service.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace xsd::service {
namespace {

using std::chrono::seconds;

constexpr int kSelectSize = 1024;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kIsSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif
#else
constexpr bool kIsSanitized = false;
#endif

/// Epoll, until it is told that there is no room for another descriptor (ENOSPC, epoll_ctl(2)).
class FullPoller final : public reactor::Poller {
 public:
  explicit FullPoller(const bool& full)
      : full_(full), poller_(std::move(*reactor::Poller::create(reactor::PollerKind::Epoll))) {}
  reactor::PollerKind kind() const noexcept override { return poller_->kind(); }
  bool can_hold(int fd) const noexcept override { return poller_->can_hold(fd); }
  Status add(int fd, reactor::Events interest, std::uint64_t token) override {
    if (full_) return Error::from_errno(ENOSPC, "epoll_ctl");
    return poller_->add(fd, interest, token);
  }
  void modify(int fd, reactor::Events interest, std::uint64_t token) noexcept override {
    poller_->modify(fd, interest, token);
  }
  void remove(int fd) noexcept override { poller_->remove(fd); }
  std::span<const reactor::ReadyEntry> wait(std::optional<Duration> longest) noexcept override {
    return poller_->wait(longest);
  }

 private:
  const bool& full_;
  std::unique_ptr<reactor::Poller> poller_;
};

/// Keeps all descriptors of this process from `first` on taken, as far as `limit`.
class TakenDescriptors {
 public:
  TakenDescriptors(int first, int limit) {
    (void)getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit now{static_cast<rlim_t>(limit), before_.rlim_max};
    (void)setrlimit(RLIMIT_NOFILE, &now);
    for (int fd; (fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, first)) >= 0;)
      taken_.emplace_back(fd);
  }
  ~TakenDescriptors() { (void)setrlimit(RLIMIT_NOFILE, &before_); }
  TakenDescriptors(const TakenDescriptors&) = delete;
  TakenDescriptors& operator=(const TakenDescriptors&) = delete;
  bool free_one() {
    if (taken_.empty()) return false;
    taken_.pop_back();
    return true;
  }
  void free_all() { taken_.clear(); }

 private:
  rlimit before_{};
  std::vector<UniqueFd> taken_;
};

class ProgramServiceTest : public testing::Test {
 protected:
  ProgramServiceTest() {
    char name[] = "/tmp/xsd-program-XXXXXX";
    folder_ = mkdtemp(name);
    program_ = folder_ + "/program";
    std::ofstream(program_) << "#!/bin/sh\necho ran >> " << mark() << "\necho ready\n";
    std::filesystem::permissions(program_, std::filesystem::perms(0755));
    definition_.id = definition_.service = "prog";
    definition_.kind = config::ServiceKind::Program;
    definition_.server = program_;
    definition_.instances = config::Limit{8};
  }
  ~ProgramServiceTest() override {
    service_.reset();
    context_.reset();
    while (waitpid(-1, nullptr, 0) > 0) {
    }
    std::filesystem::remove_all(folder_);
  }

  std::string mark() const { return folder_ + "/mark"; }
  bool has_run() const { return std::filesystem::exists(mark()); }

  void start(std::unique_ptr<reactor::EventLoop> loop) {
    loop_ = std::move(loop);
    context_.emplace(*loop_, process::Inheritance::capture());
    auto prepared = prepare(std::make_shared<const config::ServiceDefinition>(definition_),
                            std::make_shared<const config::Resolution>(), *context_);
    ASSERT_TRUE(prepared) << prepared.error().text();
    auto made = Service::create(*context_, std::move(*prepared));
    ASSERT_TRUE(made) << made.error().text();
    service_ = std::move(*made);
    auto bound =
        net::BoundSocket::open({net::Transport::Stream, *net::SocketAddress::parse("127.0.0.1", 0), {}}, 16);
    ASSERT_TRUE(bound) << bound.error().text();
    socket_.emplace(std::move(*bound));
    ASSERT_TRUE(service_->listen_on({&*socket_}));
  }
  void start(reactor::PollerKind kind = reactor::PollerKind::Epoll) {
    start(std::move(*reactor::EventLoop::create(kind, clock_)));
  }

  UniqueFd connect_one() const {
    const net::SocketAddress address = net::local_address(socket_->fd());
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), address.raw(), address.raw_length()), 0);
    return fd;
  }
  template <class Predicate>
  bool turn_until(Predicate done, Duration longest = seconds(15)) {
    const MonotonicTime end = clock_.monotonic() + longest;
    while (!done()) {
      if (clock_.monotonic() >= end) return false;
      loop_->run_once(std::chrono::milliseconds(20));
    }
    return true;
  }
  /// What the other end has sent, when it has sent something; empty at its end.
  std::string receive(const UniqueFd& client) {
    char text[64];
    ssize_t size = -1;
    (void)turn_until([&] { return (size = recv(client.get(), text, sizeof text, MSG_DONTWAIT)) >= 0; });
    return std::string(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  }
  std::uint64_t refused(policy::Reason reason) const {
    return service_->counters().refused[static_cast<std::size_t>(reason)];
  }

  std::string folder_;
  std::string program_;
  config::ServiceDefinition definition_;
  const SystemClock clock_;
  std::unique_ptr<reactor::EventLoop> loop_;
  std::optional<ServiceContext> context_;
  std::optional<net::BoundSocket> socket_;
  std::unique_ptr<Service> service_;
};

// ---- no descriptors are left

class ProgramServiceAtItsLimit : public ProgramServiceTest {
 protected:
  void SetUp() override {
    if (kIsSanitized) GTEST_SKIP() << "the sanitizer needs descriptors of its own when it looks at objects";
  }
  /// As many as accept needs, and none for the program.
  void take_all_but_one() {
    client_ = connect_one();
    taken_.emplace(0, kLimit);
    ASSERT_TRUE(taken_->free_one());
  }
  /// Turns until the client was accepted, and kept for later.
  bool is_kept() {
    return turn_until([&] { return service_->active() == 1; }) && !has_run();
  }
  static constexpr int kLimit = 128;
  UniqueFd client_;
  std::optional<TakenDescriptors> taken_;
};

TEST_F(ProgramServiceAtItsLimit, keeps_the_client_and_serves_it_soon_after) {
  start();
  take_all_but_one();
  ASSERT_TRUE(is_kept());
  const MonotonicTime begin = clock_.monotonic();
  // More tries than there would be for want of processes.
  EXPECT_FALSE(turn_until([&] { return service_->active() == 0; }, std::chrono::milliseconds(2200)));
  EXPECT_GE(clock_.monotonic() - begin, seconds(2));
  EXPECT_FALSE(service_->pause_reason().empty());
  taken_->free_all();
  const MonotonicTime freed = clock_.monotonic();
  EXPECT_EQ(receive(client_), "ready\n");
  EXPECT_LE(clock_.monotonic() - freed, seconds(1));
  EXPECT_TRUE(service_->pause_reason().empty());
  EXPECT_EQ(service_->counters().started, 1U);
}

TEST_F(ProgramServiceAtItsLimit, refuses_the_client_with_noretry) {
  definition_.flags = config::kFlagNoRetry;
  start();
  take_all_but_one();
  EXPECT_EQ(receive(client_), "");
  EXPECT_EQ(refused(policy::Reason::Resources), 1U);
  EXPECT_EQ(service_->counters().started, 0U);
  taken_->free_all();
  client_ = connect_one();
  EXPECT_EQ(receive(client_), "ready\n");
}

TEST_F(ProgramServiceAtItsLimit, keeps_the_client_when_there_is_none_for_standard_error) {
  definition_.stderr_target = config::StderrTarget::Log;
  start();
  take_all_but_one();
  ASSERT_TRUE(is_kept());
  taken_->free_all();
  EXPECT_EQ(receive(client_), "ready\n");
}

TEST_F(ProgramServiceAtItsLimit, watches_the_socket_of_a_wait_service_again_soon_after) {
  definition_.wait = true;
  start();
  client_ = connect_one();
  taken_.emplace(0, kLimit);
  EXPECT_TRUE(turn_until([&] { return !service_->pause_reason().empty(); }));
  EXPECT_FALSE(has_run());
  taken_->free_all();
  EXPECT_TRUE(turn_until([&] { return has_run(); }, seconds(1)));
}

TEST_F(ProgramServiceAtItsLimit, is_idle_when_the_last_try_of_a_drained_service_fails) {
  bool idle = false;
  start();
  take_all_but_one();
  ASSERT_TRUE(is_kept());
  std::filesystem::remove(program_);
  service_->drain();
  service_->on_idle([&] { idle = true; });
  EXPECT_FALSE(turn_until([&] { return idle; }, std::chrono::milliseconds(100)));
  taken_->free_all();
  EXPECT_TRUE(turn_until([&] { return idle; }));
  EXPECT_EQ(receive(client_), "");
  EXPECT_EQ(service_->counters().started, 0U);
}

// ---- select has no room

class ProgramServiceWithSelect : public ProgramServiceTest {
 protected:
  void SetUp() override {
    rlimit files{};
    (void)getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < kMore) GTEST_SKIP() << "needs more than " << kMore << " descriptors";
    start(reactor::PollerKind::Select);
    client_ = connect_one();
    // Those above the floor that select can hold; low ones are free, and high ones are.
    taken_.emplace(fd_floor(), kSelectSize);
    rlimit more = files;
    more.rlim_cur = kMore;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &more), 0);
  }
  static constexpr rlim_t kMore = 1200;
  UniqueFd client_;
  std::optional<TakenDescriptors> taken_;
};

TEST_F(ProgramServiceWithSelect, refuses_before_anything_is_started) {
  EXPECT_EQ(receive(client_), "");
  EXPECT_EQ(refused(policy::Reason::Resources), 1U);
  EXPECT_EQ(service_->counters().started, 0U);
  ASSERT_TRUE(taken_->free_one());
  client_ = connect_one();
  EXPECT_EQ(receive(client_), "ready\n") << "there was room for one";
  EXPECT_EQ(service_->counters().started, 1U);
  EXPECT_TRUE(service_->pause_reason().empty());
}

class ProgramServiceWithSelectAndWait : public ProgramServiceWithSelect {
 protected:
  ProgramServiceWithSelectAndWait() { definition_.wait = true; }
};

TEST_F(ProgramServiceWithSelectAndWait, waits_before_anything_is_started) {
  EXPECT_FALSE(turn_until([&] { return has_run(); }, std::chrono::milliseconds(200)));
  EXPECT_EQ(service_->counters().started, 0U);
  EXPECT_EQ(refused(policy::Reason::Resources), 0U);
  ASSERT_TRUE(taken_->free_one());
  EXPECT_TRUE(turn_until([&] { return has_run(); }));
  EXPECT_EQ(service_->counters().started, 1U);
}

// ---- the poller has no room

TEST_F(ProgramServiceTest, ends_a_program_that_it_cannot_watch_without_waiting_for_it) {
  bool full = false;
  start(reactor::EventLoop::create(std::make_unique<FullPoller>(full), clock_));
  const UniqueFd client = connect_one();
  full = true;
  EXPECT_TRUE(turn_until([&] { return !service_->pause_reason().empty(); }));
  EXPECT_EQ(service_->active(), 1U) << "it is there until it is gone";
  EXPECT_EQ(context_->processes.running, 1U);
  EXPECT_EQ(service_->counters().started, 0U);
  EXPECT_TRUE(turn_until([&] { return service_->active() == 0; }));
  EXPECT_EQ(context_->processes.running, 0U);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

}  // namespace
}  // namespace xsd::service
