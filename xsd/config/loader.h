// SPDX-License-Identifier: Apache-2.0
//
// Loader: files to a Snapshot. It lives as long as the daemon, so that files whose stamp did not change are
// not parsed again; what depends on the machine (users, programs, names) is resolved anew each time. --check,
// --dump-config, start and reload are this one path.
//
// Loading is cut into steps, so that a reload never keeps the loop busy for longer than one file's parse.
// What names mean and what plugins say is not asked in a step, since that may take seconds: once the files
// are read the load stands still with all its questions until somebody hands over what was learned.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/config/answers.h"
#include "xsd/config/definitions.h"
#include "xsd/config/diagnostic.h"
#include "xsd/config/resolve.h"
#include "xsd/config/source_file.h"
#include "xsd/config/source_format.h"

namespace xsd::config {

inline constexpr std::size_t kMaxFiles = 4096;
inline constexpr std::size_t kMaxServices = 10000;

struct LoadOptions {
  std::string path;  ///< main file, or a folder that is taken as the service folder of an otherwise default
                     ///< configuration; which of the two is decided by the first load
  SourceFormat format = SourceFormat::Yaml;
  unsigned port_offset = 0;
  bool as_root = false;
  /// --check and --dump-config, which need no root: whether the daemon could change to a service's user is
  /// not their question.
  bool only_checks = false;
  /// The built-in ones, sorted by name; others are libraries, and asked about.
  std::vector<KnownPlugin> known_plugins;
  /// Asks about plugins and waits for the answers; for `load`. The names have theirs already.
  std::function<void(Answers&)> ask_plugins;
};

/// One service of a snapshot, good or not.
struct LoadedService {
  std::string id;
  std::string file;
  /// False if the fault left no usable name (the file does not parse, `service:` is missing): `id` is then
  /// made from the file's name, and every running service that came from this file and is not in the snapshot
  /// otherwise keeps running.
  bool id_known = true;
  std::shared_ptr<const ServiceDefinition> definition;  ///< nullptr: the text is faulty
  std::shared_ptr<const Resolution>
      resolution;  ///< nullptr: faulty, disabled, or not possible on this machine now
  /// Where it will listen once it is possible, as far as that is known.
  std::vector<net::Endpoint> coming_endpoints{};
  std::string error;  ///< of the first error, one line with its place; empty if none
};

struct Snapshot {
  bool rejected = false;  ///< main file or `defaults` at fault: nothing of this may be applied
  DaemonSettings daemon;
  std::vector<LoadedService> services;  ///< in file order; ids are unique among those with a definition
  std::vector<Diagnostic> diagnostics;
  std::vector<std::string> watched_folders;  ///< for `watch: true`: of the include patterns, whether they
                                             ///< exist or not, and of the main file
  std::size_t errors = 0;
};

class NameService;

class Loader {
 public:
  explicit Loader(LoadOptions options);
  /// With another machine's names, for tests.
  Loader(LoadOptions options, std::unique_ptr<NameService> names);
  ~Loader();

  enum class Progress : std::uint8_t {
    More,          ///< call `step` again
    NeedsAnswers,  ///< it goes on after `answer`
    Done,          ///< the snapshot is complete
  };

  /// Begins anew; a load that was under way is dropped.
  void begin();
  /// Goes on for about `budget` (at least one unit of work: one file parsed, or some files found unchanged).
  /// Never asks anybody anything.
  Progress step(Duration budget);
  /// While it needs answers: what it wants to know, at least one thing.
  const Answers& questions() const;
  /// The same with what was learned. What is Unknown there counts as not found in this load.
  void answer(Answers answers);
  Snapshot take();

  /// All at once, asking directly: for a process that serves nobody.
  Snapshot load();
  /// The main file alone: a snapshot without services.
  Snapshot load_main();
  /// Where that file, or the configuration of the last load, has plugin libraries.
  PluginRules plugin_rules() const;

  /// What depends on the machine, again, for one definition: for the retries of a service that failed on it.
  /// First the questions are added to `out` (perhaps none), then it is resolved by their answers.
  void add_questions(const ServiceDefinition& definition, Answers& out) const;
  std::shared_ptr<const Resolution> resolve(const ServiceDefinition& definition, const Answers& answers,
                                            std::vector<Diagnostic>& diagnostics);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The effective configuration of a snapshot that was not rejected, as YAML that reads back to the same, each
/// value with its origin as a comment
/// (`# conf.d/echo.yaml:3`, `# default`). A comment at the top of each file's services names the faulty ones.
std::string dump_config(const Snapshot& snapshot);

}  // namespace xsd::config
