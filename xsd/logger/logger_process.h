// SPDX-License-Identifier: Apache-2.0
//
// LoggerProcess: the master's side of the logger: it starts the process (`xsd: logger`), hands it the log's
// target and all feeds, and starts another one when it ends: at once if it had lived for half a second, else
// after 100 ms, doubling to 30 s. Nothing ever waits for it.
//
// While there is one, the log of this process goes by a pair of its own (log::divert); while there is none it
// is written here. What a dead logger had not read is written then, so that only what it had read and not
// written is lost. One that is stopped (SIGSTOP, a disk that hangs) is left alone: what the pairs do not hold
// is dropped, counted, and told when it goes on.
//
// Owned by the daemon. Destroying it lets the logger write all that was sent, and waits for that, for a
// second at most; then it is killed, and the rest is written here.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/logger/feed.h"
#include "xsd/process/channel.h"
#include "xsd/process/role.h"
#include "xsd/reactor/child_watcher.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::logger {

class LoggerProcess {
 public:
  /// All are borrowed. `user`: nothing to keep ours.
  LoggerProcess(reactor::EventLoop& loop, reactor::ChildWatcher& children, process::RoleStarter& roles,
                std::optional<process::Credentials> user);
  ~LoggerProcess();
  LoggerProcess(const LoggerProcess&) = delete;
  LoggerProcess& operator=(const LoggerProcess&) = delete;

  /// Feeds may be made before. If it cannot be started a warning says so, and it is tried again.
  void start();
  /// The log was opened anew: the logger gets the new target.
  void on_target();
  /// The outlet of that name was opened, anew too, or closed.
  void on_outlet(const std::string& name);
  /// Of those that are started from now on.
  void set_user(std::optional<process::Credentials> user) { user_ = std::move(user); }
  /// The process that runs, 0 if there is none.
  pid_t pid() const noexcept { return child_.active() ? child_.pid() : 0; }

 private:
  friend class LineFeed;
  friend class PipeFeed;
  /// True if a logger reads it from now on.
  bool add(Feed& feed);
  void remove(Feed& feed);
  /// Of a feed of lines that goes: should the logger end before it has read them.
  void keep_rest(UniqueFd receiving_end);

  Status launch();
  void hand_over(Feed& feed);
  void on_message(std::string_view bytes);
  void on_exit(const reactor::ChildExit& exit);
  void start_later();

  reactor::EventLoop& loop_;
  reactor::ChildWatcher& children_;
  process::RoleStarter& roles_;
  std::optional<process::Credentials> user_;
  FeedId last_id_ = 0;
  std::unordered_map<FeedId, Feed*> feeds_;
  std::unique_ptr<LineFeed> own_;  ///< of the log of this process
  Duration pause_{};               ///< before the next start
  MonotonicTime started_{};
  bool is_missed_ = false;  ///< a line has said that there is none
  std::string why_;         ///< it failed, in its own words
  reactor::Timer restart_;
  std::vector<UniqueFd> left_;  ///< see keep_rest
  UniqueFd pidfd_;              ///< of the child, for the wait at the end
  std::unique_ptr<process::Channel> channel_;
  reactor::ChildWatch child_;
};

}  // namespace xsd::logger
