// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/argument_piece.h"

#include <algorithm>
#include <utility>

namespace xsd::config {

ArgumentPiece next_piece(std::string_view& rest) noexcept {
  ArgumentPiece piece;
  if (rest.empty()) return piece;
  if (rest.starts_with("%%{")) {
    piece.kind = ArgumentPiece::Kind::Literal;
    piece.text = rest.substr(1, 2);
    rest.remove_prefix(3);
    return piece;
  }
  if (rest.starts_with("%{")) {
    const auto close = rest.find('}');
    if (close == std::string_view::npos) {
      piece.kind = ArgumentPiece::Kind::Unclosed;
      piece.text = std::exchange(rest, {});
      return piece;
    }
    piece.text = rest.substr(2, close - 2);
    rest.remove_prefix(close + 1);
    const auto* const known = std::find(kPlaceholderNames.begin(), kPlaceholderNames.end(), piece.text);
    piece.kind =
        known == kPlaceholderNames.end() ? ArgumentPiece::Kind::Unknown : ArgumentPiece::Kind::Placeholder;
    if (known != kPlaceholderNames.end()) {
      piece.placeholder = static_cast<Placeholder>(known - kPlaceholderNames.begin());
    }
    return piece;
  }
  // Up to the next percent sign; the one in front, if there is one, is itself.
  const auto percent = rest.find('%', 1);
  piece.kind = ArgumentPiece::Kind::Literal;
  piece.text = rest.substr(0, percent);
  rest.remove_prefix(piece.text.size());
  return piece;
}

}  // namespace xsd::config
