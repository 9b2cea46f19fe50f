// SPDX-License-Identifier: Apache-2.0
//
// What YamlReader asks of the bare text, beside and before the YAML library: which bytes may not stand there
// at all, where an offset is, and what was probably meant where the library gave up. Nothing here keeps the
// text or can fail; offsets count bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "xsd/config/definitions.h"

namespace xsd::config {

// The library needs up to 250 ns for a line end inside a scalar, four times as much as for another byte.
inline constexpr std::size_t kMaxLines = 70000;

struct Fault {
  Position where;
  std::string message;
};

/// How many characters of UTF-8 begin in `text`: what columns count.
std::uint32_t characters(std::string_view text) noexcept;

/// Offsets to positions; columns count characters. It walks from the last answer: those asked for are near
/// each other.
class PositionFinder {
 public:
  explicit PositionFinder(std::string_view text) noexcept : text_(text) {}
  Position at(std::size_t offset) noexcept;

 private:
  std::string_view text_;
  std::size_t offset_ = 0;
  Position where_{1, 1};
};

/// Everything that can be told from the bytes alone: UTF-8 without controls, not too many lines, no
/// directives. The first fault only, since a binary file has thousands.
std::optional<Fault> check_bytes(std::string_view text);

/// True if a decoded scalar holds what the file itself may not: escapes can write anything.
bool has_forbidden_character(std::string_view text);

/// The byte at `offset`; a line feed behind the end.
char char_at(std::string_view text, std::size_t offset) noexcept;
/// The offset of the line's first byte, and the line without its end.
std::size_t line_begin(std::string_view text, std::size_t offset) noexcept;
std::string_view line_around(std::string_view text, std::size_t offset) noexcept;

/// The word for nothing (`~`, `null`) that stands at `offset`, empty if there is none. A `value` is not what
/// a colon follows: that is the next key.
std::string_view null_word_at(std::string_view text, std::size_t offset, bool is_value) noexcept;

/// The offset of the quote that ends what the one at `open` begins; the end of the text if none does.
std::size_t find_closing_quote(std::string_view text, std::size_t open) noexcept;

/// True if the bracket at `offset` is closed in its line.
bool is_closed_in_line(std::string_view text, std::size_t offset) noexcept;

/// True if an IPv6 address in brackets stands in `line` without quotes: YAML takes it for a list.
bool has_bare_brackets(std::string_view line) noexcept;

}  // namespace xsd::config
