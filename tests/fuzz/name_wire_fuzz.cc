// SPDX-License-Identifier: Apache-2.0
//
// What a helper sends about names, in two pieces: what was taken from it is found, and can be sent again and
// is the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/config/name_wire.h"

using namespace xsd::config;

namespace {

NameAnswers questions() {
  NameAnswers answers;
  for (std::uint8_t kind = 0; kind <= static_cast<std::uint8_t>(NameQuestion::Kind::Host); ++kind)
    answers.add({static_cast<NameQuestion::Kind>(kind), "name"});
  return answers;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  NameAnswers answers = questions();
  AnswerReader reader(answers);
  (void)(reader.feed(bytes.substr(0, size / 2)) && reader.feed(bytes.substr(size / 2)));

  std::string again;
  for (std::size_t i = 0; i < answers.questions().size(); ++i) {
    const NameQuestion& question = answers.questions()[i];
    append_answer(again, i, question.kind, answers.find(question));
  }
  NameAnswers same = questions();
  AnswerReader second(same);
  XSD_ASSERT(second.feed(again));
  XSD_ASSERT(second.complete());
  for (const NameQuestion& question : answers.questions()) {
    const NameAnswer& a = answers.find(question);
    const NameAnswer& b = same.find(question);
    XSD_ASSERT(a.state == b.state && a.why == b.why && a.user == b.user && a.groups == b.groups);
    XSD_ASSERT(a.gid == b.gid && a.port == b.port && a.addresses == b.addresses);
  }
  return 0;
}
