// SPDX-License-Identifier: Apache-2.0
//
// InquirerProcess: the master's side of the inquirer: it starts the process (`xsd: inquirer`) with the first
// question, sends questions, and gives each an answer in time: what the inquirer has not said by then, or
// cannot say since it has died, is Unknown. Nothing ever waits for it.
//
// One that dies is followed by another with the next question: at once if it had lived for half a second,
// else after 100 ms, doubling to 30 s; questions before that are Unknown. So are those beyond kMostQuestions
// at a time. What was learned of names is kept for a while (policy::NameCache), and equal questions about
// names are asked once.
//
// Owned by the daemon; services borrow it and hold an Asked for each question whose answer they wait for.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "xsd/inquirer/question.h"
#include "xsd/policy/name_cache.h"
#include "xsd/process/channel.h"
#include "xsd/process/role.h"
#include "xsd/reactor/child_watcher.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::inquirer {

class InquirerProcess;

/// A question whose answer somebody waits for; destroying it means that nobody does any more.
class Asked {
 public:
  Asked() noexcept = default;
  Asked(Asked&& other) noexcept;
  Asked& operator=(Asked&& other) noexcept;
  ~Asked() { reset(); }

  void reset() noexcept;

 private:
  friend class InquirerProcess;
  Asked(InquirerProcess& process, std::uint64_t question, std::uint64_t asker) noexcept
      : process_(&process), question_(question), asker_(asker) {}

  InquirerProcess* process_ = nullptr;
  std::uint64_t question_ = 0;
  std::uint64_t asker_ = 0;
};

class InquirerProcess {
 public:
  static constexpr std::size_t kMostQuestions = 1024;
  using Done = std::function<void(const Answer& answer)>;

  /// All are borrowed. `user`: nothing to keep ours.
  InquirerProcess(reactor::EventLoop& loop, reactor::ChildWatcher& children, process::RoleStarter& roles,
                  std::optional<process::Credentials> user, policy::HashSeed seed);
  ~InquirerProcess();
  InquirerProcess(const InquirerProcess&) = delete;
  InquirerProcess& operator=(const InquirerProcess&) = delete;

  /// What was learned about the peer's names lately; valid until the loop goes on.
  const policy::NameCache::Names* known_names(const net::SocketAddress& peer) const noexcept {
    return names_.find(peer, loop_.now());
  }
  /// `done` is called once, from the loop and never from here, unless the Asked has gone by then; it may
  /// destroy that, and others. `socket` is borrowed for the call; -1: none goes with the question.
  Asked ask(Question question, int socket, Done done);

  /// Of a process that is started from now on.
  void set_user(std::optional<process::Credentials> user) { user_ = std::move(user); }
  /// The process that runs, 0 if there is none.
  pid_t pid() const noexcept { return child_.active() ? child_.pid() : 0; }

 private:
  friend class Asked;
  struct Asker {
    std::uint64_t id;
    Done done;
  };
  struct Open {
    Question question;
    std::list<Asker> askers{};
    std::unique_ptr<reactor::Timer> deadline{};
  };

  /// The number of the question about the same names that is open; 0: none.
  std::uint64_t find_same(const Question& question) const;
  void forget(std::uint64_t question, std::uint64_t asker) noexcept;
  void finish(std::uint64_t number, const Answer& answer);
  /// False if there is no process to be asked now.
  bool is_there();
  Status launch();
  void rest();
  void on_message(std::string_view bytes);
  void on_exit(const reactor::ChildExit& exit);
  /// Nobody answers them any more.
  void give_up_all();

  reactor::EventLoop& loop_;
  reactor::ChildWatcher& children_;
  process::RoleStarter& roles_;
  std::optional<process::Credentials> user_;
  policy::NameCache names_;
  std::unordered_map<std::uint64_t, Open> open_;
  std::unordered_map<std::string, std::uint64_t> about_names_;  ///< open questions, by the peer's host
  std::uint64_t last_number_ = 0;
  std::uint64_t last_asker_ = 0;
  Duration pause_{};  ///< before the next start
  MonotonicTime not_before_{};
  MonotonicTime started_{};
  bool is_missed_ = false;  ///< a line has said that there is none
  std::unique_ptr<process::Channel> channel_;
  reactor::ChildWatch child_;
};

}  // namespace xsd::inquirer
