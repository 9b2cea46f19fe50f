// SPDX-License-Identifier: Apache-2.0
//
// The head of an answer, as text. Pure. Values come from us, or from parsers that let no line end through.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "conditions.h"

namespace httpd {

/// Appends the lines of a head to a string.
class AnswerHead {
 public:
  /// The status line and the date, as http_date writes it. The string is emptied and stays the caller's.
  AnswerHead(std::string& out, unsigned status, std::string_view phrase, std::string_view date);

  void field(std::string_view name, std::string_view value);
  void number(std::string_view name, std::uint64_t value);
  /// "bytes FIRST-LAST/SIZE", or for an unsatisfiable range "bytes */SIZE".
  void content_range(const Selection& selection, std::uint64_t size);
  /// Whether the connection goes on, which is only said where it is not what the version makes of it.
  void connection(bool keep_alive, unsigned minor);
  void end() { out_ += "\r\n"; }

 private:
  void digits(std::uint64_t value);

  std::string& out_;
};

/// "404 Not Found\n": what an answer without a file says to people.
std::string status_text(unsigned status);

}  // namespace httpd
