// SPDX-License-Identifier: Apache-2.0
#include "xsd/reactor/poller.h"

#include <array>
#include <cerrno>

#include <sys/stat.h>

#include "xsd/reactor/pollers.h"

namespace xsd::reactor {
namespace {

constexpr std::array kKinds = {PollerKind::Epoll, PollerKind::Poll, PollerKind::Select};

}  // namespace

std::string_view poller_name(PollerKind kind) noexcept {
  switch (kind) {
    case PollerKind::Epoll:
      return "epoll";
    case PollerKind::Poll:
      return "poll";
    case PollerKind::Select:
      return "select";
  }
  return "unknown";
}

std::optional<PollerKind> parse_poller(std::string_view name) noexcept {
  for (const PollerKind kind : kKinds) {
    if (poller_name(kind) == name) return kind;
  }
  return std::nullopt;
}

Result<std::unique_ptr<Poller>> Poller::create(PollerKind kind) {
  switch (kind) {
    case PollerKind::Poll:
      return create_poll_poller();
    case PollerKind::Select:
      return create_select_poller();
    case PollerKind::Epoll:
      break;
  }
  return create_epoll_poller();
}

Status check_waitable(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return Error::from_errno(errno, "watch");
  if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) return Error::from_errno(EPERM, "watch");
  return {};
}

}  // namespace xsd::reactor
