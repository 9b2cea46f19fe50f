// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/source_file.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "xsd/base/unique_fd.h"

namespace xsd::config {
namespace {

namespace fs = std::filesystem;

class SourceFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "xsd-source-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = fs::canonical(pattern).string();
    folder_ = root_ + "/conf.d";
    ASSERT_EQ(::mkdir(folder_.c_str(), 0755), 0);
    rules_.trusted_owner = ::geteuid();
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string write(const std::string& name, std::string_view text = "a: b\n", mode_t mode = 0644) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

  Result<SourceFile> read(const std::string& path, const std::string& inside) const {
    FolderViews folders;
    return read_source_file(path, inside, rules_, folders);
  }
  std::string fault_of(const std::string& path, const std::string& inside = "") const {
    const Result<SourceFile> file = read(path, inside);
    return file ? "" : file.error().text();
  }
  std::vector<std::string> warnings_of(const std::string& path) const {
    const Result<SourceFile> file = read(path, "");
    return file ? file->warnings : std::vector<std::string>{"refused: " + file.error().text()};
  }

  std::string root_;
  std::string folder_;
  TrustRules rules_;
};

using Lines = std::vector<std::string>;

TEST_F(SourceFileTest, reads_text_and_stamp) {
  const std::string path = write("echo.yaml", std::string_view("a\0\xff", 3));
  const Result<SourceFile> file = read(path, folder_);
  ASSERT_TRUE(file) << file.error().text();
  EXPECT_EQ(file->text, std::string("a\0\xff", 3));
  EXPECT_EQ(file->stamp.size, 3);
  EXPECT_EQ(file->warnings, Lines{});
  const Result<FileStamp> stamp = stamp_of(path);
  ASSERT_TRUE(stamp);
  EXPECT_EQ(*stamp, file->stamp);
}

TEST_F(SourceFileTest, reads_an_empty_file) {
  const Result<SourceFile> file = read(write("empty.yaml", ""), "");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->text, "");
}

TEST_F(SourceFileTest, stamp_changes_with_the_file) {
  const std::string path = write("echo.yaml");
  const Result<FileStamp> before = stamp_of(path);
  write("new.yaml");
  ASSERT_EQ(::rename((folder_ + "/new.yaml").c_str(), path.c_str()), 0);
  const Result<FileStamp> after = stamp_of(path);
  ASSERT_TRUE(before && after);
  EXPECT_FALSE(*before == *after);
}

TEST_F(SourceFileTest, says_what_is_missing) {
  EXPECT_EQ(fault_of(folder_ + "/none.yaml"), "cannot open: No such file or directory");
  const Result<FileStamp> stamp = stamp_of(folder_ + "/none.yaml");
  ASSERT_FALSE(stamp);
  EXPECT_EQ(stamp.error().number(), ENOENT);
  ASSERT_EQ(::symlink("none.yaml", (folder_ + "/link.yaml").c_str()), 0);
  EXPECT_EQ(fault_of(folder_ + "/link.yaml"), "cannot open: No such file or directory");
  EXPECT_EQ(fault_of(folder_ + "/nowhere/none.yaml"), "cannot open: No such file or directory");
  ASSERT_EQ(::symlink("self.yaml", (folder_ + "/self.yaml").c_str()), 0);
  EXPECT_EQ(fault_of(folder_ + "/self.yaml"), "cannot open: Too many levels of symbolic links");
}

TEST_F(SourceFileTest, takes_regular_files_only) {
  const std::string fifo = folder_ + "/fifo.yaml";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0644), 0);
  EXPECT_EQ(fault_of(fifo), "not a regular file but a FIFO");  // and did not wait for a writer
  EXPECT_EQ(fault_of(folder_), "not a regular file but a folder");
  EXPECT_EQ(fault_of(folder_ + "/"), "not a regular file but a folder");
  EXPECT_EQ(fault_of("/dev/null"), "not a regular file but a device");

  const std::string path = folder_ + "/socket.yaml";
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(fault_of(path), "not a regular file but a socket");
}

TEST_F(SourceFileTest, takes_one_mebibyte_and_no_more) {
  const Result<SourceFile> file = read(write("most.yaml", std::string(kMaxFileSize, 'x')), "");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->text.size(), kMaxFileSize);
  EXPECT_EQ(fault_of(write("more.yaml", std::string(kMaxFileSize + 1, 'x'))), "larger than 1 MiB");
}

TEST_F(SourceFileTest, does_not_read_fifty_megabytes) {
  const std::string path = write("huge.yaml", "");
  ASSERT_EQ(::truncate(path.c_str(), 50 << 20), 0);
  EXPECT_EQ(fault_of(path), "larger than 1 MiB");
}

TEST_F(SourceFileTest, is_bounded_where_the_size_says_nothing) {
  // Files of /proc say that they are empty; this one is at least not endless.
  const Result<SourceFile> file = read("/proc/self/status", "");
  ASSERT_TRUE(file) << file.error().text();
  EXPECT_GT(file->text.size(), 100U);
}

TEST_F(SourceFileTest, follows_links_that_stay_inside) {
  write("echo.yaml", "inside\n");
  ASSERT_EQ(::symlink("echo.yaml", (folder_ + "/link.yaml").c_str()), 0);
  const Result<SourceFile> file = read(folder_ + "/link.yaml", folder_);
  ASSERT_TRUE(file) << file.error().text();
  EXPECT_EQ(file->text, "inside\n");
}

TEST_F(SourceFileTest, follows_the_links_of_a_mounted_config_map) {
  ASSERT_EQ(::mkdir((folder_ + "/..2024_05").c_str(), 0755), 0);
  write("..2024_05/echo.yaml", "mounted\n");
  ASSERT_EQ(::symlink("..2024_05", (folder_ + "/..data").c_str()), 0);
  ASSERT_EQ(::symlink("..data/echo.yaml", (folder_ + "/echo.yaml").c_str()), 0);
  const Result<SourceFile> file = read(folder_ + "/echo.yaml", folder_);
  ASSERT_TRUE(file) << file.error().text();
  EXPECT_EQ(file->text, "mounted\n");
}

TEST_F(SourceFileTest, tells_of_the_folders_that_it_looked_at) {
  const auto state = [](const std::string& folder) {
    struct stat info {};
    EXPECT_EQ(::stat(folder.c_str(), &info), 0);
    return make_folder_state(info);
  };
  const std::string real = folder_ + "/real";
  ASSERT_EQ(::mkdir(real.c_str(), 0700), 0);
  const std::string path = write("real/echo.yaml");
  ASSERT_EQ(::symlink("real/echo.yaml", (folder_ + "/link.yaml").c_str()), 0);
  const FileFolders plain = read(path, "")->folders;
  EXPECT_EQ(plain.named, state(real));
  EXPECT_EQ(plain.real_path, "");
  const FileFolders linked = read(folder_ + "/link.yaml", "")->folders;
  EXPECT_EQ(linked.named, state(folder_));
  EXPECT_EQ(linked.real_path, real);
  EXPECT_EQ(linked.real, state(real));
}

TEST_F(SourceFileTest, refuses_links_that_lead_out) {
  const std::string out = root_ + "/conf.d-other";  // the folder's name is only how this one begins
  ASSERT_EQ(::mkdir(out.c_str(), 0755), 0);
  std::ofstream(out + "/secret") << "root:x:0\n";
  ASSERT_EQ(::symlink("../conf.d-other/secret", (folder_ + "/link.yaml").c_str()), 0);
  EXPECT_EQ(fault_of(folder_ + "/link.yaml", folder_), "leads out of its folder, to '" + out + "/secret'");
  EXPECT_EQ(fault_of(folder_ + "/link.yaml", "/"), "");
  EXPECT_EQ(fault_of(folder_ + "/link.yaml"), "");  // of the main file nothing is asked
  EXPECT_EQ(fault_of(folder_ + "/../conf.d-other/secret", folder_),
            "leads out of its folder, to '" + out + "/secret'");
}

TEST_F(SourceFileTest, the_folder_may_itself_be_a_link) {
  write("echo.yaml");
  ASSERT_EQ(::symlink("conf.d", (root_ + "/enabled").c_str()), 0);
  EXPECT_EQ(fault_of(root_ + "/enabled/echo.yaml", root_ + "/enabled"), "");
  EXPECT_EQ(fault_of(root_ + "/enabled/echo.yaml", root_ + "/none"),
            "cannot resolve '" + root_ + "/none': No such file or directory");
}

TEST_F(SourceFileTest, warns_of_modes_when_not_enforcing) {
  EXPECT_EQ(warnings_of(write("a.yaml", "", 0666)),
            (Lines{"others may write it; chmod o-w", "its group may write it; chmod g-w"}));
  EXPECT_EQ(warnings_of(write("b.yaml", "", 0664)), Lines{"its group may write it; chmod g-w"});
  const std::string path = write("c.yaml");
  ASSERT_EQ(::chmod(folder_.c_str(), 01777), 0);
  const std::string folder = "its folder '" + folder_ + "'";
  EXPECT_EQ(warnings_of(path), (Lines{"others may write " + folder + "; chmod o-w",
                                      "its group may write " + folder + "; chmod g-w"}));
}

TEST_F(SourceFileTest, refuses_what_others_may_write_when_enforcing) {
  rules_.enforce = true;
  EXPECT_EQ(fault_of(write("a.yaml", "", 0646)), "others may write it; chmod o-w");
  EXPECT_EQ(warnings_of(write("b.yaml", "", 0664)), Lines{"its group may write it; chmod g-w"});
  const std::string path = write("c.yaml");
  for (const mode_t mode : {0757U, 01757U}) {  // the sticky bit does not keep anybody from adding files
    ASSERT_EQ(::chmod(folder_.c_str(), mode), 0);
    EXPECT_EQ(fault_of(path), "others may write its folder '" + folder_ + "'; chmod o-w");
  }
}

TEST_F(SourceFileTest, looks_at_the_folder_of_the_file_and_of_the_link) {
  rules_.enforce = true;
  const std::string real = folder_ + "/real";
  ASSERT_EQ(::mkdir(real.c_str(), 0755), 0);
  write("real/echo.yaml");
  const std::string link = folder_ + "/echo.yaml";
  ASSERT_EQ(::symlink("real/echo.yaml", link.c_str()), 0);
  EXPECT_EQ(fault_of(link, folder_), "");
  ASSERT_EQ(::chmod(real.c_str(), 0777), 0);
  EXPECT_EQ(fault_of(link, folder_), "others may write its folder '" + real + "'; chmod o-w");
  ASSERT_EQ(::chmod(real.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  EXPECT_EQ(fault_of(link, folder_), "others may write its folder '" + folder_ + "'; chmod o-w");
}

TEST_F(SourceFileTest, refuses_another_owner_when_enforcing) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
  rules_.enforce = true;
  const std::string path = write("echo.yaml");
  ASSERT_EQ(::chown(path.c_str(), 4711, 0), 0);
  EXPECT_EQ(fault_of(path), "it belongs to user 4711, not to root; chown it");
  rules_.trusted_owner = 4712;
  EXPECT_EQ(fault_of(path), "it belongs to user 4711, not to root or the owner of the main file; chown it");
  rules_.trusted_owner = 4711;
  EXPECT_EQ(warnings_of(path), Lines{});
  rules_.trusted_owner = 0;
  rules_.enforce = false;
  EXPECT_EQ(warnings_of(path), Lines{"it belongs to user 4711, not to root; chown it"});
  rules_.enforce = true;
  ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(folder_.c_str(), 4711, 0), 0);
  EXPECT_EQ(fault_of(path), "its folder '" + folder_ + "' belongs to user 4711, not to root; chown it");
}

}  // namespace
}  // namespace xsd::config
