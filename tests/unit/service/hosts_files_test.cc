// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/hosts_files.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace xsd::service {
namespace {

TEST(SaysSomething, is_false_of_comments_and_blank_lines_only) {
  EXPECT_FALSE(says_something(""));
  EXPECT_FALSE(says_something("# ALL: ALL\n\n \t\r\n#"));
  EXPECT_TRUE(says_something("# nothing\nALL: ALL\n"));
  EXPECT_TRUE(says_something("ALL: ALL"));
}

TEST(SaysSomething, is_true_of_what_only_looks_like_a_comment) {
  EXPECT_TRUE(says_something(" # in.ftpd: ALL\n"));
  EXPECT_TRUE(says_something("\\\n"));
}

class HostsFilesTest : public testing::Test {
 protected:
  HostsFilesTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "xsd-hosts-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~HostsFilesTest() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) const { return folder_ + "/" + name; }
  void write(const char* name, const char* text) const { std::ofstream(path(name)) << text; }
  HostsFiles files() const { return HostsFiles(path("allow"), path("deny")); }

  std::string folder_;
};

TEST_F(HostsFilesTest, say_nothing_where_they_are_missing) {
  HostsFiles hosts = files();
  EXPECT_FALSE(hosts.have_rules());
  write("deny", "ALL: ALL\n");
  EXPECT_TRUE(hosts.have_rules());
  std::filesystem::remove(path("deny"));
  EXPECT_FALSE(hosts.have_rules());
}

TEST_F(HostsFilesTest, may_say_something_while_they_are_young) {
  HostsFiles hosts = files();
  write("allow", "# nothing\n");
  EXPECT_TRUE(hosts.have_rules());
}

TEST_F(HostsFilesTest, of_the_machine_can_be_asked_about) {
  HostsFiles hosts;
  (void)hosts.have_rules();
  HostsFiles folder(folder_, path("deny"));
  EXPECT_TRUE(folder.have_rules());  // cannot be read
}

}  // namespace
}  // namespace xsd::service
