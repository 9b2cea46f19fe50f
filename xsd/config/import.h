// SPDX-License-Identifier: Apache-2.0
//
// Import: files of another super-server to one service file, and a report of what means something else here,
// what that program silently ignored, and what has no equivalent.
//
// What a service inherits is written into it, what its program takes for granted too, and ids are unique. A
// service that xsd would not accept is left out whole, with the reason, so that what is written passes
// --check but for what depends on the machine (users, programs, names of ports).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "xsd/config/foreign_files.h"

namespace xsd::config {

struct Import {
  YamlNode root;                      ///< a map of `services`
  std::vector<Diagnostic> report;     ///< file by file, in the order of their lines
  std::size_t left_out = 0;           ///< services that xsd cannot have
  bool is_complete() const noexcept;  ///< nothing had to be left out, and all files could be read
};

/// Never fails as a whole.
Import import_files(SourceFormat format, std::vector<std::unique_ptr<ForeignFile>> files);
Import import_files(SourceFormat format, std::span<const std::string> paths);

/// The service file, with a comment that says where it is from.
std::string format_import(const Import& import, std::span<const std::string> paths);
/// A line for each thing, then one with the numbers. As JSON one object a line, without the numbers.
std::string format_report(const Import& import, bool json);

}  // namespace xsd::config
