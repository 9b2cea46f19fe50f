// SPDX-License-Identifier: Apache-2.0
//
// What the master asks the inquirer about one client, and what comes back, as values and as messages of their
// Channel (process/channel.h). Each message is one question or one answer; they belong together by a number
// that the master gives. A message that makes no sense is the end of who has sent it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/base/clock.h"
#include "xsd/net/address.h"

namespace xsd::inquirer {

struct Question {
  enum class Kind : std::uint8_t {
    Names,    ///< the names of `peer` that lead back to it
    Libwrap,  ///< whether hosts.allow and hosts.deny let it in; the connection's socket may go with it
    Ident,    ///< whose the connection from `peer` to `local` is, by RFC 1413
  };
  Kind kind = Kind::Names;
  net::SocketAddress peer;
  net::SocketAddress local{};  ///< unspecified: not known
  std::string daemon{};        ///< of Libwrap: the name in its files
};
inline constexpr std::size_t kQuestionKinds = 3;

struct Answer {
  enum class State : std::uint8_t {
    Unknown,  ///< it could not be found out, or not in time
    No,       ///< there is none; it may not
    Yes,
  };
  State state = State::Unknown;
  std::vector<std::string> texts{};  ///< of Yes: Names: one or more, Ident: the user
  friend bool operator==(const Answer&, const Answer&) = default;
};

inline constexpr std::size_t kMostTexts = 16;
inline constexpr std::size_t kLongestText = 512;

/// Time for an answer from the moment that the master asks; after that it is Unknown.
Duration limit_of(Question::Kind kind) noexcept;

struct NumberedQuestion {
  std::uint64_t number = 0;
  Question question;
};
std::string encode(std::uint64_t number, const Question& question);
std::optional<NumberedQuestion> decode_question(std::string_view message);

struct NumberedAnswer {
  std::uint64_t number = 0;
  Answer answer;
};
std::string encode(std::uint64_t number, const Answer& answer);
std::optional<NumberedAnswer> decode_answer(std::string_view message);

}  // namespace xsd::inquirer
