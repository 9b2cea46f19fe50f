// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

namespace xsd::log {
namespace {

// The log is the one global of the program: each test opens it on a file of its own.
class LogTest : public testing::Test {
 protected:
  LogTest() {
    char name[] = "/tmp/xsd-log-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/log";
  }
  ~LogTest() override {
    EXPECT_TRUE(open({}));
    std::filesystem::remove_all(folder_);
  }
  void open_file(bool json = false, Level level = Level::Info) {
    ASSERT_TRUE(open({.target = TargetKind::File, .path = path_, .level = level, .json = json}));
  }
  std::string content() const {
    std::ostringstream out;
    out << std::ifstream(path_).rdbuf();
    return out.str();
  }

  std::string folder_;
  std::string path_;
};

TEST_F(LogTest, text_line_has_time_process_and_level) {
  open_file();
  info("echo: {} of {}", 1, 2);
  const std::regex wanted(
      "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z xsd\\[\\d+\\] info: echo: 1 of 2\n");
  EXPECT_TRUE(std::regex_match(content(), wanted)) << content();
}

TEST_F(LogTest, json_line_is_one_object) {
  open_file(true);
  warning("a \"quoted\" word");
  const std::regex wanted(
      R"(\{"ts":"[^"]+Z","level":"warning","pid":\d+,"message":"a \\"quoted\\" word"\}\n)");
  EXPECT_TRUE(std::regex_match(content(), wanted)) << content();
}

TEST_F(LogTest, says_nothing_below_its_level) {
  open_file(false, Level::Warning);
  info("not this");
  error("but this");
  EXPECT_EQ(content().find("not this"), std::string::npos);
  EXPECT_NE(content().find("error: but this"), std::string::npos);
}

TEST_F(LogTest, makes_one_line_of_a_message_with_controls) {
  open_file();
  message(Level::Info, "two\nlines \x1b[31m");
  EXPECT_NE(content().find("two\\nlines \\x1b[31m\n"), std::string::npos);
}

TEST_F(LogTest, writes_several_messages_at_once) {
  // A pipe that has room for packets, one a write.
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_DIRECT), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  ASSERT_TRUE(open({.target = TargetKind::File, .path = "/proc/self/fd/" + std::to_string(ends[1])}));
  const std::string texts[] = {"one", "two\nlines", "three"};
  messages(Level::Info, texts);
  char buffer[4096];
  const auto length = static_cast<std::size_t>(read(read_end.get(), buffer, sizeof buffer));
  const std::string text(buffer, length);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_NE(text.find("info: two\\nlines\n"), std::string::npos) << text;
}

TEST_F(LogTest, keeps_records_and_messages_in_order) {
  open_file();
  records() += "first record\n";
  message(Level::Info, "then a message");
  records() += "last record\n";
  flush();
  const std::string text = content();
  EXPECT_EQ(text.find("first record\n"), 0U);
  EXPECT_LT(text.find("then a message"), text.find("last record"));
}

TEST_F(LogTest, stays_where_it_is_when_the_new_target_fails) {
  open_file();
  EXPECT_FALSE(open({.target = TargetKind::File, .path = folder_ + "/missing/log"}));
  info("still here");
  EXPECT_NE(content().find("still here"), std::string::npos);
}

TEST_F(LogTest, follows_a_rotated_file_when_opened_again) {
  open_file();
  std::filesystem::rename(path_, folder_ + "/log.1");
  info("to the old file");
  open_file();
  info("to the new file");
  EXPECT_EQ(content().find("old file"), std::string::npos);
  EXPECT_NE(content().find("new file"), std::string::npos);
}

TEST(ParseLevel, knows_four_words) {
  EXPECT_EQ(parse_level("Info"), Level::Info);
  EXPECT_EQ(level_name(Level::Debug), "debug");
  EXPECT_FALSE(parse_level("verbose"));
}

}  // namespace
}  // namespace xsd::log
