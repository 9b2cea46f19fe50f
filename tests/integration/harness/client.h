// SPDX-License-Identifier: Apache-2.0
//
// Clients: TCP (or unix stream) connections and UDP peers of a test. Nothing here blocks for longer than its
// deadline, and nothing throws for what a server does: a test looks at what came.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/integration/harness/eventually.h"

namespace xsd::test {

struct ClientOptions {
  std::string host = "127.0.0.1";  ///< or "::1"
  std::string source{};            ///< address to connect from, e.g. 127.0.0.2
  int receive_buffer = 0;          ///< SO_RCVBUF, before connecting
  Milliseconds deadline = kDeadline;
};

/// How the other side ended the connection, as far as we have read.
enum class Ending : std::uint8_t { Open, Closed, Reset };

class Client {
 public:
  /// Connects; connected() tells whether that worked, error() why not (errno).
  explicit Client(std::uint16_t port, const ClientOptions& options = {});
  static Client to_unix_socket(const std::string& path);
  ~Client();
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;

  bool connected() const noexcept { return fd_ >= 0; }
  int error() const noexcept { return error_; }
  int fd() const noexcept { return fd_; }
  std::uint16_t local_port() const;

  /// True if all was sent.
  bool send(std::string_view data, Milliseconds deadline = kDeadline);
  /// `size` bytes, or less at the deadline or the end.
  std::string receive(std::size_t size, Milliseconds deadline = kDeadline);
  /// A line without its end (\n or \r\n); what there is at the deadline or the end.
  std::string receive_line(Milliseconds deadline = kDeadline);
  std::string receive_until_eof(Milliseconds deadline = kDeadline);
  /// Waits for the end, throwing away what comes; Ending::Open at the deadline.
  Ending wait_end(Milliseconds deadline = kDeadline);
  Ending ending() const noexcept { return ending_; }

  /// No more from us; reading goes on.
  void half_close();
  void close();
  /// Closes with a reset.
  void reset();

 private:
  Client() = default;
  /// One read; false at the end or the deadline.
  bool fill(SteadyTime end);

  int fd_ = -1;
  int error_ = 0;
  Ending ending_ = Ending::Open;
  std::string pending_;  ///< received, not asked for yet
};

class UdpClient {
 public:
  explicit UdpClient(std::uint16_t port, const ClientOptions& options = {});
  ~UdpClient();
  UdpClient(const UdpClient&) = delete;
  UdpClient& operator=(const UdpClient&) = delete;

  bool send(std::string_view payload);
  std::optional<std::string> receive(Milliseconds deadline = kDeadline);

 private:
  int fd_ = -1;
};

/// Connects, sends a text of its own, and gets it back.
bool echoes(std::uint16_t port, const ClientOptions& options = {});
/// The same over a connection that is there.
bool echoes(Client& client, std::string_view text = "still here\n");
bool udp_echoes(std::uint16_t port, Milliseconds deadline = kDeadline);
/// Connects, half-closes and reads to the end: for daytime and for programs that print something.
std::string ask(std::uint16_t port, std::string_view request = "", const ClientOptions& options = {});
/// Nobody listens there.
bool is_refused(std::uint16_t port, const ClientOptions& options = {});

}  // namespace xsd::test
