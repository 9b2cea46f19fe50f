// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/access_log.h"

#include <gtest/gtest.h>

namespace xsd::policy {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kDefaultFields =
    config::kLogPid | config::kLogHost | config::kLogExit | config::kLogDuration;

class AccessLogTest : public testing::Test {
 protected:
  std::string start(unsigned fields) const {
    std::string out;
    append_start(out, style_, fields, subject_);
    return out;
  }
  std::string end(unsigned fields, const RecordOutcome& outcome) const {
    std::string out;
    append_end(out, style_, fields, subject_, outcome);
    return out;
  }
  std::string refuse(unsigned fields, Reason reason) const {
    std::string out;
    append_refuse(out, style_, fields, subject_, reason);
    return out;
  }

  net::SocketAddress from_ = *net::SocketAddress::parse("192.0.2.7", 40122);
  net::SocketAddress to_ = *net::SocketAddress::parse("192.0.2.1", 79);
  RecordSubject subject_{.service = "finger", .connection = 0x7f3a, .from = &from_, .to = &to_, .pid = 812};
  RecordStyle style_{.json = false, .now = WallTime(951782400123ms)};
};

TEST_F(AccessLogTest, writes_text_records) {
  EXPECT_EQ(start(kDefaultFields), "finger: start conn=7f3a pid=812 from=192.0.2.7:40122\n");
  EXPECT_EQ(end(kDefaultFields, {.exit = 0, .duration = 12ms}),
            "finger: end conn=7f3a pid=812 from=192.0.2.7:40122 exit=0 duration_ms=12\n");
  EXPECT_EQ(end(kDefaultFields, {.signal = 9, .duration = 2s}),
            "finger: end conn=7f3a pid=812 from=192.0.2.7:40122 signal=9 duration_ms=2000\n");
}

TEST_F(AccessLogTest, tells_why_an_end_came_early) {
  EXPECT_EQ(end(kDefaultFields, {.signal = 15, .reason = Reason::Timeout, .duration = 2s}),
            "finger: end conn=7f3a pid=812 from=192.0.2.7:40122 signal=15 reason=timeout duration_ms=2000\n");
  EXPECT_EQ(end(config::kLogDuration, {.signal = 15, .reason = Reason::Timeout, .duration = 2s}),
            "finger: end conn=7f3a duration_ms=2000\n");
  style_.json = true;
  EXPECT_NE(end(config::kLogDuration, {.exit = 0, .reason = Reason::Timeout})
                .find("\"exit\":0,\"reason\":\"timeout\","),
            std::string::npos);
}

TEST_F(AccessLogTest, writes_json_records_with_every_key_that_applies) {
  style_.json = true;
  EXPECT_EQ(start(config::kLogPid),
            "{\"ts\":\"2000-02-29T00:00:00.123Z\",\"event\":\"start\",\"service\":\"finger\",\"conn\":"
            "\"7f3a\",\"pid\":812,"
            "\"from\":\"192.0.2.7:40122\",\"to\":\"192.0.2.1:79\"}\n");
  EXPECT_EQ(
      end(config::kLogExit, {.exit = 1, .duration = 5ms, .counted = true, .bytes_in = 3, .bytes_out = 4}),
      "{\"ts\":\"2000-02-29T00:00:00.123Z\",\"event\":\"end\",\"service\":\"finger\",\"conn\":\"7f3a\","
      "\"pid\":812,"
      "\"from\":\"192.0.2.7:40122\",\"to\":\"192.0.2.1:79\",\"exit\":1,\"duration_ms\":5,\"bytes_in\":3,"
      "\"bytes_out\":4}\n");
}

TEST_F(AccessLogTest, writes_only_the_fields_that_were_asked_for) {
  EXPECT_EQ(start(config::kLogHost), "finger: start conn=7f3a from=192.0.2.7:40122\n");
  EXPECT_EQ(end(config::kLogDuration | config::kLogTraffic,
                {.exit = 0, .duration = 1ms, .counted = true, .bytes_in = 7, .bytes_out = 8}),
            "finger: end conn=7f3a duration_ms=1 bytes_in=7 bytes_out=8\n");
}

TEST_F(AccessLogTest, tells_what_a_program_has_used_if_that_was_asked_for) {
  const RecordOutcome outcome{.exit = 0, .duration = 2s, .cpu = 1500ms, .peak_kib = 20480};
  EXPECT_EQ(end(kDefaultFields, outcome),
            "finger: end conn=7f3a pid=812 from=192.0.2.7:40122 exit=0 duration_ms=2000\n");
  EXPECT_EQ(end(config::kLogUsage, outcome), "finger: end conn=7f3a cpu_ms=1500 peak_kib=20480\n");
  EXPECT_EQ(end(config::kLogUsage, {.exit = 0, .cpu = 3ms}), "finger: end conn=7f3a cpu_ms=3\n");
  EXPECT_EQ(start(config::kLogUsage), "");
  style_.json = true;
  EXPECT_NE(end(kDefaultFields, outcome).find("\"duration_ms\":2000,\"cpu_ms\":1500,\"peak_kib\":20480}\n"),
            std::string::npos);
}

TEST_F(AccessLogTest, tells_that_it_was_killed_for_memory) {
  const RecordOutcome outcome{.signal = 9, .for_memory = true, .duration = 2s};
  EXPECT_EQ(end(config::kLogExit, outcome), "finger: end conn=7f3a signal=9 cause=memory\n");
  style_.json = true;
  EXPECT_NE(end(config::kLogExit, outcome).find("\"signal\":9,\"cause\":\"memory\","), std::string::npos);
}

TEST_F(AccessLogTest, writes_no_record_that_nobody_asked_for) {
  EXPECT_EQ(start(0), "");
  EXPECT_EQ(start(config::kLogExit), "");
  EXPECT_EQ(end(0, {.exit = 0}), "");
  EXPECT_EQ(end(config::kLogPid | config::kLogHost, {.exit = 0}), "");
  EXPECT_EQ(refuse(0, Reason::Instances), "");
  EXPECT_EQ(end(0, {.error = "exec /x: gone"}), "");
}

TEST_F(AccessLogTest, tells_of_a_failed_start_whatever_the_fields) {
  subject_.pid = 0;
  EXPECT_EQ(end(config::kLogHost, {.error = "exec /x: No such file or directory"}),
            "finger: end conn=7f3a from=192.0.2.7:40122 error='exec /x: No such file or directory'\n");
}

TEST_F(AccessLogTest, writes_refusals_with_their_reason) {
  subject_.pid = 0;
  EXPECT_EQ(refuse(config::kLogHost, Reason::Instances),
            "finger: refuse conn=7f3a from=192.0.2.7:40122 reason=instances\n");
  style_.json = true;
  EXPECT_NE(refuse(config::kLogAttempt, Reason::Processes).find("\"reason\":\"processes\"}\n"),
            std::string::npos);
}

TEST_F(AccessLogTest, keeps_a_record_one_line_whatever_is_in_it) {
  const std::string hostile = "a\nb\x1b[31m \"c\" \\ \xff\xe2\x80\xa8";
  subject_.service = hostile;
  from_ = *net::SocketAddress::unix_path("/tmp/x\ny");
  for (const bool json : {false, true}) {
    style_.json = json;
    for (const std::string& line : {start(kDefaultFields), end(kDefaultFields, {.error = hostile}),
                                    refuse(kDefaultFields, Reason::Rate)}) {
      EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
      EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
    }
  }
}

TEST_F(AccessLogTest, quotes_a_name_that_could_pass_for_keys) {
  from_ = *net::SocketAddress::unix_path("@ pid=1 exit=0");
  EXPECT_EQ(start(config::kLogHost), "finger: start conn=7f3a from='unix:@ pid=1 exit=0'\n");
  from_ = *net::SocketAddress::unix_path("/run/it's");
  EXPECT_EQ(start(config::kLogHost), "finger: start conn=7f3a from='unix:/run/it\\'s'\n");
  from_ = *net::SocketAddress::unix_path("/run/a-b_c.D:9/x@y");
  EXPECT_EQ(start(config::kLogHost), "finger: start conn=7f3a from=unix:/run/a-b_c.D:9/x@y\n");
  from_ = *net::SocketAddress::unix_path("@name");
  EXPECT_EQ(start(config::kLogHost), "finger: start conn=7f3a from=unix:@name\n");
}

TEST_F(AccessLogTest, leaves_out_addresses_that_are_not_known) {
  from_ = {};
  EXPECT_EQ(start(kDefaultFields), "finger: start conn=7f3a pid=812\n");
}

TEST_F(AccessLogTest, names_the_user_that_the_machine_of_the_client_told) {
  std::string out;
  RecordSubject subject{.service = "finger", .connection = 1, .user = "it's\nroot"};
  append_refuse(out, {}, config::kLogHost, subject, Reason::Address);
  EXPECT_EQ(out, "finger: refuse conn=1 reason=address\n") << "nobody wants to know";
  out.clear();
  append_refuse(out, {}, config::kLogUserId, subject, Reason::Address);
  EXPECT_EQ(out, "finger: refuse conn=1 user='it\\'s\\nroot' reason=address\n");
}

TEST(ConnectionId, is_hexadecimal_without_zeros) {
  EXPECT_EQ(ConnectionId(1).text(), "1");
  EXPECT_EQ(ConnectionId(~0ULL).text(), "ffffffffffffffff");
}

}  // namespace
}  // namespace xsd::policy
