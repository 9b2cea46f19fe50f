// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/child_vectors.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "xsd/base/text.h"
#include "xsd/config/argument_piece.h"
#include "xsd/process/exec_plan.h"
#include "xsd/process/spawner.h"

namespace xsd::process {
namespace {

using config::ArgumentPiece;
using config::Placeholder;

constexpr std::size_t kPidRoom = 21;

constexpr std::array<std::string_view, 15> kConnectionVariables{
    "REMOTE_HOST", "REMOTE_ADDR",    "REMOTE_PORT",   "SERVER_ADDR", "SERVER_PORT",
    "PROTO",       "TCPREMOTEIP",    "TCPREMOTEPORT", "TCPLOCALIP",  "TCPLOCALPORT",
    "XSD_SERVICE", "XSD_CONNECTION", "LISTEN_FDS",    "LISTEN_PID",  "LISTEN_FDNAMES"};

bool has_zone(const net::SocketAddress& address) noexcept {
  if (address.family() != AF_INET6) return false;
  sockaddr_in6 v6{};
  std::memcpy(&v6, address.raw(), sizeof v6);
  return v6.sin6_scope_id != 0;
}

std::string_view protocol(const SpawnRequest& request) noexcept {
  const auto family = request.local.family() != AF_UNSPEC ? request.local.family() : request.remote.family();
  if (family == AF_UNIX || request.transport == net::Transport::SeqPacket) return "UNIX";
  return request.transport == net::Transport::Datagram ? "UDP" : "TCP";
}

}  // namespace

bool is_connection_variable(std::string_view name) noexcept {
  return std::find(kConnectionVariables.begin(), kConnectionVariables.end(), name) !=
         kConnectionVariables.end();
}

void ChildVectors::AddressText::set(const net::SocketAddress& address) {
  host.clear();
  port.clear();
  if (!address.is_ip()) {
    // A path is bytes that the peer chose.
    if (address.family() == AF_UNIX) append_escaped(host, address.host());
    return;
  }
  char text[64];
  const std::string_view both(text, net::format_address(address, text));
  const auto colon = both.rfind(':');
  port = both.substr(colon + 1);
  if (has_zone(address)) {
    host = address.host();  // link-local only: asks the kernel for the interface's name
  } else if (both.front() == '[') {
    host = both.substr(1, colon - 2);
  } else {
    host = both.substr(0, colon);
  }
}

void ChildVectors::begin_owned() {
  fixups_.push_back({pointers_.size(), arena_.size()});
  pointers_.push_back(nullptr);
}

void ChildVectors::add_argument(const ExecPlan& plan, const std::string& text) {
  if (text.find("%{") == std::string::npos) {
    borrow(text);
    return;
  }
  begin_owned();
  std::string_view rest = text;
  for (ArgumentPiece piece = config::next_piece(rest); piece.kind != ArgumentPiece::Kind::End;
       piece = config::next_piece(rest)) {
    // Unknown and Unclosed do not get past make_exec_plan.
    if (piece.kind != ArgumentPiece::Kind::Placeholder) {
      arena_ += piece.text;
      continue;
    }
    switch (piece.placeholder) {
      case Placeholder::RemoteAddress:
        arena_ += remote_.port.empty() ? std::string_view() : remote_.host;  // numeric or nothing
        break;
      case Placeholder::RemotePort:
        arena_ += remote_.port;
        break;
      case Placeholder::ServerPort:
        arena_ += local_.port;
        break;
      case Placeholder::Service:
        arena_ += plan.service;
        break;
    }
  }
  end_owned();
}

void ChildVectors::add_variable(std::string_view name, std::string_view value) {
  begin_owned();
  arena_ += name;
  arena_ += '=';
  arena_ += value;
  end_owned();
}

void ChildVectors::add_connection(const ExecPlan& plan, const SpawnRequest& request) {
  if (request.unconnected) return add_variable("XSD_SERVICE", plan.service);
  const std::string_view proto = protocol(request);
  const bool tcp = proto == "TCP";
  if (!request.listening) {
    if (!remote_.host.empty()) {
      add_variable("REMOTE_HOST", remote_.host);
      add_variable("REMOTE_ADDR", remote_.host);
    }
    if (!remote_.port.empty()) {
      add_variable("REMOTE_PORT", remote_.port);
      if (tcp) {
        add_variable("TCPREMOTEIP", remote_.host);
        add_variable("TCPREMOTEPORT", remote_.port);
      }
    }
  }
  if (!local_.host.empty()) add_variable("SERVER_ADDR", local_.host);
  if (!local_.port.empty()) {
    add_variable("SERVER_PORT", local_.port);
    if (tcp) {
      add_variable("TCPLOCALIP", local_.host);
      add_variable("TCPLOCALPORT", local_.port);
    }
  }
  add_variable("PROTO", proto);
  add_variable("XSD_SERVICE", plan.service);
  if (!request.connection_id.empty()) add_variable("XSD_CONNECTION", request.connection_id);
  if (request.listening) {
    add_variable("LISTEN_FDS", "1");
    add_variable("LISTEN_FDNAMES", plan.service);
    begin_owned();
    arena_ += "LISTEN_PID=";
    listen_pid_ = arena_.size();
    arena_.append(kPidRoom, '\0');
  }
}

void ChildVectors::build(const ExecPlan& plan, const SpawnRequest& request) {
  pointers_.clear();
  fixups_.clear();
  arena_.clear();
  listen_pid_ = 0;
  remote_.set(request.listening ? net::SocketAddress() : request.remote);
  local_.set(request.local);

  for (const std::string& argument : plan.arguments)
    add_argument(plan, argument);
  if (plan.arguments.empty()) borrow(plan.program);
  pointers_.push_back(nullptr);

  environment_ = pointers_.size();
  for (const std::string& variable : plan.environment)
    borrow(variable);
  add_connection(plan, request);
  pointers_.push_back(nullptr);

  for (const Fixup& fixup : fixups_)
    pointers_[fixup.pointer] = arena_.data() + fixup.offset;
}

}  // namespace xsd::process
