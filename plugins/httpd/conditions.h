// SPDX-License-Identifier: Apache-2.0
//
// What a request wants of a file that exists: conditions (RFC 9110 13) and ranges (14). Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "request_parser.h"

namespace httpd {

/// What the server knows of the file.
struct Validators {
  std::uint64_t size = 0;
  std::int64_t modified = 0;  ///< seconds, as Last-Modified says it
  std::string_view etag;      ///< strong, quotes included
};

struct Selection {
  enum class Outcome : std::uint8_t { Whole, Part, NotModified, PreconditionFailed, Unsatisfiable };
  Outcome outcome = Outcome::Whole;
  std::uint64_t first = 0;
  std::uint64_t length = 0;  ///< of what is sent: the file for Whole
};

/// `now` in seconds. More than one range is answered with the whole (RFC 9110 14.2 allows to ignore Range).
Selection select(const Request& request, const Validators& file, std::int64_t now) noexcept;

}  // namespace httpd
