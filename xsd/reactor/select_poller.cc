// SPDX-License-Identifier: Apache-2.0
//
// select(2). Its sets hold numbers below 1024 only, and it calls a hang-up readable and an error writable; so
// the descriptors that it names are asked once more, by a poll(2) that does not wait, which of the two it
// was.
#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/select.h>

#include "xsd/reactor/pollers.h"

namespace xsd::reactor {
namespace {

class SelectPoller final : public Poller {
 public:
  SelectPoller() noexcept {
    FD_ZERO(&readable_);
    FD_ZERO(&writable_);
    FD_ZERO(&priority_);
  }

  PollerKind kind() const noexcept override { return PollerKind::Select; }
  bool can_hold(int fd) const noexcept override { return fd >= 0 && fd < FD_SETSIZE; }
  Status add(int fd, Events interest, std::uint64_t token) override;
  void modify(int fd, Events interest, std::uint64_t token) noexcept override;
  void remove(int fd) noexcept override;
  std::span<const ReadyEntry> wait(std::optional<Duration> longest) noexcept override;

 private:
  struct Entry {
    std::uint64_t token = 0;
    Events interest = kNone;
    bool present = false;
  };

  Entry& entry(int fd) noexcept { return entries_[static_cast<std::size_t>(fd)]; }
  void find_hangups(std::size_t count) noexcept;

  fd_set readable_;
  fd_set writable_;
  fd_set priority_;
  int end_ = 0;  // one more than the highest number that is present
  std::array<Entry, FD_SETSIZE> entries_{};
  std::array<pollfd, FD_SETSIZE> asked_{};
  std::array<ReadyEntry, FD_SETSIZE> ready_{};
};

Status SelectPoller::add(int fd, Events interest, std::uint64_t token) {
  if (fd < 0) return Error::from_errno(EBADF, "watch");
  if (!can_hold(fd)) {
    return Error::from_errno(EINVAL, "watch: select holds no descriptor from 1024 on");
  }
  if (entry(fd).present) return Error::from_errno(EEXIST, "watch");
  if (Status waitable = check_waitable(fd); !waitable) return waitable;
  modify(fd, interest, token);
  end_ = std::max(end_, fd + 1);
  return {};
}

void SelectPoller::modify(int fd, Events interest, std::uint64_t token) noexcept {
  FD_CLR(fd, &readable_);
  FD_CLR(fd, &writable_);
  FD_CLR(fd, &priority_);
  if ((interest & kReadable) != 0) FD_SET(fd, &readable_);
  if ((interest & kWritable) != 0) FD_SET(fd, &writable_);
  if ((interest & kPriority) != 0) FD_SET(fd, &priority_);
  entry(fd) = {token, interest, true};
}

void SelectPoller::remove(int fd) noexcept {
  modify(fd, kNone, 0);
  entry(fd).present = false;
  while (end_ > 0 && !entry(end_ - 1).present)
    --end_;
}

std::span<const ReadyEntry> SelectPoller::wait(std::optional<Duration> longest) noexcept {
  fd_set readable = readable_;
  fd_set writable = writable_;
  fd_set priority = priority_;
  timespec limit{};
  if (longest) limit = to_timespec(*longest);
  const int bits = pselect(end_, &readable, &writable, &priority, longest ? &limit : nullptr, nullptr);
  std::size_t filled = 0;
  for (int fd = 0; bits > 0 && fd < end_; ++fd) {
    Events seen = kNone;
    if (FD_ISSET(fd, &readable)) seen |= kReadable;
    if (FD_ISSET(fd, &writable)) seen |= kWritable;
    if (FD_ISSET(fd, &priority)) seen |= kPriority;
    if (seen == kNone) continue;
    asked_[filled] = {fd, 0, 0};
    ready_[filled++] = {entry(fd).token, seen};
  }
  if (filled > 0) find_hangups(filled);
  return {ready_.data(), filled};
}

void SelectPoller::find_hangups(std::size_t count) noexcept {
  // With no events asked for, poll reports errors and hang-ups alone. If it fails, the handler still learns
  // by reading or writing.
  if (::poll(asked_.data(), count, 0) <= 0) return;
  for (std::size_t i = 0; i < count; ++i) {
    if (asked_[i].revents == 0) continue;
    ready_[i].events = with_hangup(ready_[i].events, entry(asked_[i].fd).interest);
  }
}

}  // namespace

Result<std::unique_ptr<Poller>> create_select_poller() {
  return std::unique_ptr<Poller>(std::make_unique<SelectPoller>());
}

}  // namespace xsd::reactor
