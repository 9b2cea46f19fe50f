// SPDX-License-Identifier: Apache-2.0
//
// CachedFile, CachedMain: what the loader keeps of a file from one load to the next, so that one whose text
// did not change is not decoded again.
#pragma once

#include <string>
#include <vector>

#include "xsd/config/decode.h"
#include "xsd/config/diagnostic.h"
#include "xsd/config/file_mark.h"

namespace xsd::config {

struct CachedFile {
  bool is_decoded = false;
  TextMark mark;
  FileFolders folders;
  std::vector<DecodedService> services;
  std::vector<Diagnostic> text_diagnostics;  ///< of its content
  std::vector<Diagnostic> file_diagnostics;  ///< of its owner and mode

  /// Services and diagnostics of this text; a text that makes no tree is one faulty service.
  void parse(const DecodeRules& rules, const std::string& text, const Inherited& inherited);
};

struct CachedMain {
  TextMark mark;
  DecodedMain decoded;
  std::vector<Diagnostic> diagnostics;
  bool readable = false;  ///< the text made a tree
};

}  // namespace xsd::config
