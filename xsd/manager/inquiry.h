// SPDX-License-Identifier: Apache-2.0
//
// Inquiry: gets the answers to all that a load, or a retry, wants to know (config/answers.h), beside the
// loop: first what names mean, since one of them says who the probes run as, then what the plugins say, all
// at once.
#pragma once

#include <functional>

#include "xsd/config/answers.h"
#include "xsd/manager/name_helper.h"
#include "xsd/manager/plugin_probes.h"
#include "xsd/process/role.h"

namespace xsd::manager {

class Inquiry {
 public:
  using Done = std::function<void(config::Answers answers)>;

  /// All borrowed.
  Inquiry(reactor::EventLoop& loop, reactor::ChildWatcher& children, process::RoleStarter& roles,
          PluginCache& cache);

  /// `answers` has at least one question. `done` is called once, from the loop and never from here. What was
  /// being asked before is dropped.
  void ask(config::Answers answers, Done done);
  /// Nothing is called any more.
  void cancel() noexcept;
  bool busy() const noexcept { return done_ != nullptr; }

 private:
  void ask_plugins();
  void finish();

  config::Answers answers_;
  Done done_;
  NameHelper names_;
  PluginProbes probes_;
};

/// Asks the questions about plugins and waits for the answers, in a process that serves nobody. The names
/// have theirs.
void ask_plugins_now(config::Answers& answers, const process::Inheritance& inheritance, PluginCache& cache);

}  // namespace xsd::manager
