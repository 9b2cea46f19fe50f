// SPDX-License-Identifier: Apache-2.0
//
// The grammar of `server_args`: the one for the decoder, for the plan's check and for the expansion at each
// start.
//
//   %{NAME}   is replaced; NAME is remote_addr, remote_port, server_port or service
//   %%{       is a literal %{
//   %         anything else is itself
//
// Read from left to right, once: what was put in is not looked at again.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace xsd::config {

enum class Placeholder : std::uint8_t { RemoteAddress, RemotePort, ServerPort, Service };

/// Indexed by Placeholder.
inline constexpr std::array<std::string_view, 4> kPlaceholderNames{"remote_addr", "remote_port",
                                                                   "server_port", "service"};

struct ArgumentPiece {
  enum class Kind : std::uint8_t {
    End,
    Literal,      ///< `text` stands for itself
    Placeholder,  ///< `placeholder` says which
    Unknown,      ///< `text` is the name between the braces
    Unclosed,     ///< `text` starts at the %{ that no } follows
  };
  Kind kind = Kind::End;
  std::string_view text;
  Placeholder placeholder{};
};

/// Takes the next piece off the front of `rest`.
ArgumentPiece next_piece(std::string_view& rest) noexcept;

}  // namespace xsd::config
