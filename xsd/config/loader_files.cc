// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/loader_impl.h"

namespace xsd::config {

// --- the main file ---
void Loader::Impl::load_main() {
  reports_.push_back({options_.path, {}});
  stage_ = Stage::Files;
  const std::string path = absolute(options_.path);
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return reject({}, Error::from_errno(errno, "cannot open").text());
  if (info.st_uid != trust_.trusted_owner) cache_.clear();  // who is trusted was another
  resolver_.set_trust(trust_ = {options_.as_root, info.st_uid});
  // Another super-server's configuration is a file.
  const bool is_folder = S_ISDIR(info.st_mode) && options_.format == SourceFormat::Yaml;
  // Which of the two it is decides what every service inherits; nobody changes that in passing.
  if (is_folder_.value_or(is_folder) != is_folder) {
    return reject({}, is_folder ? "is a folder now and was a file at the start"
                                : "is a file now and was a folder at the start");
  }
  is_folder_ = is_folder;
  if (is_folder) {
    keep_plugin_rules();
    snapshot_.watched_folders.push_back(path);
    include(options_.path + "/*.yaml", {"*.yaml", {}}, 0);
    return;
  }
  snapshot_.watched_folders.push_back(folder_of(path));
  if (!read_main(path)) return;
  snapshot_.daemon = main_.decoded.daemon;
  if (!snapshot_.rejected) keep_plugin_rules();
  if (elsewhere_) snapshot_.daemon.defaults_file = elsewhere_->file;
  add_services(main_.decoded.services, 0);
  services_known_ = true;
  include_all(main_.decoded.include, 0);
}

// Our own paths are meant from the main file's folder, xinetd's from where it was started.
void Loader::Impl::include_all(const std::vector<IncludePattern>& patterns, std::size_t report) {
  const bool has_folder =
      options_.format == SourceFormat::Yaml && options_.path.find('/') != std::string::npos;
  const std::string base = has_folder ? folder_of(options_.path) + "/" : "";
  for (const IncludePattern& pattern : patterns) {
    include(pattern.text.starts_with('/') ? pattern.text : (base == "//" ? "/" : base) + pattern.text,
            pattern, report);
  }
}

void Loader::Impl::keep_plugin_rules() {
  const DaemonSettings& daemon = snapshot_.daemon;
  plugin_rules_ = {daemon.plugin_dirs, options_.as_root, trust_.trusted_owner, daemon.user};
}

bool Loader::Impl::read_main(const std::string& path) {
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
    const std::string base = folder_of(path);
    main_.parse(options_.format, {.file = options_.path, .base_folder = base, .as_root = options_.as_root},
                source->text, elsewhere_ ? &elsewhere_->inherited : nullptr);
  }
  diagnostics.insert(diagnostics.end(), main_.diagnostics.begin(), main_.diagnostics.end());
  snapshot_.rejected = snapshot_.rejected || !main_.readable || main_.decoded.faulty;
  return main_.readable;
}

void Loader::Impl::include(const std::string& shown, const IncludePattern& pattern, std::size_t report) {
  const std::size_t name = shown.rfind('/') + 1;  // 0 if there is no folder
  const std::string folder = absolute(name == 0 ? "." : folder_of(shown));
  auto& watched = snapshot_.watched_folders;
  if (std::find(watched.begin(), watched.end(), folder) == watched.end()) watched.push_back(folder);
  tell(included_.add({.text = pattern.text,
                      .written = pattern.where.line > 0,
                      .prefix = shown.substr(0, name),
                      .folder = folder,
                      .name = shown.substr(name),
                      .names = pattern.names}),
       pattern.where, report);
}

void Loader::Impl::tell(std::optional<IncludedFiles::Fault> fault, Position where, std::size_t report) {
  if (!fault) return;
  if (fault->severity == Severity::Error) {
    services_known_ = false;
    return reject_in(report, where, std::move(fault->message));
  }
  Report& in = reports_[report];
  in.diagnostics.push_back(diagnose(Severity::Warning, in.path, where, std::move(fault->message)));
}

void Loader::Impl::reject_in(std::size_t report, Position where, std::string message) {
  snapshot_.rejected = true;
  Report& in = reports_[report];
  in.diagnostics.push_back(diagnose(Severity::Error, in.path, where, std::move(message)));
}

// --- service files ---
bool Loader::Impl::load_file(const IncludedFile& job) {
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
  // What xinetd reads may be a link to anywhere; who may write there is looked at as well.
  const std::string inside = job.names == NameRule::Yaml ? job.folder : std::string();
  const auto source = read_source_file(path, inside, trust_, included_.folder_views());
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
  if (!is_same) {
    file.parse(options_.format, {.file = job.path, .base_folder = {}, .as_root = options_.as_root},
               source->text, main_);
  }
  add_file(job, file);
  return is_same;
}

// Whether a file is trusted is a question of its folders too.
bool Loader::Impl::is_as_it_was(const IncludedFile& job, const FileFolders& folders) {
  return folders.named == included_.state_of(job.folder) &&
         (folders.real_path.empty() || folders.real == included_.state_of(folders.real_path));
}

void Loader::Impl::unreadable_file(const IncludedFile& job, const std::string& path, const Error& error) {
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
void Loader::Impl::warn_about_file(const std::string& path, const std::string& warning,
                                   std::vector<Diagnostic>& out) {
  if (warning.find("its folder") != std::string::npos && !folder_warnings_.insert(warning).second) return;
  out.push_back({Severity::Warning, path, {}, warning, {}});
}

void Loader::Impl::add_file(const IncludedFile& job, const CachedFile& file) {
  Report report{job.path, file.file_diagnostics};
  report.diagnostics.insert(report.diagnostics.end(), file.text_diagnostics.begin(),
                            file.text_diagnostics.end());
  reports_.push_back(std::move(report));
  add_services(file.services, reports_.size() - 1);
  if (file.foreign) take_foreign_parts(*file.foreign);
}

// Of the file that was reported last.
void Loader::Impl::take_foreign_parts(const ForeignParts& parts) {
  const std::size_t report = reports_.size() - 1;
  include_all(parts.include, report);
  if (!parts.defaults) return;
  if (parts.has_faulty_defaults) {
    snapshot_.rejected = true;
    return;
  }
  Report& in = reports_[report];
  if (main_.has_defaults || std::exchange(elsewhere_seen_, true)) {
    in.diagnostics.push_back(diagnose(Severity::Warning, in.path, {},
                                      "'defaults' stand in another file already; these have no effect"));
    return;
  }
  if (elsewhere_ && elsewhere_->file == in.path && elsewhere_->text == parts.defaults_text) return;
  restart_with(ElsewhereDefaults{in.path, parts.defaults_text, *parts.defaults});
}

// What was decoded with other defaults is decoded again.
void Loader::Impl::restart_with(std::optional<ElsewhereDefaults> defaults) {
  elsewhere_ = std::move(defaults);
  main_known_ = false;
  begin();
}

void Loader::Impl::add_services(const std::vector<DecodedService>& services, std::size_t report) {
  for (const DecodedService& decoded : services) {
    LoadedService service;
    service.id = decoded.id;
    service.file = reports_[report].path;
    service.id_known = decoded.id_known;
    service.definition = decoded.definition;
    service.error = decoded.error;
    const bool is_foreign = options_.format != SourceFormat::Yaml;
    if (is_foreign) give_own_id(service);
    // Good ones take their ids now, faulty ones only what is left when all files are read: a faulty copy
    // must not take the place of a good service.
    if (service.definition != nullptr || is_foreign) ids_.try_emplace(service.id, snapshot_.services.size());
    snapshot_.services.push_back(std::move(service));
    pending_.push_back({report, decoded.where});
  }
  if (snapshot_.services.size() > kMaxServices && !snapshot_.rejected) {
    reject({}, "more than " + std::to_string(kMaxServices) + " services");
  }
}

// There two services may have the same name, echo for tcp and for udp. The second one becomes echo-2, whether
// one of them is faulty or not: so each keeps its id, and what runs under it, over a reload.
void Loader::Impl::give_own_id(LoadedService& service) const {
  if (!service.id_known || !ids_.contains(service.id)) return;
  std::string id;
  for (std::size_t number = 2; id.empty() || ids_.contains(id); ++number)
    id = service.id + "-" + std::to_string(number);
  if (service.definition != nullptr) {
    auto renamed = std::make_shared<ServiceDefinition>(*service.definition);
    renamed->id = id;
    service.definition = std::move(renamed);
  }
  service.id = std::move(id);
}

}  // namespace xsd::config
