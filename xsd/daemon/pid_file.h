// SPDX-License-Identifier: Apache-2.0
//
// PidFile: the file with our process id, locked as long as we run, so that a second daemon with the same file
// refuses to start; removed when we end. A file left behind by a killed daemon is not locked and is taken
// over.
#pragma once

#include <memory>
#include <string>

#include <sys/types.h>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"

namespace xsd::daemon {

class PidFile {
 public:
  /// EEXIST as `number` if another process holds the lock; the text then names it. Makes the last folder of
  /// the path where it is missing.
  static Result<std::unique_ptr<PidFile>> create(const std::string& path);
  ~PidFile();

 private:
  PidFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)), owner_(0) {}

  std::string path_;
  UniqueFd fd_;
  pid_t owner_;  ///< a child that was forked meanwhile must not remove it
};

}  // namespace xsd::daemon
