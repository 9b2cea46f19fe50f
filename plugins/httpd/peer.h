// SPDX-License-Identifier: Apache-2.0
//
// Peer: what stands behind a connection of the host, a client or a program. It is the connection's `data`,
// and belongs to it: it is destroyed after on_close.
#pragma once

#include <cstdint>
#include <string_view>

namespace httpd {

class Peer {
 public:
  Peer() = default;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  virtual ~Peer() = default;

  virtual void on_data(std::string_view bytes) = 0;
  virtual void on_end() = 0;
  virtual void on_writable() = 0;
  virtual void on_program(int error, int exit_status, int signal) = 0;
  virtual void on_close() = 0;
};

}  // namespace httpd
