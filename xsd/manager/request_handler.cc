// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/request_handler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <sys/socket.h>

#include "xsd/service/program_service.h"

namespace xsd::manager {
namespace {

struct Ends {
  net::SocketAddress remote;
  net::SocketAddress local;
};

/// Nothing if it is no connected stream socket (any more).
std::optional<Ends> ends_of(int socket) noexcept {
  int type = 0;
  socklen_t length = sizeof type;
  if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM)
    return std::nullopt;
  sockaddr_storage peer{};
  length = sizeof peer;
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &length) != 0) return std::nullopt;
  return Ends{net::SocketAddress(reinterpret_cast<const sockaddr*>(&peer), length),
              net::local_address(socket)};
}

/// What a service may be given by `giver`, whose definition allows it: it starts a program for each
/// connection, and what is given by tcpmux it wants to have, now.
bool takes_from(const config::ServiceDefinition& giver, const service::ManagedService* service) noexcept {
  if (service == nullptr) return false;
  const config::ServiceDefinition& taker = service->definition();
  const auto& named = giver.hand_over;
  const bool is_named = std::find(named.begin(), named.end(), taker.id) != named.end();
  return taker.kind == config::ServiceKind::Program && !taker.wait &&
         (is_named || taker.mux != config::MuxKind::None);
}

}  // namespace

RequestHandler::RequestHandler(service::ServiceContext& context, FindService find_service)
    : context_(context), find_service_(std::move(find_service)), programs_(context) {}

int RequestHandler::hand_over(service::ManagedService& service, plugin::HandOver request) {
  service::ManagedService* const target = find_service_(request.service);
  const std::optional<Ends> ends = ends_of(request.socket.get());
  if (!ends || !takes_from(service.definition(), target)) {
    context_.records.refuse(service.definition(),
                            {.service = service.name(),
                             .connection = request.id,
                             .from = ends ? &ends->remote : &request.remote,
                             .to = ends ? &ends->local : &request.local},
                            policy::Reason::Protocol);
    return 0;
  }
  static_cast<service::ProgramService&>(*target).take(std::move(request.socket), request.id, ends->remote,
                                                      ends->local);
  return 0;
}

int RequestHandler::start_program(service::ManagedService& service, plugin::ProgramStart request) {
  programs_.start(service, std::move(request));
  return 0;
}

void RequestHandler::drop_program(service::ManagedService& service, std::uint64_t id) {
  programs_.drop(service, id);
}

}  // namespace xsd::manager
