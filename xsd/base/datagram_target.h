// SPDX-License-Identifier: Apache-2.0
//
// DatagramTarget: the log as datagrams, one a line, to the local syslog socket (syslog(3), RFC 3164 form), to
// the journal (its native protocol), or to a host (RFC 5424 by UDP, RFC 5426); facility daemon, but for
// `syslog_as`. The socket is not connected: a receiver that was restarted is found again by its name. What it
// does not take at once is dropped and counted; what a network loses nobody knows.
#pragma once

#include <string>

#include "xsd/base/log_target.h"

namespace xsd::log {

class DatagramTarget final : public LogTarget {
 public:
  enum class Form : std::uint8_t { Syslog, Journal, Udp };
  /// RFC 5426, 3.2: what a receiver should take. A longer one is cut.
  static constexpr std::size_t kMaxUdp = 2048;
  static constexpr std::size_t kMaxJournal = std::size_t{64} * 1024;

  static Result<std::unique_ptr<LogTarget>> syslog(const std::string& path = "/dev/log");
  /// All lines with that facility and level (LOG_AUTHPRIV and LOG_INFO, for example).
  static Result<std::unique_ptr<LogTarget>> syslog_as(int facility, int level,
                                                      const std::string& path = "/dev/log");
  static Result<std::unique_ptr<LogTarget>> journal(const std::string& path = "/run/systemd/journal/socket");
  /// `address`: the bytes of a sockaddr of IPv4 or IPv6.
  static Result<std::unique_ptr<LogTarget>> udp(const std::string& address);
  static Result<std::unique_ptr<LogTarget>> restore(WireReader& parts, UniqueFd fd);

  void write_from(pid_t sender, Level level, std::string_view lines) noexcept override;
  void put_parts(std::string& out) const override;
  int descriptor() const noexcept override { return fd_.get(); }

 private:
  DatagramTarget(Form form, UniqueFd fd, std::string address, std::string host);
  static Result<std::unique_ptr<DatagramTarget>> open_unix(Form form, const std::string& path);
  void begin(pid_t sender, Level level, std::string& out) const;

  static constexpr int kOfLine = -1;

  Form form_;
  UniqueFd fd_;
  std::string address_;  ///< the bytes of a sockaddr
  std::string host_;     ///< this machine's name, of Udp
  std::string datagram_;
  int facility_;         ///< LOG_DAEMON and the like
  int level_ = kOfLine;  ///< LOG_INFO and the like, whatever the level of the line
};

}  // namespace xsd::log
