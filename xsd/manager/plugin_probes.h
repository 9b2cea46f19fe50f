// SPDX-License-Identifier: Apache-2.0
//
// PluginProbes: answers questions about plugins (config/plugins.h) without keeping the loop, and without
// loading anything into this process: one process of the role `probe` (worker/probe.h) a library, a few at a
// time, each with a time limit. Built-in plugins are asked here and now: they are our own code.
//
// A probe that crashes, ends, hangs or talks nonsense is a fault of its plugin. What a library said of itself
// and which settings it found good is remembered (PluginCache) as long as its file is the same, so that a
// reload that changes nothing starts no process; faults are looked for anew each time, since what was missing
// may be there now.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "xsd/config/answers.h"
#include "xsd/process/role.h"
#include "xsd/reactor/child_watcher.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::manager {

class PluginCache {
 public:
  /// The library as it was seen, if its file is still the same and all these settings were found good.
  std::shared_ptr<const config::PluginImage> find(const config::PluginQuestion& question,
                                                  const config::FileStamp& stamp) const;
  void keep(const config::PluginQuestion& question, std::shared_ptr<const config::PluginImage> image);

 private:
  struct Known {
    std::shared_ptr<const config::PluginImage> image;
    std::unordered_set<std::string> settings;
  };
  std::unordered_map<std::string, Known> known_;
};

class PluginProbes {
 public:
  static constexpr Duration kTimeLimit = std::chrono::seconds(2);
  using Done = std::function<void(config::PluginAnswers answers)>;

  /// All borrowed.
  PluginProbes(reactor::EventLoop& loop, reactor::ChildWatcher& children, process::RoleStarter& starter,
               PluginCache& cache);
  ~PluginProbes();
  PluginProbes(const PluginProbes&) = delete;
  PluginProbes& operator=(const PluginProbes&) = delete;

  /// Asks the questions in `answers`; `done` is called once, from the loop and never from here. `user`: who
  /// the probes are if we are root, or why nobody can be. What was being asked before is dropped.
  void ask(config::PluginAnswers answers, const Result<config::UserEntry>& user, Done done);
  /// Ends the probes; nothing is called any more.
  void cancel() noexcept;
  bool busy() const noexcept { return done_ != nullptr; }

 private:
  struct Probe;

  void answer_or_queue(std::size_t question);
  void go_on();
  Status start(Probe& probe);
  void on_message(Probe& probe, std::string_view message, bool has_fds);
  void on_over(Probe& probe);
  void finish(Probe& probe, config::PluginAnswer answer);

  reactor::EventLoop& loop_;
  reactor::ChildWatcher& children_;
  process::RoleStarter& starter_;
  PluginCache& cache_;
  config::PluginAnswers answers_;
  std::optional<process::Credentials> credentials_;
  std::string no_user_;  ///< why nobody can load a library
  Done done_;
  std::deque<std::unique_ptr<Probe>> waiting_;
  std::vector<std::unique_ptr<Probe>> running_;
  reactor::Timer stepper_;
};

}  // namespace xsd::manager
