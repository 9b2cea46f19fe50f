// SPDX-License-Identifier: Apache-2.0
//
// CachedFile, CachedMain: what the loader keeps of a file from one load to the next, so that one whose text
// did not change is not decoded again.
//
// With xinetd any file may include others and hold the `defaults` for all; the first ones that are found
// count, wherever they stand.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "xsd/config/decode.h"
#include "xsd/config/diagnostic.h"
#include "xsd/config/file_mark.h"
#include "xsd/config/source_format.h"

namespace xsd::config {

struct CachedMain {
  TextMark mark;
  DecodedMain decoded;
  std::vector<Diagnostic> diagnostics;
  bool readable = false;  ///< the text made a tree
  bool has_defaults = false;

  /// `elsewhere`: the `defaults` of an included file, which count where it has none itself; nullptr: nowhere.
  void parse(SourceFormat format, const DecodeRules& rules, const std::string& text,
             const Inherited* elsewhere);
};

/// What only a file of xinetd's has.
struct ForeignParts {
  std::vector<IncludePattern> include;
  std::optional<Inherited> defaults;
  std::string defaults_text;  ///< what says whether they are still the same
  bool has_faulty_defaults = false;
};

struct CachedFile {
  bool is_decoded = false;
  TextMark mark;
  FileFolders folders;
  std::vector<DecodedService> services;
  std::vector<Diagnostic> text_diagnostics;     ///< of its content
  std::vector<Diagnostic> file_diagnostics;     ///< of its owner and mode
  std::unique_ptr<const ForeignParts> foreign;  ///< nullptr: it is none of xinetd's

  /// Services and diagnostics of this text; a text that makes no tree is one faulty service.
  void parse(SourceFormat format, const DecodeRules& rules, const std::string& text, const CachedMain& main);
};

}  // namespace xsd::config
