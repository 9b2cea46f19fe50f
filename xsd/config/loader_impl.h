// SPDX-License-Identifier: Apache-2.0
//
// Loader::Impl: what loader.cc (the stages of a load, and the checks across services) and loader_files.cc
// (reading and decoding the files) share. Nobody else includes it.
#pragma once

#include "xsd/config/loader.h"

#include "xsd/base/clock.h"
#include "xsd/base/text.h"
#include "xsd/config/cached_file.h"
#include "xsd/config/daemon_names.h"
#include "xsd/config/decode.h"
#include "xsd/config/endpoint_index.h"
#include "xsd/config/file_list.h"
#include "xsd/config/included_files.h"
#include "xsd/config/listen_spec.h"
#include "xsd/config/name_service.h"
#include "xsd/config/resolve.h"
#include "xsd/config/settings_table.h"
#include "xsd/config/shown_text.h"
#include "xsd/config/yaml_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace xsd::config {

class Loader::Impl {
 public:
  Impl(LoadOptions options, std::unique_ptr<NameService> names);

  void begin();
  Progress step(Duration budget);
  const Answers& questions() const { return answers_; }
  void answer(Answers answers);
  Snapshot load();
  Snapshot load_main_alone();
  const PluginRules& plugin_rules() const { return plugin_rules_; }
  Snapshot take() { return std::exchange(snapshot_, {}); }

  void add_questions(const ServiceDefinition& definition, Answers& out) const;
  std::shared_ptr<const Resolution> resolve(const ServiceDefinition& definition, const Answers& answers,
                                            std::vector<Diagnostic>& diagnostics);

 private:
  enum class Stage : std::uint8_t { Main, Files, Questions, Answers, Services, Finish, Done };

  struct Report {
    std::string path;
    std::vector<Diagnostic> diagnostics;
  };
  // What belongs to a service of the snapshot while it is made.
  struct Pending {
    std::size_t report = 0;
    Position where;
  };

  /// `defaults` that stand in an included file.
  struct ElsewhereDefaults {
    std::string file;
    std::string text;
    Inherited inherited;
  };

  bool work();
  std::string absolute(const std::string& path) const;
  std::string main_path() const { return is_folder_.value_or(false) ? std::string() : options_.path; }
  void reject(Position where, std::string message);

  // --- the main file ---
  void load_main();
  void keep_plugin_rules();
  bool read_main(const std::string& path);
  void include_all(const std::vector<IncludePattern>& patterns, std::size_t report);
  void include(const std::string& shown, const IncludePattern& pattern, std::size_t report);
  void tell(std::optional<IncludedFiles::Fault> fault, Position where, std::size_t report);
  void reject_in(std::size_t report, Position where, std::string message);

  // --- service files ---
  bool load_file(const IncludedFile& job);
  bool is_as_it_was(const IncludedFile& job, const FileFolders& folders);
  void unreadable_file(const IncludedFile& job, const std::string& path, const Error& error);
  void warn_about_file(const std::string& path, const std::string& warning, std::vector<Diagnostic>& out);
  void add_file(const IncludedFile& job, const CachedFile& file);
  void add_services(const std::vector<DecodedService>& services, std::size_t report);
  void give_own_id(LoadedService& service) const;
  void take_foreign_parts(const ForeignParts& parts);
  void restart_with(std::optional<ElsewhereDefaults> defaults);

  // --- checks across services, and what depends on the machine ---

  void finish_questions();
  void add_plugin_rules(Answers& out) const;
  void resolve_daemon();
  void check_service(std::size_t index);
  bool claim_id(std::size_t index);
  std::string place_of(std::size_t index) const;
  bool claim_mux_name(std::size_t index);
  std::string shown_owner(std::size_t index) const;
  void add_fault(std::size_t index, Severity severity, MachineFault fault);
  Diagnostic diagnose(Severity severity, const std::string& file, Position where, std::string message);
  void finish();
  void check_listed(const std::vector<ListedId>& listed, std::string_view key);
  void forget_gone_files();

  LoadOptions options_;
  std::string prefix_;  ///< what makes a relative path absolute
  std::unique_ptr<NameService> machine_;
  Answers answers_;  ///< of this load; before it has them, its questions
  LearnedNames names_;
  Resolver resolver_;
  DaemonNames daemon_names_;
  SystemClock clock_;

  std::unordered_map<std::string, CachedFile> cache_;  ///< by the path as shown
  CachedMain main_;
  bool main_known_ = false;
  std::optional<ElsewhereDefaults> elsewhere_;  ///< of xinetd's files: what the last load found
  bool elsewhere_seen_ = false;                 ///< in this load
  IncludedFiles included_{kMaxFiles};

  Stage stage_ = Stage::Done;
  Snapshot snapshot_;
  PluginRules plugin_rules_;       ///< by the main file as it was when it was good
  std::optional<bool> is_folder_;  ///< options_.path, since the first load that saw it
  TrustRules trust_;
  bool services_known_ = false;  ///< the main file and all lists of files could be read
  std::vector<Report> reports_;  ///< the first is of the main file
  std::size_t next_ = 0;
  std::vector<Pending> pending_;  ///< one for each service of the snapshot
  std::unordered_map<std::string, std::size_t> ids_;
  EndpointIndex index_;
  std::unordered_set<std::string> folder_warnings_;
  ShownText shown_;
};

}  // namespace xsd::config
