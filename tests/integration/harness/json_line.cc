// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/json_line.h"

#include <charconv>
#include <cstdint>

namespace xsd::test {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool at_end() const noexcept { return rest_.empty(); }
  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<std::string> text() {
    if (!take('"')) return std::nullopt;
    std::string value;
    while (!rest_.empty()) {
      const char byte = rest_.front();
      if (static_cast<unsigned char>(byte) < 0x20) return std::nullopt;
      rest_.remove_prefix(1);
      if (byte == '"') return value;
      if (byte != '\\') {
        value += byte;
      } else if (!escape(value)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  std::optional<std::string> value() {
    if (!rest_.empty() && rest_.front() == '"') return text();
    const std::size_t length = rest_.find_first_not_of("0123456789-+.eEtrufalsn");
    if (length == 0 || length == std::string_view::npos) return std::nullopt;
    std::string word(rest_.substr(0, length));
    rest_.remove_prefix(length);
    double number = 0;
    const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), number);
    const bool is_number = failure == std::errc() && end == word.data() + word.size();
    if (!is_number && word != "true" && word != "false" && word != "null") return std::nullopt;
    return word;
  }

 private:
  bool escape(std::string& value) {
    if (rest_.empty()) return false;
    const char kind = rest_.front();
    rest_.remove_prefix(1);
    constexpr std::string_view kKinds = "\"\\/bfnrt";
    constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
    if (const std::size_t at = kKinds.find(kind); at != std::string_view::npos) {
      value += kBytes[at];
      return true;
    }
    if (kind != 'u' || rest_.size() < 4) return false;
    std::uint32_t code = 0;
    const auto [end, failure] = std::from_chars(rest_.data(), rest_.data() + 4, code, 16);
    if (failure != std::errc() || end != rest_.data() + 4) return false;
    rest_.remove_prefix(4);
    if (code < 0x80) {
      value += static_cast<char>(code);
    } else if (code < 0x800) {
      value += {static_cast<char>(0xC0U | (code >> 6U)), static_cast<char>(0x80U | (code & 0x3FU))};
    } else {
      value += {static_cast<char>(0xE0U | (code >> 12U)), static_cast<char>(0x80U | ((code >> 6U) & 0x3FU)),
                static_cast<char>(0x80U | (code & 0x3FU))};
    }
    return true;
  }

  std::string_view rest_;
};

}  // namespace

std::optional<std::map<std::string, std::string>> parse_json_line(std::string_view line) {
  std::map<std::string, std::string> keys;
  Reader reader(line);
  if (!reader.take('{')) return std::nullopt;
  do {
    const auto key = reader.text();
    if (!key || !reader.take(':')) return std::nullopt;
    auto value = reader.value();
    if (!value || !keys.emplace(*key, std::move(*value)).second) return std::nullopt;
  } while (reader.take(','));
  if (!reader.take('}') || !reader.at_end()) return std::nullopt;
  return keys;
}

}  // namespace xsd::test
