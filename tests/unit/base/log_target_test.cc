// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/log_target.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

namespace xsd::log {
namespace {

class LogTargetTest : public testing::Test {
 protected:
  LogTargetTest() {
    char name[] = "/tmp/xsd-log-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~LogTargetTest() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) const { return folder_ + "/" + name; }
  static std::string content(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
  }

  std::string folder_;
};

std::string read_all(int fd) {
  std::string out;
  char buffer[65536];
  for (ssize_t count; (count = read(fd, buffer, sizeof buffer)) > 0;)
    out.append(buffer, static_cast<std::size_t>(count));
  return out;
}

TEST_F(LogTargetTest, file_gets_lines_appended) {
  std::ofstream(path("log")) << "before\n";
  auto target = StreamTarget::open_file(path("log"));
  ASSERT_TRUE(target);
  (*target)->write(Level::Info, "one\ntwo\n");
  EXPECT_EQ(content(path("log")), "before\none\ntwo\n");
}

TEST_F(LogTargetTest, file_that_cannot_be_opened_is_an_error_naming_it) {
  const auto target = StreamTarget::open_file(path("missing/log"));
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().text(), "open " + path("missing/log") + ": No such file or directory");
}

TEST_F(LogTargetTest, full_disk_drops_lines_and_counts_them) {
  auto target = StreamTarget::open_file("/dev/full");
  ASSERT_TRUE(target);
  (*target)->write(Level::Info, "one\ntwo\n");
  int number = 0;
  EXPECT_EQ((*target)->take_dropped(number), 2U);
  EXPECT_EQ(number, ENOSPC);
  EXPECT_EQ((*target)->take_dropped(number), 0U);
}

TEST_F(LogTargetTest, full_pipe_never_blocks_and_keeps_whole_lines_in_order) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  ASSERT_EQ(fcntl(read_end.get(), F_SETFL, O_NONBLOCK), 0);
  auto target = StreamTarget::attach(write_end.get());
  ASSERT_TRUE(target);
  EXPECT_EQ(fcntl(write_end.get(), F_GETFL) & O_NONBLOCK, 0) << "the other user's description was changed";
  std::string line(99, 'x');
  line += '\n';
  constexpr int kLines = 3000;  // more than the pipe and the backlog hold together
  for (int i = 0; i < kLines; ++i)
    (*target)->write(Level::Info, line);
  int number = 0;
  const std::uint64_t dropped = (*target)->take_dropped(number);
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(number, EAGAIN);
  std::string got = read_all(read_end.get());
  while (!(*target)->flush())
    got += read_all(read_end.get());
  got += read_all(read_end.get());
  ASSERT_EQ(got.size() % line.size(), 0U);
  EXPECT_EQ(got.size() / line.size() + dropped, static_cast<std::uint64_t>(kLines));
  for (std::size_t at = 0; at < got.size(); at += line.size())
    ASSERT_EQ(got.compare(at, line.size(), line), 0);
}

TEST_F(LogTargetTest, can_be_written_to_by_another_process) {
  auto target = StreamTarget::open_file(path("log"));
  ASSERT_TRUE(target);
  std::string parts;
  (*target)->put_parts(parts);
  auto descriptor = duplicate_fd((*target)->descriptor());
  ASSERT_TRUE(descriptor);
  target->reset();
  WireReader reader(parts);
  auto restored = restore_target(reader, std::move(*descriptor));
  ASSERT_TRUE(restored);
  EXPECT_TRUE(reader.is_complete());
  (*restored)->write(Level::Info, "over there\n");
  EXPECT_EQ(content(path("log")), "over there\n");
}

TEST_F(LogTargetTest, is_not_restored_from_what_makes_no_sense) {
  for (const std::string& parts :
       {std::string(), std::string("\x09"), std::string("\x01\x07"), std::string("\x01")}) {
    WireReader reader(parts);
    EXPECT_FALSE(restore_target(reader, UniqueFd(::open("/dev/null", O_WRONLY | O_CLOEXEC))));
  }
  WireReader reader(std::string_view("\x01\x00", 2));
  EXPECT_FALSE(restore_target(reader, UniqueFd())) << "without a descriptor";
}

TEST_F(LogTargetTest, standard_error_may_be_a_socket) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd near(ends[0]);
  const UniqueFd far(ends[1]);
  auto target = StreamTarget::attach(far.get());
  ASSERT_TRUE(target);
  (*target)->write(Level::Info, "hello\n");
  char buffer[16];
  EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(read(near.get(), buffer, sizeof buffer))),
            "hello\n");
}

TEST_F(LogTargetTest, lines_to_the_journal_begin_with_their_level) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd near(ends[0]);
  const UniqueFd far(ends[1]);
  auto target = StreamTarget::attach_journal(far.get());
  ASSERT_TRUE(target);
  (*target)->write(Level::Error, "one\ntwo\n");
  std::string parts;
  (*target)->put_parts(parts);
  WireReader reader(parts);
  auto same = restore_target(reader, std::move(*duplicate_fd((*target)->descriptor())));
  ASSERT_TRUE(same);
  (*same)->write(Level::Debug, "three\n");
  char buffer[64];
  EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(read(near.get(), buffer, sizeof buffer))),
            "<3>one\n<3>two\n<7>three\n");
}

TEST_F(LogTargetTest, a_stream_without_room_for_a_large_write_stays_one_of_whole_lines) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  const UniqueFd near(ends[0]);
  const UniqueFd far(ends[1]);
  auto target = StreamTarget::attach(far.get());
  ASSERT_TRUE(target);
  const std::string line = std::string(999, 'x') + "\n";
  std::string lines;
  for (std::size_t size = 0; size < 20 * StreamTarget::kMaxBacklog; size += line.size())
    lines += line;
  (*target)->write(Level::Info, lines);
  std::string all;
  char buffer[65536];
  const auto read_all = [&] {
    for (ssize_t size; (size = read(near.get(), buffer, sizeof buffer)) > 0;)
      all.append(buffer, static_cast<std::size_t>(size));
  };
  read_all();
  (*target)->write(Level::Info, "next\n");
  read_all();
  ASSERT_LT(all.size(), lines.size()) << "the socket takes too much for this test";
  EXPECT_EQ((all.size() - 5) % line.size(), 0U);
  EXPECT_TRUE(all.ends_with("x\nnext\n"));
}

/// A terminal and its other end.
struct Terminal {
  UniqueFd master{posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)};
  UniqueFd slave;
  Terminal() {
    EXPECT_EQ(grantpt(master.get()), 0);
    EXPECT_EQ(unlockpt(master.get()), 0);
    slave.reset(::open(ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    EXPECT_TRUE(slave);
    EXPECT_EQ(fchmod(slave.get(), 0), 0);
  }
};

constexpr uid_t kStranger = 12345;  // as whom our terminal cannot be opened anew

/// Runs `body` as another user, whom nothing unblocks if he blocks. Its answer, false if it never came.
template <class Body>
bool as_stranger(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(kStranger) != 0 || setuid(kStranger) != 0) _exit(2);
    _exit(body() ? 0 : 1);
  }
  int status = -1;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() < deadline) continue;
    (void)kill(child, SIGKILL);
    (void)waitpid(child, &status, 0);
  }
  return status == 0;
}

TEST_F(LogTargetTest, terminal_of_another_user_that_nobody_reads_never_blocks) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become a stranger";
  const Terminal terminal;
  EXPECT_TRUE(as_stranger([&] {
    auto target = StreamTarget::attach(terminal.slave.get());
    if (!target) return false;
    int number = 0;
    std::uint64_t dropped = 0;
    for (int i = 0; i < 20000 && dropped == 0; ++i) {
      (*target)->write(Level::Info, std::string(99, 'x') + "\n");
      dropped = (*target)->take_dropped(number);
    }
    // When it is read again, what waits comes out.
    std::string got;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!(*target)->flush() && std::chrono::steady_clock::now() < deadline)
      got += read_all(terminal.master.get());
    sigset_t blocked;
    return dropped > 0 && number == EAGAIN && !got.empty() && (*target)->flush() &&
           signal(SIGALRM, SIG_DFL) == SIG_DFL && sigprocmask(SIG_BLOCK, nullptr, &blocked) == 0;
  }));
  EXPECT_EQ(fcntl(terminal.slave.get(), F_GETFL) & O_NONBLOCK, 0)
      << "the other user's description was changed";
}

TEST_F(LogTargetTest, terminal_of_another_user_that_is_stopped_never_blocks) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become a stranger";
  const Terminal terminal;
  ASSERT_EQ(tcflow(terminal.slave.get(), TCOOFF), 0);
  EXPECT_TRUE(as_stranger([&] {
    auto target = StreamTarget::attach(terminal.slave.get());
    if (!target) return false;
    (*target)->write(Level::Info, "hello\n");
    if ((*target)->flush()) return false;
    return tcflow(terminal.slave.get(), TCOON) == 0 && (*target)->flush();
  }));
  EXPECT_EQ(read_all(terminal.master.get()), "hello\r\n");
}

TEST_F(LogTargetTest, terminal_of_another_user_that_controls_us_is_opened_anew) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become a stranger";
  const Terminal terminal;
  EXPECT_TRUE(as_stranger([&] {
    if (setsid() < 0 || ioctl(terminal.slave.get(), TIOCSCTTY, 0) != 0) return false;
    auto target = StreamTarget::attach(terminal.slave.get());
    if (!target) return false;
    (*target)->write(Level::Info, "hello\n");
    return (*target)->flush();
  }));
  EXPECT_EQ(read_all(terminal.master.get()), "hello\r\n");
}

}  // namespace
}  // namespace xsd::log
