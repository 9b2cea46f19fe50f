// SPDX-License-Identifier: Apache-2.0
//
// PluginImage, PluginQuestion, PluginAnswer, PluginAnswers: what a configuration wants to know of the plugins
// that its services name, as values. Nobody here opens a library: that is done, by a process that can be
// lost, between the collecting of all questions of a load and the resolving of its services
// (manager/plugin_probes.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sys/types.h>

#include "xsd/base/unique_fd.h"
#include "xsd/config/definitions.h"
#include "xsd/config/file_stamp.h"

namespace xsd::config {

/// A plugin library as it was found and said of itself. The open descriptor is the library: whatever becomes
/// of its path, what is loaded by it is what was looked at.
struct PluginImage {
  std::string name;
  std::string path;
  UniqueFd fd;
  FileStamp stamp;
  std::string version;      ///< empty: it does not say
  std::string description;  ///< perhaps empty
  std::uint32_t api_version = 0;
  std::uint32_t needs = 0;  ///< XSD_NEEDS_*
  bool streams = false;
  bool datagrams = false;
};

/// Whether both are the same library, byte for byte; nullptr is a built-in plugin.
bool is_same_image(const PluginImage* a, const PluginImage* b) noexcept;

/// One plugin, and the `settings` of all the services that name it (settings_wire.h), each once.
struct PluginQuestion {
  std::string plugin;
  std::vector<std::string> settings;
};

/// Something wrong with the settings of a service.
struct SettingsFault {
  Position where;  ///< {0,0}: in the settings as a whole
  std::string text;
};

struct PluginAnswer {
  bool is_missing = false;  ///< there is no plugin of this name
  std::string path;         ///< of the library, good or not
  std::string fault;        ///< what is wrong with the library, to follow its name; empty if all is well
  std::shared_ptr<const PluginImage> image;          ///< nullptr: built-in, missing or faulty
  std::vector<std::vector<SettingsFault>> settings;  ///< one list for each settings of the question

  static PluginAnswer faulty(std::string fault);
};

/// Where libraries are looked for, and who may have written them.
struct PluginRules {
  std::vector<std::string> folders;
  bool as_root = false;
  uid_t trusted_owner = 0;  ///< besides root and ourselves: the owner of the main file
  std::string user;         ///< `daemon: user`: who loads them if we are root; may be empty
};

/// The questions of a load, and what was learned about them.
class PluginAnswers {
 public:
  PluginRules rules;
  /// The names of libraries that are there, for those who have misspelt one.
  std::vector<std::string> libraries;

  void add(const std::string& plugin, const SettingsNode& settings);
  /// The plugin alone, whatever the settings.
  void add(const std::string& plugin);
  const std::vector<PluginQuestion>& questions() const noexcept { return questions_; }
  /// `index` is that of the question.
  void set(std::size_t index, PluginAnswer answer) { answers_[index] = std::move(answer); }
  const PluginAnswer& answer(std::size_t index) const { return answers_[index]; }
  /// Makes this the fault of all.
  void give_up(const std::string& fault);
  /// A faulty answer for a question that was never asked.
  const PluginAnswer& find(std::string_view plugin) const;
  /// What is wrong with these settings of that plugin.
  const std::vector<SettingsFault>& find_faults(std::string_view plugin, const SettingsNode& settings) const;

 private:
  const PluginQuestion* find_question(std::string_view plugin) const;
  std::size_t index_of(const std::string& plugin);

  std::vector<PluginQuestion> questions_;
  std::vector<PluginAnswer> answers_;
  std::vector<std::unordered_map<std::string, std::size_t>> settings_;  ///< of each question, by its bytes
};

}  // namespace xsd::config
