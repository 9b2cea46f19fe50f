// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/helper.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/reactor/reactor_test.h"

namespace xsd::process {
namespace {

using namespace std::chrono_literals;
using Wants = Helper::Wants;

bool is_gone(pid_t pid) {
  return kill(pid, 0) != 0 && errno == ESRCH;
}

class HelperOn : public reactor::LoopTest {
 protected:
  Helper::Task task(std::function<void(int)> work, Duration limit = 10s) {
    return {.work = std::move(work),
            .on_bytes =
                [this](std::string_view bytes) {
                  text.append(bytes);
                  return wants;
                },
            .on_end = [this](const std::string& why) { end = why; },
            .limit = limit};
  }
  void start(Helper::Task what) {
    auto made = Helper::start(*loop, children, std::move(what));
    ASSERT_TRUE(made) << made.error().text();
    helper = std::move(*made);
  }
  bool turn_until_end() {
    return turn_until([this] { return end.has_value(); });
  }
  /// Killed or not, nobody is left behind.
  void expect_reaped() {
    helper.reset();
    EXPECT_TRUE(turn_until([this] { return children.size() == 0; }));
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
    EXPECT_EQ(loop->watch_count(), 0U);
    EXPECT_EQ(loop->timer_count(), 0U);
  }

  reactor::ChildWatcher children{*loop};
  std::unique_ptr<Helper> helper;
  std::string text;
  Wants wants = Wants::More;
  std::optional<std::string> end;
};

INSTANTIATE_TEST_SUITE_P(On, HelperOn, reactor::each_poller(), reactor::kind_name);

TEST_P(HelperOn, hands_over_what_the_work_wrote) {
  const std::string much(300'000, 'x');  // more than the pipe holds
  start(task([&much](int out) {
    (void)write_all(out, "begin ");
    (void)write_all(out, much);
  }));
  ASSERT_TRUE(turn_until_end());
  EXPECT_EQ(*end, "");
  EXPECT_TRUE(text == "begin " + much) << text.size();
  expect_reaped();
}

TEST_P(HelperOn, ends_what_takes_too_long) {
  start(task(
      [](int out) {
        (void)write_all(out, "half");
        for (;;)
          pause();
      },
      50ms));
  const pid_t pid = helper->pid();
  ASSERT_TRUE(turn_until_end());
  EXPECT_EQ(*end, "no answer within 50ms");
  EXPECT_EQ(text, "half");
  expect_reaped();
  EXPECT_TRUE(is_gone(pid));
}

TEST_P(HelperOn, says_how_a_child_died_half_way) {
  start(task([](int out) {
    (void)write_all(out, "half");
    (void)raise(SIGKILL);
  }));
  ASSERT_TRUE(turn_until_end());
  EXPECT_EQ(*end, "the helper was ended by signal 9 (KILL)");
  EXPECT_EQ(text, "half");
  expect_reaped();
  end.reset();
  start(task([](int) { _exit(3); }));
  ASSERT_TRUE(turn_until_end());
  EXPECT_EQ(*end, "the helper ended with status 3");
}

TEST_P(HelperOn, does_not_wait_for_who_has_said_all) {
  wants = Wants::NoMore;
  start(task([](int out) {
    (void)write_all(out, "all");
    for (;;)
      pause();
  }));
  ASSERT_TRUE(turn_until_end());
  EXPECT_EQ(*end, "");
  expect_reaped();
}

TEST_P(HelperOn, ends_who_talks_nonsense) {
  wants = Wants::Sense;
  start(task([](int out) {
    while (write_all(out, "nonsense")) {
    }
  }));
  ASSERT_TRUE(turn_until_end());
  EXPECT_EQ(*end, "the helper's answer makes no sense");
  expect_reaped();
}

TEST_P(HelperOn, may_be_destroyed_by_its_own_end) {
  Helper::Task suicidal = task([](int) {});
  suicidal.on_end = [this](const std::string& why) {
    helper.reset();
    end = why;
  };
  start(std::move(suicidal));
  ASSERT_TRUE(turn_until_end());
  suicidal = task([](int) { pause(); }, 20ms);
  end.reset();
  suicidal.on_end = [this](const std::string& why) {
    helper.reset();
    end = why;
  };
  start(std::move(suicidal));
  ASSERT_TRUE(turn_until_end());
  expect_reaped();
}

TEST_P(HelperOn, takes_the_child_with_it) {
  start(task([](int) {
    for (;;)
      pause();
  }));
  const pid_t pid = helper->pid();
  expect_reaped();
  EXPECT_TRUE(is_gone(pid));
  EXPECT_FALSE(end.has_value());
}

TEST_P(HelperOn, gives_the_child_nothing_of_ours) {
  const reactor::FdPair ours = reactor::make_socketpair();
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGCHLD);
  sigset_t before;
  sigprocmask(SIG_BLOCK, &blocked, &before);
  ASSERT_NE(signal(SIGUSR1, SIG_IGN), SIG_ERR);
  Helper::Task look = task([](int out) {
    std::string open;
    DIR* const folder = opendir("/proc/self/fd");
    while (const dirent* const entry = readdir(folder)) {
      const int fd = std::atoi(entry->d_name);
      if (fd > 2 && fd != dirfd(folder) && fd != out) open += std::string(" ") + entry->d_name;
    }
    sigset_t mask;
    sigprocmask(SIG_BLOCK, nullptr, &mask);
    struct sigaction action {};
    (void)sigaction(SIGUSR1, nullptr, &action);
    std::string name;
    std::ifstream("/proc/self/comm") >> name;
    (void)write_all(out, "open:" + open + " blocked:" + std::to_string(sigismember(&mask, SIGTERM)) +
                             " ignored:" + std::to_string(action.sa_handler == SIG_IGN) + " " + name);
  });
  look.name = "helpful";
  start(std::move(look));
  ASSERT_TRUE(turn_until_end());
  EXPECT_EQ(text, "open: blocked:0 ignored:0 helpful");
  (void)signal(SIGUSR1, SIG_DFL);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

TEST_P(HelperOn, has_one_more_descriptor_if_its_task_says_so) {
  const UniqueFd kept = raise_fd(UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC)));
  const UniqueFd other(open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int keep : {kept.get(), other.get()}) {
    const int not_kept = keep == kept.get() ? other.get() : kept.get();
    text.clear();
    end.reset();
    Helper::Task look = task([keep, not_kept](int out) {
      const bool is_right = fcntl(keep, F_GETFD) >= 0 && fcntl(not_kept, F_GETFD) < 0;
      (void)write_all(out, is_right ? "right" : "wrong");
    });
    look.keep = keep;
    start(std::move(look));
    ASSERT_TRUE(turn_until_end());
    EXPECT_EQ(text, "right");
  }
}

TEST_P(HelperOn, dies_with_us) {
  const reactor::FdPair told = reactor::make_pipe();
  const pid_t starter = fork();
  if (starter == 0) {  // it goes at once
    const auto own_loop = std::move(reactor::EventLoop::create(GetParam(), clock).value());
    reactor::ChildWatcher own_children(*own_loop);
    const auto orphan = Helper::start(*own_loop, own_children, task([](int) {
      for (;;)
        pause();
    }));
    const pid_t pid = orphan ? (*orphan)->pid() : 0;
    (void)write_all(told.second.get(), std::to_string(pid));
    _exit(0);
  }
  ASSERT_EQ(waitpid(starter, nullptr, 0), starter);
  const pid_t orphan = std::stoi(reactor::take(told.first));
  ASSERT_GT(orphan, 0);
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, orphan, 0)));
  if (!pidfd) return;  // gone already
  pollfd ended{pidfd.get(), POLLIN, 0};
  EXPECT_EQ(poll(&ended, 1, 10'000), 1);
}

TEST_P(HelperOn, says_why_it_cannot_start) {
  // UBSan looks at our object through a pipe of its own, so nothing of it is used while there can be none.
  reactor::EventLoop& own_loop = *loop;
  reactor::ChildWatcher& own_children = children;
  Helper::Task idle = task([](int) {});
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit few{3, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto made = Helper::start(own_loop, own_children, std::move(idle));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().text(), "pipe: Too many open files");
  expect_reaped();
}

}  // namespace
}  // namespace xsd::process
