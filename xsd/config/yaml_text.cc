// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/yaml_text.h"

#include <algorithm>

#include "xsd/base/text.h"

namespace xsd::config {
namespace {

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t';
}

bool begins_character(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

/// Why the character at the start of `text` may not stand in a file; empty if it may. Sets `length` to its
/// bytes.
std::string fault_of_character(std::string_view text, std::size_t& length) {
  constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(text.front());
  const auto hex = [&](unsigned char b) { return std::string{kHex[b >> 4U], kHex[b & 15U]}; };
  length = utf8_sequence_length(text);
  if (length == 0) return "byte 0x" + hex(byte) + " is not UTF-8";
  if (byte == '\r' && char_at(text, 1) != '\n') return "a carriage return without a line feed";
  if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F) {
    return "control character U+00" + hex(byte) + " is not allowed";
  }
  if (byte == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0) {
    return "control character U+00" + hex(static_cast<unsigned char>(text[1])) + " is not allowed";
  }
  if (text.starts_with("\xEF\xBB\xBF")) return "a byte order mark is allowed at the start of the file only";
  return {};
}

}  // namespace

std::uint32_t characters(std::string_view text) noexcept {
  return static_cast<std::uint32_t>(std::count_if(text.begin(), text.end(), begins_character));
}

Position PositionFinder::at(std::size_t offset) noexcept {
  offset = std::min(offset, text_.size());
  if (offset < offset_) {
    const std::string_view passed = text_.substr(offset, offset_ - offset);
    const auto lines = static_cast<std::uint32_t>(std::count(passed.begin(), passed.end(), '\n'));
    if (lines == 0) {
      where_.column -= characters(passed);
    } else {
      const std::size_t begin = line_begin(text_, offset);
      where_.line -= lines;
      where_.column = 1 + characters(text_.substr(begin, offset - begin));
    }
  } else {
    for (std::size_t i = offset_; i < offset; ++i) {
      if (text_[i] == '\n') {
        ++where_.line;
        where_.column = 1;
      } else if (begins_character(text_[i])) {
        ++where_.column;
      }
    }
  }
  offset_ = offset;
  return where_;
}

std::optional<Fault> check_bytes(std::string_view text) {
  PositionFinder finder(text);
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return Fault{finder.at(0), "this is UTF-16; save it as UTF-8"};
  }
  std::size_t lines = 0;
  for (std::size_t i = 0, length = 1; i < text.size(); i += length) {
    const char c = text[i];
    length = 1;
    if (c == '\n' && ++lines >= kMaxLines)
      return Fault{finder.at(i), "more than " + std::to_string(kMaxLines) + " lines"};
    if (c == '%' && (i == 0 || text[i - 1] == '\n')) {
      return Fault{finder.at(i), "'%' cannot begin a line: YAML directives are not allowed"};
    }
    if ((c >= ' ' && c <= '~') || c == '\n' || c == '\t') continue;
    if (std::string fault = fault_of_character(text.substr(i), length); !fault.empty()) {
      return Fault{finder.at(i), std::move(fault)};
    }
  }
  return std::nullopt;
}

bool has_forbidden_character(std::string_view text) {
  for (std::size_t length = 1; !text.empty(); text.remove_prefix(length)) {
    length = 1;
    if (text.front() != '\r' && !fault_of_character(text, length).empty()) return true;
  }
  return false;
}

char char_at(std::string_view text, std::size_t offset) noexcept {
  return offset < text.size() ? text[offset] : '\n';
}

std::size_t line_begin(std::string_view text, std::size_t offset) noexcept {
  const std::size_t end = text.substr(0, offset).rfind('\n');
  return end == std::string_view::npos ? 0 : end + 1;
}

std::string_view line_around(std::string_view text, std::size_t offset) noexcept {
  const std::size_t begin = line_begin(text, offset);
  return text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
}

std::string_view null_word_at(std::string_view text, std::size_t offset, bool is_value) noexcept {
  constexpr std::string_view kWords[] = {"~", "null", "Null", "NULL"};
  const std::string_view rest = text.substr(offset);
  for (const std::string_view word : kWords) {
    if (!rest.starts_with(word)) continue;
    std::size_t after = word.size();
    while (is_blank(char_at(rest, after)))
      ++after;
    const char next = char_at(rest, after);
    const bool is_comment = next == '#' && after > word.size();
    const bool ends = is_comment || std::string_view("\r\n,]}").find(next) != std::string_view::npos;
    if (!ends && (is_value || next != ':')) return {};
    return rest.substr(0, word.size());
  }
  return {};
}

std::size_t find_closing_quote(std::string_view text, std::size_t open) noexcept {
  const char quote = text[open];
  for (std::size_t i = open + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || char_at(text, i + 1) != quote) return i;
      ++i;
    }
  }
  return text.size();
}

bool is_closed_in_line(std::string_view text, std::size_t offset) noexcept {
  std::size_t open = 0;
  for (; char_at(text, offset) != '\n'; ++offset) {
    const char c = text[offset];
    if (c == '[' || c == '{') ++open;
    if ((c == ']' || c == '}') && --open == 0) return true;
  }
  return false;
}

bool has_bare_brackets(std::string_view line) noexcept {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' || line[i] == '\'') {
      i = find_closing_quote(line, i);
    } else if (line[i] == '[') {
      if (line.substr(0, i).ends_with("://")) return true;
      const std::string_view inside = line.substr(i + 1, line.find_first_of("],[ ", i + 1) - i - 1);
      const bool is_closed = char_at(line, i + 1 + inside.size()) == ']';
      if (is_closed && std::count(inside.begin(), inside.end(), ':') >= 2) return true;
    }
  }
  return false;
}

}  // namespace xsd::config
