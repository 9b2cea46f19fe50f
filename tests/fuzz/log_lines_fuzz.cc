// SPDX-License-Identifier: Apache-2.0
//
// What comes to the logger. The input as messages of a worker, each with its length in two bytes before it:
// what is handed over are whole plain lines of a sender and an outlet that there can be, and it is the same
// whether the messages are read together or one by one. The input as a message of the master: what is
// understood reads back to the same.
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <sys/socket.h>

#include "xsd/base/assert.h"
#include "xsd/base/log.h"
#include "xsd/base/log_channel.h"
#include "xsd/base/log_outlet.h"
#include "xsd/base/text.h"
#include "xsd/logger/protocol.h"

using namespace xsd;

namespace {

constexpr std::size_t kMostMessages = 20;

struct Pair {
  Pair() {
    int fds[2];
    XSD_ASSERT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    receiving.reset(fds[0]);
    sending.reset(fds[1]);
  }
  UniqueFd receiving;
  UniqueFd sending;
};

/// How many messages went; an empty one would be taken for the end.
std::size_t send_all(int fd, std::string_view bytes) {
  std::size_t count = 0;
  while (bytes.size() > 2 && count < kMostMessages) {
    const std::size_t wanted =
        static_cast<unsigned char>(bytes[0]) + std::size_t{256} * static_cast<unsigned char>(bytes[1]);
    bytes.remove_prefix(2);
    const std::string_view message = bytes.substr(0, wanted);
    bytes.remove_prefix(message.size());
    if (message.empty()) continue;
    XSD_ASSERT(send(fd, message.data(), message.size(), MSG_DONTWAIT) ==
               static_cast<ssize_t>(message.size()));
    ++count;
  }
  return count;
}

struct Received {
  std::string lines;  ///< each behind whose it is
  std::uint64_t bad = 0;
  bool operator==(const Received&) const = default;
};

Received receive(std::string_view bytes, int most) {
  static const Pair kPair;
  static log::LineReceiver receiver;
  Received received;
  const auto take = [&](std::string_view outlet, pid_t sender, log::Level level, std::string_view lines) {
    XSD_ASSERT(outlet.size() <= log::kMaxOutletName && sender > 0 && level <= log::Level::Debug);
    XSD_ASSERT(lines.ends_with('\n'));
    while (!lines.empty()) {
      const std::string_view line = next_line(lines);
      XSD_ASSERT(is_plain(line));
      const std::string from = std::to_string(sender) + " " + std::string(log::level_name(level)) + " ";
      received.lines.append(outlet).append("|").append(from).append(line).append("\n");
    }
  };
  const std::size_t sent = send_all(kPair.sending.get(), bytes);
  auto state = log::LineReceiver::State::More;
  while (state == log::LineReceiver::State::More)
    state = receiver.receive(kPair.receiving.get(), most, take);
  XSD_ASSERT(state == log::LineReceiver::State::Empty);
  XSD_ASSERT(receiver.take_count() == sent);
  received.bad = receiver.take_bad();
  return received;
}

void check_master(std::string_view bytes) {
  const auto message = logger::decode(bytes);
  if (message) XSD_ASSERT(logger::encode(*message) == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  XSD_ASSERT(receive(bytes, std::numeric_limits<int>::max()) == receive(bytes, 1));
  check_master(bytes);
  return 0;
}
