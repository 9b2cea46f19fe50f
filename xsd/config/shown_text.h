// SPDX-License-Identifier: Apache-2.0
//
// ShownText: the lines of files whose text is not kept, for the diagnostics that are found after they were
// decoded: the file of the last one is read again, and is shown if it is still what was decoded.
#pragma once

#include <string>

#include "xsd/config/diagnostic.h"
#include "xsd/config/file_mark.h"

namespace xsd::config {

class ShownText {
 public:
  /// `file` as it is shown, `path` as it is opened, `mark` of what was decoded (nullptr: nothing was).
  Diagnostic diagnose(Severity severity, const std::string& file, const std::string& path,
                      const TextMark* mark, Position where, std::string message);
  /// Gives the memory back.
  void forget();

 private:
  std::string file_;
  std::string text_;
};

}  // namespace xsd::config
