// SPDX-License-Identifier: Apache-2.0
//
// One scalar by each grammar that has no target of its own: numbers, durations, sizes, where `redirect` leads
// to, and the pieces of an argument. What is accepted can be written and reads back to the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/base/number.h"
#include "xsd/config/argument_piece.h"
#include "xsd/config/redirect_target.h"

using namespace xsd;

namespace {

void check_numbers(std::string_view text) {
  const auto number = parse_unsigned(text);
  if (number) XSD_ASSERT(std::to_string(*number) == text && is_digits(text));
  if (const auto with_sign = parse_signed(text))
    XSD_ASSERT(std::to_string(*with_sign) == text || (text == "-0" && *with_sign == 0));
  if (const auto mode = parse_octal(text)) XSD_ASSERT(*mode <= 07777 && is_digits(text));
  if (const auto duration = parse_duration(text)) {
    XSD_ASSERT(*duration >= Duration::zero() && *duration <= kLongestDuration && !number);
    XSD_ASSERT(parse_duration(format_duration(*duration)) == duration);
  }
  const auto size = parse_size(text);
  if (size) XSD_ASSERT(parse_size(format_size(*size)) == size);
  XSD_ASSERT(!number || size == number);
}

void check_target(std::string_view text) {
  const auto target = config::parse_redirect_target(text);
  if (!target) {
    XSD_ASSERT(!target.error().text().empty());
    XSD_ASSERT(target.error().text().find('\n') == std::string::npos);
    return;
  }
  const auto again = config::parse_redirect_target(to_string(*target));
  XSD_ASSERT(again.has_value());
  XSD_ASSERT(*again == *target);
}

void check_argument(std::string_view text) {
  using Kind = config::ArgumentPiece::Kind;
  std::string again;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t before = rest.size();
    const config::ArgumentPiece piece = config::next_piece(rest);
    XSD_ASSERT(rest.size() < before && piece.kind != Kind::End);
    const bool is_name = piece.kind == Kind::Unknown || piece.kind == Kind::Placeholder;
    if (piece.kind == Kind::Literal && piece.text == "%{") again += '%';
    again += is_name ? "%{" + std::string(piece.text) + "}" : std::string(piece.text);
    XSD_ASSERT(piece.kind != Kind::Placeholder ||
               config::kPlaceholderNames[static_cast<std::size_t>(piece.placeholder)] == piece.text);
  }
  XSD_ASSERT(again == text);
  XSD_ASSERT(config::next_piece(rest).kind == Kind::End);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_numbers(text);
  check_target(text);
  check_argument(text);
  return 0;
}
