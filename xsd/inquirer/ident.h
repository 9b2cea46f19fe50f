// SPDX-License-Identifier: Apache-2.0
//
// The user that a connection belongs to, as the client's machine tells it (RFC 1413): a statement of that
// machine and worth no more than it. Blocks for as long as it takes; for a process that may be killed.
#pragma once

#include <string_view>

#include "xsd/inquirer/question.h"

namespace xsd::inquirer {

/// `peer` and `local` are the ends of the connection.
Answer ask_ident(const net::SocketAddress& peer, const net::SocketAddress& local);

/// What a reply without its end of line says: Yes and the user, No for an ERROR; Unknown if it is no reply
/// about these ports.
Answer read_ident_reply(std::string_view reply, std::uint16_t peer_port, std::uint16_t local_port);

}  // namespace xsd::inquirer
