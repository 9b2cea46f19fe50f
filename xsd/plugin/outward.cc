// SPDX-License-Identifier: Apache-2.0
//
// The connections of a StreamSet that are no clients: those that a plugin makes to elsewhere, and those to
// its programs.
#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include "xsd/plugin/socket_calls.h"
#include "xsd/plugin/stream_set.h"

namespace xsd::plugin {
namespace {

std::optional<net::SocketAddress> parse_target(std::string_view address, std::uint16_t port) {
  if (port != 0) return net::SocketAddress::parse(address, port);
  if (address.size() < 2 || (address.front() != '/' && address.front() != '@')) return std::nullopt;
  return net::SocketAddress::unix_path(address);
}

/// Names that belong to the daemon, or that would change which code runs.
bool is_own_name(std::string_view name) noexcept {
  return name.empty() || name == "PATH" || name.starts_with("LD_") || name.starts_with("XSD_");
}

/// 0 or a negative errno.
int copy_environment(const char* const* environment, std::size_t count, std::vector<std::string>& copy) {
  if (count > kMaxEnvironment) return -ENOBUFS;
  std::size_t bytes = 0;
  copy.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view text(environment[i]);
    bytes += text.size() + 1;
    if (bytes > kMaxEnvironmentBytes) return -ENOBUFS;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || is_own_name(text.substr(0, equals))) return -EINVAL;
    copy.emplace_back(text);
  }
  return 0;
}

}  // namespace

int StreamSet::connect(const char* address, std::uint16_t port, StreamConnection*& connection) noexcept {
  if (instance_.ending) return -ESHUTDOWN;
  const std::optional<net::SocketAddress> target = parse_target(address, port);
  if (!target) return -EINVAL;
  UniqueFd socket(::socket(target->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return -errno;
  // As those that we accept.
  if (const Status prepared = prepare_stream_listener(socket.get(), *target); !prepared)
    return -prepared.error().number();
  const int on = 1;
  if (instance_.options.keep_alive && target->is_ip() &&
      setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) != 0)
    return -errno;
  int result = 0;
  do {
    result = ::connect(socket.get(), target->raw(), target->raw_length());
  } while (result < 0 && errno == EINTR);
  const int error = result < 0 && errno != EINPROGRESS ? errno : 0;

  StreamConnection& made = add(StreamKind::Outward, std::move(socket), 0, *target, {});
  made.connecting_ = true;
  if (error != 0) {
    made.extras().connect_error = -error;
    made.touch();
  } else if (!made.watch()) {
    --others_;
    live_.erase(made.place_);
    return -ENOSPC;
  }
  connection = &made;
  return 0;
}

int StreamSet::start_program(const char* program, const char* const* environment, std::size_t count,
                             const char* directory, StreamConnection*& connection) noexcept {
  if (instance_.ending) return -ESHUTDOWN;
  if (!instance_.options.on_start_program) return -ENOSYS;
  ProgramStart start;
  if (const int error = copy_environment(environment, count, start.environment); error != 0) return error;
  std::array<int, 2> ends{-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return -errno;
  UniqueFd ours(ends[0]);
  start.socket.reset(ends[1]);
  set_blocking(ours.get(), false);
  start.id = ++last_program_;
  start.program = program;
  if (directory != nullptr) start.directory = directory;

  StreamConnection& made = add(StreamKind::Program, std::move(ours), 0, {}, {});
  made.extras().program_id = start.id;
  programs_[start.id] = &made;
  // Watched first: a program that was started is not given up for want of room.
  int error = made.watch() ? 0 : -ENOSPC;
  if (error == 0) error = instance_.options.on_start_program(std::move(start));
  if (error != 0) {
    programs_.erase(made.extras().program_id);
    std::erase(touched_, &made);
    --others_;
    live_.erase(made.place_);
    return error;
  }
  connection = &made;
  return 0;
}

void StreamSet::program_ended(std::uint64_t id, const ProgramOutcome& outcome) noexcept {
  const auto found = programs_.find(id);
  if (found == programs_.end()) return;
  const Entry entry(*this);
  StreamConnection& connection = *found->second;
  connection.extras().outcome = outcome;
  connection.touch();
}

}  // namespace xsd::plugin
