// SPDX-License-Identifier: Apache-2.0
//
// What a client's machine says by ident, and the messages of master and inquirer: what is understood reads
// back to the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "xsd/inquirer/ident.h"
#include "xsd/inquirer/question.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xsd::inquirer;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Answer user = read_ident_reply(text, 40122, 23);
  if ((user.state == Answer::State::Yes) != (user.texts.size() == 1)) std::abort();
  for (const std::string& one : user.texts)
    if (one.empty() || one.size() > kLongestText) std::abort();
  if (const auto answer = decode_answer(text)) {
    const auto again = decode_answer(encode(answer->number, answer->answer));
    if (!again || !(again->answer == answer->answer)) std::abort();
  }
  if (const auto question = decode_question(text)) {
    const auto again = decode_question(encode(question->number, question->question));
    if (!again || !(again->question.peer == question->question.peer)) std::abort();
  }
  return 0;
}
