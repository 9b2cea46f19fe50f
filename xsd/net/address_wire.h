// SPDX-License-Identifier: Apache-2.0
//
// Addresses on their way between two processes of this program (base/wire.h).
#pragma once

#include <string>

#include "xsd/base/wire.h"
#include "xsd/net/address.h"
#include "xsd/net/endpoint.h"

namespace xsd::net {

void put_address(std::string& out, const SocketAddress& address);
/// Unspecified if it was so there, or if the reader has failed; an address that cannot be one is a failure.
SocketAddress get_address(WireReader& reader);

void put_endpoint(std::string& out, const Endpoint& endpoint);
Endpoint get_endpoint(WireReader& reader);

}  // namespace xsd::net
