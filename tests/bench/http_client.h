// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.1 load: GET of one file, again and again over connections that stay open. The status, the length
// that is announced and every byte of the file are checked. A connection on which something goes wrong is
// counted by its kind and not used again; the heads of answers have a limit and all loops a deadline.
#pragma once

#include <cstdint>
#include <string_view>

#include "client.h"

namespace bench {

struct HttpLoad {
  std::uint16_t port = 0;
  std::string_view path;  // "/file"
  std::string_view body;  // what the file holds; borrowed
  std::uint64_t requests = 0;
  unsigned connections = 16;
  Deadline deadline;
};

/// One request is under way on each connection at any time.
Tally run_http(const HttpLoad& load);

}  // namespace bench
