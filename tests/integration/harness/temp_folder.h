// SPDX-License-Identifier: Apache-2.0
//
// TempFolder: a folder of the test's own, removed with all that is in it. Files are made with mode 0644 and
// folders with 0755 whatever the umask, so that the daemon as root accepts them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace xsd::test {

std::string read_file(const std::filesystem::path& path);
std::vector<std::string> split_lines(std::string_view text);
bool contains(std::string_view text, std::string_view part);
/// How many lines contain `part`.
std::size_t count_lines(std::string_view text, std::string_view part);

class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  std::string string(std::string_view name) const { return (path_ / name).string(); }

  /// Writes a file; its folders are made. The file is replaced as a whole (written beside it and renamed), as
  /// an editor does.
  std::filesystem::path write(std::string_view name, std::string_view text) const;
  /// Writes into the file that is there.
  void overwrite(std::string_view name, std::string_view text) const;
  void remove(std::string_view name) const;
  void make_folder(std::string_view name) const;
  std::string read(std::string_view name) const { return read_file(path_ / name); }
  /// Gives the folder and what is in it to another user (root only).
  void give_to(unsigned uid, unsigned gid) const;

 private:
  std::filesystem::path path_;
};

}  // namespace xsd::test
