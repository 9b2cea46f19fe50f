// SPDX-License-Identifier: Apache-2.0
#include <syslog.h>

#include "config_test.h"
#include "xsd/config/encoders.h"

namespace xsd::config {
namespace {

using Target = ServiceLog::Target;

ServiceLog log_of(std::string_view value) {
  return *decode_text("service: echo\nplugin: echo\nlisten: tcp://*:7\nlog_type: " + std::string(value) +
                      "\n")
              .only()
              .log;
}

std::string written(std::string_view value) {
  ServiceDefinition definition;
  definition.log.edit() = log_of(value);
  return encoders::log_type(definition).value_or("");
}

TEST(LogType, is_the_daemons_log_unless_something_else_is_said) {
  EXPECT_EQ(decode_text("service: echo\nplugin: echo\nlisten: tcp://*:7\n").only().log->target,
            Target::Daemon);
  EXPECT_EQ(log_of("Daemon"), ServiceLog());
  EXPECT_EQ(written("daemon"), "daemon");
}

TEST(LogType, knows_the_words_of_syslog) {
  EXPECT_EQ(log_of("{syslog: authpriv}"),
            (ServiceLog{.target = Target::Syslog, .facility = LOG_AUTHPRIV, .level = LOG_INFO}));
  EXPECT_EQ(log_of("[SYSLOG, LOCAL3, Warning]"),
            (ServiceLog{.target = Target::Syslog, .facility = LOG_LOCAL3, .level = LOG_WARNING}));
  EXPECT_EQ(log_of("[SYSLOG, daemon]").level, LOG_INFO);
  EXPECT_EQ(written("[SYSLOG, ftp, emerg]"), "{syslog: ftp, level: emerg}");
}

TEST(LogType, knows_files_and_their_limits) {
  EXPECT_EQ(
      log_of("[FILE, /var/log/x.log, 5000000, 6000000]"),
      (ServiceLog{
          .target = Target::File, .path = "/var/log/x.log", .soft_limit = 5000000, .hard_limit = 6000000}));
  EXPECT_EQ(log_of("{file: /x, hard_limit: 2K}"),
            (ServiceLog{.target = Target::File, .path = "/x", .hard_limit = 2048}));
  EXPECT_EQ(log_of("[FILE, /x, 1m]").soft_limit, 1024U * 1024U);
  EXPECT_EQ(written("[FILE, /x y, 1024, 3M]"), "{file: \"/x y\", soft_limit: 1K, hard_limit: 3M}");
  EXPECT_EQ(written("[FILE, /x]"), "{file: /x}");
}

TEST(LogType, of_defaults_is_replaced_as_a_whole) {
  const Inherited inherited =
      decode_main_text("defaults: {log_type: {file: /x, hard_limit: 1M}}\n").inherited;
  const auto log = [&](std::string_view line) {
    return *decode_text("service: echo\nplugin: echo\nlisten: tcp://*:7\n" + std::string(line), true,
                        inherited)
                .only()
                .log;
  };
  EXPECT_EQ(log("").path, "/x");
  EXPECT_EQ(log("log_type: {file: /y}\n"), (ServiceLog{.target = Target::File, .path = "/y"}));
  EXPECT_EQ(log("log_type: daemon\n"), ServiceLog());
}

TEST(LogType, has_one_name_for_each_place) {
  EXPECT_EQ(log_of("daemon").place(), "");
  EXPECT_EQ(log_of("{file: /x, hard_limit: 1M}").place(), "/x");
  EXPECT_EQ(log_of("{file: /x}").place(), "/x");
  EXPECT_NE(log_of("{syslog: auth}").place(), log_of("{syslog: daemon}").place());
  EXPECT_NE(log_of("{syslog: auth}").place(), log_of("{syslog: auth, level: debug}").place());
  EXPECT_EQ(log_of("{syslog: auth}").place(), log_of("[SYSLOG, auth, info]").place());
}

TEST(LogType, refuses_a_path_that_is_too_long) {
  const std::string path = "/" + std::string(1024, 'x');
  EXPECT_EQ(decode_text("service: echo\nplugin: echo\nlisten: tcp://*:7\nlog_type: {file: " + path + "}\n")
                .services.at(0)
                .definition,
            nullptr);
  EXPECT_EQ(log_of("{file: " + path.substr(0, 1024) + "}").path.size(), 1024U);
}

}  // namespace
}  // namespace xsd::config
