// SPDX-License-Identifier: Apache-2.0
//
// HostsFiles: whether hosts.allow and hosts.deny (hosts_access(5)) say anything at all. On most machines both
// hold comments only, and libwrap then lets everybody in; so nobody need be asked, which costs a process for
// each client. They are looked at (stat(2)) each time, and read again when they have changed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>

namespace xsd::service {

/// Whether a file with this text does. A comment begins at the start of its line: to libwrap a `#` behind
/// blanks is the name of a daemon, and what follows it are others.
bool says_something(std::string_view text) noexcept;

class HostsFiles {
 public:
  explicit HostsFiles(std::string allow = "/etc/hosts.allow", std::string deny = "/etc/hosts.deny")
      : files_{File{std::move(allow)}, File{std::move(deny)}} {}

  /// False only if both are missing or hold nothing but blank lines and comments. What cannot be read, or is
  /// large, may say something.
  bool have_rules();

 private:
  struct Stamp {
    bool exists = false;
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t changed = 0;  ///< ns
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  struct File {
    std::string path;
    std::optional<Stamp> stamp{};  ///< when it was read
    bool has_rules = true;
  };
  static void look_at(File& file);

  std::array<File, 2> files_;
};

}  // namespace xsd::service
