// SPDX-License-Identifier: Apache-2.0
//
// The world of a program, seen from inside, once for each way of cloning.
#include "xsd/process/child_setup.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "started_world.h"
#include "tests/ignore_signal.h"

namespace xsd::process {
namespace {

constexpr int kParked = 700;  // where a test keeps what is not to be in the way

std::string inode(int fd) {
  struct stat status {};
  EXPECT_EQ(fstat(fd, &status), 0);
  return std::to_string(status.st_ino);
}

int park(int fd) {
  return fcntl(fd, F_DUPFD_CLOEXEC, kParked);
}

class ChildSetupTest : public testing::TestWithParam<bool> {
 protected:
  Spawner spawner_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Clone, ChildSetupTest, testing::Bool(), [](const auto& parameter) {
  return std::string(parameter.param ? "sharing" : "copying");
});

TEST_P(ChildSetupTest, leaves_three_descriptors_whatever_is_open) {
  UniqueFd leaked_low(
      open("/dev/null", O_RDONLY));  // NOLINT(android-cloexec-open): not close-on-exec, as a plugin might
  UniqueFd leaked_high(fcntl(leaked_low.get(), F_DUPFD, fd_floor() + 50));
  ASSERT_TRUE(leaked_high);
  Pair pair;
  const std::string socket = inode(pair.theirs.get());
  const World world = run(spawner_, world_plan(), pair, tcp_request(-1));
  EXPECT_EQ(world["fds"], "0 1 2");
  EXPECT_EQ(world["inode0"], socket);
  EXPECT_EQ(world["inode1"], socket);
  EXPECT_EQ(world["inode2"], socket);
}

TEST_P(ChildSetupTest, gives_a_listening_socket_at_3_too) {
  SpawnRequest request = tcp_request(-1);
  request.listening = true;
  Pair pair;
  const std::string socket = inode(pair.theirs.get());
  auto plan = world_plan();
  plan.environment = {"PATH=/bin"};
  const World world = run(spawner_, plan, pair, request);
  EXPECT_EQ(world["fds"], "0 1 2 3");
  EXPECT_EQ(world["inode3"], socket);
  EXPECT_THAT(
      world.environment,
      testing::ElementsAre("LISTEN_FDNAMES=world", "LISTEN_FDS=1", "LISTEN_PID=" + world["pid"], "PATH=/bin",
                           "PROTO=TCP", "SERVER_ADDR=192.0.2.1", "SERVER_PORT=79", "TCPLOCALIP=192.0.2.1",
                           "TCPLOCALPORT=79", "XSD_CONNECTION=7f3a", "XSD_SERVICE=world"));
}

/// In a process of its own: the socket at number `socket`, standard error at `standard_error` (-1: none,
/// equal to `socket`: the same descriptor), nothing else below kParked.
void check_numbers(Spawner& spawner, int socket, int standard_error, bool listening) {
  SCOPED_TRACE(testing::Message() << "socket " << socket << ", standard error " << standard_error
                                  << (listening ? ", listening" : ""));
  in_other_process([&] {
    Pair pair;
    const UniqueFd ours(park(pair.ours.get()));
    const UniqueFd theirs(park(pair.theirs.get()));
    const UniqueFd null(park(UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC)).get()));
    const UniqueFd messages(park(STDERR_FILENO));
    ASSERT_EQ(close_range(0, kParked - 1, 0), 0);
    dup3(theirs.get(), socket, O_CLOEXEC);
    if (standard_error >= 0 && standard_error != socket) dup3(null.get(), standard_error, O_CLOEXEC);
    const std::string socket_inode = inode(theirs.get());
    const std::string error_inode =
        standard_error < 0 || standard_error == socket ? socket_inode : inode(null.get());

    SpawnRequest request = tcp_request(socket);
    request.standard_error = standard_error;
    request.listening = listening;
    const std::string before = our_descriptors();
    World world;
    std::string failure;
    {
      auto child = spawner.spawn(world_plan(), request);
      if (child) {
        (void)::shutdown(theirs.get(), SHUT_RD);
        const UniqueFd pidfd = std::move(child->pidfd);
        siginfo_t info{};
        EXPECT_EQ(waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED), 0);
      } else {
        failure = child.error().text(world_plan());
      }
    }
    const std::string after = our_descriptors();
    ASSERT_EQ(fcntl(ours.get(), F_SETFL, O_NONBLOCK), 0);  // it has ended: all it wrote is there
    world = parse_world(read_all(ours.get()));
    dup2(messages.get(), STDOUT_FILENO);
    dup2(messages.get(), STDERR_FILENO);
    EXPECT_EQ(failure, "");
    EXPECT_EQ(before, after);
    EXPECT_EQ(world["fds"], listening ? "0 1 2 3" : "0 1 2");
    EXPECT_EQ(world["inode0"], socket_inode);
    EXPECT_EQ(world["inode1"], socket_inode);
    EXPECT_EQ(world["inode2"], error_inode);
    if (listening) {
      EXPECT_EQ(world["inode3"], socket_inode);
    }
  });
}

TEST_P(ChildSetupTest, takes_descriptors_of_any_number) {
  for (const int socket : {0, 1, 2, 3, 4, 63, 64, 300}) {
    for (const int standard_error : {-1, 0, 1, 2, 3, 5, 63, 64, 301, socket}) {
      check_numbers(spawner_, socket, standard_error, false);
    }
  }
}

TEST_P(ChildSetupTest, takes_listening_sockets_of_any_number) {
  for (const int socket : {0, 1, 2, 3, 4, 63, 64, 300}) {
    for (const int standard_error : {-1, 0, 1, 3, 4, 301})
      check_numbers(spawner_, socket, standard_error, true);
  }
}

TEST_P(ChildSetupTest, sends_standard_error_where_it_is_told) {
  int pipe[2];
  ASSERT_EQ(pipe2(pipe, O_CLOEXEC), 0);
  const UniqueFd reader(pipe[0]);
  UniqueFd writer(pipe[1]);
  writer = duplicate_fd(writer.get()).value();  // at or above the floor, as the daemon has it
  Pair pair;
  SpawnRequest request = tcp_request(-1);
  request.standard_error = writer.get();
  EXPECT_EQ(run(spawner_, world_plan({"stderr"}), pair, request).rest, "");
  writer.reset();
  EXPECT_EQ(read_all(reader.get()), "to stderr\n");

  Pair other;
  EXPECT_EQ(run(spawner_, world_plan({"stderr"}), other, tcp_request(-1)).rest, "to stderr\n");
}

TEST_P(ChildSetupTest, makes_the_socket_blocking) {
  Pair pair(SOCK_NONBLOCK);
  EXPECT_EQ(run(spawner_, world_plan(), pair, tcp_request(-1))["blocking"], "0 1 2");
}

TEST_P(ChildSetupTest, makes_standard_error_blocking_that_an_earlier_program_left_otherwise) {
  int pipe[2];
  ASSERT_EQ(pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd reader(pipe[0]);
  const UniqueFd writer(pipe[1]);
  Pair pair(SOCK_NONBLOCK);
  SpawnRequest request = tcp_request(-1);
  request.standard_error = writer.get();
  EXPECT_EQ(run(spawner_, world_plan(), pair, request)["blocking"], "0 1 2");
}

TEST_P(ChildSetupTest, starts_a_session) {
  const World world = run(spawner_, world_plan());
  EXPECT_EQ(world["sid"], world["pid"]);
  EXPECT_EQ(world["pgid"], world["pid"]);
}

TEST_P(ChildSetupTest, gives_an_empty_signal_mask_and_default_dispositions) {
  in_other_process([&] {
    for (int number = 1; number < _NSIG; ++number) {
      if (number != SIGSEGV && number != SIGABRT) test::ignore_signal(number);
    }
    struct sigaction handled {};
    handled.sa_handler = [](int) {};
    ASSERT_EQ(sigaction(SIGUSR1, &handled, nullptr), 0);
    sigset_t all;
    sigfillset(&all);
    ASSERT_EQ(sigprocmask(SIG_SETMASK, &all, nullptr), 0);
    ASSERT_TRUE(reset_signal_dispositions());
    const World world = run(spawner_, world_plan());
    EXPECT_EQ(world["blocked"], "");
    EXPECT_EQ(world["SigBlk"], "0000000000000000");
    EXPECT_EQ(world["dispositions"], "");
    EXPECT_EQ(world["SigIgn"], "0000000000000000");
    sigset_t now;
    ASSERT_EQ(sigprocmask(SIG_SETMASK, nullptr, &now), 0);
    EXPECT_EQ(sigismember(&now, SIGTERM), 1);  // ours is as it was
  });
}

TEST_P(ChildSetupTest, restores_our_own_signal_mask) {
  sigset_t before;
  sigset_t after;
  ASSERT_EQ(sigprocmask(SIG_SETMASK, nullptr, &before), 0);
  (void)run(spawner_, world_plan());
  ASSERT_EQ(sigprocmask(SIG_SETMASK, nullptr, &after), 0);
  for (int number = 1; number < _NSIG; ++number) {
    EXPECT_EQ(sigismember(&before, number), sigismember(&after, number)) << number;
  }
}

TEST_P(ChildSetupTest, passes_environment_and_arguments) {
  ExecPlan plan = world_plan({"-w", "%{remote_addr}", "%{server_port}"});
  plan.environment = {"PATH=/bin", "EMPTY="};
  const World world = run(spawner_, plan);
  EXPECT_THAT(world.arguments, testing::ElementsAre(kShowWorld, "-w", "192.0.2.7", "79"));
  EXPECT_THAT(world.environment,
              testing::ElementsAre("EMPTY=", "PATH=/bin", "PROTO=TCP", "REMOTE_ADDR=192.0.2.7",
                                   "REMOTE_HOST=192.0.2.7", "REMOTE_PORT=40122", "SERVER_ADDR=192.0.2.1",
                                   "SERVER_PORT=79", "TCPLOCALIP=192.0.2.1", "TCPLOCALPORT=79",
                                   "TCPREMOTEIP=192.0.2.7", "TCPREMOTEPORT=40122", "XSD_CONNECTION=7f3a",
                                   "XSD_SERVICE=world"));
}

TEST_P(ChildSetupTest, sets_umask_limits_nice_and_directory) {
  const TemporaryDirectory directory;
  ExecPlan plan = world_plan();
  plan.umask = 027;
  plan.limits = {{RLIMIT_NOFILE, {100, 200}}, {RLIMIT_CORE, {0, 0}}, {RLIMIT_FSIZE, {1000, 1000}}};
  plan.nice = std::min(getpriority(PRIO_PROCESS, 0) + 3, 19);
  plan.directory = directory.path();
  const World world = run(spawner_, plan);
  EXPECT_EQ(world["umask"], "027");
  EXPECT_EQ(world["nofile"], "100:200");
  EXPECT_EQ(world["core"], "0:0");
  EXPECT_EQ(world["fsize"], "1000:1000");
  EXPECT_EQ(world["nice"], std::to_string(*plan.nice));
  EXPECT_EQ(world["cwd"], directory.path());
}

TEST_P(ChildSetupTest, leaves_our_own_state_alone) {
  in_other_process([&] {
    ExecPlan plan = world_plan();
    plan.umask = 077;
    plan.limits = {{RLIMIT_NOFILE, {100, 200}}};
    plan.nice = 19;
    ASSERT_EQ(chdir("/tmp"), 0);
    umask(026);
    rlimit before{};
    rlimit after{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    (void)run(spawner_, plan);
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
    EXPECT_EQ(before.rlim_cur, after.rlim_cur);
    EXPECT_EQ(umask(022), mode_t{026});
    EXPECT_EQ(std::filesystem::current_path(), "/tmp");
    EXPECT_NE(getsid(0), getpid());
  });
}

TEST_P(ChildSetupTest, sets_no_new_privs_as_told) {
  ExecPlan plan = world_plan();
  EXPECT_EQ(run(spawner_, plan)["NoNewPrivs"], "1");
  plan.no_new_privs = false;
  EXPECT_EQ(run(spawner_, plan)["NoNewPrivs"], "0");
}

TEST_P(ChildSetupTest, keeps_our_ids_without_credentials) {
  const World world = run(spawner_, world_plan());
  const std::string uid = std::to_string(getuid());
  EXPECT_EQ(world["uids"], uid + " " + uid + " " + uid);
}

TEST_P(ChildSetupTest, changes_ids_and_groups) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const TemporaryDirectory directory;
  std::filesystem::copy_file(kShowWorld, directory.path() + "/show_world");
  ExecPlan plan = world_plan();
  plan.program = directory.path() + "/show_world";
  plan.credentials = Credentials{kNobody, 65533, {65533, 44, 100, 4}};
  World world = run(spawner_, plan);
  EXPECT_EQ(world["uids"], "65534 65534 65534");
  EXPECT_EQ(world["gids"], "65533 65533 65533");
  EXPECT_EQ(world["groups"], "4 44 100 65533");
  EXPECT_EQ(getuid(), uid_t{0});
  EXPECT_EQ(getgid(), gid_t{0});

  plan.credentials = Credentials{0, 0, {}};
  world = run(spawner_, plan);
  EXPECT_EQ(world["uids"], "0 0 0");
  EXPECT_EQ(world["groups"], "");
}

TEST_P(ChildSetupTest, enters_a_chroot_and_the_directory_inside) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path() + "/inside");
  std::filesystem::copy_file(kShowWorld, directory.path() + "/show_world");
  ExecPlan plan = world_plan();
  plan.program = "/show_world";
  plan.chroot = directory.path();
  EXPECT_EQ(run(spawner_, plan)["cwd"], "/");
  plan.directory = "/inside";
  const World world = run(spawner_, plan);
  EXPECT_EQ(world["cwd"], "/inside");
  EXPECT_EQ(world["fds"], "0 1 2");
}

}  // namespace
}  // namespace xsd::process
