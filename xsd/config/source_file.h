// SPDX-License-Identifier: Apache-2.0
//
// Opening and reading one configuration file safely: it is opened without blocking (a FIFO never holds us
// up), checked through the opened descriptor, read once, and never grows past the limit while it is read.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include <sys/stat.h>
#include <sys/types.h>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/config/file_stamp.h"

namespace xsd::config {

inline constexpr std::size_t kMaxFileSize = std::size_t{1} << 20;

/// What of a folder decides whether its files are trusted.
struct FolderState {
  dev_t device = 0;
  ino_t inode = 0;
  mode_t mode = 0;
  uid_t owner = 0;
  friend bool operator==(const FolderState&, const FolderState&) = default;
};
FolderState make_folder_state(const struct stat& info) noexcept;

/// Folders as one load sees them: each is looked at once.
class FolderViews {
 public:
  struct View {
    std::string real_path;
    FolderState state;
    UniqueFd fd;  ///< O_PATH: the folder, whatever its path leads to by now
  };
  /// An Error says which of the two could not be found out. The answer stays where it is until `clear`.
  const Result<View>& look(const std::string& folder);
  void clear() noexcept { views_.clear(); }

 private:
  std::unordered_map<std::string, Result<View>> views_;  ///< by path as asked for
};

/// The folders that were looked at for a file.
struct FileFolders {
  FolderState named;      ///< the one in its path
  std::string real_path;  ///< of the one that it lies in, where a link leads into another; else empty
  FolderState real;
};

/// Who may own and write what we read (interface.md section 3).
struct TrustRules {
  bool enforce = false;     ///< we are root: a file that others could have written is refused; otherwise the
                            ///< same is a warning
  uid_t trusted_owner = 0;  ///< besides root: the owner of the main file
};

struct SourceFile {
  std::string text;
  FileStamp stamp;
  FileFolders folders;
  std::vector<std::string> warnings;  ///< about owner and mode
};

/// Reads `path`. With `inside` not empty, the file that the path really leads to must lie in that folder
/// (itself resolved). Errors: not there, not a regular file, larger than `most`, leads out of the folder, not
/// trusted. The text is not looked at.
Result<SourceFile> read_source_file(const std::string& path, const std::string& inside,
                                    const TrustRules& rules, FolderViews& folders,
                                    std::size_t most = kMaxFileSize);

/// The stamp alone, following links; an error if there is nothing to stat.
Result<FileStamp> stamp_of(const std::string& path);

}  // namespace xsd::config
