// SPDX-License-Identifier: Apache-2.0
//
// What `validate` says of the settings, and what start makes of them.
#include "httpd_test.h"
#include "xsd/plugin/settings_nodes.h"

namespace xsd::plugin {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HttpdSettings : public HttpdTest {
 protected:
  std::string problems(const config::SettingsNode& written) const {
    std::string texts;
    const xsd_plugin calls = known_part(*httpd.plugin);
    validate_settings(calls, written, [&texts](const config::Position&, std::string_view text) {
      texts += std::string(text) + "\n";
    });
    return texts;
  }
};

TEST_F(HttpdSettings, are_good) {
  EXPECT_THAT(problems(settings_with({})), IsEmpty());
  EXPECT_THAT(problems(settings_with({{"index", "default.htm"}, {"keep_alive", "1m"}, {"max_body", "10M"}})),
              IsEmpty());
}

TEST_F(HttpdSettings, root_must_be_a_folder) {
  EXPECT_THAT(problems(settings_with({{"root", "/none/at/all"}})),
              HasSubstr("cannot be served: No such file or directory"));
  EXPECT_THAT(problems(settings_with({{"root", (root / "hello.txt").string()}})),
              HasSubstr("cannot be served: Not a directory"));
}

TEST_F(HttpdSettings, names_paths_and_times) {
  for (const char* const index : {"", ".hidden", "a/b", ".."})
    EXPECT_THAT(problems(settings_with({{"index", index}})), HasSubstr("no name of a file")) << index;
  EXPECT_THAT(problems(settings_with({{"header_timeout", "0s"}})), HasSubstr("longer than nothing"));
  for (const char* const prefix : {"", "a", "/", "/a/", "/a//b", "/a/../b", "/a?b"}) {
    config::SettingsNode settings = settings_with({});
    for (auto& [name, node] : settings.members) {
      if (name == "cgi") node.members[0].first = prefix;
    }
    EXPECT_THAT(problems(settings), HasSubstr("is no path here")) << prefix;
  }
}

TEST_F(HttpdSettings, a_root_that_is_not_there_fails_the_service) {
  const config::SettingsNode settings = settings_with({{"root", "/none/at/all"}});
  HostedOptions options;
  options.settings = &settings;
  std::string text;
  options.on_log = [&text](std::uint32_t, std::string_view line) { text += line; };
  EXPECT_FALSE(HostedService::create(*loop, httpd, std::move(options)));
  EXPECT_THAT(text, HasSubstr("cannot open /none/at/all: No such file or directory"));
}

TEST_F(HttpdSettings, are_used) {
  start_httpd({{"index", "hello.txt"}, {"max_body", "10"}, {"header_timeout", "1s"}});
  EXPECT_EQ(get("/").body, "hello world\n");
  const Browser browser = client();
  EXPECT_EQ(ask(browser, "POST /cgi HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n").status, 413);
  const Browser slow = client();
  send_all(slow, "GET");
  settle();
  advance(milliseconds(1100));
  EXPECT_EQ(answer(slow).status, 408);
}

}  // namespace
}  // namespace xsd::plugin
