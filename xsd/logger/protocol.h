// SPDX-License-Identifier: Apache-2.0
//
// What the master says to the logger by their channel (process/channel.h), and what the logger answers. One
// message has at most one descriptor, and of a Message what belongs to what it says:
//
//   - Target: text (log::describe_target), id, count, and the target's descriptor if it has one: for all but
//     the first `count` messages of the pair `id`
//   - AddOutlet: name, text (log::describe_outlet), and its descriptor; also in place of one that is there
//   - RemoveOutlet: name
//   - AddLines: id, and the receiving end of a pair (base/log_channel.h)
//   - AddPipe: id, name of the service, begun, and the reading end of a pipe; `begun` was read already
//   - Remove: id; what is still there is logged first
//   - Ready: the logger writes
//   - FullOutlet: the logger asks for a new file for `name`
//   - Failed: text; the logger cannot, and ends
//
// The end of the channel tells the logger to write what is there and to end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xsd::logger {

enum class Say : std::uint8_t {
  Target,
  AddOutlet,
  RemoveOutlet,
  AddLines,
  AddPipe,
  Remove,
  Ready,
  FullOutlet,
  Failed,
};

using FeedId = std::uint32_t;

struct Message {
  Say say = Say::Ready;
  FeedId id = 0;
  std::uint64_t count = 0;
  std::string text{};   ///< description, or why it failed
  std::string name{};   ///< of the service, or of the outlet
  std::string begun{};  ///< a line that is not whole yet
};

std::string encode(const Message& message);
/// Nothing if the bytes make no sense.
std::optional<Message> decode(std::string_view bytes);

}  // namespace xsd::logger
