// SPDX-License-Identifier: Apache-2.0
//
// PluginPrograms: the programs that the plugins of all services have had started, wherever the plugins work.
// They run as their service says, apart from the plugin: what is left of them here is a ChildProgram. Owned
// by the RequestHandler; borrows the context and, until they are dropped, the services.
//
// A program belongs to its service until it is dropped; then it gets TERM, and KILL after `stop_timeout`, and
// nobody is told of its end. At a limit (`max_processes` of the daemon; `instances` of the service, at most
// 256 of one service, those that end counted) no program is started: -EAGAIN. That, and what else keeps one
// from starting, is told as its end is, from the loop.
//
// Standard error goes where the service says; the log's pipe is one for all programs of a service.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "xsd/plugin/hosted_service.h"
#include "xsd/service/child_program.h"
#include "xsd/service/context.h"
#include "xsd/service/managed_service.h"
#include "xsd/service/stderr_pipe.h"

namespace xsd::manager {

class PluginPrograms {
 public:
  explicit PluginPrograms(service::ServiceContext& context);
  /// What still runs is killed.
  ~PluginPrograms();
  PluginPrograms(const PluginPrograms&) = delete;
  PluginPrograms& operator=(const PluginPrograms&) = delete;

  /// `start` has been checked (service::check_program_start).
  void start(service::ManagedService& service, plugin::ProgramStart start);
  void drop(const service::ManagedService& service, std::uint64_t id);
  /// All of this service.
  void drop_all(const service::ManagedService& service);
  /// They end, and the service is told.
  void end_all(const service::ManagedService& service, Duration grace);
  /// The service is on its way out: what it has here goes with its last program.
  void retire(const std::string& id);

  /// Ends all, and starts no more; how long it may take.
  Duration stop();
  void kill();
  bool is_empty() const noexcept { return programs_.empty(); }
  /// Called whenever the last one is gone.
  void on_empty(std::function<void()> handler) { on_empty_ = std::move(handler); }

 private:
  struct Program {
    std::shared_ptr<const config::ServiceDefinition> definition;
    service::ManagedService* service;  ///< nullptr: dropped
    std::uint64_t id;                  ///< as the plugin's host knows it
    std::unique_ptr<service::ChildProgram> child;
  };
  using Place = std::list<Program>::iterator;
  struct Failure {
    service::ManagedService* service;
    std::uint64_t id;
    int error;
  };
  struct ErrorOutput {
    std::unique_ptr<service::StderrPipe> pipe;
    bool is_retired = false;
  };
  /// What a line has said of a service whose programs do not start.
  struct Complaint {
    std::string text;
    MonotonicTime time;
  };

  int try_start(service::ManagedService& service, const plugin::ProgramStart& start);
  /// What is reached; empty: nothing.
  std::string_view find_limit(const config::ServiceDefinition& definition) const noexcept;
  int standard_error(const config::ServiceDefinition& definition, const process::ExecPlan& plan);
  void complain(const std::string& service, std::string text);
  void tell_failures();
  void on_exit(Program& program, const reactor::ChildExit& exit);
  void on_gone(Place place);
  std::uint64_t count(const std::string& id) const noexcept;

  service::ServiceContext& context_;
  std::list<Program> programs_;
  std::deque<Failure> failures_;
  std::map<std::string, ErrorOutput> error_outputs_;  ///< by the service's id
  std::map<std::string, Complaint> complaints_;       ///< by the service's id
  std::function<void()> on_empty_;
  bool stopping_ = false;
  reactor::Timer teller_;
};

}  // namespace xsd::manager
