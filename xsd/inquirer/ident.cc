// SPDX-License-Identifier: Apache-2.0
#include "xsd/inquirer/ident.h"

#include <cerrno>
#include <string>

#include <sys/socket.h>
#include <unistd.h>

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/base/unique_fd.h"

namespace xsd::inquirer {
namespace {

constexpr std::uint16_t kIdentPort = 113;
constexpr std::size_t kLongestReply = 1024;  // RFC 1413 section 5: 1000 characters

/// What stands in front of the next colon, without blanks around it; `rest` is what stands behind.
std::string_view take_field(std::string_view& rest) {
  const auto colon = rest.find(':');
  const std::string_view field = rest.substr(0, colon);
  rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  return trim(field);
}

bool is_port(std::string_view text, std::uint16_t port) {
  return parse_unsigned(trim(text)) == std::optional<std::uint64_t>(port);
}

bool send_all(int fd, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// A line without its end; nothing if there is none of a sensible length.
std::optional<std::string> receive_line(int fd) {
  std::string line;
  while (line.size() < kLongestReply) {
    char buffer[kLongestReply];
    const ssize_t got = read(fd, buffer, kLongestReply - line.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    line.append(buffer, static_cast<std::size_t>(got));
    const auto end = line.find('\n');
    if (end == std::string::npos) continue;
    line.resize(end);
    if (line.ends_with('\r')) line.pop_back();
    return line;
  }
  return std::nullopt;
}

}  // namespace

Answer read_ident_reply(std::string_view reply, std::uint16_t peer_port, std::uint16_t local_port) {
  const std::string_view ports = take_field(reply);
  const auto comma = ports.find(',');
  if (comma == std::string_view::npos || !is_port(ports.substr(0, comma), peer_port) ||
      !is_port(ports.substr(comma + 1), local_port)) {
    return {};
  }
  const std::string_view kind = take_field(reply);
  if (equals_ignoring_case(kind, "ERROR")) return {Answer::State::No, {}};
  if (!equals_ignoring_case(kind, "USERID")) return {};
  (void)take_field(reply);  // its operating system
  // The RFC counts blanks in front of it to the user; no server means that.
  const std::string_view user = trim(reply);
  if (user.empty()) return {};
  return {Answer::State::Yes, {std::string(user.substr(0, kLongestText))}};
}

Answer ask_ident(const net::SocketAddress& peer, const net::SocketAddress& local) {
  const UniqueFd fd(socket(peer.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return {};
  // From the address that the client has reached: by it and the ports the connection is found there.
  net::SocketAddress from = local;
  from.set_port(0);
  net::SocketAddress server = peer;
  server.set_port(kIdentPort);
  if (bind(fd.get(), from.raw(), from.raw_length()) != 0 ||
      connect(fd.get(), server.raw(), server.raw_length()) != 0) {
    return {};
  }
  const std::string query = std::to_string(peer.port()) + " , " + std::to_string(local.port()) + "\r\n";
  if (!send_all(fd.get(), query)) return {};
  const auto reply = receive_line(fd.get());
  return reply ? read_ident_reply(*reply, peer.port(), local.port()) : Answer{};
}

}  // namespace xsd::inquirer
