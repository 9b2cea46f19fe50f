// SPDX-License-Identifier: Apache-2.0
//
// epoll(7). A registration costs one ADD and one DEL; the kernel holds the descriptor's number, a table here
// its token and interest.
#include <array>
#include <cerrno>
#include <climits>

#include <sys/epoll.h>

#include "xsd/base/unique_fd.h"
#include "xsd/reactor/pollers.h"

namespace xsd::reactor {
namespace {

// What does not fit into one batch comes with the next: epoll rotates its ready list, so nobody is left out.
constexpr std::size_t kBatch = 256;

std::uint32_t to_epoll(Events interest) noexcept {
  // The kernel reports errors and hang-ups whatever the mask says, and level-triggered that would never end.
  // One-shot is its only way to be silent without losing the registration: at most one such report arrives,
  // and `wait` drops it.
  if (interest == kNone) return EPOLLONESHOT;
  std::uint32_t mask = 0;
  if ((interest & kReadable) != 0) mask |= EPOLLIN;
  if ((interest & kWritable) != 0) mask |= EPOLLOUT;
  if ((interest & kPriority) != 0) mask |= EPOLLPRI;
  return mask;
}

Events from_epoll(std::uint32_t mask, Events interest) noexcept {
  Events seen = kNone;
  if ((mask & EPOLLIN) != 0) seen |= kReadable;
  if ((mask & EPOLLOUT) != 0) seen |= kWritable;
  if ((mask & EPOLLPRI) != 0) seen |= kPriority;
  if ((mask & (EPOLLERR | EPOLLHUP)) != 0) seen = with_hangup(seen, interest);
  return interest == kNone ? kNone : seen;
}

int to_milliseconds(std::optional<Duration> longest) noexcept {
  if (!longest) return -1;
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(*longest).count();
  return static_cast<int>(std::clamp<decltype(rounded)>(rounded, 0, INT_MAX));
}

class EpollPoller final : public Poller {
 public:
  explicit EpollPoller(UniqueFd epoll) noexcept : epoll_(std::move(epoll)) {}

  PollerKind kind() const noexcept override { return PollerKind::Epoll; }
  bool can_hold(int fd) const noexcept override { return fd >= 0; }
  Status add(int fd, Events interest, std::uint64_t token) override;
  void modify(int fd, Events interest, std::uint64_t token) noexcept override;
  void remove(int fd) noexcept override;
  std::span<const ReadyEntry> wait(std::optional<Duration> longest) noexcept override;

 private:
  struct Entry {
    std::uint64_t token = 0;
    Events interest = kNone;
  };

  int wait_for_events(std::optional<Duration> longest) noexcept;

  UniqueFd epoll_;
  std::vector<Entry> entries_;  // by descriptor number
  std::array<epoll_event, kBatch> events_{};
  std::array<ReadyEntry, kBatch> ready_{};
  bool has_pwait2_ = true;
};

Status EpollPoller::add(int fd, Events interest, std::uint64_t token) {
  if (fd < 0) return Error::from_errno(EBADF, "watch");
  const auto index = static_cast<std::size_t>(fd);
  if (entries_.size() <= index) entries_.resize(std::max(index + 1, entries_.size() * 2));
  epoll_event event{};
  event.events = to_epoll(interest);
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return Error::from_errno(errno, "watch");
  entries_[index] = {token, interest};
  return {};
}

void EpollPoller::modify(int fd, Events interest, std::uint64_t token) noexcept {
  entries_[static_cast<std::size_t>(fd)] = {token, interest};
  epoll_event event{};
  event.events = to_epoll(interest);
  event.data.fd = fd;
  // Fails only for a descriptor that is not registered, which the loop never asks for.
  (void)epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EpollPoller::remove(int fd) noexcept {
  // As above; and then there is nothing to remove.
  (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  entries_[static_cast<std::size_t>(fd)] = {};
}

int EpollPoller::wait_for_events(std::optional<Duration> longest) noexcept {
  if (has_pwait2_) {
    timespec limit{};
    if (longest) limit = to_timespec(*longest);
    const int count = epoll_pwait2(epoll_.get(), events_.data(), kBatch, longest ? &limit : nullptr, nullptr);
    // Before Linux 5.11 there is no such call, and a sandbox may not know it.
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    has_pwait2_ = false;
  }
  return epoll_wait(epoll_.get(), events_.data(), kBatch, to_milliseconds(longest));
}

std::span<const ReadyEntry> EpollPoller::wait(std::optional<Duration> longest) noexcept {
  const int count = wait_for_events(longest);
  std::size_t filled = 0;
  for (std::size_t i = 0; count > 0 && i < static_cast<std::size_t>(count); ++i) {
    const Entry& entry = entries_[static_cast<std::size_t>(events_[i].data.fd)];
    const Events seen = from_epoll(events_[i].events, entry.interest);
    if (seen != kNone) ready_[filled++] = {entry.token, seen};
  }
  return {ready_.data(), filled};
}

}  // namespace

Result<std::unique_ptr<Poller>> create_epoll_poller() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return Error::from_errno(errno, "epoll_create1");
  return std::unique_ptr<Poller>(std::make_unique<EpollPoller>(raise_fd(std::move(epoll))));
}

}  // namespace xsd::reactor
