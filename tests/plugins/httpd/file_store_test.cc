// SPDX-License-Identifier: Apache-2.0
//
// Files are found below the root and nowhere else, with openat2 and without it.
#include "plugins/httpd/file_store.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

namespace httpd {
namespace {

class Files : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "httpd_files_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    top = name;
    root = top / "root";
    std::filesystem::create_directories(root / "folder" / "deep");
    std::filesystem::create_directories(root / ".hidden");
    write(root / "a.txt", "hello");
    write(root / "folder" / "index.html", "index");
    write(root / "folder" / "deep" / "b", "b");
    write(root / ".secret", "s");
    write(root / ".hidden" / "c", "c");
    write(top / "outside", "o");
    std::filesystem::create_symlink("../outside", root / "out");
    std::filesystem::create_symlink("a.txt", root / "in");
    std::filesystem::create_symlink("folder", root / "folder_link");
    ASSERT_EQ(mkfifo((root / "fifo").c_str(), 0600), 0);
    ASSERT_EQ(store.open_root(root.string()), 0);
    if (GetParam()) store.walk_always();
  }
  void TearDown() override { std::filesystem::remove_all(top); }

  static void write(const std::filesystem::path& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  Found::Kind kind(std::string_view path) const { return store.find(path, "index.html").kind; }

  std::filesystem::path top;
  std::filesystem::path root;
  FileStore store;
};

TEST_P(Files, are_found) {
  const Found found = store.find("/a.txt", "index.html");
  ASSERT_EQ(found.kind, Found::Kind::File);
  EXPECT_EQ(found.status.st_size, 5);
  EXPECT_EQ(kind("/folder/deep/b"), Found::Kind::File);
  EXPECT_EQ(kind("/folder/"), Found::Kind::File);
  EXPECT_EQ(kind("/folder"), Found::Kind::Folder);
  EXPECT_EQ(kind("/folder/deep"), Found::Kind::Folder);
}

TEST_P(Files, other_things_are_not) {
  for (const char* const path : {"/", "/none", "/folder/deep/", "/a.txt/", "/a.txt/b", "/fifo", "/fifo/",
                                 "/.secret", "/.hidden/c", "/.hidden/", "/none/none", "/."})
    EXPECT_EQ(kind(path), Found::Kind::Nothing) << path;
  EXPECT_EQ(kind("/" + std::string(300, 'x')), Found::Kind::Nothing);
  EXPECT_EQ(kind("/" + std::string(300, 'x') + "/a"), Found::Kind::Nothing);
  EXPECT_EQ(kind("/" + std::string(8000, 'x')), Found::Kind::Nothing);
}

TEST_P(Files, symbolic_links_lead_nowhere) {
  for (const char* const path : {"/out", "/in", "/folder_link", "/folder_link/", "/folder_link/deep/b"})
    EXPECT_EQ(kind(path), Found::Kind::Nothing) << path;
}

TEST_P(Files, no_descriptor_is_left_behind) {
  const auto count = [] {
    const auto all = std::filesystem::directory_iterator("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  const auto before = count();
  for (const char* const path : {"/a.txt", "/folder", "/folder/deep/b", "/fifo", "/none", "/folder/none/x"})
    (void)kind(path);
  EXPECT_EQ(count(), before);
}

TEST_P(Files, a_change_changes_the_tag) {
  const std::string before = etag_of(store.find("/a.txt", "").status);
  EXPECT_EQ(etag_of(store.find("/a.txt", "").status), before);
  EXPECT_EQ(before.front(), '"');
  EXPECT_EQ(before.back(), '"');
  write(root / "new", "olleh");
  std::filesystem::rename(root / "new", root / "a.txt");
  EXPECT_NE(etag_of(store.find("/a.txt", "").status), before);
}

TEST_P(Files, the_root_must_be_a_folder) {
  FileStore other;
  EXPECT_EQ(other.open_root((root / "a.txt").string()), -ENOTDIR);
  EXPECT_EQ(other.open_root((root / "none").string()), -ENOENT);
}

INSTANTIATE_TEST_SUITE_P(Httpd, Files, ::testing::Bool(),
                         [](const auto& way) { return way.param ? "walk" : "openat2"; });

}  // namespace
}  // namespace httpd
