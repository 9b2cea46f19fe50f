// SPDX-License-Identifier: Apache-2.0
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
namespace {

// How much cheap work is done between two looks at the clock.
constexpr std::size_t kCheapUnits = 32;

}  // namespace

class Loader::Impl {
 public:
  Impl(LoadOptions options, std::unique_ptr<NameService> names)
      : options_(std::move(options)),
        machine_(std::move(names)),
        names_(answers_.names, *machine_),
        resolver_(names_, answers_.plugins,
                  ResolveRules{options_.as_root, options_.port_offset, options_.known_plugins,
                               options_.only_checks}),
        daemon_names_(options_.as_root, options_.only_checks) {
    while (options_.path.size() > 1 && options_.path.ends_with('/'))
      options_.path.pop_back();
    if (options_.path.starts_with('/')) return;
    if (char* const folder = get_current_dir_name(); folder != nullptr) {
      prefix_ = std::string(folder) + "/";
      free(folder);
    }
  }

  void begin() {
    snapshot_ = {};
    reports_.clear();
    included_.begin(absolute(options_.path));
    pending_.clear();
    ids_.clear();
    index_.clear();
    folder_warnings_.clear();
    services_known_ = false;
    answers_ = {};
    next_ = 0;
    stage_ = Stage::Main;
  }

  Progress step(Duration budget) {
    const MonotonicTime end = clock_.monotonic() + budget;
    std::size_t cheap = 0;
    while (stage_ != Stage::Done && stage_ != Stage::Answers) {
      const bool was_cheap = work();
      if (was_cheap && ++cheap % kCheapUnits != 0) continue;
      if (clock_.monotonic() >= end) break;
    }
    if (stage_ == Stage::Answers) return Progress::NeedsAnswers;
    return stage_ == Stage::Done ? Progress::Done : Progress::More;
  }

  const Answers& questions() const { return answers_; }

  void answer(Answers answers) {
    if (stage_ != Stage::Answers) return;
    answers_ = std::move(answers);
    stage_ = Stage::Services;
  }

  Snapshot load() {
    begin();
    for (;;) {
      const Progress progress = step(std::chrono::hours(1));
      if (progress == Progress::Done) return take();
      if (progress == Progress::More) continue;
      Answers answers = std::move(answers_);
      ask_all(*machine_, answers.names);
      if (options_.ask_plugins && !answers.plugins.questions().empty()) options_.ask_plugins(answers);
      answer(std::move(answers));
    }
  }

  Snapshot load_main_alone() {
    begin();
    load_main();
    snapshot_.services.clear();
    services_known_ = false;  // so no list of ids can be held against them
    finish();
    stage_ = Stage::Done;
    return take();
  }

  const PluginRules& plugin_rules() const { return plugin_rules_; }

  Snapshot take() { return std::exchange(snapshot_, {}); }

  void add_questions(const ServiceDefinition& definition, Answers& out) const {
    resolver_.add_questions(definition, out);
    add_plugin_rules(out);
  }

  std::shared_ptr<const Resolution> resolve(const ServiceDefinition& definition, const Answers& answers,
                                            std::vector<Diagnostic>& diagnostics) {
    LearnedNames names(answers.names, *machine_);
    Resolver resolver(names, answers.plugins, resolver_.rules());
    resolver.refresh();
    std::vector<MachineFault> faults;
    auto resolution = resolver.resolve(definition, main_path(), faults);
    for (MachineFault& fault : faults) {
      diagnostics.push_back(
          diagnose(Severity::Error, definition.file, fault.where, std::move(fault.message)));
    }
    shown_.forget();
    return resolution;
  }

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

  // One unit; true if it cost next to nothing.
  bool work() {
    switch (stage_) {
      case Stage::Main:
        resolver_.refresh();
        load_main();
        return false;
      case Stage::Files:
        if (next_ < included_.files().size()) return load_file(included_.files()[next_++]);
        tell(included_.check_again(), {});
        stage_ = Stage::Questions;
        next_ = 0;
        return true;
      case Stage::Questions:
        if (next_ < snapshot_.services.size()) {
          if (const auto& definition = snapshot_.services[next_++].definition)
            resolver_.add_questions(*definition, answers_);
          return true;
        }
        finish_questions();
        return true;
      case Stage::Services:
        if (next_ == 0) resolve_daemon();
        if (next_ < snapshot_.services.size()) {
          check_service(next_++);
          return true;
        }
        stage_ = Stage::Finish;
        return true;
      case Stage::Finish:
        finish();
        stage_ = Stage::Done;
        return false;
      case Stage::Answers:
      case Stage::Done:
        break;
    }
    return true;
  }

  std::string absolute(const std::string& path) const {
    return path.starts_with('/') ? path : prefix_ + path;
  }
  std::string main_path() const { return is_folder_.value_or(false) ? std::string() : options_.path; }
  void reject(Position where, std::string message) {
    snapshot_.rejected = true;
    reports_.front().diagnostics.push_back(
        diagnose(Severity::Error, options_.path, where, std::move(message)));
  }

  // --- the main file ---

  void load_main() {
    reports_.push_back({options_.path, {}});
    stage_ = Stage::Files;
    const std::string path = absolute(options_.path);
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) return reject({}, Error::from_errno(errno, "cannot open").text());
    if (info.st_uid != trust_.trusted_owner) cache_.clear();  // who is trusted was another
    resolver_.set_trust(trust_ = {options_.as_root, info.st_uid});
    const bool is_folder = S_ISDIR(info.st_mode);
    // Which of the two it is decides what every service inherits; nobody changes that in passing.
    if (is_folder_.value_or(is_folder) != is_folder) {
      return reject({}, is_folder ? "is a folder now and was a file at the start"
                                  : "is a file now and was a folder at the start");
    }
    is_folder_ = is_folder;
    if (is_folder) {
      keep_plugin_rules();
      snapshot_.watched_folders.push_back(path);
      include(options_.path + "/*.yaml", {"*.yaml", {}});
      return;
    }
    snapshot_.watched_folders.push_back(folder_of(path));
    if (!read_main(path)) return;
    snapshot_.daemon = main_.decoded.daemon;
    if (!snapshot_.rejected) keep_plugin_rules();
    add_services(main_.decoded.services, 0);
    const std::string base =
        options_.path.find('/') == std::string::npos ? "" : folder_of(options_.path) + "/";
    services_known_ = true;
    for (const IncludePattern& pattern : main_.decoded.include) {
      include(pattern.text.starts_with('/') ? pattern.text : (base == "//" ? "/" : base) + pattern.text,
              pattern);
    }
  }

  void keep_plugin_rules() {
    const DaemonSettings& daemon = snapshot_.daemon;
    plugin_rules_ = {daemon.plugin_dirs, options_.as_root, trust_.trusted_owner, daemon.user};
  }

  bool read_main(const std::string& path) {
    const WallTime now = clock_.wall();
    auto& diagnostics = reports_.front().diagnostics;
    const auto source = read_source_file(path, "", trust_, included_.folder_views());
    if (!source) {
      reject({}, source.error().text());
      return false;
    }
    for (const std::string& warning : source->warnings)
      warn_about_file(options_.path, warning, diagnostics);
    if (main_.mark.has_text(source->text) && main_known_) {
      main_.mark = mark_of(*source, now);
    } else {
      main_ = {};
      cache_.clear();  // what was decoded with other defaults is worth nothing
      main_.mark = mark_of(*source, now);
      main_known_ = true;
      DiagnosticSink sink(options_.path, source->text);
      const std::string base = folder_of(path);
      if (const auto root = read_yaml(source->text, sink)) {
        main_.readable = true;
        main_.decoded = decode_main(*root, DecodeRules{options_.path, base, options_.as_root}, sink);
      }
      main_.diagnostics = sink.take();
    }
    diagnostics.insert(diagnostics.end(), main_.diagnostics.begin(), main_.diagnostics.end());
    snapshot_.rejected = snapshot_.rejected || !main_.readable || main_.decoded.faulty;
    return main_.readable;
  }

  void include(const std::string& shown, const IncludePattern& pattern) {
    const std::size_t name = shown.rfind('/') + 1;  // 0 if there is no folder
    const std::string folder = absolute(name == 0 ? "." : folder_of(shown));
    auto& watched = snapshot_.watched_folders;
    if (std::find(watched.begin(), watched.end(), folder) == watched.end()) watched.push_back(folder);
    tell(included_.add({.text = pattern.text,
                        .written = pattern.where.line > 0,
                        .prefix = shown.substr(0, name),
                        .folder = folder,
                        .name = shown.substr(name)}),
         pattern.where);
  }

  void tell(std::optional<IncludedFiles::Fault> fault, Position where) {
    if (!fault) return;
    if (fault->severity == Severity::Error) {
      services_known_ = false;
      return reject(where, std::move(fault->message));
    }
    reports_.front().diagnostics.push_back(
        diagnose(Severity::Warning, options_.path, where, std::move(fault->message)));
  }

  // --- service files ---

  bool load_file(const IncludedFile& job) {
    const std::string path = absolute(job.path);
    const auto cached = cache_.find(job.path);
    if (cached != cache_.end() && !cached->second.mark.young && is_as_it_was(job, cached->second.folders)) {
      const auto stamp = stamp_of(path);
      if (stamp && *stamp == cached->second.mark.stamp) {
        add_file(job, cached->second);
        return true;
      }
    }
    const WallTime now = clock_.wall();
    const auto source = read_source_file(path, job.folder, trust_, included_.folder_views());
    if (!source) {
      cache_.erase(job.path);
      unreadable_file(job, path, source.error());
      return false;
    }
    CachedFile& file = cache_[job.path];
    const bool is_same = file.is_decoded && file.mark.has_text(source->text);
    file.is_decoded = true;
    file.mark = mark_of(*source, now);
    file.folders = source->folders;
    file.file_diagnostics.clear();
    for (const std::string& warning : source->warnings)
      warn_about_file(job.path, warning, file.file_diagnostics);
    if (!is_same) file.parse({job.path, {}, options_.as_root}, source->text, main_.decoded.inherited);
    add_file(job, file);
    return is_same;
  }

  // Whether a file is trusted is a question of its folders too.
  bool is_as_it_was(const IncludedFile& job, const FileFolders& folders) {
    return folders.named == included_.state_of(job.folder) &&
           (folders.real_path.empty() || folders.real == included_.state_of(folders.real_path));
  }

  void unreadable_file(const IncludedFile& job, const std::string& path, const Error& error) {
    struct stat info {};
    // It went between the listing and now.
    if (error.number() == ENOENT && lstat(path.c_str(), &info) != 0) return;
    Diagnostic diagnostic{Severity::Error, job.path, {}, error.text(), {}};
    LoadedService service;
    service.id = stem_of(job.path);
    service.file = job.path;
    service.id_known = false;
    service.error = one_line(diagnostic);
    pending_.push_back({reports_.size(), {}});
    snapshot_.services.push_back(std::move(service));
    reports_.push_back({job.path, {std::move(diagnostic)}});
  }

  // The same about a folder is said once a load.
  void warn_about_file(const std::string& path, const std::string& warning, std::vector<Diagnostic>& out) {
    if (warning.find("its folder") != std::string::npos && !folder_warnings_.insert(warning).second) return;
    out.push_back({Severity::Warning, path, {}, warning, {}});
  }

  void add_file(const IncludedFile& job, const CachedFile& file) {
    Report report{job.path, file.file_diagnostics};
    report.diagnostics.insert(report.diagnostics.end(), file.text_diagnostics.begin(),
                              file.text_diagnostics.end());
    reports_.push_back(std::move(report));
    add_services(file.services, reports_.size() - 1);
  }

  void add_services(const std::vector<DecodedService>& services, std::size_t report) {
    for (const DecodedService& decoded : services) {
      LoadedService service;
      service.id = decoded.id;
      service.file = reports_[report].path;
      service.id_known = decoded.id_known;
      service.definition = decoded.definition;
      service.error = decoded.error;
      // Good ones take their ids now, faulty ones only what is left when all files are read: a faulty copy
      // must not take the place of a good service.
      if (service.definition != nullptr) ids_.try_emplace(service.id, snapshot_.services.size());
      snapshot_.services.push_back(std::move(service));
      pending_.push_back({report, decoded.where});
    }
    if (snapshot_.services.size() > kMaxServices && !snapshot_.rejected) {
      reject({}, "more than " + std::to_string(kMaxServices) + " services");
    }
  }

  // --- checks across services, and what depends on the machine ---

  void finish_questions() {
    next_ = 0;
    daemon_names_.add_questions(snapshot_.daemon, answers_.names);
    add_plugin_rules(answers_);
    answers_.names.sort();
    stage_ = answers_.empty() ? Stage::Services : Stage::Answers;
  }

  void add_plugin_rules(Answers& out) const {
    if (out.plugins.questions().empty()) return;
    out.plugins.rules = plugin_rules_;
    if (options_.as_root) add_role_user_questions(plugin_rules_.user, out.names);
  }

  void resolve_daemon() {
    std::vector<DaemonNames::Fault> faults;
    daemon_names_.resolve(snapshot_.daemon, names_, faults);
    for (DaemonNames::Fault& fault : faults) {
      if (fault.rejects) {
        reject(fault.where, std::move(fault.message));
      } else {
        reports_.front().diagnostics.push_back(
            diagnose(Severity::Warning, options_.path, fault.where, std::move(fault.message)));
      }
    }
  }

  void check_service(std::size_t index) {
    LoadedService& service = snapshot_.services[index];
    if (service.id_known && !claim_id(index)) return;
    if (service.definition == nullptr) return;
    const ServiceDefinition& definition = *service.definition;
    std::vector<MachineFault> faults;
    auto resolution = resolver_.resolve(definition, main_path(), faults);
    if (definition.disabled) {
      for (MachineFault& fault : faults)
        add_fault(index, Severity::Warning, std::move(fault));
      return;
    }
    if (resolution != nullptr) check_endpoints(definition, *resolution, faults);
    if (!faults.empty()) {
      for (MachineFault& fault : faults)
        add_fault(index, Severity::Error, std::move(fault));
      return;
    }
    for (const net::Endpoint& endpoint : resolution->endpoints)
      index_.add(endpoint, index);
    service.resolution = std::move(resolution);
  }

  bool claim_id(std::size_t index) {
    LoadedService& service = snapshot_.services[index];
    const auto [place, is_new] = ids_.try_emplace(service.id, index);
    if (is_new || place->second == index) return true;
    add_fault(index, Severity::Error,
              {pending_[index].where, "the id " + quoted(service.id) + " is taken already, by " +
                                          place_of(place->second) + ": give one of the two another 'id'"});
    service.definition = nullptr;
    return false;
  }

  std::string place_of(std::size_t index) const {
    return snapshot_.services[index].file + ":" + std::to_string(pending_[index].where.line);
  }

  void check_endpoints(const ServiceDefinition& definition, const Resolution& resolution,
                       std::vector<MachineFault>& faults) const {
    const ListenSpec* complained = nullptr;
    for (const net::Endpoint& endpoint : resolution.endpoints) {
      const auto owner = index_.find(endpoint);
      if (!owner) continue;
      const ListenSpec* const spec = origin_in_listen(definition, endpoint, options_.port_offset);
      if (spec == complained && !faults.empty()) continue;
      complained = spec;
      faults.push_back({spec != nullptr ? spec->where : definition.where,
                        endpoint.to_string() + " is wanted by the service " +
                            quoted(snapshot_.services[*owner].id) + " too, at " + place_of(*owner)});
    }
  }

  void add_fault(std::size_t index, Severity severity, MachineFault fault) {
    LoadedService& service = snapshot_.services[index];
    Diagnostic diagnostic = diagnose(severity, service.file, fault.where, std::move(fault.message));
    if (severity == Severity::Error && service.error.empty()) service.error = one_line(diagnostic);
    reports_[pending_[index].report].diagnostics.push_back(std::move(diagnostic));
  }

  Diagnostic diagnose(Severity severity, const std::string& file, Position where, std::string message) {
    const auto cached = cache_.find(file);
    const TextMark* const mark = cached != cache_.end()  ? &cached->second.mark
                                 : file == options_.path ? &main_.mark
                                                         : nullptr;
    return shown_.diagnose(severity, file, absolute(file), mark, where, std::move(message));
  }

  void finish() {
    if (services_known_) {
      const Defaults& defaults = main_.decoded.inherited.defaults;
      check_listed(defaults.disabled, "disabled");
      if (defaults.enabled) check_listed(*defaults.enabled, "enabled");
    }
    for (Report& report : reports_) {
      std::stable_sort(report.diagnostics.begin(), report.diagnostics.end(),
                       [](const Diagnostic& a, const Diagnostic& b) {
                         return a.where.line != b.where.line ? a.where.line < b.where.line
                                                             : a.where.column < b.where.column;
                       });
      for (Diagnostic& diagnostic : report.diagnostics) {
        if (diagnostic.severity == Severity::Error) ++snapshot_.errors;
        snapshot_.diagnostics.push_back(std::move(diagnostic));
      }
    }
    if (!snapshot_.rejected) forget_gone_files();
    included_.end(!snapshot_.rejected);
    reports_ = std::vector<Report>();  // with the room that it had
    pending_ = std::vector<Pending>();
    ids_ = {};
    index_.clear();
    answers_ = {};
    shown_.forget();
  }

  void check_listed(const std::vector<ListedId>& listed, std::string_view key) {
    for (const ListedId& entry : listed) {
      if (ids_.contains(entry.id)) continue;
      reports_.front().diagnostics.push_back(
          diagnose(Severity::Warning, options_.path, entry.where,
                   "no service has the id " + quoted(entry.id) + " in " + quoted(key)));
    }
  }

  void forget_gone_files() {
    const auto files = included_.files();
    if (cache_.size() <= files.size()) return;
    std::unordered_set<std::string_view> present;
    for (const IncludedFile& file : files)
      present.insert(file.path);
    std::erase_if(cache_, [&](const auto& entry) { return !present.contains(entry.first); });
  }

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

Loader::Loader(LoadOptions options) : Loader(std::move(options), make_system_name_service()) {}
Loader::Loader(LoadOptions options, std::unique_ptr<NameService> names)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(names))) {}
Loader::~Loader() = default;

void Loader::begin() {
  impl_->begin();
}

Loader::Progress Loader::step(Duration budget) {
  return impl_->step(budget);
}

const Answers& Loader::questions() const {
  return impl_->questions();
}

void Loader::answer(Answers answers) {
  impl_->answer(std::move(answers));
}

Snapshot Loader::take() {
  return impl_->take();
}

Snapshot Loader::load() {
  return impl_->load();
}

Snapshot Loader::load_main() {
  return impl_->load_main_alone();
}

PluginRules Loader::plugin_rules() const {
  return impl_->plugin_rules();
}

void Loader::add_questions(const ServiceDefinition& definition, Answers& out) const {
  impl_->add_questions(definition, out);
}

std::shared_ptr<const Resolution> Loader::resolve(const ServiceDefinition& definition, const Answers& answers,
                                                  std::vector<Diagnostic>& diagnostics) {
  return impl_->resolve(definition, answers, diagnostics);
}

}  // namespace xsd::config
