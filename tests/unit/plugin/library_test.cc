// SPDX-License-Identifier: Apache-2.0
//
// What is asked of a file before anybody loads it. What loading does is in
// tests/integration/libraries_test.cc.
#include "xsd/plugin/library.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace xsd::plugin {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class LibraryTest : public testing::Test {
 protected:
  LibraryTest() {
    std::string pattern = (fs::temp_directory_path() / "xsd-library-XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = fs::canonical(pattern).string();
    for (const char* const name : {"/one", "/two"}) {
      EXPECT_EQ(mkdir((root_ + name).c_str(), 0755), 0);
      rules_.folders.push_back(root_ + name);
    }
    rules_.trusted_owner = geteuid();
  }
  ~LibraryTest() override { fs::remove_all(root_); }

  std::string write(const std::string& name, std::string_view text, mode_t mode = 0644) const {
    const std::string path = root_ + "/" + name;
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
  /// The file of this test as far as anybody looks at it here.
  static std::string library_bytes() {
    std::ifstream self("/proc/self/exe", std::ios::binary);
    std::array<char, 4096> bytes{};
    self.read(bytes.data(), bytes.size());
    return {bytes.data(), bytes.size()};
  }
  /// Without the path.
  std::string fault_of(const std::string& name) const {
    const auto found = find_library(name, rules_);
    if (!found) return "nothing";
    const std::string head = "cannot be used: " + found->path + ": ";
    return found->fault.starts_with(head) ? found->fault.substr(head.size()) : found->fault;
  }

  std::string root_;
  config::PluginRules rules_;
};

TEST(PluginName, is_short_and_no_path) {
  for (const char* const good : {"a", "http-2", "a_b", "0", "abcdefghijklmnopqrstuvwxyz012345"})
    EXPECT_TRUE(is_plugin_name(good)) << good;
  for (const char* const bad :
       {"", "A", "a.so", "../a", "a/b", "a b", "\xc3\xa4", "abcdefghijklmnopqrstuvwxyz0123456"})
    EXPECT_FALSE(is_plugin_name(bad)) << bad;
}

TEST_F(LibraryTest, is_found_in_the_first_folder_that_has_it) {
  EXPECT_EQ(fault_of("told"), "nothing");
  EXPECT_EQ(fault_of("../one/told"), "nothing");
  write("two/told.so", library_bytes());
  EXPECT_EQ(fault_of("told"), "");
  EXPECT_EQ(find_library("told", rules_)->path, root_ + "/two/told.so");
  write("one/told.so", "");
  EXPECT_EQ(fault_of("told"), "it is empty");
  rules_.folders.insert(rules_.folders.begin(), root_ + "/none");
  EXPECT_EQ(find_library("told", rules_)->path, root_ + "/one/told.so");
}

TEST_F(LibraryTest, is_known_by_what_its_file_is) {
  const std::string path = write("one/told.so", library_bytes());
  const auto first = find_library("told", rules_);
  EXPECT_TRUE(first->stamp == find_library("told", rules_)->stamp);
  write("one/other", library_bytes());
  fs::rename(root_ + "/one/other", path);
  EXPECT_FALSE(first->stamp == find_library("told", rules_)->stamp);
}

TEST_F(LibraryTest, is_made_for_this_machine) {
  std::string bytes = library_bytes();
  bytes[EI_CLASS] = static_cast<char>(bytes[EI_CLASS] == ELFCLASS64 ? ELFCLASS32 : ELFCLASS64);
  write("one/told.so", bytes);
  EXPECT_EQ(fault_of("told"), "it is made for another kind of machine");
  bytes = library_bytes();
  bytes[offsetof(Elf64_Ehdr, e_machine)] ^= 1;  // at the same place in both classes
  write("one/told.so", bytes);
  EXPECT_EQ(fault_of("told"), "it is made for another kind of machine");
  bytes = library_bytes();
  bytes[offsetof(Elf64_Ehdr, e_type)] = ET_REL;
  write("one/told.so", bytes);
  EXPECT_EQ(fault_of("told"), "it is no shared library");
  write("one/told.so", library_bytes().substr(0, 40));
  EXPECT_EQ(fault_of("told"), "it is no library (no ELF file)");
  write("one/told.so", std::string(1000, '#'));
  EXPECT_EQ(fault_of("told"), "it is no library (no ELF file)");
}

TEST_F(LibraryTest, is_a_regular_file) {
  const std::string path = root_ + "/one/told.so";
  ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
  EXPECT_EQ(fault_of("told"), "it is not a regular file but a folder");
  ASSERT_EQ(rmdir(path.c_str()), 0);
  ASSERT_EQ(mkfifo(path.c_str(), 0644), 0);
  EXPECT_EQ(fault_of("told"), "it is not a regular file but a FIFO");
  ASSERT_EQ(unlink(path.c_str()), 0);
  ASSERT_EQ(symlink("nowhere", path.c_str()), 0);
  EXPECT_EQ(fault_of("told"), "cannot open: No such file or directory");
}

TEST_F(LibraryTest, is_not_writable_by_others) {
  write("one/told.so", library_bytes(), 0664);
  rules_.as_root = true;
  EXPECT_EQ(fault_of("told"), "its group may write it; chmod g-w");
  rules_.as_root = false;
  EXPECT_EQ(fault_of("told"), "");
  write("one/told.so", library_bytes(), 0646);
  EXPECT_EQ(fault_of("told"), "others may write it; chmod o-w");
  write("one/told.so", library_bytes());
  ASSERT_EQ(chmod((root_ + "/one").c_str(), 01777), 0);
  EXPECT_EQ(fault_of("told"), "others may write its folder '" + root_ + "/one'; chmod o-w");
  // Nor by a link from a good folder into a bad one.
  fs::create_symlink(root_ + "/one/told.so", root_ + "/two/link.so");
  EXPECT_EQ(fault_of("link"), "others may write its folder '" + root_ + "/one'; chmod o-w");
}

TEST_F(LibraryTest, belongs_to_somebody_who_is_trusted) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const std::string path = write("one/told.so", library_bytes());
  ASSERT_EQ(chown(path.c_str(), 4242, 0), 0);
  EXPECT_EQ(fault_of("told"), "it belongs to user 4242, not to root or the owner of the main file; chown it");
  rules_.trusted_owner = 4242;
  EXPECT_EQ(fault_of("told"), "");
}

TEST_F(LibraryTest, is_listed_by_its_name) {
  write("one/b.so", "");
  write("one/a.so", "");
  write("two/a.so", "");
  write("two/c.so.1", "");
  write("two/No Name.so", "");
  write("two/.so", "");
  rules_.folders.push_back(root_ + "/none");
  EXPECT_THAT(list_libraries(rules_), ElementsAre("a", "b"));
}

TEST_F(LibraryTest, is_never_loaded_by_root) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  write("one/told.so", library_bytes());
  const auto found = find_library("told", rules_);
  const auto loaded = load_library("told", found->path, found->fd.get());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().text(), "is not loaded: as root plugins are hosted in workers only");
}

}  // namespace
}  // namespace xsd::plugin
