// SPDX-License-Identifier: Apache-2.0
//
// parse_syslog: takes one syslog record apart, whichever of the two formats it has. Pure; the result borrows
// from the bytes it was given, and nothing fails: what is no record is `malformed`, all of it its message.
//
//   RFC 5424   <PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MESSAGE]
//              "-" is an empty field. A record that begins so and does not go on so is malformed.
//   RFC 3164   <PRI>Mmm dd hh:mm:ss HOSTNAME TAG[PID]: MESSAGE, as it is found in the wild: the time may be
//              that of RFC 3339 or missing, HOSTNAME is missing in what syslog(3) writes, TAG may be missing.
//              A word counts as TAG only if ':' and a space end it, and as HOSTNAME only behind a time.
//
// The time in a record is its sender's claim and is left out. LF, CR and NUL at the end belong to how the
// record was sent, not to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace logd {

struct SyslogRecord {
  bool malformed = false;
  std::uint8_t facility = 0;  // 0 to 23
  std::uint8_t severity = 0;  // 0 to 7
  // Empty where the record has none.
  std::string_view host;
  std::string_view app;
  std::string_view process;
  std::string_view message_id;
  std::string_view structured_data;  // with its brackets
  std::string_view message;
};

SyslogRecord parse_syslog(std::string_view bytes) noexcept;

/// The length of an RFC 3339 date and time at the start of `text`; 0: there is none.
std::size_t rfc3339_length(std::string_view text) noexcept;

}  // namespace logd
