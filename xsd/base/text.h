// SPDX-License-Identifier: Apache-2.0
//
// Small things done to text: escaping what came from outside, comparing words, finding the nearest known
// word.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xsd {

/// Appends `text` so that no byte of it can end a line, start an escape sequence or be taken for one: `\\`,
/// `\n`, `\r`, `\t` and `\xHH` for controls, DEL, bytes that are not UTF-8, and the C1 and line-separator
/// code points.
void append_escaped(std::string& out, std::string_view text);

/// True if there is nothing in `text` that append_escaped would change, but for backslashes.
bool is_plain(std::string_view text) noexcept;

/// As append_escaped, between single quotes (a single quote inside is escaped), at most `limit` bytes of it,
/// then
/// "...".
std::string quoted(std::string_view text, std::size_t limit = 200);

/// Appends a JSON string with its quotes (RFC 8259); bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// The length of the valid UTF-8 sequence at the start of `text`, 0 if there is none (RFC 3629: no overlong
/// forms, no surrogates).
std::size_t utf8_sequence_length(std::string_view text) noexcept;

/// ASCII only, whatever the locale.
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;
std::string to_lower(std::string_view text);
std::string_view trim(std::string_view text) noexcept;

/// Takes the first line off `text` and gives it without its end; text that does not end a line is one too.
std::string_view next_line(std::string_view& text) noexcept;
/// Takes off the mark that some editors put before UTF-8.
void skip_byte_order_mark(std::string_view& text) noexcept;

/// The word of `known` nearest to `word` by edits of a letter, if it is near enough to be meant; empty if
/// none is.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known) noexcept;

}  // namespace xsd
