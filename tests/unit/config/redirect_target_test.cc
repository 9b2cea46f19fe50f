// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/redirect_target.h"

#include "config_test.h"

namespace xsd::config {
namespace {

/// "HOST|PORT", or the message.
std::string parsed(std::string_view text) {
  const auto target = parse_redirect_target(text);
  if (!target) return target.error().text();
  // What is shown means the same.
  EXPECT_EQ(parse_redirect_target(to_string(*target)).value_or(RedirectTarget{}), *target) << text;
  return target->host + "|" + target->port;
}

TEST(RedirectTarget, reads_every_form) {
  EXPECT_EQ(parsed("192.0.2.1:80"), "192.0.2.1|80");
  EXPECT_EQ(parsed("DB.example.org:mysql"), "db.example.org|mysql");
  EXPECT_EQ(parsed("[2001:DB8::1]:http"), "2001:db8::1|http");
  EXPECT_EQ(parsed("[fe80::1%lo]:22"), "fe80::1%lo|22");
  EXPECT_EQ(parsed("unix:/run/x"), "/run/x|");
  EXPECT_EQ(parsed("unix:///run/x"), "/run/x|");
  EXPECT_EQ(parsed("unix://///run/x"), "///run/x|");
  EXPECT_EQ(parsed("unix:////@x"), "//@x|");
  EXPECT_EQ(parsed("unix:@x"), "@x|");
  EXPECT_EQ(parsed("unix://@x"), "@x|");
}

TEST(RedirectTarget, says_what_is_wrong) {
  EXPECT_EQ(parsed("db"), "'db' is no HOST:PORT");
  EXPECT_EQ(parsed(":80"), "':80' is no HOST:PORT");
  EXPECT_EQ(parsed("db:"), "the port is missing");
  EXPECT_EQ(parsed("::1:80"), "an IPv6 address stands in brackets before the port: '[::1]:80'");
  EXPECT_EQ(parsed("db:1-2"), "connections are passed on to one port, not to a range: '1-2'");
  EXPECT_EQ(parsed("unix:"), "a unix socket is written unix:/PATH or unix:@NAME, not 'unix:'");
  EXPECT_EQ(parsed("unix:/run/"), "a unix socket is written unix:/PATH or unix:@NAME, not 'unix:/run/'");
  EXPECT_EQ(parsed("unix:/" + std::string(107, 'x')), "the path of a unix socket has at most 107 bytes");
}

TEST(RedirectTarget, is_a_plugin_with_settings) {
  const Decoded decoded = decode_text(
      "service: db\nredirect: db.example.org:3306\nsettings: {retries: 0}\nlisten: tcp://*:3306\n");
  const ServiceDefinition& definition = decoded.only();
  EXPECT_EQ(definition.kind, ServiceKind::Plugin);
  EXPECT_EQ(definition.plugin, "redirect");
  EXPECT_EQ(redirect_target_of(definition), (RedirectTarget{"db.example.org", "3306"}));
  EXPECT_EQ(definition.settings.members.size(), 3U);
  EXPECT_EQ(settings_but_target(definition).members.size(), 1U);
  EXPECT_EQ(definition.idle_timeout, std::nullopt);
  EXPECT_EQ(definition.server_where, (Position{2, 11}));
  EXPECT_EQ(redirect_port_name(definition), nullptr);
}

TEST(RedirectTarget, has_an_idle_timeout_if_one_is_asked_for) {
  const std::string_view text = "service: db\nredirect: db:3306\nlisten: tcp://*:3306\nidle_timeout: 2h\n";
  EXPECT_EQ(decode_text(text).only().idle_timeout, std::chrono::hours(2));
  std::vector<Diagnostic> diagnostics;
  const DecodedMain main = decode_main_text("defaults: {idle_timeout: 1h}\n", &diagnostics);
  const std::string_view inheriting = "service: db\nredirect: db:3306\nlisten: tcp://*:3306\n";
  EXPECT_EQ(decode_text(inheriting, true, main.inherited).only().idle_timeout, std::chrono::hours(1));
}

TEST(RedirectTarget, asks_about_the_name_of_a_port_but_of_no_host) {
  const Decoded decoded = decode_text("service: db\nredirect: db:ssh\nlisten: tcp://*:3306\n");
  Answers answers;
  FakeNames names;
  Resolver(names, answers.plugins, {true, 0, known_plugins()}).add_questions(decoded.only(), answers);
  ASSERT_EQ(answers.names.questions().size(), 1U);
  EXPECT_EQ(answers.names.questions().front().text, "ssh");
}

}  // namespace
}  // namespace xsd::config
