// SPDX-License-Identifier: Apache-2.0
//
// The environment of a program (RFC 3875 4.1): texts NAME=value. Pure. Fields of the request become HTTP_*,
// except those that would tell a program what is not its business or fool it: Authorization, Proxy (which
// becomes the variable HTTP_PROXY that many libraries obey), what concerns the connection, and names that
// have anything but letters, digits and '-' in them, since two of them could become one variable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "request_parser.h"
#include "uri.h"

namespace httpd {

struct CgiRequest {
  const Request* request = nullptr;
  const Target* target = nullptr;
  std::string_view script_name;
  std::string_view root;  ///< for PATH_TRANSLATED
  std::string_view remote_address;
  std::string_view local_address;
  std::uint16_t local_port = 0;
  std::uint64_t body_length = 0;  ///< without codings; only told if there is a body
};

std::vector<std::string> cgi_environment(const CgiRequest& request);

}  // namespace httpd
