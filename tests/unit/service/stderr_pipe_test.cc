// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/stderr_pipe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
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
    pipe_ = std::move(*StderrPipe::create(*loop_, nullptr, "game"));
  }
  ~StderrPipeTest() override {
    EXPECT_TRUE(log::open({}));
    std::filesystem::remove_all(folder_);
  }
  void write_text(std::string_view text) {
    ASSERT_EQ(write(pipe_->write_end(std::nullopt), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
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

TEST_F(StderrPipeTest, logs_a_flood_of_lines_in_bounded_portions) {
  write_text(std::string(4000, '\n') + "end\n");
  const auto lines = [&] {
    std::ifstream log(folder_ + "/log");
    return std::count(std::istreambuf_iterator<char>(log), {}, '\n');
  };
  for (std::ptrdiff_t expected = 64; expected < 4000; expected += 64) {
    ASSERT_EQ(loop_->run_once(Duration::zero()), 1U);
    ASSERT_EQ(lines(), expected);
  }
  EXPECT_NE(logged().find("game: stderr: end\n"), std::string::npos);
  EXPECT_EQ(lines(), 4001);
  write_text("and after it\n");
  EXPECT_NE(logged().find("game: stderr: and after it\n"), std::string::npos);
}

TEST_F(StderrPipeTest, cuts_a_flood_off_when_it_goes) {
  write_text(std::string(60000, '\n'));
  pipe_.reset();
  const std::string text = logged();
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 16 * 64);
  EXPECT_GE(std::count(text.begin(), text.end(), '\n'), 64);
}

TEST_F(StderrPipeTest, can_be_opened_anew_by_the_user_of_the_program) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  for (const uid_t user : {12345U, 12346U}) {  // as after a reload
    const int fd = pipe_->write_end(process::Credentials{user, user, {}});
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      if (dup2(fd, STDERR_FILENO) < 0 || setgid(user) != 0 || setuid(user) != 0) _exit(2);
      // A process that changed its ids has a /proc of root's; a program gets its own with its exec.
      (void)prctl(PR_SET_DUMPABLE, 1);
      const int again = open("/dev/stderr", O_WRONLY | O_CLOEXEC);
      _exit(again >= 0 && write(again, "hello\n", 6) == 6 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << user;
  }
  EXPECT_NE(logged().find("game: stderr: hello\n"), std::string::npos);
}

TEST_F(StderrPipeTest, logs_the_last_half_line_when_it_goes) {
  write_text("last words");
  pipe_.reset();
  EXPECT_NE(logged().find("game: stderr: last words\n"), std::string::npos);
}

}  // namespace
}  // namespace xsd::service
