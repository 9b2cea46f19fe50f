// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/options.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace xsd::daemon {
namespace {

std::variant<Options, Farewell> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "xsd");
  return parse_options(static_cast<int>(words.size()), words.data());
}

std::string refusal(std::vector<const char*> words) {
  const auto parsed = parse(std::move(words));
  const auto* const farewell = std::get_if<Farewell>(&parsed);
  if (farewell == nullptr) return "accepted";
  EXPECT_EQ(farewell->status, 2);
  return farewell->text.substr(0, farewell->text.find('\n'));
}

TEST(ParseOptions, has_the_documented_defaults) {
  const auto options = std::get<Options>(parse({}));
  EXPECT_EQ(options.mode, Mode::Serve);
  EXPECT_EQ(options.config, "/etc/xsd/xsd.yaml");
  EXPECT_FALSE(options.detach);
  EXPECT_EQ(options.port_offset, 0U);
  EXPECT_EQ(options.poller, reactor::PollerKind::Epoll);
  EXPECT_FALSE(options.log_level);
}

TEST(ParseOptions, takes_long_and_short_forms) {
  const auto options = std::get<Options>(
      parse({"-c", "/x/conf.d/", "-d", "--port-offset=7000", "--poller", "poll", "--workers", "0",
             "--log-level", "debug", "--log-format", "json", "--log-file", "-", "--pid-file", "/p"}));
  EXPECT_EQ(options.config, "/x/conf.d");
  EXPECT_TRUE(options.detach);
  EXPECT_EQ(options.port_offset, 7000U);
  EXPECT_EQ(options.poller, reactor::PollerKind::Poll);
  EXPECT_EQ(options.workers, config::WorkersMode::Zero);
  EXPECT_EQ(options.log_level, log::Level::Debug);
  EXPECT_EQ(options.log_json, true);
  EXPECT_EQ(options.log_file, "-");
  EXPECT_EQ(options.pid_file, "/p");
}

TEST(ParseOptions, makes_paths_absolute_since_the_daemon_moves) {
  const auto options = std::get<Options>(parse({"-c", "conf.d", "--log-file", "x.log"}));
  EXPECT_EQ(options.config, std::filesystem::current_path() / "conf.d");
  EXPECT_EQ(options.log_file, std::filesystem::current_path() / "x.log");
}

TEST(ParseOptions, leaves_the_way_back_to_the_kernel) {
  const std::string here = std::filesystem::current_path();
  EXPECT_EQ(std::get<Options>(parse({"-c", "/a/link/../x.yaml"})).config, "/a/link/../x.yaml");
  EXPECT_EQ(std::get<Options>(parse({"-c", "link/../conf.d/"})).config, here + "/link/../conf.d");
  EXPECT_EQ(std::get<Options>(parse({"-c", ".//x.yaml"})).config, here + "/x.yaml");
  EXPECT_EQ(std::get<Options>(parse({"-c", "."})).config, here);
}

TEST(ParseOptions, takes_paths_for_an_import) {
  const auto options = std::get<Options>(parse({"--import", "inetd", "a", "../b"}));
  EXPECT_EQ(options.mode, Mode::Import);
  EXPECT_EQ(options.import_format, config::SourceFormat::Inetd);
  EXPECT_EQ(options.import_paths, (std::vector<std::string>{"a", "../b"})) << "as they are shown";
  EXPECT_EQ(std::get<Options>(parse({"--import=xinetd", "a"})).import_format, config::SourceFormat::Xinetd);
  EXPECT_EQ(refusal({"--import", "xinetd"}),
            "xsd: --import: a file is missing, for example 'xsd --import xinetd /etc/xinetd.conf'");
  EXPECT_EQ(refusal({"--import", "launchd", "a"}), "xsd: --import: 'launchd' is not xinetd or inetd");
  EXPECT_EQ(refusal({"--import", "systemd", "a"}), "xsd: --import: socket units of systemd are not read yet");
  EXPECT_EQ(refusal({"--import", "inetd", "--check", "a"}),
            "xsd: --check, --dump-config, --plugins and --import exclude each other");
  EXPECT_EQ(refusal({"--import", "inetd", "--paths", "a"}), "xsd: unrecognised option '--paths'");
}

TEST(ParseOptions, refuses_what_it_does_not_know) {
  EXPECT_EQ(refusal({"--frobnicate"}), "xsd: unrecognised option '--frobnicate'");
  EXPECT_EQ(refusal({"--conf", "x"}), "xsd: unrecognised option '--conf'") << "no guessing";
  EXPECT_EQ(refusal({"stray"}), "xsd: only options are understood; a configuration is named with --config");
}

TEST(ParseOptions, refuses_bad_values_and_says_what_is_wanted) {
  EXPECT_EQ(refusal({"--port-offset", "-1"}), "xsd: --port-offset: '-1' is not a number from 0 to 65534");
  EXPECT_EQ(refusal({"--port-offset", "65535"}),
            "xsd: --port-offset: '65535' is not a number from 0 to 65534");
  EXPECT_EQ(refusal({"--poller", "kqueue"}), "xsd: --poller: 'kqueue' is not epoll, poll or select");
  EXPECT_EQ(refusal({"--workers", "3"}), "xsd: --workers: '3' is not auto or 0");
  EXPECT_EQ(refusal({"--log-level", "loud"}),
            "xsd: --log-level: 'loud' is not error, warning, info or debug");
  EXPECT_EQ(refusal({"--log-format", "xml"}), "xsd: --log-format: 'xml' is not text or json");
  EXPECT_EQ(refusal({"--config", ""}), "xsd: --config: '' is not a path");
}

TEST(ParseOptions, refuses_modes_that_exclude_each_other) {
  EXPECT_EQ(refusal({"--check", "--dump-config"}),
            "xsd: --check, --dump-config, --plugins and --import exclude each other");
  EXPECT_EQ(refusal({"-f", "-d"}), "xsd: --foreground and --daemon exclude each other");
}

TEST(ParseOptions, prints_help_and_version_with_status_0) {
  const auto help = std::get<Farewell>(parse({"--help"}));
  EXPECT_EQ(help.status, 0);
  for (const char* const option :
       {"--config", "--check", "--dump-config", "--plugins", "--foreground", "--daemon", "--pid-file",
        "--control-socket", "--port-offset", "--poller", "--workers", "--log-level", "--log-format",
        "--log-file", "--version", "--help"}) {
    EXPECT_NE(help.text.find(option), std::string::npos) << option;
  }
  EXPECT_EQ(std::get<Farewell>(parse({"--version"})).text, "xsd " XSD_VERSION "\n");
}

}  // namespace
}  // namespace xsd::daemon
