// SPDX-License-Identifier: Apache-2.0
//
// poll(2). The array that the kernel reads is compact; a table from descriptor number to place makes every
// change O(1).
#include <cerrno>
#include <limits>

#include <poll.h>

#include "xsd/reactor/pollers.h"

namespace xsd::reactor {
namespace {

constexpr std::uint32_t kAbsent = std::numeric_limits<std::uint32_t>::max();

short to_poll(Events interest) noexcept {
  int mask = 0;
  if ((interest & kReadable) != 0) mask |= POLLIN;
  if ((interest & kWritable) != 0) mask |= POLLOUT;
  if ((interest & kPriority) != 0) mask |= POLLPRI;
  return static_cast<short>(mask);
}

// The kernel skips negative numbers: the only way not to hear of errors and hang-ups, which it reports
// unasked.
constexpr int silenced(int fd) noexcept {
  return -1 - fd;
}

class PollPoller final : public Poller {
 public:
  PollerKind kind() const noexcept override { return PollerKind::Poll; }
  bool can_hold(int fd) const noexcept override { return fd >= 0; }
  Status add(int fd, Events interest, std::uint64_t token) override;
  void modify(int fd, Events interest, std::uint64_t token) noexcept override;
  void remove(int fd) noexcept override;
  std::span<const ReadyEntry> wait(std::optional<Duration> longest) noexcept override;

 private:
  struct Entry {
    std::uint64_t token;
    Events interest;
  };

  std::vector<pollfd> polled_;
  std::vector<Entry> entries_;         // beside polled_
  std::vector<std::uint32_t> places_;  // by descriptor number: where in the two above
  std::vector<ReadyEntry> ready_;
  std::vector<ReadyEntry> room_;  // becomes ready_ at the next wait, where that has grown too small
};

Status PollPoller::add(int fd, Events interest, std::uint64_t token) {
  if (fd < 0) return Error::from_errno(EBADF, "watch");
  const auto number = static_cast<std::size_t>(fd);
  if (number < places_.size() && places_[number] != kAbsent) return Error::from_errno(EEXIST, "watch");
  if (Status waitable = check_waitable(fd); !waitable) return waitable;
  if (places_.size() <= number) places_.resize(std::max(number + 1, places_.size() * 2), kAbsent);
  places_[number] = static_cast<std::uint32_t>(polled_.size());
  polled_.push_back({fd, 0, 0});
  entries_.push_back({token, interest});
  // So that `wait` allocates nothing. Not in ready_ itself: the loop may be in the middle of it.
  if (std::max(ready_.capacity(), room_.capacity()) < entries_.size()) room_.reserve(entries_.capacity());
  modify(fd, interest, token);
  return {};
}

void PollPoller::modify(int fd, Events interest, std::uint64_t token) noexcept {
  const std::uint32_t place = places_[static_cast<std::size_t>(fd)];
  polled_[place].fd = interest == kNone ? silenced(fd) : fd;
  polled_[place].events = to_poll(interest);
  entries_[place] = {token, interest};
}

void PollPoller::remove(int fd) noexcept {
  const std::uint32_t place = places_[static_cast<std::size_t>(fd)];
  const pollfd& last = polled_.back();
  const int last_fd = last.fd < 0 ? silenced(last.fd) : last.fd;
  polled_[place] = last;
  entries_[place] = entries_.back();
  places_[static_cast<std::size_t>(last_fd)] = place;
  places_[static_cast<std::size_t>(fd)] = kAbsent;
  polled_.pop_back();
  entries_.pop_back();
}

std::span<const ReadyEntry> PollPoller::wait(std::optional<Duration> longest) noexcept {
  if (room_.capacity() > ready_.capacity()) ready_.swap(room_);
  ready_.clear();
  timespec limit{};
  if (longest) limit = to_timespec(*longest);
  int left = ppoll(polled_.data(), polled_.size(), longest ? &limit : nullptr, nullptr);
  for (std::size_t i = 0; left > 0 && i < polled_.size(); ++i) {
    const int mask = polled_[i].revents;
    if (mask == 0) continue;
    --left;
    Events seen = kNone;
    if ((mask & POLLIN) != 0) seen |= kReadable;
    if ((mask & POLLOUT) != 0) seen |= kWritable;
    if ((mask & POLLPRI) != 0) seen |= kPriority;
    if ((mask & (POLLERR | POLLHUP | POLLNVAL)) != 0) seen = with_hangup(seen, entries_[i].interest);
    ready_.push_back({entries_[i].token, seen});
  }
  return ready_;
}

}  // namespace

Result<std::unique_ptr<Poller>> create_poll_poller() {
  return std::unique_ptr<Poller>(std::make_unique<PollPoller>());
}

}  // namespace xsd::reactor
