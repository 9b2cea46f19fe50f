// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/stderr_pipe.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include "xsd/base/log.h"

namespace xsd::service {
namespace {

class StderrPipeTest : public testing::Test {
 protected:
  StderrPipeTest() {
    char name[] = "/tmp/xsd-stderr-XXXXXX";
    folder_ = mkdtemp(name);
    EXPECT_TRUE(log::open({.target = log::TargetKind::File, .path = folder_ + "/log"}));
    loop_ = std::move(*reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_));
    pipe_ = std::move(*StderrPipe::create(*loop_, "game"));
  }
  ~StderrPipeTest() override {
    EXPECT_TRUE(log::open({}));
    std::filesystem::remove_all(folder_);
  }
  void write_text(std::string_view text) {
    ASSERT_EQ(write(pipe_->write_end(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string logged() {
    while (loop_->run_once(Duration::zero()) > 0) {
    }
    std::ostringstream out;
    out << std::ifstream(folder_ + "/log").rdbuf();
    return out.str();
  }

  SystemClock clock_;
  std::string folder_;
  std::unique_ptr<reactor::EventLoop> loop_;
  std::unique_ptr<StderrPipe> pipe_;
};

TEST_F(StderrPipeTest, logs_line_by_line_under_the_service) {
  write_text("one\r\ntwo\nhalf");
  const std::string text = logged();
  EXPECT_NE(text.find("info: game: stderr: one\n"), std::string::npos) << text;
  EXPECT_NE(text.find("info: game: stderr: two\n"), std::string::npos);
  EXPECT_EQ(text.find("half"), std::string::npos);
  write_text(" done\n");
  EXPECT_NE(logged().find("game: stderr: half done\n"), std::string::npos);
}

TEST_F(StderrPipeTest, escapes_what_the_program_writes) {
  write_text("\x1b[2J\xff\n");
  EXPECT_NE(logged().find("game: stderr: \\x1b[2J\\xff\n"), std::string::npos);
}

TEST_F(StderrPipeTest, cuts_a_line_without_end) {
  write_text(std::string(3000, 'a'));
  EXPECT_NE(logged().find("stderr: " + std::string(1024, 'a') + "\n"), std::string::npos);
}

TEST_F(StderrPipeTest, logs_the_last_half_line_when_it_goes) {
  write_text("last words");
  pipe_.reset();
  EXPECT_NE(logged().find("game: stderr: last words\n"), std::string::npos);
}

}  // namespace
}  // namespace xsd::service
