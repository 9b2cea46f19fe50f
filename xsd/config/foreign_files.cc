// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/foreign_files.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include <sys/stat.h>

#include "xsd/base/text.h"
#include "xsd/config/file_list.h"
#include "xsd/config/foreign_tree.h"
#include "xsd/config/inetd_reader.h"
#include "xsd/config/loader.h"
#include "xsd/config/source_file.h"
#include "xsd/config/xinetd_reader.h"

namespace xsd::config {
namespace {

constexpr std::size_t kShownNames = 5;

/// All errors in such a file are those of entries, each of which begins a line.
std::vector<bool> faulty_entries(const ForeignFile& file) {
  std::vector<std::uint32_t> lines;
  for (const Diagnostic& one : file.sink.all()) {
    if (one.severity == Severity::Error) lines.push_back(one.where.line);
  }
  std::sort(lines.begin(), lines.end());
  const std::vector<YamlNode>& entries = file.root.find("services")->items;
  std::vector<bool> faulty;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto first = std::lower_bound(lines.begin(), lines.end(), entries[i].where.line);
    faulty.push_back(first != lines.end() && (i + 1 == entries.size() || *first < entries[i + 1].where.line));
  }
  return faulty;
}

class Collector {
 public:
  explicit Collector(SourceFormat format) : format_(format) {}

  void read_given(const std::string& path) {
    struct stat info {};
    if (format_ == SourceFormat::Xinetd && stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
      ForeignFile& folder = add(path, {});
      return read_folder(path, {folder, {}, 0});
    }
    read_file(path, nullptr);
  }

  std::vector<std::unique_ptr<ForeignFile>> take() { return std::move(files_); }

 private:
  /// What asks for a file.
  struct Asker {
    ForeignFile& file;
    Position where;
    std::size_t depth;
  };

  ForeignFile& add(const std::string& path, std::string text) {
    files_.push_back(std::make_unique<ForeignFile>(path, std::move(text)));
    files_.back()->root = container(YamlNode::Kind::Map, {1, 1});
    put(files_.back()->root, "services", {1, 1}, container(YamlNode::Kind::List, {1, 1}));
    return *files_.back();
  }

  /// Without an asker the path was given by the user, and what is wrong is said of the file itself.
  void tell(Severity severity, const std::string& path, const Asker* asker, const std::string& what) {
    if (asker == nullptr) return add(path, {}).sink.add(severity, {}, what);
    asker->file.sink.add(severity, asker->where, quoted(path) + ": " + what);
  }

  void read_file(const std::string& path, const Asker* asker) {
    if (files_.size() >= kMaxFiles) {
      if (!std::exchange(is_full_, true) && !files_.empty()) {
        files_.back()->sink.error(
            {}, "more than " + std::to_string(kMaxFiles) + " files: those behind this one are not read");
      }
      return;
    }
    auto source = read_source_file(path, "", TrustRules{}, folders_);
    if (!source) {
      const bool is_missing = asker != nullptr && source.error().number() == ENOENT;
      return tell(is_missing ? Severity::Warning : Severity::Error, path, asker,
                  is_missing ? "not found; nothing is read from there" : source.error().text());
    }
    if (!seen_.emplace(source->stamp.device, source->stamp.inode).second)
      return tell(Severity::Note, path, asker, "is read already");
    const std::size_t depth = asker == nullptr ? 0 : asker->depth;
    files_.push_back(read_foreign_text(format_, path, std::move(source->text)));
    ForeignFile& file = *files_.back();
    for (const XinetdInclude& include : file.includes)
      follow(include, {file, include.where, depth + 1});
  }

  void follow(const XinetdInclude& include, const Asker& asker) {
    if (asker.depth > kMaxIncludeDepth) {
      return tell(Severity::Error, include.path, &asker,
                  "files include each other more than " + std::to_string(kMaxIncludeDepth) + " deep");
    }
    const std::string& path = include.path;
    if (!path.starts_with('/')) {
      asker.file.sink.note(asker.where, quoted(path) +
                                            " is taken from the folder that this is run in; xinetd takes it "
                                            "from where it was started");
    }
    if (include.is_folder) return read_folder(path, asker);
    read_file(path, &asker);
  }

  void read_folder(const std::string& path, const Asker& asker) {
    std::vector<std::string> passed_over;
    const auto accepts = [&](const dirent& entry) {
      const std::string name = entry.d_name;
      const bool is_meant = is_included(name, {}, NameRule::XinetdFolder);
      if (!is_meant && !name.starts_with('.')) passed_over.push_back(name);
      return is_meant;
    };
    const auto names = list_names(path, accepts, kMaxFiles);
    if (!names) {
      const bool is_missing = names.error().number() == ENOENT;
      return tell(is_missing ? Severity::Warning : Severity::Error, path, &asker,
                  is_missing ? "not found; nothing is read from there" : names.error().text());
    }
    if (!passed_over.empty()) tell(Severity::Note, path, &asker, describe(std::move(passed_over)));
    const std::string folder = path.ends_with('/') ? path : path + "/";
    for (const std::string& name : *names) {
      std::string file = folder;
      file += name;
      struct stat info {};
      if (stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
        read_file(file, &asker);
      } else {
        tell(Severity::Warning, file, &asker, "no regular file; it is passed over");
      }
    }
  }

  static std::string describe(std::vector<std::string> names) {
    std::sort(names.begin(), names.end());
    std::string text = "passed over, since a dot or a '~' at the end of a name makes xinetd leave it out:";
    for (std::size_t i = 0; i < std::min(names.size(), kShownNames); ++i)
      text += " " + quoted(names[i]);
    if (names.size() > kShownNames) text += " and " + std::to_string(names.size() - kShownNames) + " more";
    return text;
  }

  SourceFormat format_;
  std::vector<std::unique_ptr<ForeignFile>> files_;
  FolderViews folders_;
  std::set<std::pair<dev_t, ino_t>> seen_;
  bool is_full_ = false;
};

}  // namespace

std::unique_ptr<ForeignFile> read_foreign_text(SourceFormat format, std::string path, std::string text) {
  auto file = std::make_unique<ForeignFile>(std::move(path), std::move(text));
  if (format == SourceFormat::Inetd) {
    file->root = read_inetd_file(file->text, file->sink);
    file->has_defaults = true;
    file->faulty_services = faulty_entries(*file);
    return file;
  }
  XinetdFile read = read_xinetd_file(file->text, file->sink);
  file->root = std::move(read.root);
  file->includes = std::move(read.includes);
  file->has_defaults = read.has_defaults;
  file->faulty = read.faulty;
  file->faulty_services = std::move(read.faulty_services);
  return file;
}

std::vector<std::unique_ptr<ForeignFile>> read_foreign_files(SourceFormat format,
                                                             std::span<const std::string> paths) {
  Collector collector(format);
  for (const std::string& path : paths)
    collector.read_given(path);
  return collector.take();
}

}  // namespace xsd::config
