// SPDX-License-Identifier: Apache-2.0
#include "xsd/logger/protocol.h"

#include "xsd/base/wire.h"

namespace xsd::logger {
namespace {

constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kLongestBegun = std::size_t{16} * 1024;

}  // namespace

std::string encode(const Message& message) {
  std::string out;
  put_number(out, message.say);
  put_number(out, message.id);
  put_number(out, message.count);
  put_text(out, message.text);
  put_text(out, message.name);
  put_text(out, message.begun);
  return out;
}

std::optional<Message> decode(std::string_view bytes) {
  WireReader reader(bytes);
  Message message;
  message.say = reader.choice(Say::Failed);
  message.id = reader.get<FeedId>();
  message.count = reader.get<std::uint64_t>();
  message.text = reader.text(kLongestText);
  message.name = reader.text(kLongestText);
  message.begun = reader.text(kLongestBegun);
  if (!reader.is_complete()) return std::nullopt;
  return message;
}

}  // namespace xsd::logger
