// SPDX-License-Identifier: Apache-2.0
//
// NameHelper: asks what names mean without keeping the loop. Users, groups, services and hosts may come from
// NSS modules (sss, ldap, DNS) that block for seconds; so one process::Helper a batch asks the C library and
// sends each answer as it has it. What it has not learned within the time limit, or because it could not be
// started or died, stays Unknown, with the reason in words for a message.
#pragma once

#include <functional>
#include <memory>

#include "xsd/config/name_service.h"
#include "xsd/config/name_wire.h"
#include "xsd/process/helper.h"

namespace xsd::manager {

class NameHelper {
 public:
  static constexpr Duration kTimeLimit = std::chrono::seconds(5);
  using Done = std::function<void(config::NameAnswers answers)>;
  /// Runs in the helper.
  using MakeNames = std::function<std::unique_ptr<config::NameService>()>;

  /// Loop and watcher are borrowed.
  NameHelper(reactor::EventLoop& loop, reactor::ChildWatcher& children);
  /// With other names and another limit, for tests.
  NameHelper(reactor::EventLoop& loop, reactor::ChildWatcher& children, MakeNames make_names, Duration limit);

  /// Asks the questions in `answers`; `done` is called once, from the loop and never from here, with what was
  /// learned. What was being asked before is dropped.
  void ask(config::NameAnswers answers, Done done);
  /// Ends the helper; nothing is called any more.
  void cancel() noexcept;
  bool busy() const noexcept { return done_ != nullptr; }

 private:
  void finish(const std::string& why);

  reactor::EventLoop& loop_;
  reactor::ChildWatcher& children_;
  const MakeNames make_names_;
  const Duration limit_;
  config::NameAnswers answers_;
  std::unique_ptr<config::AnswerReader> reader_;
  Done done_;
  std::unique_ptr<process::Helper> helper_;
  std::string why_not_;  ///< it could not be started
  reactor::Timer not_started_;
};

}  // namespace xsd::manager
