// SPDX-License-Identifier: Apache-2.0
#include "xsd/inquirer/question.h"

#include <algorithm>

#include "xsd/base/wire.h"
#include "xsd/net/address_wire.h"

namespace xsd::inquirer {

Duration limit_of(Question::Kind kind) noexcept {
  return kind == Question::Kind::Names ? std::chrono::seconds(3) : std::chrono::seconds(5);
}

std::string encode(std::uint64_t number, const Question& question) {
  std::string out;
  put_number(out, number);
  put_number(out, question.kind);
  net::put_address(out, question.peer);
  net::put_address(out, question.local);
  put_text(out, question.daemon);
  return out;
}

std::optional<NumberedQuestion> decode_question(std::string_view message) {
  WireReader reader(message);
  NumberedQuestion read;
  read.number = reader.get<std::uint64_t>();
  read.question.kind = reader.choice(Question::Kind::Ident);
  read.question.peer = net::get_address(reader);
  read.question.local = net::get_address(reader);
  read.question.daemon = reader.text(kLongestText);
  if (!reader.is_complete()) return std::nullopt;
  return read;
}

std::string encode(std::uint64_t number, const Answer& answer) {
  std::string out;
  put_number(out, number);
  put_number(out, answer.state);
  const std::size_t count = std::min(answer.texts.size(), kMostTexts);
  put_number(out, static_cast<std::uint32_t>(count));
  for (std::size_t i = 0; i < count; ++i)
    put_text(out, std::string_view(answer.texts[i]).substr(0, kLongestText));
  return out;
}

std::optional<NumberedAnswer> decode_answer(std::string_view message) {
  WireReader reader(message);
  NumberedAnswer read;
  read.number = reader.get<std::uint64_t>();
  read.answer.state = reader.choice(Answer::State::Yes);
  const std::size_t count = reader.count(sizeof(std::uint32_t));
  if (count > kMostTexts) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i)
    read.answer.texts.emplace_back(reader.text(kLongestText));
  if (!reader.is_complete()) return std::nullopt;
  return read;
}

}  // namespace xsd::inquirer
