// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/blocking_pool.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

namespace xsd::plugin {

BlockingPool::~BlockingPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  work_there_.notify_all();
  for (const pthread_t thread : threads_)
    (void)pthread_join(thread, nullptr);  // they are ours, and joined once
  watch_.reset();
  // What is done now may end a service, but gives no new work.
  call_done();
}

int BlockingPool::run(Work work, void* argument, std::function<void()> done) noexcept {
  if (const int error = prepare(); error != 0) return error;
  bool all_busy = false;
  {
    const std::lock_guard lock(mutex_);
    if (ending_ || waiting_.size() >= kMostWaiting) return EAGAIN;
    all_busy = idle_ <= waiting_.size();
  }
  // No harm if it fails, as long as there is one.
  if (all_busy && threads_.size() < kMostThreads) {
    if (const int error = add_thread(); error != 0 && threads_.empty()) return error;
  }
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({work, argument, std::move(done)});
  }
  work_there_.notify_one();
  return 0;
}

/// 0 or a positive errno.
int BlockingPool::prepare() noexcept {
  if (watch_.active()) return 0;
  UniqueFd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return errno;
  event = raise_fd(std::move(event));
  auto watch = loop_.watch(event.get(), reactor::kReadable, [this](reactor::Events) { on_done(); });
  if (!watch) return watch.error().number();
  event_ = std::move(event);
  watch_ = std::move(*watch);
  return 0;
}

/// 0 or a positive errno.
int BlockingPool::add_thread() noexcept {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // A thread inherits the mask. The call fails for a bad argument only.
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  const auto run = [](void* self) -> void* {
    static_cast<BlockingPool*>(self)->work_off();
    return nullptr;
  };
  const int error = pthread_create(&thread, nullptr, run, this);
  (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == 0) threads_.push_back(thread);
  return error;
}

void BlockingPool::work_off() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    work_there_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    --idle_;
    if (waiting_.empty()) return;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job.work(job.argument);
    lock.lock();
    done_.push_back(std::move(job.done));
    const std::uint64_t one = 1;
    // It cannot overflow: the loop takes as many out as there are jobs.
    (void)!write(event_.get(), &one, sizeof one);
  }
}

void BlockingPool::on_done() noexcept {
  std::uint64_t count = 0;
  (void)!read(event_.get(), &count, sizeof count);  // how many is found out below
  call_done();
}

void BlockingPool::call_done() noexcept {
  std::vector<std::function<void()>> done;
  {
    const std::lock_guard lock(mutex_);
    done.swap(done_);
  }
  for (const std::function<void()>& call : done)
    call();
}

}  // namespace xsd::plugin
