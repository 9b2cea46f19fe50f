// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/unix_diag.h"

#include "xsd/base/unique_fd.h"

#include <algorithm>
#include <cstring>
#include <span>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace xsd::net {
namespace {

constexpr unsigned kMinorBits = 20;  // of a device number inside the kernel

bool ask(int fd, std::uint32_t inode, std::uint32_t what) noexcept {
  struct {
    nlmsghdr header{};
    unix_diag_req question{};
  } request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.question.sdiag_family = AF_UNIX;
  request.question.udiag_states = ~0U;
  request.question.udiag_ino = inode;
  request.question.udiag_show = what;
  request.question.udiag_cookie[0] = ~0U;  // whatever it is
  request.question.udiag_cookie[1] = ~0U;
  return send(fd, &request, sizeof request, 0) == static_cast<ssize_t>(sizeof request);
}

/// Asks about a socket, and gives `read` what the answer says of the one thing. nullopt if nothing.
template <class Read>
auto find_out(int about, std::uint32_t what, unsigned short attribute, Read read)
    -> std::optional<decltype(read(std::span<const char>()))> {
  struct stat info {};
  if (fstat(about, &info) != 0) return std::nullopt;
  const UniqueFd fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd || !ask(fd.get(), static_cast<std::uint32_t>(info.st_ino), what)) return std::nullopt;
  // The kernel answers while it is asked, in one message of a page at most.
  alignas(nlmsghdr) char buffer[8192];
  const ssize_t size = recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  const auto* const message = reinterpret_cast<const nlmsghdr*>(buffer);
  if (size <= 0 || !NLMSG_OK(message, static_cast<unsigned>(size)) ||
      message->nlmsg_type != SOCK_DIAG_BY_FAMILY || message->nlmsg_len < NLMSG_LENGTH(sizeof(unix_diag_msg)))
    return std::nullopt;
  const auto* const entry = static_cast<const unix_diag_msg*>(NLMSG_DATA(message));
  auto left = message->nlmsg_len - static_cast<unsigned>(NLMSG_LENGTH(sizeof(unix_diag_msg)));
  for (const auto* part = reinterpret_cast<const rtattr*>(entry + 1); RTA_OK(part, left);
       part = RTA_NEXT(part, left)) {
    if (part->rta_type == attribute)
      return read(std::span(static_cast<const char*>(RTA_DATA(part)), RTA_PAYLOAD(part)));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::vector<std::uint32_t>> queued_unix_clients(int listener) {
  return find_out(listener, UDIAG_SHOW_ICONS, UNIX_DIAG_ICONS, [](std::span<const char> bytes) {
    std::vector<std::uint32_t> inodes(bytes.size() / sizeof(std::uint32_t));
    if (!inodes.empty()) std::memcpy(inodes.data(), bytes.data(), inodes.size() * sizeof(std::uint32_t));
    return inodes;
  });
}

std::optional<BoundFile> bound_file(int socket) {
  return find_out(socket, UDIAG_SHOW_VFS, UNIX_DIAG_VFS, [](std::span<const char> bytes) {
    unix_diag_vfs file{};
    std::memcpy(&file, bytes.data(), std::min(bytes.size(), sizeof file));
    return BoundFile{makedev(file.udiag_vfs_dev >> kMinorBits, file.udiag_vfs_dev & ((1U << kMinorBits) - 1)),
                     file.udiag_vfs_ino};
  });
}

}  // namespace xsd::net
