// SPDX-License-Identifier: Apache-2.0
//
// Programs as people run them from a super-server, each a script of the same behaviour as one that is in use
// somewhere, asked by the clients that they have there.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;

class Scripts : public testing::Test {
 protected:
  std::string script(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = folder_.write("bin/" + name, "#!/bin/sh\n" + text);
    EXPECT_EQ(chmod(path.c_str(), 0755), 0);
    EXPECT_EQ(chmod(folder_.path().c_str(), 0755), 0);
    return path.string();
  }
  void serve(const std::string& server, const std::string& more = "") const {
    folder_.write(
        "conf.d/script.yaml",
        program_service("script", port_, {server}, "log_on_success: [PID, HOST, EXIT, DURATION]\n" + more));
  }
  std::string url(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

  TempFolder folder_;
  std::uint16_t port_ = free_port();
};

// As percona's clustercheck: writes a whole answer and reads nothing.
TEST_F(Scripts, a_health_check_that_does_not_read_is_never_reset) {
  serve(script("clustercheck",
               "printf 'HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\nConnection: close\\r\\n"
               "Content-Length: 40\\r\\n\\r\\nPercona XtraDB Cluster Node is synced.\\r\\n'\n"),
        "lingering: 2s\n");
  Daemon daemon(folder_);
  const std::filesystem::path body = folder_.write("body", std::string(200'000, 'b'));
  for (int i = 0; i < 20; ++i) {
    const RunResult get = run({"curl", "-sS", "--noproxy", "*", "--max-time", "10", url()});
    ASSERT_EQ(get.status, 0) << get.err;
    EXPECT_EQ(get.out, "Percona XtraDB Cluster Node is synced.\r\n");
    const RunResult post = run({"curl", "-sS", "--noproxy", "*", "--max-time", "10", "-H",
                                "Expect:", "--data-binary", "@" + body.string(), url()});
    ASSERT_EQ(post.status, 0) << post.err;
  }
}

// As mysql-haproxy-xinetd: reads the request line and nothing else, and goes by the path.
TEST_F(Scripts, a_check_that_goes_by_the_path_answers_it) {
  serve(script("router",
               "read -r method path rest\n"
               "case $path in /master) code='200 OK';; *) code='503 Service Unavailable';; esac\n"
               "printf 'HTTP/1.0 %s\\r\\nContent-Length: 0\\r\\n\\r\\n' \"$code\"\n"),
        "lingering: 2s\n");
  Daemon daemon(folder_);
  const auto code = [&](const std::string& path) {
    return run({"curl", "-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10",
                url(path)})
        .out;
  };
  EXPECT_EQ(code("/master"), "200");
  EXPECT_EQ(code("/slave"), "503");
}

// As check_mk's agent: prints sections for as long as it takes, only for the monitoring host.
TEST_F(Scripts, a_monitoring_agent_answers_its_host_alone) {
  serve(script("agent",
               "echo '<<<check_mk>>>'\necho AgentOS: linux\necho '<<<df>>>'\ndf -P / | tail -n 1\n"
               "echo '<<<uptime>>>'\ncat /proc/uptime\necho not for the client >&2\n"),
        "only_from: [127.0.0.1]\nstderr: log\n");
  Daemon daemon(folder_);
  const std::string answer = ask(port_);
  EXPECT_THAT(answer, HasSubstr("<<<check_mk>>>\nAgentOS: linux\n<<<df>>>\n"));
  EXPECT_THAT(answer, HasSubstr("<<<uptime>>>\n"));
  EXPECT_THAT(answer, testing::Not(HasSubstr("not for the client")));
  EXPECT_EQ(ask(port_, "", {.source = "127.0.0.2"}), "");
  EXPECT_TRUE(daemon.wait_log("script: refuse"));
  EXPECT_TRUE(daemon.wait_log("not for the client"));
}

// As web servers in a shell: works in a folder of its own, reads the header, answers and ends.
TEST_F(Scripts, a_web_server_in_a_shell_has_its_folder) {
  folder_.write("www/index.html", "<p>hello\n");
  serve(script("http",
               "while read -r line; do [ \"$line\" = \"$(printf '\\r')\" ] && break; done\n"
               "printf 'HTTP/1.0 200 OK\\r\\n\\r\\n'\ncat index.html\n"),
        "directory: " + folder_.string("www") + "\n");
  Daemon daemon(folder_);
  EXPECT_EQ(run({"curl", "-sS", "--noproxy", "*", "--max-time", "10", url()}).out, "<p>hello\n");
}

// As games behind telnet: want a terminal's name and a file from the environment.
TEST_F(Scripts, a_game_gets_its_environment) {
  serve(script("zork", "echo \"$GAME_FILE on $TERM\"\n"), "env: {TERM: vt100, GAME_FILE: /games/zork.z5}\n");
  Daemon daemon(folder_);
  EXPECT_EQ(ask(port_), "/games/zork.z5 on vt100\n");
}

// As challenges of a CTF: a program that runs wild is ended by its limits, its players are few, and the
// others are told.
TEST_F(Scripts, a_challenge_is_kept_within_its_limits) {
  folder_.write("sorry", "too many of you\n");
  serve(script("challenge",
               "read -r word\ncase $word in burn) while :; do :; done;; fork) sleep 60 & sleep 60;; esac\n"
               "echo \"you said $word\"\n"),
        "rlimit_cpu: 1\nmax_duration: 20s\nper_source: 2\nbanner_fail: " + folder_.string("sorry") + "\n");
  Daemon daemon(folder_);
  EXPECT_EQ(ask(port_, "hello\n"), "you said hello\n");
  EXPECT_TRUE(daemon.wait_log("script: end"));  // its place is free again
  Client burning(port_);
  ASSERT_TRUE(burning.send("burn\n"));
  Client waiting(port_);
  ASSERT_TRUE(waiting.connected());
  EXPECT_TRUE(eventually([&] { return daemon.log_lines("script: start").size() >= 3; }));
  EXPECT_EQ(Client(port_).receive_until_eof(), "too many of you\n");
  EXPECT_EQ(burning.receive_until_eof(), "");
  EXPECT_TRUE(daemon.wait_log("signal="));
}

TEST_F(Scripts, a_challenge_that_will_not_end_is_ended_with_all_its_children) {
  serve(script("forks", "trap '' TERM\nsetsid sleep 300 &\necho $!\nsleep 300\n"),
        "max_duration: 1s\nstop_timeout: 1s\n");
  Daemon daemon(folder_);
  Client client(port_);
  const std::string line = client.receive_line();
  ASSERT_NE(line, "");
  const auto child = static_cast<pid_t>(std::stol(line));
  EXPECT_TRUE(eventually([&] { return !is_alive(child); }));
  EXPECT_EQ(client.wait_end(), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("reason=timeout"));
}

}  // namespace
}  // namespace xsd::test
