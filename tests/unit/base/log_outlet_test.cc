// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/log_outlet.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xsd/base/log.h"

namespace xsd::log {
namespace {

namespace fs = std::filesystem;

constexpr pid_t kSender = 4711;

class OutletTest : public testing::Test {
 protected:
  OutletTest() {
    char name[] = "/tmp/xsd-log-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~OutletTest() override { fs::remove_all(folder_); }
  std::string path(const std::string& name = "records") const { return folder_ + "/" + name; }
  std::string content(const std::string& name = "records") const {
    std::ostringstream out;
    out << std::ifstream(path(name)).rdbuf();
    return out.str();
  }
  LogOutlet opened(std::uint64_t warn_size = 0, std::uint64_t full_size = 0) const {
    LogOutlet outlet({.path = path(), .warn_size = warn_size, .full_size = full_size});
    EXPECT_TRUE(outlet.open());
    return outlet;
  }

  std::string folder_;
};

TEST_F(OutletTest, appends_to_a_file_that_only_its_group_may_read) {
  std::ofstream(path()) << "before\n";
  LogOutlet outlet = opened();
  EXPECT_TRUE(outlet.write_from(kSender, "one\ntwo\n").warning.empty());
  EXPECT_EQ(content(), "before\none\ntwo\n");
  fs::remove(path());
  ASSERT_TRUE(outlet.open());
  (void)outlet.write_from(kSender, "three\n");
  EXPECT_EQ(content(), "three\n");
  struct stat info {};
  ASSERT_EQ(stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640U);
}

TEST_F(OutletTest, follows_no_link_and_opens_nothing_but_files) {
  const auto why = [&] {
    LogOutlet outlet({.path = path()});
    const Status status = outlet.open();
    EXPECT_FALSE(outlet.is_open());
    return status ? std::string() : status.error().text();
  };
  std::ofstream(path("other")) << "x";
  fs::create_symlink(path("other"), path());
  EXPECT_EQ(why(), "open " + path() + ": it is a symbolic link");
  fs::remove(path());
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_EQ(why(), "open " + path() + ": No such device or address");
  fs::remove(path());
  fs::create_directory(path());
  EXPECT_EQ(why(), "open " + path() + ": Is a directory");
  LogOutlet device({.path = "/dev/null"});
  EXPECT_FALSE(device.open());
  EXPECT_EQ(content("other"), "x");
}

TEST_F(OutletTest, that_cannot_be_opened_anew_keeps_what_it_has) {
  LogOutlet outlet = opened();
  fs::rename(path(), path("moved"));
  fs::create_directory(path());
  EXPECT_FALSE(outlet.open());
  EXPECT_TRUE(outlet.is_open());
  (void)outlet.write_from(kSender, "line\n");
  EXPECT_EQ(content("moved"), "line\n");
}

TEST_F(OutletTest, says_once_that_a_size_is_reached_and_that_it_is_full) {
  LogOutlet outlet = opened(10, 20);
  LogOutlet::After after = outlet.write_from(kSender, "123456\n");
  EXPECT_TRUE(after.warning.empty());
  EXPECT_FALSE(after.is_full);
  after = outlet.write_from(kSender, "123456\n");
  EXPECT_EQ(after.warning, "log " + path() + ": it has reached its soft limit of 10 and is rotated at 20");
  EXPECT_FALSE(after.is_full);
  after = outlet.write_from(kSender, "123456\n");
  EXPECT_TRUE(after.warning.empty());
  EXPECT_TRUE(after.is_full);
  EXPECT_FALSE(outlet.write_from(kSender, "\n").is_full) << "asked again only after a tenth more";
  EXPECT_TRUE(outlet.write_from(kSender, "12\n").is_full);
}

TEST_F(OutletTest, begins_a_new_file_when_it_is_full_and_keeps_one_old) {
  using Rotated = LogOutlet::Rotated;
  LogOutlet outlet = opened(0, 5);
  EXPECT_EQ(*outlet.rotate(), Rotated::No) << "it is not full";
  for (const char* const line : {"first\n", "second\n", "third\n"}) {
    (void)outlet.write_from(kSender, line);
    EXPECT_EQ(*outlet.rotate(), Rotated::Renamed);
  }
  EXPECT_EQ(content(), "");
  EXPECT_EQ(content("records.1"), "third\n");
  // Somebody else was faster.
  (void)outlet.write_from(kSender, "fourth\n");
  fs::rename(path(), path("moved"));
  EXPECT_EQ(*outlet.rotate(), Rotated::Reopened);
  (void)outlet.write_from(kSender, "fifth\n");
  EXPECT_EQ(content(), "fifth\n");
  EXPECT_EQ(content("records.1"), "third\n");
}

TEST_F(OutletTest, that_cannot_be_rotated_goes_on) {
  LogOutlet outlet = opened(0, 5);
  fs::create_directories(path("records.1/x"));
  (void)outlet.write_from(kSender, "first\n");
  EXPECT_FALSE(outlet.rotate());
  (void)outlet.write_from(kSender, "second\n");
  EXPECT_EQ(content(), "first\nsecond\n");
}

TEST_F(OutletTest, tells_of_lost_lines_when_it_begins_and_when_it_is_over) {
  LogOutlet outlet = opened();
  // Written to by another process that has a pipe for it, which nobody reads.
  std::string parts;
  outlet.put_parts(parts);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  UniqueFd reading(ends[0]);
  WireReader reader(parts);
  auto restored = LogOutlet::restore(reader, UniqueFd(ends[1]));
  ASSERT_TRUE(restored);
  EXPECT_TRUE(reader.is_complete());
  const std::string line = std::string(4000, 'x') + "\n";
  std::string warning;
  int lines = 0;
  for (; warning.empty() && lines < 100; ++lines)
    warning = restored->write_from(kSender, line).warning;
  EXPECT_EQ(warning, "log " + path() +
                         ": Resource temporarily unavailable; records are lost until it takes them again");
  EXPECT_TRUE(restored->write_from(kSender, line).warning.empty());
  std::vector<char> buffer(1U << 20U);
  for (int i = 0; i < 100 && read(reading.get(), buffer.data(), buffer.size()) > 0; ++i) {
    warning = restored->write_from(kSender, "\n").warning;
    if (!warning.empty()) break;
  }
  EXPECT_EQ(warning, "log " + path() + ": it takes records again, 2 were lost");
}

TEST_F(OutletTest, garbage_restores_nothing) {
  for (const std::string& bytes : {std::string(), std::string("x"), std::string(40, '\0')}) {
    WireReader reader(bytes);
    EXPECT_FALSE(LogOutlet::restore(reader, UniqueFd(dup(STDERR_FILENO))));
  }
}

/// The log of this process, with an outlet.
class LogWithOutlet : public OutletTest {
 protected:
  LogWithOutlet() { EXPECT_TRUE(log::open({.target = TargetKind::File, .path = path("log")})); }
  ~LogWithOutlet() override {
    close_outlet(path());
    EXPECT_TRUE(log::open({}));
  }
};

TEST_F(LogWithOutlet, sends_records_by_their_name_and_to_the_log_where_it_is_not_known) {
  ASSERT_TRUE(open_outlet(path(), {.path = path()}));
  records(path()) += "one\n";
  records() += "two\n";
  records(path()) += "three\n";
  records("/of/nobody") += "four\n";
  flush();
  EXPECT_EQ(content(), "one\nthree\n");
  EXPECT_EQ(content("log"), "two\nfour\n");
  close_outlet(path());
  records(path()) += "five\n";
  flush();
  EXPECT_EQ(content("log"), "two\nfour\nfive\n");
}

TEST_F(LogWithOutlet, rotates_what_is_full_and_tells_of_it) {
  ASSERT_TRUE(open_outlet(path(), {.path = path(), .full_size = 5}));
  records(path()) += "first\n";
  flush();
  EXPECT_EQ(content(), "");
  EXPECT_EQ(content("records.1"), "first\n");
  EXPECT_NE(
      content("log").find("info: log " + path() + ": a new file begins, the old one is full and named " +
                          path("records.1") + "\n"),
      std::string::npos);
}

TEST_F(LogWithOutlet, tells_why_it_cannot_be_rotated) {
  fs::create_directories(path("records.1/x"));
  ASSERT_TRUE(open_outlet(path(), {.path = path(), .full_size = 5}));
  for (const char* const line : {"first\n", "\n", "\n"}) {
    records(path()) += line;
    flush();
  }
  EXPECT_EQ(content(), "first\n\n\n");
  const std::string told = content("log");
  EXPECT_NE(told.find("error: log " + path() + ": cannot be rotated and grows on: rename "),
            std::string::npos);
}

TEST_F(LogWithOutlet, another_process_writes_what_was_handed_over) {
  ASSERT_TRUE(open_outlet(path(), {.path = path(), .full_size = 20}));
  const std::string description = describe_outlet(path());
  auto descriptor = duplicate_fd(outlet_descriptor(path()));
  ASSERT_TRUE(descriptor);
  close_outlet(path());
  EXPECT_FALSE(has_outlet(path()));
  std::string full;
  on_full_outlet([&](const std::string& name) { full = name; });
  ASSERT_TRUE(adopt_outlet(path(), description, std::move(*descriptor)));
  forward(path(), kSender, Level::Info, "of another\n");
  EXPECT_EQ(full, "");
  forward(path(), kSender, Level::Info, "of another\n");
  EXPECT_EQ(full, path());
  on_full_outlet(nullptr);
  EXPECT_EQ(content(), "of another\nof another\n");
  EXPECT_FALSE(adopt_outlet(path("x"), "nonsense", UniqueFd()));
}

TEST_F(LogWithOutlet, records_go_by_the_diversion_with_their_name_and_come_back_from_it) {
  ASSERT_TRUE(open_outlet(path(), {.path = path()}));
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd receiving(ends[0]);
  divert(UniqueFd(ends[1]));
  records(path()) += "one\n";
  info("two");
  flush();
  EXPECT_EQ(content(), "");
  end_diversion(receiving.get());
  EXPECT_EQ(content(), "one\n");
  EXPECT_NE(content("log").find("info: two\n"), std::string::npos);
}

}  // namespace
}  // namespace xsd::log
