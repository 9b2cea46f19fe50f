// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/notifier.h"

#include <cstdlib>

#include <sys/socket.h>

#include "xsd/base/log.h"
#include "xsd/base/unique_fd.h"
#include "xsd/net/address.h"

namespace xsd::daemon {

Notifier::Notifier() {
  if (const char* const path = std::getenv("NOTIFY_SOCKET"); path != nullptr) path_ = path;
}

void Notifier::ready(std::string_view status) {
  send("READY=1\nSTATUS=" + std::string(status) + "\n");
}

void Notifier::reloading(MonotonicTime now) {
  const auto microseconds =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds) + "\n");
}

void Notifier::stopping() {
  send("STOPPING=1\n");
}

void Notifier::send(std::string_view message) {
  if (path_.empty()) return;
  const auto address = net::SocketAddress::unix_path(path_);
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!address || !fd ||
      sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL, address->raw(), address->raw_length()) <
          0) {
    log::debug("notify {}: {}", path_, errno_text(errno));
  }
}

}  // namespace xsd::daemon
