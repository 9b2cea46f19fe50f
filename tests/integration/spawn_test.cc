// SPDX-License-Identifier: Apache-2.0
//
// The world of a program, exactly as section 5 of interface.md promises it, whatever the daemon was started
// with (rows spn_1 to spn_4, spn_7 and spn_8 of reliability.md).
#include <csignal>
#include <set>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/ignore_signal.h"
#include "tests/integration/program_support.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Variables = std::map<std::string, std::string>;

constexpr uid_t kNobody = 65534;
constexpr const char* kNoSignals = "0000000000000000";

/// What the daemon passes on of its own environment, which is the test's.
Variables passed_by_default() {
  Variables passed;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string variable = *entry;
    const std::string name = variable.substr(0, variable.find('='));
    if (name == "PATH" || name == "LANG" || name == "TZ" || name.starts_with("LC_"))
      passed.emplace(name, variable.substr(name.size() + 1));
  }
  return passed;
}

/// What is set for a tcp connection.
Variables tcp_variables(const std::string& service, const std::string& address, std::uint16_t remote_port,
                        std::uint16_t server_port, const std::string& connection) {
  const std::string remote = std::to_string(remote_port);
  const std::string local = std::to_string(server_port);
  return {{"REMOTE_HOST", address}, {"REMOTE_ADDR", address},  {"REMOTE_PORT", remote},
          {"TCPREMOTEIP", address}, {"TCPREMOTEPORT", remote}, {"SERVER_ADDR", address},
          {"SERVER_PORT", local},   {"TCPLOCALIP", address},   {"TCPLOCALPORT", local},
          {"PROTO", "TCP"},         {"XSD_SERVICE", service},  {"XSD_CONNECTION", connection}};
}

Variables together(Variables one, const Variables& other) {
  one.insert(other.begin(), other.end());
  return one;
}

void expect_clean_signals(World& world) {
  EXPECT_EQ(world["blocked"], "");
  EXPECT_EQ(world["dispositions"], "");
  EXPECT_EQ(world["SigBlk"], kNoSignals);
  EXPECT_EQ(world["SigIgn"], kNoSignals);
}

void expect_own_session(World& world) {
  EXPECT_NE(world["pid"], "");
  EXPECT_EQ(world["pgid"], world["pid"]);
  EXPECT_EQ(world["sid"], world["pid"]);
}

class Spawn : public testing::Test {
 protected:
  void write_world(std::string_view more = "", const std::vector<std::string>& arguments = {}) {
    std::vector<std::string> argv{program("show_world")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    folder_.write("conf.d/world.yaml", program_on("world", {tcp(port_)}, argv, more));
  }

  TempFolder folder_;
  const std::uint16_t port_ = free_port();
};

TEST_F(Spawn, gives_the_connection_and_nothing_else) {
  write_world();
  Daemon daemon(folder_);
  Client client(port_);
  client.half_close();
  World world = parse_world(client.receive_until_eof());
  EXPECT_EQ(world["fds"], "0 1 2");
  EXPECT_EQ(world["blocking"], "0 1 2");
  EXPECT_EQ(world["inode1"], world["inode0"]);
  EXPECT_EQ(world["inode2"], world["inode0"]);
  expect_own_session(world);
  expect_clean_signals(world);
  EXPECT_EQ(world["cwd"], "/");
  EXPECT_EQ(world["umask"], "022");
  EXPECT_EQ(world["nice"], std::to_string(getpriority(PRIO_PROCESS, 0)));
  EXPECT_EQ(world["NoNewPrivs"], "1");
  EXPECT_THAT(world.arguments, ElementsAre(program("show_world")));
  EXPECT_EQ(world.environment, together(passed_by_default(), tcp_variables("world", "127.0.0.1",
                                                                           client.local_port(), port_, "1")));
  const auto starts = wait_records(daemon, "world", "start", 1);
  ASSERT_EQ(starts.size(), 1U);
  EXPECT_EQ(starts[0].at("pid"), world["pid"]);
  EXPECT_EQ(starts[0].at("conn"), world.environment["XSD_CONNECTION"]);
}

TEST_F(Spawn, is_the_same_whatever_the_daemon_was_started_with) {
  write_world("stderr: \"null\"\n");
  DaemonOptions options;
  options.start.in_child = [] {
    for (int number = 1; number < _NSIG; ++number)
      ignore_signal(number);
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, nullptr);
    (void)umask(0777);
    for (int fd = 20; fd < 60; ++fd)
      (void)dup2(STDERR_FILENO, fd);
    (void)dup2(STDERR_FILENO, 5000);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
      (void)close(fd);
  };
  Daemon daemon(folder_, std::move(options));
  World world = ask_world(port_);
  EXPECT_EQ(world["fds"], "0 1 2");
  EXPECT_EQ(world["blocking"], "0 1 2");
  EXPECT_EQ(world["inode1"], world["inode0"]);
  struct stat null {};
  ASSERT_EQ(stat("/dev/null", &null), 0);
  EXPECT_EQ(world["inode2"], std::to_string(null.st_ino));
  EXPECT_EQ(world["umask"], "022");
  expect_own_session(world);
  expect_clean_signals(world);
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_F(Spawn, has_no_signal_blocked_or_ignored_in_a_storm_of_reloads) {
  write_world();
  Daemon daemon(folder_);
  constexpr int kClients = 40;
  for (int i = 0; i < kClients; ++i) {
    for (int storm = 0; storm < 5; ++storm)
      (void)daemon.signal(SIGHUP);
    World world = ask_world(port_);
    expect_clean_signals(world);
    if (HasFailure()) break;
  }
  EXPECT_EQ(wait_records(daemon, "world", "end", kClients).size(), static_cast<std::size_t>(kClients));
}

TEST_F(Spawn, passes_none_of_fifty_odd_variables) {
  write_world();
  DaemonOptions options;
  std::vector<std::string>& environment = options.start.environment;
  for (const char* const name : {"LD_LIBRARY_PATH",
                                 "LD_DEBUG_OUTPUT",
                                 "GCONV_PATH",
                                 "LOCPATH",
                                 "LISTEN_PID",
                                 "LISTEN_FDS",
                                 "LISTEN_FDNAMES",
                                 "NOTIFY_SOCKETS",
                                 "WATCHDOG_USEC",
                                 "WATCHDOG_PID",
                                 "MAINPID",
                                 "INVOCATION_ID",
                                 "JOURNAL_STREAM",
                                 "HOME",
                                 "USER",
                                 "SHELL",
                                 "PWD",
                                 "IFS",
                                 "ENV",
                                 "BASH_ENV",
                                 "PYTHONPATH",
                                 "PERL5LIB",
                                 "SSH_AUTH_SOCK",
                                 "REMOTE_HOST",
                                 "REMOTE_IDENT",
                                 "TCPREMOTEINFO",
                                 "TCPREMOTEHOST",
                                 "XSD_SERVICE",
                                 "XSD_SECRET",
                                 "PROTO",
                                 "LC",
                                 "LANGUAGE",
                                 "TZDIR",
                                 "PATHS",
                                 "path",
                                 "MALLOC_CHECK_",
                                 "GLIBC_TUNABLES"})
    environment.push_back(std::string(name) + "=odd");
  environment.push_back("LD_PRELOAD=");
  for (int i = 0; i < 15; ++i)
    environment.push_back("ODD_" + std::to_string(i) + "=value with = and blank");
  Variables passed = passed_by_default();
  for (const auto& [name, value] :
       Variables{{"TZ", "Europe/Zurich"}, {"LC_ALL", "C"}, {"LC_TIME", "C.UTF-8"}}) {
    environment.push_back(name + "=" + value);
    passed[name] = value;
  }
  Daemon daemon(folder_, std::move(options));
  Client client(port_);
  client.half_close();
  const World world = parse_world(client.receive_until_eof());
  EXPECT_EQ(world.environment,
            together(passed, tcp_variables("world", "127.0.0.1", client.local_port(), port_, "1")));
}

TEST_F(Spawn, passes_what_passenv_names_and_sets_what_env_says) {
  write_world(
      "passenv: [HOME, NOT_SET, TERM]\n"
      "env: {TERM: vt100, GREETING: \"hello, world=1\", EMPTY: \"\", REMOTE_ADDR: 10.0.0.1, LANG: C}\n");
  DaemonOptions options;
  options.start.environment = {"HOME=/odd/home", "TERM=odd", "SHELL=/odd/shell"};
  options.start.unset = {"NOT_SET"};
  Daemon daemon(folder_, std::move(options));
  Client client(port_);
  client.half_close();
  const World world = parse_world(client.receive_until_eof());
  Variables expected{
      {"HOME", "/odd/home"}, {"TERM", "vt100"}, {"GREETING", "hello, world=1"}, {"EMPTY", ""}, {"LANG", "C"}};
  expected.merge(passed_by_default());
  EXPECT_EQ(world.environment,
            together(expected, tcp_variables("world", "127.0.0.1", client.local_port(), port_, "1")));
}

TEST_F(Spawn, has_the_limits_that_the_daemon_was_started_with) {
  write_world();
  DaemonOptions options;
  options.start.in_child = [] {
    const rlimit files{300, 1500};
    const rlimit core{4096, 8192};
    if (setrlimit(RLIMIT_NOFILE, &files) != 0 || setrlimit(RLIMIT_CORE, &core) != 0) _exit(1);
  };
  Daemon daemon(folder_, std::move(options));
  World world = ask_world(port_);
  EXPECT_EQ(world["nofile"], "300:1500");
  // Unless they are told not to, sanitizers forbid core files.
  const bool forbidden = is_sanitized() && world["core"] == "0:8192";
  EXPECT_TRUE(forbidden || world["core"] == "4096:8192") << world["core"];
}

TEST_F(Spawn, has_the_limits_that_its_service_asks_for) {
  folder_.write("conf.d/limits.yaml",
                program_on("limits", {tcp(port_)}, {"/bin/cat", "/proc/self/limits"},
                           "rlimit_nofile: \"100:200\"\nrlimit_core: 0\nrlimit_fsize: 64K\nrlimit_cpu: 30\n"
                           "rlimit_as: 512M\nrlimit_nproc: 1000\nrlimit_stack: 4M:8M\nrlimit_data: 256M\n"
                           "rlimit_memlock: 32K\nrlimit_sigpending: 50\nrlimit_rss: 128M\n"));
  Daemon daemon(folder_);
  std::string text = ask(port_);
  std::string squeezed;
  for (const char byte : text) {
    if (byte != ' ' || squeezed.empty() || squeezed.back() != ' ') squeezed += byte;
  }
  for (const char* const line :
       {"Max open files 100 200", "Max core file size 0 0", "Max file size 65536 65536", "Max cpu time 30 30",
        "Max address space 536870912 536870912", "Max processes 1000 1000", "Max stack size 4194304 8388608",
        "Max data size 268435456 268435456", "Max locked memory 32768 32768", "Max pending signals 50 50",
        "Max resident set 134217728 134217728"})
    EXPECT_THAT(squeezed, HasSubstr(line));
}

TEST_F(Spawn, is_a_fault_at_load_where_a_limit_cannot_be_had) {
  write_world("rlimit_nofile: 2000\n");
  const std::uint16_t good = free_port();
  folder_.write("conf.d/good.yaml", echo_service("good", good));
  DaemonOptions options;
  options.start.in_child = [] {
    constexpr int kSysResource = 24;
    const rlimit files{500, 1000};
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) _exit(1);
    if (is_root()) drop_capability(kSysResource);
  };
  Daemon daemon(folder_, std::move(options));
  EXPECT_TRUE(daemon.wait_log("conf.d/world.yaml:1:1: rlimit_nofile: 2000 is above the hard limit 1000"));
  EXPECT_TRUE(is_refused(port_));
  EXPECT_TRUE(echoes(good));
}

TEST_F(Spawn, adds_nice_to_the_priority_of_the_daemon) {
  write_world("nice: 5\n");
  DaemonOptions options;
  options.start.in_child = [] { (void)setpriority(PRIO_PROCESS, 0, 10); };
  Daemon daemon(folder_, std::move(options));
  EXPECT_EQ(ask_world(port_)["nice"], "15");
}

TEST_F(Spawn, has_the_umask_and_the_directory_of_its_service) {
  folder_.make_folder("work");
  write_world("umask: 0137\ndirectory: " + folder_.string("work") + "\n");
  Daemon daemon(folder_);
  World world = ask_world(port_);
  EXPECT_EQ(world["umask"], "137");
  EXPECT_EQ(world["cwd"], fs::canonical(folder_ / "work").string());
}

TEST_F(Spawn, replaces_placeholders_in_its_arguments) {
  write_world("", {"-a=%{remote_addr}:%{remote_port}", "%{server_port}", "100%", "%{service}%{service}", "",
                   "%%{service}", "a b\tc"});
  Daemon daemon(folder_);
  Client client(port_);
  client.half_close();
  const World world = parse_world(client.receive_until_eof());
  EXPECT_THAT(world.arguments,
              ElementsAre(program("show_world"), "-a=127.0.0.1:" + std::to_string(client.local_port()),
                          std::to_string(port_), "100%", "worldworld", "", "%{service}", "a b\tc"));
}

TEST_F(Spawn, takes_its_name_from_the_arguments_with_nameinargs) {
  write_world("flags: [NAMEINARGS]\n", {"in.worldd", "%{service}"});
  Daemon daemon(folder_);
  EXPECT_THAT(ask_world(port_).arguments, ElementsAre("in.worldd", "world"));
}

// ---- standard error

TEST_F(Spawn, writes_standard_error_to_the_client_by_default) {
  folder_.write("conf.d/sh.yaml", shell_service("sh", port_, "echo to stderr >&2"));
  Daemon daemon(folder_);
  EXPECT_EQ(ask(port_), "to stderr\n");
}

TEST_F(Spawn, writes_standard_error_to_the_log) {
  folder_.write(
      "conf.d/sh.yaml",
      shell_service("sh", port_, R"(printf 'one\ntwo \033[31m\001\nno end' >&2; echo out)", "stderr: log\n"));
  Daemon daemon(folder_);
  EXPECT_EQ(ask(port_), "out\n");
  EXPECT_TRUE(daemon.wait_log("sh: stderr: two"));
  EXPECT_THAT(daemon.log_lines("sh: stderr: one"), testing::SizeIs(1));
  EXPECT_THAT(daemon.log(), Not(HasSubstr("\033")));
  EXPECT_THAT(daemon.log(), Not(HasSubstr("\001")));
}

TEST_F(Spawn, can_open_its_standard_error_by_name) {
  folder_.write("conf.d/sh.yaml",
                program_on("sh", {tcp(port_)}, {"/bin/sh", "-c", "echo by name > /dev/stderr && echo out"},
                           is_root() ? "stderr: log\nuser: nobody\n" : "stderr: log\n"));
  Daemon daemon(folder_);
  EXPECT_EQ(ask(port_), "out\n");
  EXPECT_TRUE(daemon.wait_log("sh: stderr: by name"));
}

TEST_F(Spawn, throws_standard_error_away) {
  folder_.write("conf.d/sh.yaml",
                shell_service("sh", port_, "echo to stderr >&2; echo out", "stderr: \"null\"\n"));
  Daemon daemon(folder_);
  EXPECT_EQ(ask(port_), "out\n");
  EXPECT_THAT(daemon.log(), Not(HasSubstr("to stderr")));
}

TEST_F(Spawn, has_one_pipe_for_standard_error_however_many_connections) {
  const Barrier barrier(folder_ / "barrier");
  folder_.write("conf.d/hold.yaml",
                program_on("hold", {tcp(port_)}, {program("hold"), barrier.path()}, "stderr: log\n"));
  Daemon daemon(folder_);
  const auto before = open_fds(daemon.pid());
  constexpr std::size_t kClients = 20;
  std::vector<Client> clients;
  std::set<pid_t> pids;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back(port_);
    pids.insert(pid_of(clients.back().receive_line()));
  }
  EXPECT_EQ(pids.size(), kClients);
  std::set<std::string> pipes;
  std::size_t ends = 0;
  // A low copy of an end comes and goes with each start.
  EXPECT_TRUE(eventually([&] {
    pipes.clear();
    ends = 0;
    for (const auto& [fd, target] : open_fds(daemon.pid())) {
      if (!target.starts_with("pipe:") || before.contains(fd)) continue;
      pipes.insert(target);
      ++ends;
    }
    return ends <= 2;
  }));
  EXPECT_EQ(ends, 2U);
  ASSERT_EQ(pipes.size(), 1U);
  for (const pid_t pid : pids)
    EXPECT_EQ(open_fds(pid)[STDERR_FILENO], *pipes.begin());
}

// ---- other kinds of connections

TEST_F(Spawn, knows_its_peer_over_ipv6) {
  folder_.write("conf.d/world.yaml",
                program_on("world", {tcp(port_, "[::1]")}, {program("show_world"), "%{remote_addr}"}));
  Daemon daemon(folder_);
  Client client(port_, {.host = "::1"});
  if (!client.connected()) GTEST_SKIP() << "no IPv6 here";
  client.half_close();
  const World world = parse_world(client.receive_until_eof());
  EXPECT_THAT(world.arguments, ElementsAre(program("show_world"), "::1"));
  EXPECT_EQ(world.environment,
            together(passed_by_default(), tcp_variables("world", "::1", client.local_port(), port_, "1")));
}

TEST_F(Spawn, knows_the_address_that_was_asked_on_a_wildcard) {
  folder_.write("conf.d/world.yaml", program_on("world", {tcp(port_, "*")}, {program("show_world")}));
  Daemon daemon(folder_);
  EXPECT_EQ(ask_world(port_, {.host = "127.0.0.3"}).environment["SERVER_ADDR"], "127.0.0.3");
  const World from = ask_world(port_, {.source = "127.0.0.2"});
  EXPECT_EQ(from.environment.at("REMOTE_ADDR"), "127.0.0.2");
  if (Client(port_, {.host = "::1"}).connected()) {
    const World v6 = ask_world(port_, {.host = "::1"});
    EXPECT_EQ(v6.environment.at("SERVER_ADDR"), "::1");
    EXPECT_EQ(v6.environment.at("REMOTE_ADDR"), "::1");
  }
}

TEST_F(Spawn, serves_unix_sockets) {
  const std::string path = folder_.string("stream");
  const std::string packets = folder_.string("packets");
  folder_.write("conf.d/world.yaml",
                program_on("world", {"unix://" + path}, {program("show_world"), "%{remote_addr}"}));
  folder_.write("conf.d/packets.yaml",
                program_on("packets", {"unix-seqpacket://" + packets}, {program("show_world")}));
  Daemon daemon(folder_);
  Client client = Client::to_unix_socket(path);
  ASSERT_TRUE(client.connected());
  client.half_close();
  World world = parse_world(client.receive_until_eof());
  EXPECT_EQ(world["fds"], "0 1 2");
  EXPECT_THAT(world.arguments, ElementsAre(program("show_world"), ""));
  EXPECT_EQ(world.environment, together(passed_by_default(), {{"SERVER_ADDR", path},
                                                              {"PROTO", "UNIX"},
                                                              {"XSD_SERVICE", "world"},
                                                              {"XSD_CONNECTION", "1"}}));

  UnixClient packet(SOCK_SEQPACKET, packets);
  ASSERT_TRUE(packet.connected());
  world = parse_world(packet.receive());
  EXPECT_EQ(world["fds"], "0 1 2");
  EXPECT_EQ(world.environment.at("XSD_SERVICE"), "packets");
}

// ---- as root

class SpawnAsRoot : public Spawn {
 protected:
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "needs root";
  }
};

TEST_F(SpawnAsRoot, has_the_user_and_the_group_of_its_service) {
  write_world("user: nobody\n");
  const std::uint16_t group_port = free_port();
  folder_.write("conf.d/group.yaml", program_on("group", {tcp(group_port)}, {program("show_world")},
                                                "user: \"54321\"\ngroup: \"1\"\n"));
  DaemonOptions options;
  options.start.in_child = [] {
    const gid_t odd[] = {4, 20, 27};
    if (setgroups(3, odd) != 0) _exit(1);
  };
  Daemon daemon(folder_, std::move(options));
  World world = ask_world(port_);
  EXPECT_EQ(world["uids"], "65534 65534 65534");
  EXPECT_EQ(world["gids"], "65534 65534 65534");
  EXPECT_EQ(world["groups"], "");
  world = ask_world(group_port);
  EXPECT_EQ(world["uids"], "54321 54321 54321");
  EXPECT_EQ(world["gids"], "1 1 1");
  EXPECT_EQ(world["groups"], "");
}

TEST_F(SpawnAsRoot, has_the_groups_of_its_user_if_asked) {
  folder_.write("group", read_file("/etc/group") + "xsd-one:x:61001:nobody\nxsd-two:x:61002:daemon,nobody\n");
  write_world("user: nobody\ngroups: yes\n");
  DaemonOptions options;
  options.start.in_child = [file = folder_.string("group")] {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount(file.c_str(), "/etc/group", nullptr, MS_BIND, nullptr) != 0)
      _exit(1);
  };
  Daemon daemon(folder_, std::move(options));
  EXPECT_EQ(ask_world(port_)["groups"], "61001 61002 65534");
}

TEST_F(SpawnAsRoot, is_inside_its_chroot_and_its_directory) {
  (void)copy_program(folder_, "show_world", "jail/bin/show_world");
  folder_.make_folder("jail/inner");
  folder_.write("conf.d/world.yaml",
                program_on("world", {tcp(port_)}, {"/bin/show_world"},
                           "user: nobody\nchroot: " + folder_.string("jail") + "\ndirectory: /inner\n"));
  Daemon daemon(folder_);
  World world = ask_world(port_);
  EXPECT_EQ(world["cwd"], "/inner");
  EXPECT_EQ(world["uids"], "65534 65534 65534");
  EXPECT_EQ(world["NoNewPrivs"], "") << "it sees /proc";
  EXPECT_THAT(world.arguments, ElementsAre("/bin/show_world"));
  EXPECT_EQ(world["fds"], "0 1 2");
}

TEST_F(SpawnAsRoot, gains_nothing_from_a_setuid_program_unless_allowed) {
  const std::string helper = copy_program(folder_, "show_world", "helper");
  ASSERT_EQ(chmod(helper.c_str(), 04755), 0);
  const std::uint16_t allowed = free_port();
  folder_.write("conf.d/world.yaml", program_on("world", {tcp(port_)}, {helper}, "user: nobody\n"));
  folder_.write("conf.d/allowed.yaml",
                program_on("allowed", {tcp(allowed)}, {helper}, "user: nobody\nno_new_privs: false\n"));
  Daemon daemon(folder_);
  World world = ask_world(port_);
  EXPECT_EQ(world["uids"], "65534 65534 65534");
  EXPECT_EQ(world["NoNewPrivs"], "1");
  world = ask_world(allowed);
  EXPECT_EQ(world["NoNewPrivs"], "0");
  if (world["uids"] != "65534 0 0") GTEST_SKIP() << "setuid programs have no effect in " << folder_.path();
}

TEST_F(SpawnAsRoot, says_whose_programs_gain_nothing_since_the_daemon_cannot) {
  folder_.write("conf.d/world.yaml", program_on("world", {tcp(port_)}, {"/bin/true"}, "user: nobody\n"));
  DaemonOptions options;
  options.start.in_child = [] { (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); };
  Daemon daemon(folder_, options);
  EXPECT_EQ(daemon.log_lines("no_new_privs").size(), 0U);
  for (const std::string name : {"a", "b", "c", "d", "e", "f", "g"})
    folder_.write("conf.d/" + name + ".yaml",
                  program_on(name, {tcp(free_port())}, {"/bin/true"}, "user: nobody\nno_new_privs: false\n"));
  (void)daemon.hup_and_wait();
  (void)daemon.hup_and_wait();
  EXPECT_TRUE(daemon.wait_log("no_new_privs: false has no effect"));
  const std::vector<std::string> told = daemon.log_lines("no_new_privs: false has no effect");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_THAT(told.front(), HasSubstr(": a, b, c, d, e and 2 more"));
}

TEST_F(SpawnAsRoot, runs_as_the_user_of_a_daemon_that_is_not_root) {
  if (const std::string why = why_not_for_all(xsd_binary()); !why.empty()) GTEST_SKIP() << why;
  folder_.write("conf.d/world.yaml", "service: world\nlisten: [" + yaml_quoted(tcp(port_)) +
                                         "]\nserver: " + program("show_world") + "\n");
  folder_.give_to(kNobody, kNobody);
  DaemonOptions options;
  options.start.in_child = [] { become_user(kNobody); };
  Daemon daemon(folder_, std::move(options));
  World world = ask_world(port_);
  EXPECT_EQ(world["uids"], "65534 65534 65534");
  EXPECT_EQ(world["fds"], "0 1 2");
  expect_own_session(world);
}

/// As AmbientCapabilities= of a unit does.
void become_nobody_with_capability() {
  constexpr unsigned kBit = 1U << CAP_NET_BIND_SERVICE;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {{kBit, kBit, kBit}, {0, 0, 0}};
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) _exit(99);
  become_user(kNobody);
  if (syscall(SYS_capset, &header, sets) != 0 ||
      prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) != 0) {
    _exit(99);
  }
}

TEST_F(SpawnAsRoot, passes_no_capability_that_the_daemon_was_given) {
  if (const std::string why = why_not_for_all(xsd_binary()); !why.empty()) GTEST_SKIP() << why;
  folder_.write("conf.d/status.yaml", "service: status\nlisten: [" + yaml_quoted(tcp(port_)) +
                                          "]\nserver: /bin/cat\nserver_args: [/proc/self/status]\n");
  folder_.give_to(kNobody, kNobody);
  DaemonOptions options;
  options.start.in_child = become_nobody_with_capability;
  Daemon daemon(folder_, std::move(options));
  EXPECT_EQ(status_field(daemon.pid(), "CapEff"), "0000000000000400");
  EXPECT_THAT(ask(port_), HasSubstr("CapEff:\t0000000000000000\n"));
}

}  // namespace
}  // namespace xsd::test
