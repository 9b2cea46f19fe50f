// SPDX-License-Identifier: Apache-2.0
//
// hosts.allow and hosts.deny (`libwrap`), and the user of a connection by ident (USERID, IDONLY), with files
// and an identd of the test's own.
#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/echo_of_a_kind.h"
#include "tests/integration/own_resolver.h"

namespace xsd::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

/// Answers on port 113 of every loopback address: with `reply`, in which %p stands for the ports as they were
/// asked; an empty one is none at all.
class Identd {
 public:
  explicit Identd(std::string reply) : reply_(std::move(reply)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;  // the one before may have left connections behind
    EXPECT_EQ(setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(113);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Identd() {
    ends_ = true;
    thread_.join();
    close(listener_);
  }
  Identd(const Identd&) = delete;
  Identd& operator=(const Identd&) = delete;

  bool is_asked() const {
    return eventually([this] { return asked_.load() > 0; });
  }

 private:
  bool wait_for(int fd) const {
    pollfd entry{fd, POLLIN, 0};
    while (!ends_) {
      if (poll(&entry, 1, 20) == 1) return true;
    }
    return false;
  }
  void serve() {
    while (wait_for(listener_)) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      char query[64];
      if (wait_for(fd)) {
        const ssize_t got = read(fd, query, sizeof query);
        answer(fd, std::string(query, got > 2 ? static_cast<std::size_t>(got - 2) : 0));
      }
      close(fd);
    }
  }
  void answer(int fd, const std::string& ports) {
    ++asked_;
    std::string reply = reply_;
    if (reply.empty()) {
      (void)wait_for(fd);  // until they have had enough
      return;
    }
    if (const auto at = reply.find("%p"); at != std::string::npos) reply.replace(at, 2, ports);
    (void)!write(fd, reply.data(), reply.size());
  }

  const std::string reply_;
  int listener_ = -1;
  std::atomic<bool> ends_ = false;
  std::atomic<int> asked_ = 0;
  std::thread thread_;
};

class Asked : public EchoOfAKind {
 protected:
  void SetUp() override {
    if (!resolver_.why_not().empty()) GTEST_SKIP() << resolver_.why_not();
  }
  void write_hosts(std::string_view allow, std::string_view deny) {
    resolver_.cover("/etc/hosts.allow", allow);
    resolver_.cover("/etc/hosts.deny", deny);
    if (!resolver_.why_not().empty()) GTEST_SKIP() << resolver_.why_not();
  }
  bool is_refused(const std::string& source) const { return connect(source).wait_end() != Ending::Open; }

  OwnResolver resolver_{folder_, {{"127.0.0.2", "friend.example.org"}}};
};

class Libwrap : public Asked {};
INSTANTIATE_TEST_SUITE_P(, Libwrap, testing::ValuesIn(kEchoKinds), name_of_kind);

TEST_P(Libwrap, lets_in_whom_its_files_do) {
  write_hosts("in.echod: 127.0.0.2\n", "ALL: ALL\n");
  write_echo("libwrap: in.echod");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves("127.0.0.2"));
  EXPECT_TRUE(is_refused("127.0.0.3"));
  EXPECT_TRUE(daemon.wait_log("echo: refuse"));
  EXPECT_THAT(daemon.log_lines("echo: refuse").at(0), HasSubstr("from=127.0.0.3:"));
  EXPECT_THAT(daemon.log_lines("echo: refuse").at(0), HasSubstr(" reason=libwrap"));
}

TEST_P(Libwrap, knows_the_service_by_its_usual_name) {
  write_hosts("", (is_program() ? std::string("cat") : std::string("echo")) + ": 127.0.0.3\n");
  write_echo("libwrap: true");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves("127.0.0.2"));
  EXPECT_TRUE(is_refused("127.0.0.3"));
}

TEST_P(Libwrap, goes_by_names_too) {
  write_hosts("echo: .example.org\n", "ALL: ALL\n");
  write_echo("libwrap: echo");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves("127.0.0.2"));
  EXPECT_TRUE(is_refused("127.0.0.3"));
}

TEST_P(Libwrap, is_not_asked_unless_it_is_to_be) {
  write_hosts("", "ALL: ALL\n");
  write_echo("");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves("127.0.0.2"));
  write_echo("libwrap: true\nflags: [NOLIBWRAP]");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("reload: started 0"));
  EXPECT_TRUE(serves("127.0.0.2"));
  write_echo("libwrap: true");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("changed 1"));
  EXPECT_TRUE(is_refused("127.0.0.2"));
}

TEST_P(Libwrap, may_send_the_client_to_another_program) {
  write_hosts("", "echo: ALL: twist /bin/echo 421 not here\n");
  write_echo("libwrap: echo");
  Daemon daemon(folder_, options());
  Client client = connect("127.0.0.3");
  EXPECT_EQ(client.receive_until_eof(), "421 not here\n");
  EXPECT_TRUE(daemon.wait_log("reason=libwrap"));
}

TEST_P(Libwrap, may_run_a_command_without_privileges) {
  const std::filesystem::path out = folder_.write("who", "");
  std::filesystem::permissions(out, std::filesystem::perms(0666));
  write_hosts("echo: ALL: spawn (/usr/bin/id -u >> " + out.string() + ")\n", "");
  write_echo("libwrap: echo");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves("127.0.0.2"));
  EXPECT_TRUE(eventually([this] { return !folder_.read("who").empty(); }));
  EXPECT_THAT(folder_.read("who"), Not(HasSubstr("0\n")));
}

TEST_P(Libwrap, that_takes_too_long_lets_nobody_in) {
  write_hosts("echo: ALL: spawn (/bin/sleep 30)\n", "");
  write_echo("libwrap: echo");
  Daemon daemon(folder_, options());
  EXPECT_EQ(connect("127.0.0.2").wait_end(), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("reason=libwrap"));
  EXPECT_THAT(daemon.log_lines("echo: start"), IsEmpty());
}

TEST(LibwrapOfDatagrams, goes_by_the_first_sender) {
  TempFolder folder;
  const std::uint16_t port = free_port();
  OwnResolver resolver(folder, {});
  resolver.cover("/etc/hosts.allow", "wait_world: 127.0.0.2\n");
  resolver.cover("/etc/hosts.deny", "ALL: ALL\n");
  if (!resolver.why_not().empty()) GTEST_SKIP() << resolver.why_not();
  folder.write("conf.d/ask.yaml", "service: ask\nlisten: " + udp(port) + "\nserver: " +
                                      program("wait_world") + "\nserver_args: [" + folder.string("world") +
                                      "]\nuser: " + current_user() + "\nlibwrap: true\n");
  Daemon daemon(folder);
  UdpClient stranger(port, {.source = "127.0.0.3"});
  ASSERT_TRUE(stranger.send("hello"));
  EXPECT_TRUE(daemon.wait_log("datagrams from 127.0.0.3 are dropped (libwrap)"));
  EXPECT_THAT(daemon.log_lines("ask: start"), IsEmpty());
  UdpClient friendly(port, {.source = "127.0.0.2"});
  ASSERT_TRUE(friendly.send("hello"));
  EXPECT_TRUE(friendly.receive().has_value());
  EXPECT_THAT(daemon.state("state: ask:").back(), HasSubstr("libwrap=1"));
}

class Ident : public Asked {};
INSTANTIATE_TEST_SUITE_P(, Ident, testing::ValuesIn(kEchoKinds), name_of_kind);

TEST_P(Ident, puts_the_user_into_the_records) {
  const Identd identd("%p : USERID : UNIX : the \"user\"\r\n");
  write_echo("log_on_success: [HOST, DURATION, USERID]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves("127.0.0.2"));
  EXPECT_TRUE(daemon.wait_log("echo: end"));
  EXPECT_THAT(daemon.log_lines("echo: start").at(0), HasSubstr(R"( user='the "user"')"));
  EXPECT_THAT(daemon.log_lines("echo: end").at(0), HasSubstr(R"( user='the "user"')"));
}

TEST_P(Ident, is_no_condition_for_the_records) {
  write_echo("log_on_success: [HOST, USERID]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(serves("127.0.0.2"));
  EXPECT_TRUE(daemon.wait_log("echo: start"));
  EXPECT_THAT(daemon.log_lines("echo: start").at(0), Not(HasSubstr("user=")));
}

TEST_P(Ident, is_one_with_idonly) {
  write_echo("flags: [IDONLY]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(is_refused("127.0.0.2"));
  EXPECT_TRUE(daemon.wait_log("reason=ident"));
  {
    const Identd identd("%p : ERROR : HIDDEN-USER\r\n");
    EXPECT_TRUE(is_refused("127.0.0.2"));
  }
  {
    const Identd identd("1, 2 : USERID : UNIX : root\r\n");
    EXPECT_TRUE(is_refused("127.0.0.2"));
  }
  EXPECT_THAT(daemon.log_lines("echo: start"), IsEmpty());
  const Identd identd("%p:USERID:UNIX:me\r\n");
  EXPECT_TRUE(serves("127.0.0.2"));
}

TEST_P(Ident, that_never_answers_takes_five_seconds) {
  const Identd identd("");
  write_echo("flags: [IDONLY]");
  Daemon daemon(folder_, options());
  Client client = connect("127.0.0.2");
  ASSERT_TRUE(identd.is_asked());
  EXPECT_EQ(client.wait_end(), Ending::Closed);
  EXPECT_TRUE(daemon.wait_log("reason=ident"));
}

TEST_P(Ident, tells_who_was_refused) {
  const Identd identd("%p : USERID : UNIX : mallory\r\n");
  write_echo("no_access: [127.0.0.3]\ninstances: 1\nlog_on_failure: [HOST, USERID]");
  Daemon daemon(folder_, options());
  EXPECT_TRUE(is_refused("127.0.0.3"));
  EXPECT_TRUE(daemon.wait_log("reason=address"));
  EXPECT_THAT(daemon.log_lines("reason=address").at(0), HasSubstr(" user='mallory'"));
  Client held = connect("127.0.0.2");
  ASSERT_TRUE(is_served(held));
  EXPECT_TRUE(is_refused("127.0.0.2"));
  EXPECT_TRUE(daemon.wait_log("reason=instances"));
  EXPECT_THAT(daemon.log_lines("reason=instances").at(0), HasSubstr(" user='mallory'"));
  EXPECT_THAT(daemon.log_lines("echo: start").at(0), Not(HasSubstr("user=")));
}

}  // namespace
}  // namespace xsd::test
