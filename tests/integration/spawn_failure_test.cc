// SPDX-License-Identifier: Apache-2.0
//
// Programs that cannot be started: who notices, what is said, and how it heals. And the steps of a start that
// must not fail silently (rows spn_4 to spn_7 of reliability.md).
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SpawnFailure : public testing::Test {
 protected:
  void write_echo() { folder_.write("conf.d/echo.yaml", echo_service("echo", echo_)); }
  DaemonOptions injecting(const std::string& what) const {
    DaemonOptions options;
    options.arguments = {"--workers", "0"};  // no other clone but those of the programs
    const std::string calls = what.substr(0, what.find(':'));
    options.start.strace = {"-q", "-e", "trace=" + calls, "-e", "signal=none", "-e", "inject=" + what};
    return options;
  }
  static void expect_nobody_left(const Daemon& daemon) {
    EXPECT_TRUE(eventually([&] { return children_of(daemon.pid(), true).empty(); }));
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
  const std::uint16_t echo_ = free_port();
};

// ---- spn_5: the program cannot be executed

TEST_F(SpawnFailure, of_a_program_that_is_missing_at_load_is_a_fault_of_that_service) {
  write_echo();
  const std::string path = folder_.string("later");
  folder_.write("conf.d/prog.yaml", program_service("prog", port_, {path}));
  Daemon daemon(folder_);
  EXPECT_TRUE(daemon.wait_log("program '" + path + "' not found"));
  EXPECT_TRUE(is_refused(port_));
  EXPECT_TRUE(echoes(echo_));
  (void)copy_program(folder_, "show_world", "later");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("started 1"));
  EXPECT_EQ(ask_world(port_)["fds"], "0 1 2");
}

struct Fault {
  const char* name;
  void (*make)(const fs::path& program);
  int error;
  const char* more = "";
};

void write_text(const fs::path& path, std::string_view text) {
  fs::remove(path);
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
  if (fd < 0 || write(fd, text.data(), text.size()) < 0) ADD_FAILURE() << path;
  close(fd);
}

class ProgramFault : public SpawnFailure, public testing::WithParamInterface<Fault> {};

INSTANTIATE_TEST_SUITE_P(
    Of, ProgramFault,
    testing::Values(
        Fault{"missing", [](const fs::path& path) { fs::remove(path); }, ENOENT},
        Fault{"not_executable", [](const fs::path& path) { (void)chmod(path.c_str(), 0644); }, EACCES},
        Fault{"folder",
              [](const fs::path& path) {
                fs::remove(path);
                fs::create_directory(path);
              },
              EACCES},
        Fault{"bad_format", [](const fs::path& path) { write_text(path, "these are words\n"); }, ENOEXEC},
        Fault{"bad_interpreter", [](const fs::path& path) { write_text(path, "#!/missing/interpreter\n"); },
              ENOENT, " (its interpreter)"},
        // Left open for writing: the kernel does not execute what may change.
        Fault{"busy", [](const fs::path& path) { (void)open(path.c_str(), O_WRONLY | O_CLOEXEC); }, ETXTBSY}),
    [](const auto& parameter) { return std::string(parameter.param.name); });

TEST_P(ProgramFault, costs_its_client_only_and_is_healed_by_a_reload) {
  write_echo();
  const std::string path = copy_program(folder_, "show_world", "program");
  folder_.write("conf.d/prog.yaml", program_service("prog", port_, {path}));
  Daemon daemon(folder_);
  EXPECT_EQ(ask_world(port_)["fds"], "0 1 2");
  (void)wait_records(daemon, "prog", "end", 1);
  const std::size_t fds = settled_fd_count(daemon);

  GetParam().make(path);
  Client client(port_);
  EXPECT_EQ(client.receive_until_eof(), "");
  EXPECT_NE(client.ending(), Ending::Open);
  const auto ends = wait_records(daemon, "prog", "end", 2);
  ASSERT_THAT(ends, SizeIs(2));
  const std::string error = "exec " + path + ": " + std::strerror(GetParam().error) + GetParam().more;
  EXPECT_EQ(ends[1].at("error"), error);
  EXPECT_FALSE(ends[1].contains("pid"));
  EXPECT_FALSE(ends[1].contains("exit"));
  EXPECT_THAT(records(daemon, "prog", "start"), SizeIs(1)) << "a failure looks like success";
  EXPECT_TRUE(daemon.wait_log("error: prog: cannot start: " + error));
  EXPECT_TRUE(echoes(echo_));
  expect_nobody_left(daemon);
  EXPECT_EQ(settled_fd_count(daemon), fds);

  fs::remove_all(path);
  (void)copy_program(folder_, "show_world", "program");
  (void)daemon.hup_and_wait();
  EXPECT_EQ(ask_world(port_)["fds"], "0 1 2");
}

TEST_F(SpawnFailure, is_tried_ever_more_seldom_and_heals_by_itself) {
  write_echo();
  const std::string path = copy_program(folder_, "show_world", "program");
  folder_.write("conf.d/prog.yaml", program_service("prog", port_, {path}));
  Daemon daemon(folder_);
  folder_.remove("program");
  constexpr std::size_t kClients = 20;
  constexpr std::size_t kFailures = 3;
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kClients; ++i)
    clients.emplace_back(port_);
  EXPECT_THAT(wait_records(daemon, "prog", "end", kFailures), SizeIs(kFailures));
  EXPECT_TRUE(daemon.wait_log("error: prog: ", kFailures));  // said after the record
  const auto pauses = daemon.log_lines("error: prog: ");
  ASSERT_THAT(pauses, SizeIs(kFailures));
  EXPECT_THAT(pauses[0], HasSubstr("pausing 1s"));
  EXPECT_THAT(pauses[1], HasSubstr("pausing 2s"));
  EXPECT_THAT(pauses[2], HasSubstr("pausing 4s"));
  EXPECT_TRUE(echoes(echo_));
  EXPECT_TRUE(Client(port_).connected()) << "the socket is closed meanwhile";
  EXPECT_THAT(daemon.state("prog"), Contains(HasSubstr("paused")));

  (void)copy_program(folder_, "show_world", "program");
  std::size_t served = 0;
  for (Client& client : clients) {
    client.half_close();
    served += parse_world(client.receive_until_eof())["fds"] == "0 1 2" ? 1U : 0U;
  }
  EXPECT_EQ(served, kClients - kFailures) << "who waits in the backlog is served later";
  EXPECT_EQ(ask_world(port_)["fds"], "0 1 2");
}

// ---- spn_6: no process can be had

TEST_F(SpawnFailure, for_want_of_processes_keeps_its_client) {
  if (const std::string why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  write_echo();
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {"/bin/cat"}));
  Daemon daemon(folder_, injecting("clone,clone3:error=EAGAIN:when=1..2"));
  Client one(port_);
  EXPECT_TRUE(one.send("one\n"));
  EXPECT_TRUE(daemon.wait_log("cat: cannot start: "));
  Client two(port_);
  EXPECT_TRUE(two.send("two\n"));
  EXPECT_TRUE(echoes(echo_));
  EXPECT_EQ(one.receive_line(), "one");
  EXPECT_EQ(two.receive_line(), "two");
  const auto pauses = daemon.log_lines("cat: cannot start: ");
  ASSERT_THAT(pauses, SizeIs(1)) << "told of once, though it failed twice";
  EXPECT_THAT(pauses[0], HasSubstr(std::string("clone: ") + std::strerror(EAGAIN)));
  EXPECT_THAT(records(daemon, "cat", "refuse"), IsEmpty());
  EXPECT_THAT(records(daemon, "cat", "end"), IsEmpty());
  EXPECT_THAT(wait_records(daemon, "cat", "start", 2), SizeIs(2));
}

TEST_F(SpawnFailure, for_want_of_memory_with_noretry_refuses_its_client) {
  if (const std::string why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {"/bin/cat"}, "flags: [NORETRY]\n"));
  Daemon daemon(folder_, injecting("clone,clone3:error=ENOMEM:when=1"));
  Client client(port_);
  EXPECT_NE(client.wait_end(), Ending::Open);
  const auto refusals = wait_records(daemon, "cat", "refuse", 1);
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_EQ(refusals[0].at("reason"), "spawn");
  EXPECT_TRUE(echoes(port_));
}

TEST_F(SpawnFailure, for_want_of_processes_ends_after_some_attempts) {
  if (const std::string why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  write_echo();
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {"/bin/cat"}));
  Daemon daemon(folder_, injecting("clone,clone3:error=EAGAIN"));
  const std::size_t fds = settled_fd_count(daemon);
  Client client(port_);
  constexpr std::size_t kAttempts = 5;
  EXPECT_NE(client.wait_end(), Ending::Open);
  const auto refusals = wait_records(daemon, "cat", "refuse", 1);
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_EQ(refusals[0].at("reason"), "spawn");
  EXPECT_EQ(count_lines(daemon.strace_text(), "EAGAIN"), kAttempts);
  EXPECT_THAT(daemon.log_lines("cat: cannot start: "), SizeIs(1));
  EXPECT_TRUE(echoes(echo_));
  EXPECT_EQ(settled_fd_count(daemon), fds);
}

TEST_F(SpawnFailure, does_not_keep_the_daemon_from_stopping) {
  if (const std::string why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  folder_.write("conf.d/cat.yaml", program_service("cat", port_, {"/bin/cat"}, "stop_timeout: 1h\n"));
  Daemon daemon(folder_, injecting("clone,clone3:error=EAGAIN"));
  Client client(port_);
  EXPECT_TRUE(daemon.wait_log("cat: cannot start: "));
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_NE(client.wait_end(), Ending::Open);
  const auto refusals = wait_records(daemon, "cat", "refuse", 1);
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_EQ(refusals[0].at("reason"), "draining");
}

TEST_F(SpawnFailure, at_the_process_limit_of_the_user_keeps_its_client) {
  if (!is_root()) GTEST_SKIP() << "needs root, to become a user that nobody else is";
  if (const std::string why = why_not_for_all(xsd_binary()); !why.empty()) GTEST_SKIP() << why;
  const uid_t uid = 700000U + port_;
  const std::string path = copy_program(folder_, "hold", "hold");
  const Barrier barrier(folder_ / "barrier");
  write_echo();
  folder_.write("conf.d/hold.yaml", "service: hold\nlisten: [" + yaml_quoted(tcp(port_)) +
                                        "]\nserver: " + path + "\nserver_args: [" + barrier.path() + "]\n");
  folder_.give_to(uid, uid);
  DaemonOptions options;
  options.arguments = {"--workers", "0"};  // no other process but the programs
  options.start.in_child = [uid] {
    const rlimit processes{3, 3};
    if (setrlimit(RLIMIT_NPROC, &processes) != 0) _exit(1);
    become_user(uid);
  };
  Daemon daemon(folder_, std::move(options));
  std::vector<Client> clients;
  std::vector<pid_t> pids;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back(port_);
    pids.push_back(pid_of(clients.back().receive_line()));
    ASSERT_GT(pids.back(), 0);
  }
  Client third(port_);
  EXPECT_TRUE(daemon.wait_log("hold: cannot start: "));
  EXPECT_TRUE(echoes(echo_));
  EXPECT_EQ(third.ending(), Ending::Open);
  EXPECT_EQ(kill(pids[0], SIGKILL), 0);
  EXPECT_GT(pid_of(third.receive_line()), 0);
  EXPECT_THAT(records(daemon, "hold", "refuse"), IsEmpty());
}

TEST_F(SpawnFailure, of_the_cheap_way_to_close_descriptors_is_made_up_for) {
  if (const std::string why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
  folder_.write("conf.d/world.yaml", program_service("world", port_, {program("show_world")}));
  Daemon daemon(folder_, injecting("close_range:error=ENOSYS"));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(ask_world(port_)["fds"], "0 1 2");
}

// ---- spn_4: a step that fails, or only claims to succeed

struct Step {
  const char* name;
  const char* inject;  ///< for strace, or
  int capability;      ///< one that the daemon does not have
  const char* error;   ///< how the record's begins
};

class MarkedStart : public SpawnFailure {
 protected:
  /// The service whose program leaves a mark, with every step that there is.
  void write_service() {
    folder_.make_folder("jail/inner");
    folder_.make_folder("jail/marks");
    fs::permissions(folder_ / "jail/marks", fs::perms::all);
    (void)copy_program(folder_, "show_world", "jail/show_world");
    folder_.write("conf.d/mark.yaml",
                  program_on("mark", {tcp(port_)}, {"/show_world", "mark", "/marks/mark"},
                             "user: nobody\nnice: -1\nrlimit_core: 0\ndirectory: /inner\nchroot: " +
                                 folder_.string("jail") + "\n"));
  }
};

/// Groups of this process, which the daemon inherits: setgroups must have something to take away.
class HeldGroups {
 public:
  HeldGroups() : before_(static_cast<std::size_t>(getgroups(0, nullptr))) {
    (void)getgroups(static_cast<int>(before_.size()), before_.data());
    const gid_t odd[] = {4, 27};
    if (setgroups(2, odd) != 0) ADD_FAILURE() << "setgroups";
  }
  ~HeldGroups() { (void)setgroups(before_.size(), before_.data()); }
  HeldGroups(const HeldGroups&) = delete;
  HeldGroups& operator=(const HeldGroups&) = delete;

 private:
  std::vector<gid_t> before_;
};

class FailingStep : public MarkedStart, public testing::WithParamInterface<Step> {};

constexpr int kNone = -1;
constexpr int kSetgid = 6;
constexpr int kSetuid = 7;
constexpr int kChroot = 18;
constexpr int kNice = 23;
INSTANTIATE_TEST_SUITE_P(
    Of, FailingStep,
    testing::Values(
        Step{"setsid", "setsid:error=EPERM", kNone, "setsid: Operation not permitted"},
        Step{"nice", "setpriority:error=EACCES", kNone, "nice -1: Permission denied"},
        Step{"chroot", "chroot:error=EPERM", kNone, "chroot "},
        Step{"chdir", "chdir:error=EACCES", kNone, "ch"},
        Step{"second_chdir", "chdir:error=EIO:when=2", kNone, "chdir /inner: Input/output error"},
        Step{"no_new_privs", "prctl:error=EINVAL", kNone, "no_new_privs: Invalid argument"},
        Step{"setgroups", "setgroups:error=EPERM", kNone, "setgroups: Operation not permitted"},
        Step{"setgid", "setresgid:error=EPERM", kNone, "setgid 65534: Operation not permitted"},
        Step{"setuid_for_now", "setresuid:error=EAGAIN", kNone,
             "setuid 65534: Resource temporarily unavailable"},
        Step{"setuid", "setresuid:error=EPERM", kNone, "setuid 65534: Operation not permitted"},
        Step{"setgroups_that_lies", "setgroups:retval=0", kNone, "setgroups: Operation not permitted"},
        Step{"setgid_that_lies", "setresgid:retval=0", kNone, "setgid 65534: Operation not permitted"},
        Step{"setuid_that_lies", "setresuid:retval=0", kNone, "setuid 65534: Operation not permitted"},
        Step{"no_cap_setgid", nullptr, kSetgid, "setgroups: Operation not permitted"},
        Step{"no_cap_setuid", nullptr, kSetuid, "setuid 65534: Operation not permitted"},
        Step{"no_cap_chroot", nullptr, kChroot, "chroot "},
        Step{"no_cap_nice", nullptr, kNice, "nice -1: Permission denied"}),
    [](const auto& parameter) { return std::string(parameter.param.name); });

TEST_P(FailingStep, keeps_the_program_from_running) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  const bool temporary = contains(GetParam().error, std::strerror(EAGAIN));
  DaemonOptions options;
  if (GetParam().inject != nullptr) {
    if (const std::string why = why_no_strace(); !why.empty()) GTEST_SKIP() << why;
    options = injecting(GetParam().inject);
  } else {
    options.start.in_child = [] { drop_capability(GetParam().capability); };
    options.arguments = {"--workers", "0"};  // without it a worker could not be made safe
  }
  write_service();
  write_echo();
  const HeldGroups groups;
  Daemon daemon(folder_, std::move(options));
  Client client(port_);
  if (temporary) {  // the client may yet be served
    EXPECT_TRUE(daemon.wait_log("mark: cannot start: " + std::string(GetParam().error)));
  } else {
    EXPECT_EQ(client.receive_until_eof(), "");
    const auto ends = wait_records(daemon, "mark", "end", 1);
    ASSERT_THAT(ends, SizeIs(1));
    EXPECT_THAT(ends[0].at("error"), testing::StartsWith(GetParam().error));
  }
  EXPECT_THAT(records(daemon, "mark", "start"), IsEmpty());
  EXPECT_FALSE(fs::exists(folder_ / "jail/marks/mark")) << "the program ran";
  EXPECT_TRUE(echoes(echo_));
  expect_nobody_left(daemon);
}

TEST_F(MarkedStart, leaves_a_mark_where_no_step_fails) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  write_service();
  Daemon daemon(folder_);
  (void)ask(port_);
  const auto ends = wait_records(daemon, "mark", "end", 1);
  ASSERT_THAT(ends, SizeIs(1));
  EXPECT_EQ(ends[0].at("exit"), "0");
  EXPECT_TRUE(fs::exists(folder_ / "jail/marks/mark"));
}

TEST_F(MarkedStart, fails_without_what_was_there_at_load) {
  if (!is_root()) GTEST_SKIP() << "needs root";
  write_service();
  folder_.make_folder("work");
  const std::uint16_t other = free_port();
  folder_.write("conf.d/work.yaml", program_on("work", {tcp(other)}, {"/bin/true"},
                                               "directory: " + folder_.string("work") + "\n"));
  Daemon daemon(folder_);
  fs::remove_all(folder_ / "jail");
  fs::remove_all(folder_ / "work");
  EXPECT_EQ(ask(port_), "");
  EXPECT_EQ(ask(other), "");
  const auto jailed = wait_records(daemon, "mark", "end", 1);
  const auto worked = wait_records(daemon, "work", "end", 1);
  ASSERT_THAT(jailed, SizeIs(1));
  ASSERT_THAT(worked, SizeIs(1));
  EXPECT_EQ(jailed[0].at("error"), "chroot " + folder_.string("jail") + ": No such file or directory");
  EXPECT_EQ(worked[0].at("error"), "chdir " + folder_.string("work") + ": No such file or directory");
}

}  // namespace
}  // namespace xsd::test
