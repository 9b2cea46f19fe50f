// SPDX-License-Identifier: Apache-2.0
//
// Error: why something failed, as a value. It holds an errno-like number (0 where there is none) and a chain
// of context, outermost first: each layer that passes an error up adds the noun it knows, so that the text
// reads
//     cannot start 'ftp': bind [::]:21: Permission denied
// An expected outcome (would block, refused, not found) is not an Error.
#pragma once

#include <string>
#include <string_view>

namespace xsd {

class Error {
 public:
  /// A failure with no errno behind it; `text` is the whole message.
  explicit Error(std::string text) : text_(std::move(text)) {}

  /// A failed system call: text is "WHAT: STRERROR". `number` is a positive errno value.
  static Error from_errno(int number, std::string_view what);

  /// `text` is the whole message, and says more than the number's text would.
  static Error with_number(int number, std::string text);

  /// "NOUN: " in front of what is there already.
  [[nodiscard]] Error within(std::string_view noun) &&;
  [[nodiscard]] Error within(std::string_view noun) const&;

  /// The positive errno value of the innermost failure, 0 if it was none.
  int number() const noexcept { return number_; }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
  int number_ = 0;
};

/// strerror without its static buffer: "Permission denied".
std::string errno_text(int number);

}  // namespace xsd
