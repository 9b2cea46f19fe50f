// SPDX-License-Identifier: Apache-2.0
//
// ChildVectors: argv and envp of one start, made from the plan and the connection. Owned by the Spawner and
// used for all of its starts, so that nothing is allocated once the buffers have grown. Private to the layer.
//
// What the plan already has as a string is pointed to, the rest is written to the arena; the arena may move
// while it grows, so its strings are noted as offsets and become pointers at the end. Everything pointed to
// is valid until the next build() and as long as the plan.
//
// Variables of a connection (a plan never has these names, is_connection_variable()):
//   REMOTE_HOST REMOTE_ADDR      the peer's address, numeric (names are not looked up);
//                                a unix peer's path with controls escaped, absent if it has none
//   REMOTE_PORT SERVER_PORT      IP only
//   SERVER_ADDR                  our end's address, or the unix socket's path
//   PROTO                        TCP, UDP or UNIX
//   TCPREMOTEIP TCPREMOTEPORT TCPLOCALIP TCPLOCALPORT   TCP only
//   XSD_SERVICE XSD_CONNECTION
//   LISTEN_FDS LISTEN_PID LISTEN_FDNAMES   listening only; then nothing about a peer
// Where there is no connection (a plugin has asked for the program) XSD_SERVICE is the only one, and the plan
// may have others of these names.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/net/address.h"

namespace xsd::process {

struct ExecPlan;
struct SpawnRequest;

/// True for the names above.
bool is_connection_variable(std::string_view name) noexcept;

class ChildVectors {
 public:
  void build(const ExecPlan& plan, const SpawnRequest& request);

  char* const* argv() const noexcept { return pointers_.data(); }
  char* const* envp() const noexcept { return pointers_.data() + environment_; }
  /// Where the child writes its pid (room for 20 digits and a NUL), nullptr if not listening.
  char* listen_pid() noexcept { return listen_pid_ == 0 ? nullptr : arena_.data() + listen_pid_; }

 private:
  struct AddressText {
    std::string host;
    std::string port;
    void set(const net::SocketAddress& address);
  };
  struct Fixup {
    std::size_t pointer;
    std::size_t offset;
  };

  void borrow(const std::string& text) { pointers_.push_back(const_cast<char*>(text.c_str())); }
  void begin_owned();
  void end_owned() { arena_ += '\0'; }
  void add_argument(const ExecPlan& plan, const std::string& text);
  void add_variable(std::string_view name, std::string_view value);
  void add_connection(const ExecPlan& plan, const SpawnRequest& request);

  std::vector<char*> pointers_;  // argv, nullptr, envp, nullptr
  std::vector<Fixup> fixups_;    // which of them point into the arena
  std::string arena_;
  std::size_t environment_ = 0;
  std::size_t listen_pid_ = 0;
  AddressText remote_;
  AddressText local_;
};

}  // namespace xsd::process
