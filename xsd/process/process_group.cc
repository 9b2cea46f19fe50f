// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/process_group.h"

#include "xsd/base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace xsd::process {
namespace {

constexpr Duration kSweepInterval = std::chrono::milliseconds(50);
constexpr Duration kStepLength = std::chrono::milliseconds(2);
constexpr int kPauseFactor = 20;
constexpr int kLooksBetweenClocks = 32;

struct Member {
  pid_t group = 0;
  bool alive = true;
};

// From /proc/PID/stat (proc(5)). Nothing if the process is gone; what cannot be read is alive and of no
// group.
std::optional<Member> read_member(int proc, pid_t pid) {
  const UniqueFd file(openat(proc, (std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  char text[512];
  const ssize_t length = file ? read(file.get(), text, sizeof text - 1) : -1;
  if (length < 0 && (errno == ENOENT || errno == ESRCH)) return std::nullopt;
  Member member;
  if (length < 0) return member;
  text[length] = '\0';
  // pid (name) state ppid pgrp ...; the name may hold anything, so look for its last parenthesis.
  const char* const after_name = std::strrchr(text, ')');
  char state = 0;
  int parent = 0;
  if (after_name != nullptr && std::sscanf(after_name + 1, " %c %d %d", &state, &parent, &member.group) == 3)
    member.alive = state != 'Z' && state != 'X';
  return member;
}

}  // namespace

GroupSweeper::GroupSweeper(reactor::EventLoop& loop)
    : clock_(loop.clock()), timer_(loop, [this] { on_timer(); }) {}

void GroupSweeper::watch(pid_t leader, std::function<void()> gone) {
  forget(leader);
  groups_.emplace(leader, Group{std::move(gone)});
  if (!timer_.armed()) timer_.arm(Duration::zero());
}

void GroupSweeper::forget(pid_t leader) noexcept {
  const auto found = groups_.find(leader);
  if (found == groups_.end()) return;
  if (found->second.in_sweep && !found->second.seen_alive) --undecided_;
  groups_.erase(found);
  if (!groups_.empty()) return;
  timer_.cancel();
  processes_.reset();
}

void GroupSweeper::on_timer() {
  const MonotonicTime begin = clock_.monotonic();
  if (!processes_) begin_sweep();
  const bool done = !processes_ || go_on(begin + kStepLength);
  const Duration pause = (clock_.monotonic() - begin) * kPauseFactor;
  timer_.arm(done ? std::max(pause, kSweepInterval) : pause);
  if (done) end_sweep();
}

void GroupSweeper::begin_sweep() {
  processes_ = open_directory("/proc");
  saw_ourselves_ = false;
  undecided_ = groups_.size();
  for (auto& [leader, group] : groups_) {
    group.in_sweep = true;
    group.seen_alive = false;
  }
}

bool GroupSweeper::go_on(MonotonicTime until) {
  for (int looks = 1; undecided_ > 0; ++looks) {
    errno = 0;
    const dirent* const entry = readdir(processes_.get());
    if (entry == nullptr) {
      if (errno != 0) saw_ourselves_ = false;  // there is more, and we do not know what
      return true;
    }
    const auto pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (pid <= 0) continue;
    look_at(pid);
    if (looks % kLooksBetweenClocks == 0 && clock_.monotonic() >= until) return false;
  }
  return true;
}

void GroupSweeper::look_at(pid_t pid) {
  if (pid == getpid()) saw_ourselves_ = true;
  // The call costs a hundredth of what the file does, but an LSM may forbid it.
  pid_t leader = getpgid(pid);
  if (leader < 0 && errno == ESRCH) return;
  std::optional<Member> member;
  if (leader < 0) {
    member = read_member(dirfd(processes_.get()), pid);
    if (!member) return;
    leader = member->group;
  }
  const auto found = groups_.find(leader);
  if (found == groups_.end() || !found->second.in_sweep || found->second.seen_alive) return;
  if (!member) member = read_member(dirfd(processes_.get()), pid);
  if (!member || !member->alive) return;
  found->second.seen_alive = true;
  --undecided_;
}

void GroupSweeper::end_sweep() {
  processes_.reset();
  undecided_ = 0;
  // A list that does not even have ourselves is none.
  const bool trustworthy = std::exchange(saw_ourselves_, false);
  std::vector<std::function<void()>> gone;
  for (auto entry = groups_.begin(); entry != groups_.end();) {
    if (trustworthy && entry->second.in_sweep && !entry->second.seen_alive) {
      gone.push_back(std::move(entry->second.gone));
      entry = groups_.erase(entry);
    } else {
      entry->second.in_sweep = false;
      ++entry;
    }
  }
  if (groups_.empty()) timer_.cancel();
  for (const auto& notify : gone)
    notify();
}

}  // namespace xsd::process
