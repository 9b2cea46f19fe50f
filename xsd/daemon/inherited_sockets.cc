// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/inherited_sockets.h"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "xsd/base/number.h"
#include "xsd/base/unique_fd.h"
#include "xsd/daemon/notifier.h"

namespace xsd::daemon {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START

std::string take_variable(const char* name) {
  const char* const value = std::getenv(name);
  std::string text = value != nullptr ? value : "";
  (void)unsetenv(name);  // fails for malformed names only
  return text;
}

}  // namespace

InheritedSockets InheritedSockets::take() {
  InheritedSockets taken;
  const auto pid = parse_unsigned(take_variable("LISTEN_PID"));
  const auto count = parse_unsigned(take_variable("LISTEN_FDS"));
  const std::string all_names = take_variable("LISTEN_FDNAMES");
  (void)take_variable("LISTEN_PIDFDID");  // of systemd 259: LISTEN_PID says enough
  if (!pid || *pid != static_cast<std::uint64_t>(getpid()) || !count)
    return taken;  // meant for somebody else
  std::string_view names = all_names;
  for (std::uint64_t i = 0; i < *count; ++i) {
    const std::size_t end = names.find(':');
    std::string name(names.substr(0, end));
    names.remove_prefix(end == std::string_view::npos ? names.size() : end + 1);
    const int number = kFirst + static_cast<int>(i);
    if (fcntl(number, F_SETFD, FD_CLOEXEC) != 0) {
      taken.faults.push_back(
          {std::move(name), Error::from_errno(errno, "descriptor " + std::to_string(number))});
      break;  // the count is wrong
    }
    auto socket = net::BoundSocket::inherit(UniqueFd(number));
    if (socket && is_store_name(name)) {
      taken.kept.push_back({std::move(name), std::move(*socket)});
    } else if (socket) {
      taken.of_units.push_back(std::move(*socket));
    } else {
      taken.faults.push_back(
          {std::move(name), std::move(socket.error()).within("descriptor " + std::to_string(number))});
    }
  }
  return taken;
}

}  // namespace xsd::daemon
