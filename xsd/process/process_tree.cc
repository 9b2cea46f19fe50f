// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/process_tree.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "xsd/base/directory.h"

namespace xsd::process {
namespace {

constexpr Duration kLookInterval = std::chrono::milliseconds(50);
// Where nothing tells of a group's last member.
constexpr Duration kGroupInterval = std::chrono::seconds(1);
constexpr int kLooksAfterKill = 20;

struct Stat {
  bool alive = false;
  pid_t parent = 0;
  std::uint64_t start = 0;
};

// /proc/PID/stat (proc(5)); nothing if the process is gone.
std::optional<Stat> read_stat(pid_t pid) {
  const UniqueFd file(open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> text;
  const ssize_t length = file ? read(file.get(), text.data(), text.size() - 1) : -1;
  if (length <= 0) return std::nullopt;
  text[static_cast<std::size_t>(length)] = '\0';
  // pid (name) state ppid ... starttime, the 22nd; the name may hold anything, a parenthesis too.
  const char* const after_name = std::strrchr(text.data(), ')');
  char state = 0;
  Stat stat;
  unsigned long long start = 0;
  if (after_name == nullptr ||
      std::sscanf(after_name + 1,
                  " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &state,
                  &stat.parent, &start) != 3)
    return std::nullopt;
  stat.alive = state != 'Z' && state != 'X';
  stat.start = start;
  return stat;
}

bool is_alive(pid_t pid, std::uint64_t start) {
  const auto stat = read_stat(pid);
  return stat && stat->alive && stat->start == start;
}

// Those of all its threads: an orphan is given to any of them.
std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  const DirectoryStream folder = open_directory(tasks);
  if (!folder) return children;
  while (const dirent* const entry = readdir(folder.get())) {
    if (entry->d_name[0] == '.') continue;
    const UniqueFd file(open((tasks + "/" + entry->d_name + "/children").c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) continue;
    std::array<char, 4096> buffer;
    pid_t number = 0;
    for (ssize_t length; (length = read(file.get(), buffer.data(), buffer.size())) > 0;) {
      for (ssize_t i = 0; i < length; ++i) {
        const char c = buffer[static_cast<std::size_t>(i)];
        if (c >= '0' && c <= '9') {
          number = number * 10 + (c - '0');
        } else if (number > 0) {  // a blank follows each number, the last one too
          children.push_back(std::exchange(number, 0));
        }
      }
    }
  }
  return children;
}

// `is_it` is asked while the number cannot become another's.
void send(pid_t pid, int number, const std::function<bool()>& is_it) {
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd && is_it()) (void)syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0);  // ended: fine
}

}  // namespace

ProcessTree::ProcessTree(reactor::EventLoop& loop, pid_t main, ControlGroup group)
    : loop_(loop), group_(std::move(group)), main_(main), timer_(loop, [this] { check(); }) {}

void ProcessTree::signal(int number, pid_t but) {
  const auto is_spared = [but](pid_t pid) { return but != 0 && getpgid(pid) == but; };
  if (group_.exists()) {
    group_.for_each([&](pid_t pid) {
      if (!is_spared(pid)) send(pid, number, [&] { return group_.holds(pid); });
    });
    return;
  }
  look();
  for (const Member& member : members_) {
    if (!is_spared(member.pid)) send(member.pid, number, [&] { return is_alive(member.pid, member.start); });
  }
}

bool ProcessTree::kill() {
  killed_ = true;
  if (group_.exists() && group_.kill()) return true;
  signal(SIGKILL, 0);
  return members_.empty();
}

void ProcessTree::look() {
  std::erase_if(members_, [](const Member& member) { return !is_alive(member.pid, member.start); });
  if (main_ != 0) look_below(main_);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Member parent = members_[i];
    const std::size_t before = members_.size();
    look_below(parent.pid);
    // Somebody else's children, if the number was used again meanwhile.
    if (members_.size() > before && !is_alive(parent.pid, parent.start)) members_.resize(before);
  }
}

void ProcessTree::look_below(pid_t parent) {
  for (const pid_t pid : children_of(parent)) {
    if (members_.size() >= kMostRemembered) return;
    const auto stat = read_stat(pid);
    if (!stat || !stat->alive || stat->parent != parent) continue;
    const bool known = std::any_of(members_.begin(), members_.end(), [&](const Member& member) {
      return member.pid == pid && member.start == stat->start;
    });
    if (!known) members_.push_back({pid, stat->start});
  }
}

void ProcessTree::on_empty(std::function<void()> empty) {
  empty_ = std::move(empty);
  timer_.arm(Duration::zero());
}

void ProcessTree::check() {
  if (group_.exists() ? is_group_alive() : is_walked_alive()) return;
  watch_.reset();
  timer_.cancel();
  const std::function<void()> empty = std::move(empty_);  // it may end us
  if (empty) empty();
}

// If so, somebody will look again.
bool ProcessTree::is_group_alive() {
  if (group_.remove()) return false;
  if (!watch_.active()) {
    events_ = raise_fd(group_.open_events());
    if (auto watch = loop_.watch(events_.get(), reactor::kPriority, [this](reactor::Events) { check(); })) {
      watch_ = std::move(*watch);
    } else {
      timer_.arm(kGroupInterval);
    }
  }
  // What is told of are changes since it was read last. A group that is empty but cannot be removed has
  // groups of the program's own in it.
  return !events_ || is_populated(events_.get());
}

bool ProcessTree::is_walked_alive() {
  if (killed_) {
    signal(SIGKILL, 0);
  } else {
    look();
  }
  if (members_.empty() || (killed_ && ++looks_after_kill_ > kLooksAfterKill)) return false;
  timer_.arm(kLookInterval);
  return true;
}

}  // namespace xsd::process
