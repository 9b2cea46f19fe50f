// SPDX-License-Identifier: Apache-2.0
//
// `xsd -d`: the caller learns the truth, and what stays behind is a daemon (daemon(7)).
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Detach : public testing::Test {
 protected:
  ~Detach() override {
    // It is nobody's child that we could wait for: known by its pid file and its binary only.
    if (pid_ > 0 && is_ours(pid_)) (void)kill(pid_, SIGKILL);
  }
  static bool is_ours(pid_t pid) {
    std::error_code error;
    return fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", error) == fs::canonical(xsd_binary());
  }

  RunResult start(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"-d", "-c", folder_.string("conf.d"), "--pid-file",
                                       folder_.string("xsd.pid")};
    if (more.empty()) more = {"--log-file", folder_.string("xsd.log")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    RunResult result = run_xsd(arguments);
    if (result.status == 0) pid_ = std::atoi(folder_.read("xsd.pid").c_str());
    return result;
  }
  void write_echo() const { folder_.write("conf.d/echo.yaml", echo_service("echo", port_)); }

  TempFolder folder_;
  std::uint16_t port_ = free_port();
  pid_t pid_ = 0;
};

TEST_F(Detach, status_0_means_that_it_serves) {
  write_echo();
  const RunResult result = start();
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out + result.err, "");
  EXPECT_TRUE(echoes(port_)) << "at once, without waiting";
  ASSERT_TRUE(is_ours(pid_));
  EXPECT_EQ(getsid(pid_), pid_) << "a session of its own";
  EXPECT_EQ(fs::read_symlink("/proc/" + std::to_string(pid_) + "/cwd"), "/");
  const auto fds = open_fds(pid_);
  for (int fd = 0; fd <= 2; ++fd)
    EXPECT_EQ(fds.at(fd), "/dev/null");
  ASSERT_EQ(kill(pid_, SIGHUP), 0);
  EXPECT_TRUE(eventually([&] { return contains(folder_.read("xsd.log"), "reload: "); }));
  ASSERT_EQ(kill(pid_, SIGTERM), 0);
  EXPECT_TRUE(eventually([&] { return !is_alive(pid_); }));
  EXPECT_FALSE(fs::exists(folder_ / "xsd.pid"));
}

TEST_F(Detach, bad_configuration_is_78_with_its_diagnostics) {
  folder_.write("xsd.yaml", "daemon: {watch: maybe}\n");
  const RunResult result =
      run_xsd({"-d", "-c", folder_.string("xsd.yaml"), "--pid-file", folder_.string("xsd.pid")});
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, HasSubstr("xsd.yaml:1:"));
  EXPECT_FALSE(fs::exists(folder_ / "xsd.pid"));
}

TEST_F(Detach, nothing_bound_is_1) {
  write_echo();
  Daemon other(folder_);
  const RunResult result =
      start({"--log-file", folder_.string("second.log"), "--pid-file", folder_.string("second.pid")});
  EXPECT_NE(result.status, 0);
  const RunResult second =
      run_xsd({"-d", "-c", folder_.string("conf.d"), "--log-file", folder_.string("second.log"), "--pid-file",
               folder_.string("second.pid")});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.err + folder_.read("second.log"), HasSubstr("[" + std::to_string(other.pid()) + "]"));
  EXPECT_FALSE(fs::exists(folder_ / "second.pid"));
  EXPECT_TRUE(echoes(port_));
}

TEST_F(Detach, a_second_one_is_1_and_says_who_runs) {
  write_echo();
  ASSERT_EQ(start().status, 0);
  const RunResult second = start();
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.err, HasSubstr("held by process " + std::to_string(pid_)));
  EXPECT_TRUE(echoes(port_));
}

TEST_F(Detach, one_faulty_service_is_no_failure) {
  write_echo();
  folder_.write("conf.d/bad.yaml", "service: bad\n");
  EXPECT_EQ(start().status, 0);
  EXPECT_TRUE(echoes(port_));
}

TEST_F(Detach, a_log_file_that_cannot_be_opened_is_1) {
  write_echo();
  const RunResult result = start({"--log-file", folder_.string("no/such/folder/xsd.log")});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("no/such/folder/xsd.log"));
}

TEST_F(Detach, relative_paths_are_those_of_the_caller) {
  write_echo();
  const std::string place = folder_.path().string();
  const RunResult result = run_xsd({"-d", "-c", "conf.d", "--pid-file", "xsd.pid", "--log-file", "xsd.log"},
                                   {.in_child = [&] { (void)!chdir(place.c_str()); }});
  ASSERT_EQ(result.status, 0) << result.err;
  pid_ = std::atoi(folder_.read("xsd.pid").c_str());
  EXPECT_TRUE(echoes(port_));
  EXPECT_THAT(folder_.read("xsd.log"), HasSubstr("started: 1 services"));
}

TEST_F(Detach, the_callers_output_is_let_go_of) {
  // `result=$(xsd -d ...)` must not hang: the daemon keeps no copy of the pipe.
  write_echo();
  const std::string command = "out=$(" + xsd_binary() + " -d -c " + folder_.string("conf.d") +
                              " --pid-file " + folder_.string("xsd.pid") + " --log-file " +
                              folder_.string("xsd.log") + " 2>&1); echo \"done $? $out\"";
  const RunResult result = run({"/bin/sh", "-c", command});
  pid_ = std::atoi(folder_.read("xsd.pid").c_str());
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "done 0 \n");
}

TEST_F(Detach, tells_a_service_manager_who_serves) {
  write_echo();
  const std::string path = folder_.string("notify");
  const int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(manager, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(setenv("NOTIFY_SOCKET", path.c_str(), 1), 0);
  const RunResult result = start();
  (void)unsetenv("NOTIFY_SOCKET");
  ASSERT_EQ(result.status, 0) << result.err;
  char buffer[4096];
  const ssize_t count = recv(manager, buffer, sizeof buffer, 0);
  ASSERT_GT(count, 0) << "before the parent has ended";
  const std::string text(buffer, static_cast<std::size_t>(count));
  EXPECT_THAT(text, HasSubstr("READY=1\n"));
  EXPECT_THAT(text, HasSubstr("MAINPID=" + std::to_string(pid_) + "\n"));
  close(manager);
}

}  // namespace
}  // namespace xsd::test
