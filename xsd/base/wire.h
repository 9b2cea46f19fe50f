// SPDX-License-Identifier: Apache-2.0
//
// Numbers and texts one after the other, as two processes of this program exchange them. Both ends are the
// same binary on one machine, so numbers travel as they are in memory. What is read may come from a process
// that is not trusted: a reader that meets too few bytes, or a text that is too long, has failed from then on
// and gives zeros and empty texts; who reads asks once, at the end.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace xsd {

template <class Number>
void put_number(std::string& out, Number number) {
  static_assert(std::is_arithmetic_v<Number> || std::is_enum_v<Number>);
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  out.append(bytes, sizeof bytes);
}

/// With its length before it.
inline void put_text(std::string& out, std::string_view text) {
  put_number(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

class WireReader {
 public:
  /// Borrowed, and so is all that is taken from them.
  explicit WireReader(std::string_view bytes) noexcept : bytes_(bytes) {}

  template <class Number>
  Number get() noexcept {
    static_assert(std::is_arithmetic_v<Number>);
    Number number{};
    const std::string_view bytes = take(sizeof number);
    if (!failed_) std::memcpy(&number, bytes.data(), sizeof number);
    return number;
  }
  /// What was a boolean when it was put: anything but 0 and 1 is a failure.
  bool flag() noexcept {
    const auto value = get<std::uint8_t>();
    if (value > 1) failed_ = true;
    return value == 1;
  }
  /// An enumerator; those above `last` are a failure.
  template <class Enum>
  Enum choice(Enum last) noexcept {
    using Number = std::underlying_type_t<Enum>;
    const auto value = get<Number>();
    if (value > static_cast<Number>(last)) failed_ = true;
    return failed_ ? Enum{} : static_cast<Enum>(value);
  }
  /// At most `longest` bytes.
  std::string_view text(std::size_t longest) noexcept {
    const auto length = get<std::uint32_t>();
    if (length > longest) failed_ = true;
    return take(length);
  }
  /// How many of something follow, each of at least `smallest` bytes.
  std::size_t count(std::size_t smallest) noexcept {
    const auto number = get<std::uint32_t>();
    if (number > bytes_.size() / smallest) failed_ = true;
    return failed_ ? 0 : number;
  }
  std::string_view take(std::size_t size) noexcept {
    failed_ = failed_ || size > bytes_.size();
    if (failed_) return {};
    const std::string_view front = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return front;
  }

  std::size_t left() const noexcept { return bytes_.size(); }
  bool failed() const noexcept { return failed_; }
  void fail() noexcept { failed_ = true; }
  /// Everything was there and nothing is left.
  bool is_complete() const noexcept { return !failed_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

}  // namespace xsd
