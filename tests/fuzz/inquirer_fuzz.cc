// SPDX-License-Identifier: Apache-2.0
//
// What a client's machine says by ident, and the messages of master and inquirer: what is understood reads
// back to the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/inquirer/ident.h"
#include "xsd/inquirer/question.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace xsd::inquirer;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Answer user = read_ident_reply(text, 40122, 23);
  XSD_ASSERT((user.state == Answer::State::Yes) == (user.texts.size() == 1));
  for (const std::string& one : user.texts)
    XSD_ASSERT(!one.empty() && one.size() <= kLongestText);
  if (const auto answer = decode_answer(text)) XSD_ASSERT(encode(answer->number, answer->answer) == text);
  if (const auto question = decode_question(text)) {
    const std::string once = encode(question->number, question->question);
    const auto again = decode_question(once);
    XSD_ASSERT(again && again->question.peer == question->question.peer);
    XSD_ASSERT(again->question.local == question->question.local);
    XSD_ASSERT(encode(again->number, again->question) == once);
  }
  return 0;
}
