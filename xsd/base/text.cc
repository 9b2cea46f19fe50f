// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace xsd {
namespace {

constexpr char kHex[] = "0123456789abcdef";

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

void append_hex(std::string& out, unsigned char byte) {
  out += "\\x";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

// Code points that are valid UTF-8 and yet break a line or steer a terminal: C1 controls (U+0080-9F) and the
// separators and directional marks of U+2028-202E, U+2066-2069.
bool is_unsafe_sequence(std::string_view sequence) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 2) return byte(0) == 0xC2 && byte(1) < 0xA0;
  if (sequence.size() == 3 && byte(0) == 0xE2) {
    if (byte(1) == 0x80) return byte(2) >= 0xA8 && byte(2) <= 0xAE;
    if (byte(1) == 0x81) return byte(2) >= 0xA6 && byte(2) <= 0xA9;
  }
  return false;
}

/// The length of what it begins with in printable ASCII, looked at eight bytes at a time and counted in
/// those.
std::size_t printable_words(std::string_view text) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  std::size_t length = 0;
  for (; length + sizeof(std::uint64_t) <= text.size(); length += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + length, sizeof word);
    // A byte's highest bit is set by itself, by what is below a space, or by DEL. What a byte borrows from
    // its neighbour matters only where that one is refused as well.
    if (((word | (word - 0x20 * kOnes) | (word + kOnes)) & (0x80 * kOnes)) != 0) break;
  }
  return length;
}

}  // namespace

std::size_t utf8_sequence_length(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    std::size_t length = utf8_sequence_length(text);
    if (byte == '\\') {
      out += "\\\\";
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\r') {
      out += "\\r";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F || length == 0) {
      append_hex(out, byte);
      length = 1;
    } else if (is_unsafe_sequence(text.substr(0, length))) {
      for (std::size_t i = 0; i < length; ++i)
        append_hex(out, static_cast<unsigned char>(text[i]));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
}

bool is_plain(std::string_view text) noexcept {
  while (!text.empty()) {
    text.remove_prefix(printable_words(text));
    if (text.empty()) break;
    const auto byte = static_cast<unsigned char>(text.front());
    const std::size_t length = byte < 0x80 ? 1 : utf8_sequence_length(text);
    if (byte < 0x20 || byte == 0x7F || length == 0 || is_unsafe_sequence(text.substr(0, length)))
      return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string quoted(std::string_view text, std::size_t limit) {
  const bool cut = text.size() > limit;
  if (cut) text = text.substr(0, limit);
  std::string out = "'";
  for (std::size_t quote; (quote = text.find('\'')) != std::string_view::npos;
       text.remove_prefix(quote + 1)) {
    append_escaped(out, text.substr(0, quote));
    out += "\\'";
  }
  append_escaped(out, text);
  out += cut ? "...'" : "'";
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    std::size_t length = utf8_sequence_length(text);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += static_cast<char>(byte);
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\r') {
      out += "\\r";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else if (length == 0) {
      out += "\xEF\xBF\xBD";
      length = 1;
    } else if (is_unsafe_sequence(text.substr(0, length))) {
      const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
      const unsigned point = length == 2
                                 ? ((at(0) & 0x1FU) << 6U) | (at(1) & 0x3FU)
                                 : ((at(0) & 0x0FU) << 12U) | ((at(1) & 0x3FU) << 6U) | (at(2) & 0x3FU);
      out += "\\u";
      for (int shift = 12; shift >= 0; shift -= 4)
        out += kHex[(point >> static_cast<unsigned>(shift)) & 15U];
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  out += '"';
}

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    c = lower(c);
  return out;
}

std::string_view next_line(std::string_view& text) noexcept {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

void skip_byte_order_mark(std::string_view& text) noexcept {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
}

std::string_view trim(std::string_view text) noexcept {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known) noexcept {
  constexpr std::size_t kLongest = 40;
  if (word.empty() || word.size() > kLongest) return {};
  std::string_view best;
  std::size_t best_distance = word.size() <= 3 ? 1 : word.size() <= 7 ? 2 : 3;
  ++best_distance;
  for (const std::string_view candidate : known) {
    if (candidate.size() > kLongest) continue;
    const std::size_t longer = std::max(word.size(), candidate.size());
    if (2 * longer - word.size() - candidate.size() >= best_distance) continue;  // each letter more costs one
    // Damerau-Levenshtein over three rows: two neighbouring letters swapped count once, as fingers do it.
    std::uint8_t rows[3][kLongest + 1] = {};
    std::uint8_t *before = rows[0], *previous = rows[1], *current = rows[2];
    for (std::size_t j = 0; j <= candidate.size(); ++j)
      previous[j] = static_cast<std::uint8_t>(j);
    for (std::size_t i = 1; i <= word.size(); ++i) {
      current[0] = static_cast<std::uint8_t>(i);
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const bool same = lower(word[i - 1]) == lower(candidate[j - 1]);
        int cost = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (same ? 0 : 1)});
        if (i > 1 && j > 1 && lower(word[i - 1]) == lower(candidate[j - 2]) &&
            lower(word[i - 2]) == lower(candidate[j - 1])) {
          cost = std::min(cost, before[j - 2] + 1);
        }
        current[j] = static_cast<std::uint8_t>(cost);
      }
      std::uint8_t* const oldest = before;
      before = previous;
      previous = current;
      current = oldest;
    }
    if (previous[candidate.size()] < best_distance) {
      best_distance = previous[candidate.size()];
      best = candidate;
    }
  }
  return best;
}

}  // namespace xsd
