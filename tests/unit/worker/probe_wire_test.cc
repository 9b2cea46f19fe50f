// SPDX-License-Identifier: Apache-2.0
#include "xsd/worker/probe_wire.h"

#include <gtest/gtest.h>

namespace xsd::worker {
namespace {

template <class Message>
Message round(const Message& message) {
  const auto decoded = decode_probe_message(encode(message));
  EXPECT_TRUE(decoded && std::holds_alternative<Message>(*decoded));
  return decoded && std::holds_alternative<Message>(*decoded) ? std::get<Message>(*decoded) : Message{};
}

void expect_cuts_refused(const std::string& bytes) {
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(decode_probe_message(std::string_view(bytes).substr(0, length))) << length;
  EXPECT_FALSE(decode_probe_message(bytes + "x"));
}

TEST(ProbeWire, brings_a_request_across) {
  const ProbeRequest request{
      "told", "/usr/lib/xsd/plugins/told.so", {"", "settings", std::string(5000, 'x')}};
  const std::string bytes = encode(request);
  const auto decoded = decode_request(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->name, request.name);
  EXPECT_EQ(decoded->path, request.path);
  EXPECT_EQ(decoded->settings, request.settings);
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(decode_request(std::string_view(bytes).substr(0, length))) << length;
}

TEST(ProbeWire, brings_every_message_across) {
  EXPECT_EQ(round(ProbeFault{"has no name"}).text, "has no name");
  const ProbeSelf self = round(ProbeSelf{0x10001, 3, true, false, "1.2", "says 'it' \xc3\xa4"});
  EXPECT_EQ(self.api_version, 0x10001U);
  EXPECT_EQ(self.needs, 3U);
  EXPECT_TRUE(self.streams);
  EXPECT_FALSE(self.datagrams);
  EXPECT_EQ(self.version, "1.2");
  EXPECT_EQ(self.description, "says 'it' \xc3\xa4");
  const ProbeSettings settings = round(ProbeSettings{{{{5, 3}, "a"}, {{}, "b"}}});
  ASSERT_EQ(settings.faults.size(), 2U);
  EXPECT_EQ(settings.faults[0].where, (config::Position{5, 3}));
  EXPECT_EQ(settings.faults[1].text, "b");
  EXPECT_TRUE(round(ProbeSettings{}).faults.empty());
}

TEST(ProbeWire, refuses_what_is_cut_or_too_long) {
  expect_cuts_refused(encode(ProbeFault{"text"}));
  expect_cuts_refused(encode(ProbeSelf{1, 2, true, true, "1", "d"}));
  expect_cuts_refused(encode(ProbeSettings{{{{5, 3}, "a"}}}));
  EXPECT_FALSE(decode_probe_message("\x07"));
}

TEST(ProbeWire, shows_no_text_that_could_do_harm) {
  EXPECT_EQ(round(ProbeFault{"a\nb\x1b[31m"}).text, "a\\nb\\x1b[31m");
  // What was escaped before stays as it is.
  EXPECT_EQ(round(ProbeFault{"a\\nb"}).text, "a\\nb");
  const std::string longest = round(ProbeFault{std::string(2000, 'x')}).text;
  EXPECT_EQ(longest.size(), 1024U);
  EXPECT_TRUE(longest.ends_with("x..."));
  std::string umlauts;
  for (int i = 0; i < 1000; ++i)
    umlauts += "\xc3\xa4";
  EXPECT_TRUE(round(ProbeFault{umlauts}).text.ends_with("\xc3\xa4..."));
  std::string bytes = encode(ProbeFault{"text"});
  bytes.back() = '\n';
  EXPECT_FALSE(decode_probe_message(bytes));
  ProbeSettings many;
  many.faults.resize(100);
  EXPECT_EQ(round(many).faults.size(), 32U);
}

}  // namespace
}  // namespace xsd::worker
