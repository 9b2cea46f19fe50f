// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/spawner.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "started_world.h"

namespace xsd::process {
namespace {

/// From now on, in this process and its children, the system call answers -1 with `error`; with error 0 it
/// claims success and does nothing. Only calls whose argument number `argument` has one of the bits `mask`
/// are touched.
void filter_call(long number, int error, unsigned argument = 0, unsigned mask = 0) {
  const auto at = static_cast<unsigned>(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t));
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
      mask == 0 ? sock_filter BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0)
                : sock_filter BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, mask, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{sizeof program / sizeof program[0], program};
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

/// Starts `plan`, which must fail.
SpawnFailure fail_to_spawn(Spawner& spawner, const ExecPlan& plan) {
  Pair pair;
  auto child = spawner.spawn(plan, tcp_request(pair.theirs.get()));
  if (child) {
    ADD_FAILURE() << "it was started";
    (void)wait_for(*child);
    return {SpawnStep::Clone, 0};
  }
  EXPECT_FALSE(has_children());
  return child.error();
}

/// The plan that leaves a file if its program runs.
ExecPlan marking_plan(const TemporaryDirectory& directory) {
  std::filesystem::copy_file(kShowWorld, directory.path() + "/show_world");
  ExecPlan plan = world_plan({"mark", directory.path() + "/marker"});
  plan.program = directory.path() + "/show_world";
  return plan;
}

class SpawnerTest : public testing::TestWithParam<bool> {
 protected:
  void expect_failure(const ExecPlan& plan, SpawnStep step, int error, const std::string& text) {
    const SpawnFailure failure = fail_to_spawn(spawner_, plan);
    EXPECT_EQ(step_name(failure.step), step_name(step));
    EXPECT_EQ(failure.error, error);
    EXPECT_EQ(failure.text(plan), text);
    EXPECT_FALSE(failure.temporary());
    EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/marker"));
  }

  TemporaryDirectory directory_;
  ExecPlan plan_ = marking_plan(directory_);
  Spawner spawner_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Clone, SpawnerTest, testing::Bool(), [](const auto& parameter) {
  return std::string(parameter.param ? "sharing" : "copying");
});

TEST_P(SpawnerTest, starts_the_program_that_leaves_the_mark) {
  Pair pair;
  auto child = spawner_.spawn(plan_, tcp_request(pair.theirs.get()));
  ASSERT_TRUE(child);
  EXPECT_EQ(wait_for(*child), 0);
  EXPECT_TRUE(std::filesystem::exists(directory_.path() + "/marker"));
  EXPECT_EQ(spawner_.shares_descriptors(), GetParam());
}

TEST_P(SpawnerTest, reports_a_program_that_cannot_be_executed) {
  plan_.program = directory_.path() + "/missing";
  expect_failure(plan_, SpawnStep::Exec, ENOENT, "exec " + plan_.program + ": No such file or directory");
  plan_.program = directory_.write("plain", "#!/bin/sh\n", 0644);
  expect_failure(plan_, SpawnStep::Exec, EACCES, "exec " + plan_.program + ": Permission denied");
  plan_.program = directory_.write("words", "these are not instructions\n", 0755);
  expect_failure(plan_, SpawnStep::Exec, ENOEXEC, "exec " + plan_.program + ": Exec format error");
  plan_.program = directory_.write("script", "#!/missing/interpreter\n", 0755);
  expect_failure(plan_, SpawnStep::Exec, ENOENT,
                 "exec " + plan_.program + ": No such file or directory (its interpreter)");
  plan_.program = directory_.path();
  expect_failure(plan_, SpawnStep::Exec, EACCES, "exec " + plan_.program + ": Permission denied");
}

TEST_P(SpawnerTest, reports_a_program_that_is_being_written) {
  const UniqueFd writer(open(plan_.program.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(writer);
  expect_failure(plan_, SpawnStep::Exec, ETXTBSY, "exec " + plan_.program + ": Text file busy");
}

TEST_P(SpawnerTest, reports_a_missing_directory) {
  plan_.directory = "/missing/directory";
  expect_failure(plan_, SpawnStep::Directory, ENOENT, "chdir /missing/directory: No such file or directory");
}

TEST_P(SpawnerTest, reports_a_missing_chroot) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  plan_.chroot = "/missing/chroot";
  expect_failure(plan_, SpawnStep::Chroot, ENOENT, "chroot /missing/chroot: No such file or directory");
}

TEST_P(SpawnerTest, reports_a_limit_that_does_not_exist) {
  plan_.limits = {{1000, {1, 1}}};
  expect_failure(plan_, SpawnStep::Limits, EINVAL, "rlimit: Invalid argument");
}

TEST_P(SpawnerTest, reports_descriptors_that_do_not_exist) {
  SpawnRequest request = tcp_request(-1);
  auto child = spawner_.spawn(plan_, request);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().step, SpawnStep::Descriptors);
  EXPECT_EQ(child.error().error, EBADF);
  Pair pair;
  for (const int missing : {50, 19999}) {
    request = tcp_request(pair.theirs.get());
    request.standard_error = missing;
    child = spawner_.spawn(plan_, request);
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().text(plan_), "descriptors: Bad file descriptor");
  }
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/marker"));
  EXPECT_FALSE(has_children());
  EXPECT_EQ(spawner_.shares_descriptors(), GetParam());
}

TEST_P(SpawnerTest, reports_what_only_root_may_do) {
  in_other_process([&] {
    const rlimit low{100, 200};
    ASSERT_EQ(setrlimit(RLIMIT_CORE, &low), 0);
    if (geteuid() == 0) {
      ASSERT_EQ(setresgid(kNobody, kNobody, kNobody), 0);
      ASSERT_EQ(setresuid(kNobody, kNobody, kNobody), 0);
    }
    ExecPlan plan = plan_;
    plan.credentials = Credentials{1, 1, {}};
    expect_failure(plan, SpawnStep::Groups, EPERM, "setgroups: Operation not permitted");
    plan = plan_;
    plan.chroot = "/";
    expect_failure(plan, SpawnStep::Chroot, EPERM, "chroot /: Operation not permitted");
    plan = plan_;
    plan.limits = {{RLIMIT_CORE, {300, 300}}};
    expect_failure(plan, SpawnStep::Limits, EPERM, "rlimit: Operation not permitted");
    plan = plan_;
    plan.nice = -20;
    expect_failure(plan, SpawnStep::Nice, EACCES, "nice -20: Permission denied");
  });
}

/// Every step that can fail is made to, then to lie. The program must not run.
TEST_P(SpawnerTest, does_not_run_the_program_when_a_step_fails) {
  struct Case {
    long call;
    SpawnStep step;
    const char* text;
    unsigned mask;  // of the call's first argument
    bool lies;      // claiming success must be noticed
    bool needs_root;
  };
  const Case cases[] = {
      {SYS_dup3, SpawnStep::Descriptors, "descriptors", 0, false, false},
      {SYS_setsid, SpawnStep::Session, "setsid", 0, false, false},
      {SYS_prlimit64, SpawnStep::Limits, "rlimit", 0, false, false},
      {SYS_setpriority, SpawnStep::Nice, "nice 19", 0, false, false},
      {SYS_chroot, SpawnStep::Chroot, "chroot /", 0, false, true},
      {SYS_chdir, SpawnStep::Chroot, "chroot /", 0, false, true},
      {SYS_prctl, SpawnStep::NoNewPrivs, "no_new_privs", PR_SET_NO_NEW_PRIVS, false, false},
      {SYS_rt_sigprocmask, SpawnStep::SignalMask, "sigmask", SIG_SETMASK, false, false},
      {SYS_setgroups, SpawnStep::Groups, "setgroups", 0, true, true},
      {SYS_getgroups, SpawnStep::Groups, "setgroups", 0, true, true},
      {SYS_setresgid, SpawnStep::Gid, "setgid 65534", 0, true, true},
      {SYS_getresgid, SpawnStep::Gid, "setgid 65534", 0, true, true},
      {SYS_setresuid, SpawnStep::Uid, "setuid 65534", 0, true, true},
      {SYS_getresuid, SpawnStep::Uid, "setuid 65534", 0, true, true},
      {SYS_execve, SpawnStep::Exec, "exec ", 0, false, false},
  };
  plan_.limits = {{RLIMIT_CORE, {0, 0}}};
  plan_.nice = 19;
  if (geteuid() == 0) {
    plan_.chroot = "/";
    plan_.credentials = Credentials{kNobody, kNobody, {kNobody, 4}};
  }
  for (const Case& one : cases) {
    if (one.needs_root && geteuid() != 0) continue;
    in_other_process([&] {
      SCOPED_TRACE(testing::Message() << one.text << " " << one.call);
      filter_call(one.call, EPERM, 0, one.mask);
      std::string text = one.text;
      if (one.step == SpawnStep::Exec) text += plan_.program;
      expect_failure(plan_, one.step, EPERM, text + ": Operation not permitted");
    });
    if (!one.lies) continue;
    in_other_process([&] {
      SCOPED_TRACE(testing::Message() << "lying " << one.text << " " << one.call);
      filter_call(one.call, 0);
      expect_failure(plan_, one.step, EPERM, std::string(one.text) + ": Operation not permitted");
    });
  }
}

TEST_P(SpawnerTest, says_when_another_try_may_do) {
  for (const int error : {EAGAIN, ENOMEM}) {
    in_other_process([&] {
      filter_call(SYS_clone, error, 0, CLONE_PIDFD);
      const SpawnFailure failure = fail_to_spawn(spawner_, plan_);
      EXPECT_EQ(failure.step, SpawnStep::Clone);
      EXPECT_EQ(failure.error, error);
      EXPECT_TRUE(failure.temporary());
      EXPECT_EQ(spawner_.shares_descriptors(), GetParam());
    });
  }
}

TEST_P(SpawnerTest, survives_having_no_descriptor_left) {
  in_other_process([&] {
    // UBSan looks at objects through a pipe, so none that has virtual functions is touched once there are no
    // descriptors.
    Spawner& spawner = spawner_;
    const ExecPlan plan = plan_;
    Pair pair;
    std::vector<UniqueFd> filler;
    const rlimit low{200, 200};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (;;) {
      UniqueFd fd(fcntl(pair.ours.get(), F_DUPFD_CLOEXEC, 0));
      if (!fd) break;
      filler.push_back(std::move(fd));
    }
    // The highest is a socket above the floor, and nothing is free below it.
    auto child = spawner.spawn(plan, tcp_request(filler.back().get()));
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().text(plan), "clone: Too many open files");
    EXPECT_TRUE(child.error().temporary());
    filler.erase(filler.begin(), filler.begin() + 5);
    child = spawner.spawn(plan, tcp_request(filler.back().get()));
    ASSERT_TRUE(child) << child.error().text(plan);
    EXPECT_EQ(wait_for(*child), 0);
  });
}

TEST_P(SpawnerTest, leaks_nothing_on_success_and_failure) {
  ExecPlan good = world_plan();
  ExecPlan bad = world_plan();
  bad.program = "/missing/program";
  (void)run(spawner_, good);
  const std::string before = our_descriptors();
  for (int i = 0; i < 200; ++i) {
    Pair pair;
    ASSERT_FALSE(spawner_.spawn(bad, tcp_request(pair.theirs.get())));
    Pair other;
    const UniqueFd high = duplicate_fd(other.theirs.get()).value();
    SpawnRequest request = tcp_request(high.get());
    request.standard_error = high.get();
    auto child = spawner_.spawn(good, request);
    ASSERT_TRUE(child);
    EXPECT_EQ(wait_for(*child), 0);
  }
  EXPECT_EQ(our_descriptors(), before);
  EXPECT_FALSE(has_children());
}

/// Stops every child of `parent` as soon as it is seen, once or as long as it is there.
[[noreturn]] void stop_children(pid_t parent, bool again) {
  const std::string list =
      "/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children";
  const UniqueFd children(open(list.c_str(), O_RDONLY | O_CLOEXEC));
  const pid_t self = getpid();
  pid_t last = 0;
  for (;;) {
    char text[256];
    const ssize_t size = pread(children.get(), text, sizeof text - 1, 0);
    if (size < 0) _exit(0);
    text[size] = '\0';
    char* next = text;
    for (pid_t child = 0; (child = static_cast<pid_t>(strtol(next, &next, 10))) != 0;) {
      if (child == self || (child <= last && !again)) continue;
      (void)kill(child, SIGSTOP);
      last = child;
    }
  }
}

bool can_list_children() {
  return access(("/proc/self/task/" + std::to_string(getpid()) + "/children").c_str(), R_OK) == 0;
}

TEST_P(SpawnerTest, gets_a_child_going_that_somebody_stops_before_its_exec) {
  if (!can_list_children()) GTEST_SKIP() << "needs the list of children in /proc";
  in_other_process([&] {
    const pid_t parent = getpid();
    const pid_t stopper = fork();
    if (stopper == 0) stop_children(parent, false);
    for (int i = 0; i < 200; ++i) {
      Pair pair;
      auto child = spawner_.spawn(plan_, tcp_request(pair.theirs.get()));
      ASSERT_TRUE(child) << child.error().text(plan_);
      (void)kill(child->pid, SIGKILL);  // it may be stopped by now
      (void)wait_for(*child);
    }
    (void)kill(stopper, SIGKILL);
    int status = 0;
    EXPECT_EQ(waitpid(stopper, &status, 0), stopper);
    EXPECT_FALSE(has_children());
  });
}

TEST_P(SpawnerTest, ends_a_child_that_somebody_stops_again_and_again) {
  if (!can_list_children()) GTEST_SKIP() << "needs the list of children in /proc";
  plan_.limits.assign(20000, LimitSetting{RLIMIT_CORE, {0, 0}});  // so that it takes milliseconds
  in_other_process([&] {
    const pid_t parent = getpid();
    const pid_t stopper = fork();
    if (stopper == 0) stop_children(parent, true);
    bool ended = false;
    for (int i = 0; i < 200 && !ended; ++i) {
      Pair pair;
      const auto begin = std::chrono::steady_clock::now();
      auto child = spawner_.spawn(plan_, tcp_request(pair.theirs.get()));
      EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
      if (child) {
        (void)kill(child->pid, SIGKILL);  // the stopper came too late
        (void)wait_for(*child);
      } else {
        EXPECT_EQ(child.error().text(plan_), "exec " + plan_.program + ": Connection timed out");
        ended = true;
      }
    }
    EXPECT_TRUE(ended);
    (void)kill(stopper, SIGKILL);
    EXPECT_EQ(waitpid(stopper, nullptr, 0), stopper);
    EXPECT_FALSE(has_children());
  });
}

/// Traces `parent` and its children: the first is held where it is made and, once it is killed, where it
/// exits, until the parent raises SIGUSR1.
void hold_first_child(pid_t parent) {
  pid_t first = 0;
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, __WALL)) > 0;) {
    if (!WIFSTOPPED(status)) {
      if (pid == parent) break;
      continue;
    }
    if (pid != parent && first == 0) first = pid;
    const bool told_to_let_go = pid == parent && WSTOPSIG(status) == SIGUSR1;
    if (told_to_let_go) (void)ptrace(PTRACE_CONT, first, nullptr, nullptr);
    if (pid == first) continue;
    // Signals go on to whom they are for, but for this one and those that tell of stops.
    const bool event = status >> 16 != 0;
    const long signal = event || told_to_let_go ? 0 : WSTOPSIG(status);
    (void)ptrace(PTRACE_CONT, pid, nullptr, signal);
  }
  EXPECT_EQ(status, 0);
}

TEST(Spawner, leaves_a_child_behind_that_cannot_be_ended) {
  in_other_process([] {
    std::array<int, 2> gate{};
    ASSERT_EQ(pipe2(gate.data(), O_CLOEXEC), 0);
    const pid_t parent = fork();
    if (parent == 0) {
      char byte = 0;
      close(gate[1]);
      (void)!read(gate[0], &byte, 1);
      Spawner spawner;
      const ExecPlan plan = world_plan();
      Pair pair;
      const auto child = spawner.spawn(plan, tcp_request(pair.theirs.get()));
      if (child) _exit(1);
      EXPECT_EQ(child.error().text(plan), "exec " + plan.program + ": Connection timed out");
      EXPECT_TRUE(has_children());
      EXPECT_EQ(run(spawner, plan)["fds"], "0 1 2");
      (void)raise(SIGUSR1);
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
      while (has_children() && std::chrono::steady_clock::now() < deadline)
        EXPECT_EQ(run(spawner, plan)["fds"], "0 1 2");
      EXPECT_FALSE(has_children());
      std::fflush(nullptr);
      _exit(testing::Test::HasFailure() ? 2 : 0);
    }
    const long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SEIZE, parent, nullptr, options) != 0) {
      (void)kill(parent, SIGKILL);
      (void)waitpid(parent, nullptr, 0);
      GTEST_SKIP() << "cannot trace";
    }
    close(gate[0]);
    close(gate[1]);
    hold_first_child(parent);
  });
}

TEST_P(SpawnerTest, hands_out_a_pidfd_above_the_floor) {
  Pair pair;
  auto child = spawner_.spawn(world_plan({"wait"}), tcp_request(pair.theirs.get()));
  ASSERT_TRUE(child);
  pair.theirs.reset();
  EXPECT_GE(child->pidfd.get(), fd_floor());
  EXPECT_EQ(fcntl(child->pidfd.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(syscall(SYS_pidfd_send_signal, child->pidfd.get(), SIGKILL, nullptr, 0), 0);
  EXPECT_EQ(wait_for(*child), -SIGKILL);
}

TEST_P(SpawnerTest, starts_the_program_without_a_cgroup_where_that_is_refused) {
  in_other_process([&] {
    filter_call(SYS_clone3, ENOSYS);
    Pair pair;
    SpawnRequest request = tcp_request(pair.theirs.get());
    request.keeps_tree = true;
    auto child = spawner_.spawn(world_plan(), request);
    ASSERT_TRUE(child);
    EXPECT_FALSE(child->group.exists());
    EXPECT_EQ(spawner_.shares_descriptors(), GetParam()) << "that is not what was refused";
    EXPECT_EQ(wait_for(*child), 0);
  });
}

TEST_P(SpawnerTest, reports_failures_from_a_cgroup_too) {
  ExecPlan plan = world_plan();
  plan.program = "/nowhere/program";
  Pair pair;
  SpawnRequest request = tcp_request(pair.theirs.get());
  request.keeps_tree = true;
  auto child = spawner_.spawn(plan, request);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().text(plan), "exec /nowhere/program: No such file or directory");
  EXPECT_FALSE(has_children());
}

TEST_P(SpawnerTest, starts_programs_with_thousands_of_open_descriptors) {
  in_other_process([&] {
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    update_fd_floor();
    if (limit.rlim_cur < 5200) GTEST_SKIP() << "needs 5 200 open files";
    std::vector<UniqueFd> held;
    for (int i = 0; i < 5000; ++i) {
      held.emplace_back(fcntl(STDERR_FILENO, i % 2 == 0 ? F_DUPFD : F_DUPFD_CLOEXEC, fd_floor()));
      ASSERT_TRUE(held.back());
    }
    const std::string before = our_descriptors();
    EXPECT_EQ(run(spawner_, world_plan())["fds"], "0 1 2");
    EXPECT_TRUE(our_descriptors() == before);  // too long to print
  });
}

TEST_P(SpawnerTest, copies_the_table_for_once_when_no_low_number_is_free) {
  in_other_process([&] {
    Pair pair;
    const UniqueFd high = duplicate_fd(pair.theirs.get()).value();
    pair.theirs.reset();
    std::vector<UniqueFd> filler;
    while (filler.empty() || filler.back().get() < fd_floor()) {
      filler.emplace_back(fcntl(pair.ours.get(), F_DUPFD_CLOEXEC, 0));
      ASSERT_TRUE(filler.back());
    }
    const std::string before = our_descriptors();
    auto child = spawner_.spawn(world_plan(), tcp_request(high.get()));
    ASSERT_TRUE(child);
    EXPECT_EQ(wait_for(*child), 0);
    ASSERT_EQ(fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK), 0);
    EXPECT_EQ(parse_world(read_all(pair.ours.get()))["fds"], "0 1 2");
    EXPECT_EQ(spawner_.shares_descriptors(), GetParam());
    *child = {};
    EXPECT_EQ(our_descriptors(), before);
  });
}

TEST_P(SpawnerTest, closes_by_the_kernels_list_where_close_range_is_missing) {
  in_other_process([&] {
    std::vector<UniqueFd> held;
    for (int i = 0; i < 300; ++i)
      held.emplace_back(fcntl(STDERR_FILENO, F_DUPFD, i < 20 ? 3 : fd_floor()));
    filter_call(SYS_close_range, ENOSYS);
    const std::string before = our_descriptors();
    EXPECT_EQ(run(spawner_, world_plan())["fds"], "0 1 2");
    SpawnRequest listening = tcp_request(-1);
    listening.listening = true;
    {
      Pair pair;
      EXPECT_EQ(run(spawner_, world_plan(), pair, listening)["fds"], "0 1 2 3");
    }
    EXPECT_TRUE(our_descriptors() == before);  // too long to print
    EXPECT_FALSE(spawner_.shares_descriptors());
  });
}

TEST(Spawner, falls_back_when_cloning_with_shared_descriptors_is_refused) {
  for (const int error : {EPERM, EINVAL, ENOSYS}) {
    in_other_process([&] {
      filter_call(SYS_clone, error, 0, CLONE_FILES);
      const UniqueFd leaked(fcntl(STDERR_FILENO, F_DUPFD, fd_floor()));
      Spawner spawner;
      EXPECT_TRUE(spawner.shares_descriptors());
      EXPECT_EQ(run(spawner, world_plan())["fds"], "0 1 2");
      EXPECT_FALSE(spawner.shares_descriptors());
      EXPECT_EQ(run(spawner, world_plan())["fds"], "0 1 2");
      EXPECT_FALSE(has_children());
    });
  }
}

TEST(Spawner, falls_back_when_unsharing_descriptors_is_refused) {
  for (const int error : {EPERM, EINVAL, ENOSYS}) {
    in_other_process([&] {
      filter_call(SYS_close_range, error, 2, CLOSE_RANGE_UNSHARE);
      const UniqueFd leaked(fcntl(STDERR_FILENO, F_DUPFD, fd_floor()));
      Spawner spawner;
      EXPECT_EQ(run(spawner, world_plan())["fds"], "0 1 2");
      EXPECT_FALSE(spawner.shares_descriptors());
      EXPECT_FALSE(has_children());
    });
  }
}

TEST(Spawner, does_not_fall_back_when_no_way_of_cloning_works) {
  in_other_process([] {
    filter_call(SYS_clone, EPERM, 0, CLONE_PIDFD);
    Spawner spawner;
    const SpawnFailure failure = fail_to_spawn(spawner, world_plan());
    EXPECT_EQ(failure.text(world_plan()), "clone: Operation not permitted");
    EXPECT_FALSE(failure.temporary());
    EXPECT_TRUE(spawner.shares_descriptors());
  });
}

TEST(Spawner, does_not_fall_back_on_a_failure_that_is_not_a_refusal) {
  in_other_process([] {
    filter_call(SYS_close_range, ENOMEM, 2, CLOSE_RANGE_UNSHARE);
    Spawner spawner;
    const SpawnFailure failure = fail_to_spawn(spawner, world_plan());
    EXPECT_EQ(failure.text(world_plan()), "descriptors: Cannot allocate memory");
    EXPECT_TRUE(failure.temporary());
    EXPECT_TRUE(spawner.shares_descriptors());
  });
}

TEST(SpawnFailure, names_every_step) {
  for (int step = 0; step <= static_cast<int>(SpawnStep::Exec); ++step) {
    EXPECT_FALSE(step_name(static_cast<SpawnStep>(step)).empty());
  }
  EXPECT_EQ(step_name(SpawnStep::Clone), "clone");
  EXPECT_EQ(step_name(SpawnStep::Uid), "setuid");
  EXPECT_EQ(step_name(SpawnStep::Exec), "exec");
}

TEST(ResetSignalDispositions, undoes_ignoring) {
  in_other_process([] {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGRTMAX, SIG_IGN);
    ASSERT_TRUE(reset_signal_dispositions());
    for (const int number : {SIGPIPE, SIGCHLD, SIGRTMAX})
      EXPECT_EQ(signal(number, SIG_DFL), SIG_DFL) << number;
  });
}

}  // namespace
}  // namespace xsd::process
