// SPDX-License-Identifier: Apache-2.0
//
// ForeignFiles: files of another super-server, each as its own tree, with all that they include, in the order
// in which that program reads them.
//
// xinetd's `includedir` takes the regular files of a folder in the order of their bytes, but none whose name
// holds a dot or ends in '~'. A file is read once, so that a circle of includes ends. What is not there is a
// warning, as it costs nothing in xinetd either; what cannot be read is an error. Nothing here fails as a
// whole.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "xsd/config/diagnostic.h"
#include "xsd/config/source_format.h"
#include "xsd/config/xinetd_reader.h"
#include "xsd/config/yaml_reader.h"

namespace xsd::config {

/// How deep files may include each other.
inline constexpr std::size_t kMaxIncludeDepth = 32;

/// A file, or a folder of them, which then has no services of its own.
struct ForeignFile {
  ForeignFile(std::string path_as_given, std::string content)
      : path(std::move(path_as_given)),
        text(std::move(content)),
        sink(path, text, DiagnosticSink::Extent::All) {}
  ForeignFile(const ForeignFile&) = delete;
  ForeignFile& operator=(const ForeignFile&) = delete;

  const std::string path;
  const std::string text;
  DiagnosticSink sink;  ///< what is to be said about it
  YamlNode root;        ///< a map: `defaults` where there are any, `services`
  std::vector<XinetdInclude> includes;
  bool has_defaults = false;
  bool faulty = false;                ///< `defaults` has an error
  std::vector<bool> faulty_services;  ///< for each of `services`: it has an error
};

/// One file by itself, from its text; `format` is not Yaml.
std::unique_ptr<ForeignFile> read_foreign_text(SourceFormat format, std::string path, std::string text);

/// `paths`: files or, with xinetd's, folders that are taken as by `includedir`. At most kMaxFiles.
std::vector<std::unique_ptr<ForeignFile>> read_foreign_files(SourceFormat format,
                                                             std::span<const std::string> paths);

}  // namespace xsd::config
