// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/library.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <deque>
#include <exception>

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xsd/base/directory.h"
#include "xsd/base/text.h"
#include "xsd/plugin/plugin_struct.h"

// The header of the file that this code is part of, which is for this machine (made by the linker).
extern "C" const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));  // NOLINT

namespace xsd::plugin {
namespace {

constexpr std::string_view kSuffix = ".so";
constexpr const char* kEntry = "xsd_plugin_entry_v1";
/// More than anybody has; so that a folder of other things does not fill the memory.
constexpr std::size_t kMostLibraries = 4096;

std::string_view kind_of(mode_t mode) noexcept {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "something else";
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_trusted(uid_t owner, const config::PluginRules& rules) noexcept {
  return owner == 0 || owner == geteuid() || owner == rules.trusted_owner;
}

std::string foreign(const std::string& what, uid_t owner) {
  return what + " belongs to user " + std::to_string(owner) +
         ", not to root or the owner of the main file; chown it";
}

/// Empty if nothing is wrong.
std::string fault_of_folder(const std::string& folder, const config::PluginRules& rules) {
  struct stat info {};
  const std::string its_folder = "its folder " + quoted(folder);
  if (stat(folder.c_str(), &info) != 0)
    return Error::from_errno(errno, "cannot look at " + its_folder).text();
  if ((info.st_mode & S_IWOTH) != 0) return "others may write " + its_folder + "; chmod o-w";
  if (rules.as_root && !is_trusted(info.st_uid, rules)) return foreign(its_folder, info.st_uid);
  return {};
}

std::string fault_of_folders(const std::string& path, int fd, const config::PluginRules& rules) {
  const std::string named = folder_of(path);
  if (std::string fault = fault_of_folder(named, rules); !fault.empty()) return fault;
  char real[PATH_MAX];
  const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), real, sizeof real);
  if (length <= 0 || static_cast<std::size_t>(length) == sizeof real)
    return Error::from_errno(errno, "cannot tell where it is").text();
  const std::string folder = folder_of(std::string(real, static_cast<std::size_t>(length)));
  return folder == named ? std::string() : fault_of_folder(folder, rules);
}

std::string fault_of_mode(const struct stat& info, const config::PluginRules& rules) {
  if (!S_ISREG(info.st_mode)) return "it is not a regular file but " + std::string(kind_of(info.st_mode));
  if ((info.st_mode & S_IWOTH) != 0) return "others may write it; chmod o-w";
  if (rules.as_root && (info.st_mode & S_IWGRP) != 0) return "its group may write it; chmod g-w";
  if (!is_trusted(info.st_uid, rules)) return foreign("it", info.st_uid);
  return {};
}

std::string fault_of_content(int fd) {
  ElfW(Ehdr) header{};
  const ssize_t got = pread(fd, &header, sizeof header, 0);
  if (got < 0) return Error::from_errno(errno, "cannot read it").text();
  if (got == 0) return "it is empty";
  if (static_cast<std::size_t>(got) < sizeof header ||
      std::memcmp(static_cast<const unsigned char*>(header.e_ident), ELFMAG, SELFMAG) != 0)
    return "it is no library (no ELF file)";
  const bool same_kind = header.e_ident[EI_CLASS] == __ehdr_start.e_ident[EI_CLASS] &&
                         header.e_ident[EI_DATA] == __ehdr_start.e_ident[EI_DATA] &&
                         header.e_machine == __ehdr_start.e_machine;
  if (!same_kind) return "it is made for another kind of machine";
  if (header.e_type != ET_DYN) return "it is no shared library";
  return {};
}

/// All that is asked of an opened file.
std::string fault_of_file(FoundLibrary& library, const config::PluginRules& rules) {
  struct stat info {};
  const int fd = library.fd.get();
  if (fstat(fd, &info) != 0) return Error::from_errno(errno, "cannot look at it").text();
  library.stamp = config::make_stamp(info);
  std::string fault = fault_of_mode(info, rules);
  if (fault.empty()) fault = fault_of_folders(library.path, fd, rules);
  if (fault.empty()) fault = fault_of_content(fd);
  return fault;
}

/// What this process has loaded. It is the process that has it, as the dynamic linker does, so there is one
/// list; the descriptors stay open because the linker takes equal names for equal libraries.
struct Loaded {
  config::FileStamp stamp;
  std::string name;
  UniqueFd fd;
  PluginEntry entry{};
  std::string fault;  ///< it is there, and must not be used
};
std::deque<Loaded>& loaded_libraries() {
  static std::deque<Loaded> libraries;
  return libraries;
}

Result<const PluginEntry*> result_of(const Loaded& loaded) {
  if (!loaded.fault.empty()) return Error(loaded.fault);
  return &loaded.entry;
}

/// The linker's words with the library's own path in them.
std::string linker_says(const std::string& path_of_fd, const std::string& path) {
  const char* const said = dlerror();
  std::string text = said != nullptr ? said : "the dynamic linker does not say why";
  for (std::size_t at = 0; (at = text.find(path_of_fd, at)) != std::string::npos; at += path.size())
    text.replace(at, path_of_fd.size(), path);
  return text;
}

void run_entry(void* library, Loaded& loaded) {
  void* const symbol = dlsym(library, kEntry);
  if (symbol == nullptr) {
    loaded.fault = "has no entry function " + std::string(kEntry);
    return;
  }
  const xsd_plugin* const plugin = reinterpret_cast<xsd_plugin_entry>(symbol)();
  if (const Status status = check_plugin_struct(plugin, loaded.name); !status) {
    loaded.fault = status.error().text();
  } else {
    loaded.entry = make_entry(plugin);
  }
}

}  // namespace

bool is_plugin_name(std::string_view name) noexcept {
  const auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kLongestPluginName && std::all_of(name.begin(), name.end(), is_good);
}

std::optional<FoundLibrary> find_library(std::string_view name, const config::PluginRules& rules) {
  if (!is_plugin_name(name)) return std::nullopt;
  for (const std::string& folder : rules.folders) {
    FoundLibrary library;
    library.path = folder + (folder.ends_with('/') ? "" : "/") + std::string(name) + std::string(kSuffix);
    library.fd = UniqueFd(open(library.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!library.fd) {
      const int number = errno;
      struct stat info {};
      const bool is_there = lstat(library.path.c_str(), &info) == 0;
      if (!is_there && (number == ENOENT || number == ENOTDIR)) continue;
      library.fault = is_there && S_ISSOCK(info.st_mode) ? fault_of_mode(info, rules)
                                                         : Error::from_errno(number, "cannot open").text();
    } else {
      library.fd = raise_fd(std::move(library.fd));
      library.fault = fault_of_file(library, rules);
    }
    if (!library.fault.empty()) library.fault = "cannot be used: " + library.path + ": " + library.fault;
    return library;
  }
  return std::nullopt;
}

std::vector<std::string> list_libraries(const config::PluginRules& rules) {
  std::vector<std::string> names;
  for (const std::string& folder : rules.folders) {
    const DirectoryStream stream = open_directory(folder);
    if (!stream) continue;  // a folder that is not there has none
    while (const dirent* const entry = readdir(stream.get())) {
      std::string_view name = static_cast<const char*>(entry->d_name);
      if (!name.ends_with(kSuffix)) continue;
      name.remove_suffix(kSuffix.size());
      if (is_plugin_name(name) && names.size() < kMostLibraries) names.emplace_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<const PluginEntry*> load_library(const std::string& name, const std::string& path, int fd) {
  if (geteuid() == 0) return Error("is not loaded: as root plugins are hosted in workers only");
  struct stat info {};
  if (fstat(fd, &info) != 0) return Error::from_errno(errno, "cannot be looked at");
  const config::FileStamp stamp = config::make_stamp(info);
  for (const Loaded& known : loaded_libraries()) {
    if (known.stamp == stamp && known.name == name) return result_of(known);
    // The linker would hand out the old one, whose pages are those of the new one now.
    if (known.stamp.device == stamp.device && known.stamp.inode == stamp.inode)
      return Error("was overwritten while it was in use: put a new file in its place, or restart the daemon");
  }
  auto own = duplicate_fd(fd);
  if (!own) return std::move(own.error()).within("cannot be loaded");
  const std::string path_of_fd = "/proc/self/fd/" + std::to_string(own->get());
  Loaded loaded{stamp, name, std::move(*own), {}, {}};
  try {
    void* const library = dlopen(path_of_fd.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return Error("cannot be loaded: " + linker_says(path_of_fd, path));
    run_entry(library, loaded);
  } catch (const std::exception& thrown) {  // by the library's own C++
    loaded.fault = "threw an exception when it was loaded: " + quoted(thrown.what());
  } catch (...) {
    loaded.fault = "threw an exception when it was loaded";
  }
  loaded_libraries().push_back(std::move(loaded));
  return result_of(loaded_libraries().back());
}

}  // namespace xsd::plugin
