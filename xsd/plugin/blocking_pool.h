// SPDX-License-Identifier: Apache-2.0
//
// BlockingPool: a few threads for what would block the loop. One for a process; its work comes from the
// plugins of all services (run_blocking of plugin.h). Threads are started when there is work that none is
// free for, have every signal blocked, and touch nothing but the work. What is done comes back to the loop
// through an eventfd.
//
// The pool outlives the services that use it, and the loop the pool. Its end waits for all work, and calls
// every `done` that is left.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include <pthread.h>

#include "xsd/base/unique_fd.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::plugin {

class BlockingPool {
 public:
  static constexpr std::size_t kMostThreads = 4;
  static constexpr std::size_t kMostWaiting = 256;
  using Work = void (*)(void* argument);

  explicit BlockingPool(reactor::EventLoop& loop) noexcept : loop_(loop) {}
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;
  ~BlockingPool();

  /// Runs `work(argument)` on a thread, then `done` from the loop. 0, or a positive errno: EAGAIN if
  /// kMostWaiting wait for a thread already, or what keeps us from having the first thread or the eventfd.
  int run(Work work, void* argument, std::function<void()> done) noexcept;

 private:
  struct Job {
    Work work;
    void* argument;
    std::function<void()> done;
  };

  int prepare() noexcept;
  int add_thread() noexcept;
  void work_off() noexcept;
  void on_done() noexcept;
  void call_done() noexcept;

  reactor::EventLoop& loop_;
  UniqueFd event_;
  reactor::Watch watch_;
  std::vector<pthread_t> threads_;

  std::mutex mutex_;  ///< for what follows
  std::condition_variable work_there_;
  std::deque<Job> waiting_;
  std::vector<std::function<void()>> done_;
  std::size_t idle_ = 0;  ///< threads that wait for work
  bool ending_ = false;
};

}  // namespace xsd::plugin
