// SPDX-License-Identifier: Apache-2.0
//
// Words of HTTP that several files need: characters, lists, dates, phrases. Pure; nothing here fails but
// parse_http_date, which says nullopt to what is no date.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace httpd {

/// One field of a head. The views are valid as long as the parser that made them is left alone.
struct Field {
  std::string_view name;
  std::string_view value;
};

// Sets of characters, to be asked with is_in.
inline constexpr std::uint8_t kToken = 1;   ///< RFC 9110 5.6.2
inline constexpr std::uint8_t kTarget = 2;  ///< visible ASCII; the fragment mark is never sent
inline constexpr std::uint8_t kValue = 4;   ///< RFC 9110 5.5, blanks included
inline constexpr std::uint8_t kPlain = 8;   ///< in a path as it is: pchar of RFC 3986 without '%', and '/'

namespace detail {

constexpr std::array<std::uint8_t, 256> make_characters() {
  std::array<std::uint8_t, 256> set{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (word) set[c] |= kToken | kPlain;
    if (c > ' ' && c < 0x7f && c != '#') set[c] |= kTarget;
    if (c == '\t' || (c >= ' ' && c != 0x7f)) set[c] |= kValue;
  }
  for (const char c : std::string_view("!#$%&'*+-.^_`|~"))
    set[static_cast<unsigned char>(c)] |= kToken;
  for (const char c : std::string_view("-._~!$&'()*+,;=:@/"))
    set[static_cast<unsigned char>(c)] |= kPlain;
  return set;
}

inline constexpr std::array<std::uint8_t, 256> kCharacters = make_characters();

}  // namespace detail

constexpr bool is_in(std::uint8_t set, char c) noexcept {
  return (detail::kCharacters[static_cast<unsigned char>(c)] & set) != 0;
}
/// How many characters at the front of the text are in the set.
constexpr std::size_t run_of(std::uint8_t set, std::string_view text) noexcept {
  std::size_t count = 0;
  while (count < text.size() && is_in(set, text[count]))
    ++count;
  return count;
}

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
/// The value of a hexadecimal digit; -1 if it is none.
constexpr int hex_digit(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Equal but for the case of ASCII letters.
bool same_word(std::string_view a, std::string_view b) noexcept;
/// Without blanks and tabs at both ends.
std::string_view trimmed(std::string_view text) noexcept;
/// Takes the next element off a comma-separated list; empty elements are passed over. False at the end.
bool next_element(std::string_view& list, std::string_view& element) noexcept;
/// Decimal digits and nothing else; what does not fit is the largest number.
std::optional<std::uint64_t> parse_digits(std::string_view text) noexcept;

/// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(std::int64_t seconds);
/// The three forms of RFC 9110 5.6.7. `now` is for the years of two digits.
std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now) noexcept;

/// "Not Found"; "Unknown" for a status that is not used here.
std::string_view phrase_of(unsigned status) noexcept;

}  // namespace httpd
