// SPDX-License-Identifier: Apache-2.0
//
// Real clients and real servers: what people talk to the daemon with, and what it starts for them as the
// shipped service files say. A program that is not installed skips its test.
#include <csignal>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::MatchesRegex;

constexpr const char* kDaytimePattern =
    "[0-3][0-9] [A-Z]{3} [0-9]{4} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] [A-Za-z0-9+-]+\r\n";
constexpr const char* kNc = "nc.openbsd";  // there are others with other options

/// What a port is called in a service file.
std::string at(std::uint16_t port) {
  return "127.0.0.1:" + std::to_string(port);
}

std::string url(std::string_view scheme, std::uint16_t port, std::string_view path) {
  return std::string(scheme) + "://" + at(port) + "/" + std::string(path);
}

/// `size` bytes that do not compress to nothing.
std::string content(std::size_t size, unsigned seed = 1) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525U + 1013904223U;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

/// echo and daytime, for clients.
class SmallServices : public testing::Test {
 protected:
  SmallServices() {
    folder_.write("conf.d/echo.yaml", echo_service("echo", echo_, "flags: [REUSE]"));
    folder_.write("conf.d/daytime.yaml", plugin_service("daytime", "daytime", daytime_));
    folder_.write("conf.d/local.yaml", "service: local\nplugin: echo\nlisten: [" +
                                           yaml_quoted("unix://" + folder_.string("echo.sock")) + "]\n");
    input_ = folder_.write("input", "hello\nworld\n");
  }
  void SetUp() override { daemon_.emplace(folder_); }

  TempFolder folder_;
  std::uint16_t echo_ = free_port();
  std::uint16_t daytime_ = free_port();
  fs::path input_;
  std::optional<Daemon> daemon_;
};

TEST_F(SmallServices, answer_nc) {
  if (const std::string why = why_missing({kNc}); !why.empty()) GTEST_SKIP() << why;
  const std::string echo = std::to_string(echo_);
  const RunResult as_in_the_readme = run({kNc, "-q1", "127.0.0.1", echo}, {.input = input_});
  EXPECT_EQ(as_in_the_readme.out, "hello\nworld\n") << as_in_the_readme.err;
  EXPECT_EQ(run({kNc, "-N", "127.0.0.1", echo}, {.input = input_}).out, "hello\nworld\n");
  EXPECT_EQ(run({kNc, "-u", "-W1", "127.0.0.1", echo}, {.input = input_}).out, "hello\nworld\n");
  EXPECT_THAT(run({kNc, "127.0.0.1", std::to_string(daytime_)}).out, MatchesRegex(kDaytimePattern));
  EXPECT_EQ(run({kNc, "-N", "-U", folder_.string("echo.sock")}, {.input = input_}).out, "hello\nworld\n");
  EXPECT_EQ(run({kNc, "-z", "-v", "127.0.0.1", echo}).status, 0) << "a port scan";
  EXPECT_TRUE(echoes(echo_));
}

TEST_F(SmallServices, answer_socat) {
  if (const std::string why = why_missing({"socat"}); !why.empty()) GTEST_SKIP() << why;
  const std::string large = content(1024 * 1024);
  const fs::path large_file = folder_.write("large", large);
  for (const std::string& where : {"TCP:" + at(echo_), "UNIX-CONNECT:" + folder_.string("echo.sock")})
    EXPECT_TRUE(run({"socat", "-t10", "-", where}, {.input = large_file}).out == large) << where;
  EXPECT_THAT(run({"socat", "-u", "TCP:" + at(daytime_), "-"}).out, MatchesRegex(kDaytimePattern));
}

TEST_F(SmallServices, answer_socat_over_udp) {
  if (const std::string why = why_missing({"socat"}); !why.empty()) GTEST_SKIP() << why;
  // Its input must not end: then it would wait for answers for a fixed time only.
  const std::string pipe = folder_.string("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int input = open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(write(input, "datagram\n", 9), 9);
  const Process socat({"socat", "-", "UDP:" + at(echo_)}, {.input = pipe, .output = folder_ / "out"});
  EXPECT_TRUE(eventually([&] { return folder_.read("out") == "datagram\n"; }));
  close(input);
}

// The cookbook's health check: read the request, answer, leave no record.
TEST(HealthCheck, answers_curl) {
  if (const std::string why = why_missing({"curl"}); !why.empty()) GTEST_SKIP() << why;
  constexpr int kProbes = 20;
  TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write(
      "check.sh",
      "#!/bin/sh\n"
      "end=$(printf '\\r')\n"
      "while read -r line && [ \"$line\" != \"$end\" ]; do :; done\n"
      "printf 'HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\nContent-Length: 3\\r\\n\\r\\nup\\n'\n");
  fs::permissions(folder / "check.sh", fs::perms(0755));
  folder.write("conf.d/check.yaml", program_service("check", port, {folder.string("check.sh")},
                                                    "log_on_success: []\nstderr: log"));
  Daemon daemon(folder);
  for (int i = 0; i < kProbes; ++i) {
    const RunResult probe = run({"curl", "-sS", "--noproxy", "*", "--max-time", "10", "-w", "%{http_code}",
                                 url("http", port, "health")});
    EXPECT_EQ(probe.out, "up\n200") << probe.err;
  }
  EXPECT_EQ(daemon.stop(), 0);
  EXPECT_EQ(daemon.log_lines("check: start").size() + daemon.log_lines("check: end").size(), 0U);
}

/// Runs a daemon with one shipped file, at a free port of 127.0.0.1 and as a user that can be had.
class Recipe : public testing::Test {
 protected:
  using Replacements = std::vector<std::pair<std::string, std::string>>;

  void serve(const std::string& name, const std::string& listen, Replacements replacements) {
    const std::string scheme = listen.substr(0, listen.find("://") + 3);
    replacements.emplace_back(listen, scheme + at(port_));
    folder_.write("conf.d/" + name, recipe(name, replacements));
    daemon_.emplace(folder_);
  }

  TempFolder folder_;
  std::uint16_t port_ = free_port();
  std::optional<Daemon> daemon_;
};

TEST_F(Recipe, rsync_lists_its_modules_and_sends_a_tree) {
  if (const std::string why = why_missing({"rsync", "diff"}); !why.empty()) GTEST_SKIP() << why;
  constexpr std::size_t kLarge = 3 * 1024 * 1024;
  constexpr unsigned kFiles = 200;
  constexpr std::size_t kSmall = 10 * 1024;
  folder_.write("tree/large", content(kLarge));
  for (unsigned i = 0; i < kFiles; ++i)
    folder_.write("tree/a b/" + std::to_string(i % 7) + "/" + std::to_string(i), content(kSmall, i));
  fs::create_symlink("large", folder_ / "tree/link");
  const std::string privileges = is_root() ? "uid = nobody\ngid = nogroup\n" : "use chroot = no\n";
  const fs::path config = folder_.write(
      "rsyncd.conf", privileges + "[tree]\ncomment = what is shared\npath = " + folder_.string("tree") +
                         "\nread only = yes\n");
  Replacements replacements{{"[--daemon]", "[--daemon, \"--config=" + config.string() + "\"]"}};
  if (!is_root()) replacements.emplace_back("user: root", "user: " + current_user());
  serve("rsync.yaml", "tcp://*:873", replacements);

  const RunResult modules = run({"rsync", url("rsync", port_, "")});
  EXPECT_THAT(modules.out, MatchesRegex("tree[ \t]+what is shared\n")) << modules.err;
  const RunResult fetched = run({"rsync", "-a", url("rsync", port_, "tree/"), folder_.string("copy")});
  EXPECT_EQ(fetched.status, 0) << fetched.err;
  EXPECT_EQ(run({"diff", "-r", folder_.string("tree"), folder_.string("copy")}).status, 0);
  const RunResult wrong = run({"rsync", url("rsync", port_, "none/")});
  EXPECT_THAT(wrong.err, HasSubstr("Unknown module 'none'"));
  EXPECT_TRUE(daemon_->wait_log("rsync: end ", 3));
  EXPECT_EQ(daemon_->stop(), 0);
}

TEST_F(Recipe, git_repositories_can_be_cloned) {
  if (const std::string why = why_missing({"git"}); !why.empty()) GTEST_SKIP() << why;
  const std::string source = folder_.string("srv/project.git");
  const std::string clone = folder_.string("clone");
  const auto git = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "git");
    return run(words, {.environment = {"HOME=" + folder_.string("."), "GIT_CONFIG_NOSYSTEM=1",
                                       "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@localhost",
                                       "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@localhost"}});
  };
  folder_.make_folder("srv");
  folder_.write("work/file", content(100 * 1024));
  const std::string work = folder_.string("work");
  ASSERT_EQ(git({"init", "-q", work}).status, 0);
  ASSERT_EQ(git({"-C", work, "add", "file"}).status, 0);
  ASSERT_EQ(git({"-C", work, "commit", "-q", "-m", "first"}).status, 0);
  ASSERT_EQ(git({"clone", "-q", "--bare", work, source}).status, 0);
  Replacements replacements{{"--base-path=/srv/git", "--base-path=" + folder_.string("srv")},
                            {", /srv/git", ", " + folder_.string("srv")}};
  if (!is_root()) replacements.emplace_back("user: nobody", "user: " + current_user());
  serve("git.yaml", "tcp://*:9418", replacements);

  // With root the repository is root's and the server runs as nobody.
  const RunResult cloned = git({"clone", "-q", url("git", port_, "project.git"), clone});
  EXPECT_EQ(cloned.status, 0) << cloned.err << daemon_->log();
  EXPECT_EQ(git({"-C", clone, "rev-parse", "HEAD"}).out, git({"-C", source, "rev-parse", "HEAD"}).out);
  EXPECT_TRUE(read_file(clone + "/file") == content(100 * 1024));
  EXPECT_NE(git({"clone", "-q", url("git", port_, "none.git"), folder_.string("none")}).status, 0);
  EXPECT_TRUE(daemon_->wait_log("git: stderr: ")) << "what it complains about goes to the log";
  EXPECT_EQ(daemon_->stop(), 0);
}

TEST_F(Recipe, tftp_files_can_be_fetched_and_the_server_comes_back) {
  if (!is_root()) GTEST_SKIP() << "in.tftpd needs root";
  if (const std::string why = why_missing({"in.tftpd", "curl"}); !why.empty()) GTEST_SKIP() << why;
  const std::string text = content(100 * 1024);
  folder_.write("srv/boot.img", text);
  serve("tftp.yaml", "udp4://*:69",
        {{"--secure, /srv/tftp", "--timeout, \"2\", --secure, " + folder_.string("srv")}});
  const auto fetch = [&](const std::string& name) {
    return run({"curl", "-sS", "--max-time", "12", url("tftp", port_, name)});
  };
  const RunResult first = fetch("boot.img");
  EXPECT_TRUE(first.out == text) << first.err << daemon_->log();
  EXPECT_TRUE(fetch("boot.img").out == text);
  EXPECT_NE(fetch("none").status, 0);
  EXPECT_EQ(daemon_->log_lines("tftp: start ").size(), 1U) << "one server has the socket";
  EXPECT_TRUE(daemon_->wait_log("tftp: end ")) << "its own timeout";
  EXPECT_TRUE(fetch("boot.img").out == text) << "the socket is ours again";
  EXPECT_GE(daemon_->log_lines("tftp: start ").size(), 2U);
  if (const std::string client = find_program("tftp"); !client.empty()) {
    const std::string local = folder_.string("local");
    EXPECT_EQ(
        run({client, "-m", "binary", "127.0.0.1", std::to_string(port_), "-c", "get", "boot.img", local})
            .status,
        0);
    EXPECT_TRUE(read_file(local) == text);
  }
  EXPECT_EQ(daemon_->log_lines("error: ").size(), 0U);
  EXPECT_EQ(daemon_->stop(), 0);
}

}  // namespace
}  // namespace xsd::test
