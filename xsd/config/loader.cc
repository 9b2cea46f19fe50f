// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/loader.h"

#include "xsd/config/loader_impl.h"

namespace xsd::config {
namespace {

// How much cheap work is done between two looks at the clock.
constexpr std::size_t kCheapUnits = 32;

}  // namespace

Loader::Impl::Impl(LoadOptions options, std::unique_ptr<NameService> names)
    : options_(std::move(options)),
      machine_(std::move(names)),
      names_(answers_.names, *machine_),
      resolver_(names_, answers_.plugins,
                ResolveRules{options_.as_root, options_.port_offset, options_.known_plugins,
                             options_.only_checks, options_.format != SourceFormat::Yaml}),
      daemon_names_(options_.as_root, options_.only_checks) {
  while (options_.path.size() > 1 && options_.path.ends_with('/'))
    options_.path.pop_back();
  if (options_.path.starts_with('/')) return;
  if (char* const folder = get_current_dir_name(); folder != nullptr) {
    prefix_ = std::string(folder) + "/";
    free(folder);
  }
}

void Loader::Impl::begin() {
  snapshot_ = {};
  reports_.clear();
  included_.begin(absolute(options_.path));
  pending_.clear();
  ids_.clear();
  index_.clear();
  folder_warnings_.clear();
  services_known_ = false;
  elsewhere_seen_ = false;
  answers_ = {};
  next_ = 0;
  stage_ = Stage::Main;
}

Loader::Progress Loader::Impl::step(Duration budget) {
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

void Loader::Impl::answer(Answers answers) {
  if (stage_ != Stage::Answers) return;
  answers_ = std::move(answers);
  stage_ = Stage::Services;
}

Snapshot Loader::Impl::load() {
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

Snapshot Loader::Impl::load_main_alone() {
  begin();
  load_main();
  snapshot_.services.clear();
  services_known_ = false;  // so no list of ids can be held against them
  finish();
  stage_ = Stage::Done;
  return take();
}

void Loader::Impl::add_questions(const ServiceDefinition& definition, Answers& out) const {
  resolver_.add_questions(definition, out);
  add_plugin_rules(out);
}

std::shared_ptr<const Resolution> Loader::Impl::resolve(const ServiceDefinition& definition,
                                                        const Answers& answers,
                                                        std::vector<Diagnostic>& diagnostics) {
  LearnedNames names(answers.names, *machine_);
  Resolver resolver(names, answers.plugins, resolver_.rules());
  resolver.refresh();
  std::vector<MachineFault> faults;
  auto resolution = resolver.resolve(definition, main_path(), faults);
  for (MachineFault& fault : faults) {
    const Severity severity = fault.is_warning ? Severity::Warning : Severity::Error;
    diagnostics.push_back(diagnose(severity, definition.file, fault.where, std::move(fault.message)));
  }
  shown_.forget();
  return resolution;
}

// One unit; true if it cost next to nothing.
bool Loader::Impl::work() {
  switch (stage_) {
    case Stage::Main:
      resolver_.refresh();
      load_main();
      return false;
    case Stage::Files:
      if (next_ < included_.files().size()) return load_file(included_.files()[next_++]);
      if (elsewhere_ && !elsewhere_seen_) {
        restart_with(std::nullopt);
        return false;
      }
      tell(included_.check_again(), {}, 0);
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

std::string Loader::Impl::absolute(const std::string& path) const {
  return path.starts_with('/') ? path : prefix_ + path;
}

void Loader::Impl::reject(Position where, std::string message) {
  snapshot_.rejected = true;
  reports_.front().diagnostics.push_back(diagnose(Severity::Error, options_.path, where, std::move(message)));
}

void Loader::Impl::finish_questions() {
  next_ = 0;
  daemon_names_.add_questions(snapshot_.daemon, answers_.names);
  add_plugin_rules(answers_);
  answers_.names.sort();
  stage_ = answers_.empty() ? Stage::Services : Stage::Answers;
}

void Loader::Impl::add_plugin_rules(Answers& out) const {
  if (out.plugins.questions().empty()) return;
  out.plugins.rules = plugin_rules_;
  if (options_.as_root) add_role_user_questions(plugin_rules_.user, out.names);
}

void Loader::Impl::resolve_daemon() {
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

void Loader::Impl::check_service(std::size_t index) {
  LoadedService& service = snapshot_.services[index];
  if (service.id_known && !claim_id(index)) return;
  if (service.definition == nullptr || !claim_mux_name(index)) return;
  const ServiceDefinition& definition = *service.definition;
  std::vector<MachineFault> faults;
  auto resolution = resolver_.resolve(definition, main_path(), faults, &service.coming_endpoints);
  if (definition.disabled) {
    for (MachineFault& fault : faults)
      add_fault(index, Severity::Warning, std::move(fault));
    return;
  }
  const auto show = [this](std::size_t owner) { return shown_owner(owner); };
  if (resolution != nullptr) index_.check(definition, *resolution, options_.port_offset, show, faults);
  const bool can_run = std::all_of(faults.begin(), faults.end(), [](const auto& f) { return f.is_warning; });
  for (MachineFault& fault : faults)
    add_fault(index, fault.is_warning ? Severity::Warning : Severity::Error, std::move(fault));
  if (!can_run) return;
  index_.add(*resolution, index);
  service.resolution = std::move(resolution);
}

bool Loader::Impl::claim_id(std::size_t index) {
  LoadedService& service = snapshot_.services[index];
  const auto [place, is_new] = ids_.try_emplace(service.id, index);
  if (is_new || place->second == index) return true;
  add_fault(index, Severity::Error,
            {pending_[index].where, "the id " + quoted(service.id) + " is taken already, by " +
                                        place_of(place->second) + ": give one of the two another 'id'"});
  service.definition = nullptr;
  return false;
}

std::string Loader::Impl::place_of(std::size_t index) const {
  return snapshot_.services[index].file + ":" + std::to_string(pending_[index].where.line);
}

bool Loader::Impl::claim_mux_name(std::size_t index) {
  LoadedService& service = snapshot_.services[index];
  const auto owner = index_.claim_mux_name(*service.definition, index);
  if (!owner) return true;
  add_fault(index, Severity::Error,
            {pending_[index].where, "the name " + quoted(service.definition->service) +
                                        " of 'tcpmux' is wanted by " + shown_owner(*owner)});
  service.definition = nullptr;
  return false;
}

std::string Loader::Impl::shown_owner(std::size_t index) const {
  return "the service " + quoted(snapshot_.services[index].id) + " too, at " + place_of(index);
}

void Loader::Impl::add_fault(std::size_t index, Severity severity, MachineFault fault) {
  LoadedService& service = snapshot_.services[index];
  Diagnostic diagnostic = diagnose(severity, service.file, fault.where, std::move(fault.message));
  diagnostic.of_disabled = service.definition != nullptr && service.definition->disabled;
  if (severity == Severity::Error && service.error.empty()) service.error = one_line(diagnostic);
  reports_[pending_[index].report].diagnostics.push_back(std::move(diagnostic));
}

Diagnostic Loader::Impl::diagnose(Severity severity, const std::string& file, Position where,
                                  std::string message) {
  const auto cached = cache_.find(file);
  const TextMark* const mark = cached != cache_.end()  ? &cached->second.mark
                               : file == options_.path ? &main_.mark
                                                       : nullptr;
  return shown_.diagnose(severity, file, absolute(file), mark, where, std::move(message));
}

void Loader::Impl::finish() {
  if (services_known_) {
    const Defaults& defaults = main_.decoded.inherited.defaults;
    check_listed(defaults.disabled, "disabled");
    if (defaults.enabled) check_listed(*defaults.enabled, "enabled");
  }
  for (Report& report : reports_) {
    std::stable_sort(
        report.diagnostics.begin(), report.diagnostics.end(), [](const Diagnostic& a, const Diagnostic& b) {
          return a.where.line != b.where.line ? a.where.line < b.where.line : a.where.column < b.where.column;
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

void Loader::Impl::check_listed(const std::vector<ListedId>& listed, std::string_view key) {
  for (const ListedId& entry : listed) {
    if (ids_.contains(entry.id)) continue;
    reports_.front().diagnostics.push_back(
        diagnose(Severity::Warning, options_.path, entry.where,
                 "no service has the id " + quoted(entry.id) + " in " + quoted(key)));
  }
}

void Loader::Impl::forget_gone_files() {
  const auto files = included_.files();
  if (cache_.size() <= files.size()) return;
  std::unordered_set<std::string_view> present;
  for (const IncludedFile& file : files)
    present.insert(file.path);
  std::erase_if(cache_, [&](const auto& entry) { return !present.contains(entry.first); });
}

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
