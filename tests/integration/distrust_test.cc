// SPDX-License-Identifier: Apache-2.0
//
// A worker that somebody has taken over says to the master what he likes: it is ended and replaced, and
// nothing that it may not have is given to it. The plugin is libraries/forges.cc.
#include <ostream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/neighbours.h"

namespace xsd::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;

class Distrust : public testing::Test {
 protected:
  Distrust() {
    folder_.write("plugins/forges.so", read_file(XSD_TEST_LIBRARIES "/forges.so"));
    // The first of all files, so that the number of the service is 1.
    folder_.write("conf.d/a.yaml", "service: forger\nplugin: forges\nlisten: " + tcp(port_) + "\n" +
                                       (is_root() ? "user: nobody\n" : "") +
                                       "programs: {id: /usr/bin/id}\nhand_over: [cat]\nstop_timeout: 1s\n");
    folder_.write("conf.d/cat.yaml", program_service("cat", cat_, {"/bin/cat"}));
    folder_.write("conf.d/secret.yaml", program_service("secret", secret_, {"/bin/cat"}));
  }
  pid_t forger_of(const Daemon& daemon) const { return worker_of(daemon.pid(), "forges"); }
  /// The worker is replaced by one that serves.
  void expect_replaced(const Daemon& daemon, pid_t worker) const {
    EXPECT_TRUE(eventually([&] {
      const pid_t now = forger_of(daemon);
      return now > 0 && now != worker;
    }));
    EXPECT_TRUE(echoes(port_));
  }

  TempFolder folder_;
  Neighbours neighbours_{folder_};
  const std::uint16_t port_ = free_port();
  const std::uint16_t cat_ = free_port();
  const std::uint16_t secret_ = free_port();
  const DaemonOptions options_{.config = folder_ / "xsd.yaml"};
};

struct Lie {
  const char* name;
  const char* line;
  const char* why;  ///< as the log says
};
std::ostream& operator<<(std::ostream& out, const Lie& lie) {
  return out << lie.line;
}

class DistrustAfter : public Distrust, public testing::WithParamInterface<Lie> {};

INSTANTIATE_TEST_SUITE_P(
    , DistrustAfter,
    testing::Values(
        Lie{"what_is_no_message", "bytes", "it sent a message that makes no sense"},
        Lie{"too_large_a_message", "large", "it broke its channel: a message was too large"},
        Lie{"the_end_of_another_service", "ended 999", "it speaks of a service that it does not have"},
        Lie{"the_end_of_its_own_service", "ended 1", "it ended a service by itself"},
        Lie{"a_program_that_is_not_declared", "program 1 sh", "it asked for a program that it may not have"},
        Lie{"a_program_of_another_service", "program 2 id", "it speaks of a service that it does not have"},
        Lie{"a_program_without_descriptor", "without 1 id", "it sent a message without its descriptors"},
        Lie{"a_service_it_may_not_name", "over 1 secret",
            "it handed a connection over to a service that it may not name"},
        Lie{"names_that_no_list_of_its_service_has", "names", "it asked for names that it has no use for"},
        Lie{"a_closed_channel", "close", "it closed its channel"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_P(DistrustAfter, ends_that_worker_and_nothing_else) {
  Daemon daemon(folder_, options_);
  const pid_t worker = forger_of(daemon);
  ASSERT_GT(worker, 0);
  neighbours_.begin(daemon);
  Client client(port_);
  ASSERT_TRUE(echoes(client));
  ASSERT_TRUE(client.send(GetParam().line));
  EXPECT_THAT(client.wait_end(), AnyOf(Ending::Closed, Ending::Reset));
  expect_replaced(daemon, worker);
  EXPECT_TRUE(
      daemon.wait_log(std::string("worker forges: was killed: ") + GetParam().why + "; 1 connections lost"));
  neighbours_.end();
  EXPECT_THAT(daemon.log_lines("secret: start"), IsEmpty());
  EXPECT_EQ(ask(cat_, "programs are served\n"), "programs are served\n");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("kept 5, failed 0"));
  EXPECT_EQ(daemon.stop(), 0);
}

// What it may have is had for the asking, also by somebody who asks in its place.
TEST_F(Distrust, what_the_service_may_have_is_no_lie) {
  Daemon daemon(folder_, options_);
  const pid_t worker = forger_of(daemon);
  ASSERT_GT(worker, 0);
  Client client(port_);
  ASSERT_TRUE(client.send("over 1 cat"));
  EXPECT_TRUE(daemon.wait_log("cat: start"));
  EXPECT_TRUE(echoes(client));
  EXPECT_EQ(forger_of(daemon), worker);
}

TEST_F(Distrust, what_is_no_line_is_not_written_to_the_log) {
  Daemon daemon(folder_, options_);
  Client client(port_);
  ASSERT_TRUE(client.send("drop 1"));
  EXPECT_TRUE(daemon.wait_log("lines were dropped: Bad message"));
  EXPECT_TRUE(echoes(client)) << "the master was told nothing but the truth";
}

TEST_F(Distrust, who_talks_without_end_keeps_nobody_else_waiting) {
  Daemon daemon(folder_, options_);
  const pid_t worker = forger_of(daemon);
  ASSERT_GT(worker, 0);
  neighbours_.begin(daemon);
  Client client(port_);
  ASSERT_TRUE(client.send("flood 1"));
  ASSERT_TRUE(eventually([&] { return neighbours_.rounds() > 50; }));
  folder_.remove("conf.d/a.yaml");
  EXPECT_THAT(daemon.hup_and_wait(), HasSubstr("stopped 1"));
  client.close();
  // What it has to say about its end may find no room: then it is ended.
  EXPECT_TRUE(eventually([&] { return !is_alive(worker); }, Milliseconds(30000)));
  neighbours_.end();
  EXPECT_EQ(daemon.stop(), 0);
}

}  // namespace
}  // namespace xsd::test
