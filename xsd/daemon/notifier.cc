// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/notifier.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

#include "xsd/base/log.h"
#include "xsd/base/number.h"
#include "xsd/base/unique_fd.h"
#include "xsd/net/address.h"

namespace xsd::daemon {
namespace {

constexpr std::string_view kPrefix = "xsd-";
constexpr std::size_t kLongestName = 255;  // fdname_is_valid of systemd
constexpr int kPatience = 1000;            // ms; the manager reads as fast as it can

}  // namespace

std::string store_name(const net::Endpoint& endpoint) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string name(kPrefix);
  for (const char c : endpoint.to_string()) {
    if (c > ' ' && c < '\x7f' && c != ':' && c != '+') {
      name += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      name += {'+', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return name.size() <= kLongestName ? name : std::string();
}

bool is_store_name(std::string_view name) noexcept {
  return name.starts_with(kPrefix);
}

Notifier::Notifier() {
  if (const char* const path = std::getenv("NOTIFY_SOCKET"); path != nullptr) path_ = path;
  if (const char* const size = std::getenv("FDSTORE"); size != nullptr)
    store_size_ = parse_unsigned(size).value_or(0);
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

void Notifier::keep(const net::BoundSocket& socket) {
  if (!keeps_sockets()) return;
  const std::string name = store_name(socket.endpoint());
  if (name.empty()) return;
  if (!send("FDSTORE=1\nFDNAME=" + name + "\n", socket.fd()))
    log::warning("{} is not kept over a restart: {}", socket.endpoint().to_string(), errno_text(errno));
}

void Notifier::forget(std::string_view store_name) {
  if (!keeps_sockets() || store_name.empty()) return;
  if (!send("FDSTOREREMOVE=1\nFDNAME=" + std::string(store_name) + "\n"))
    log::warning("the service manager was not told that {} is closed, and may keep the port open: {}",
                 store_name, errno_text(errno));
}

bool Notifier::send(std::string_view message, int fd) {
  if (path_.empty()) return true;
  const auto address = net::SocketAddress::unix_path(path_);
  const UniqueFd out(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!address || !out) return false;
  if (connect(out.get(), address->raw(), address->raw_length()) != 0) {
    log::debug("notify {}: {}", path_, errno_text(errno));
    return false;
  }
  iovec text{const_cast<char*>(message.data()), message.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr header{};
  header.msg_iov = &text;
  header.msg_iovlen = 1;
  if (fd >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  // Its queue holds a few of these, and a start has one for each socket.
  while (sendmsg(out.get(), &header, MSG_NOSIGNAL) < 0) {
    pollfd writable{out.get(), POLLOUT, 0};
    if (errno != EAGAIN || poll(&writable, 1, kPatience) <= 0) {
      const int error = errno;
      log::debug("notify {}: {}", path_, errno_text(error));
      errno = error;
      return false;
    }
  }
  return true;
}

}  // namespace xsd::daemon
