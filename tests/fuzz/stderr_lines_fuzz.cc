// SPDX-License-Identifier: Apache-2.0
//
// What a program writes to its standard error: plain lines of the log, none longer than a line of it may
// become, which do not depend on how much of it another process had read before.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsd/base/assert.h"
#include "xsd/base/clock.h"
#include "xsd/base/log.h"
#include "xsd/base/log_channel.h"
#include "xsd/base/text.h"
#include "xsd/logger/pipe_reader.h"
#include "xsd/reactor/event_loop.h"

using namespace xsd;

namespace {

constexpr std::string_view kBegin = "echo: stderr: ";
constexpr std::size_t kLongest = 4 * std::size_t{1024};
constexpr std::int64_t kFlood = 900;  // lines; of more at the end some may be cut off
constexpr int kMany = 1000;

/// The log of this process, where we see it.
class Log {
 public:
  Log() {
    int fds[2];
    XSD_ASSERT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    receiving_.reset(fds[0]);
    log::open_channel(UniqueFd(fds[1]), {.target = log::TargetKind::Syslog});
  }
  /// All that was logged since the last call.
  std::string take() {
    std::string all;
    const auto add = [&](std::string_view outlet, pid_t /*sender*/, log::Level level,
                         std::string_view lines) {
      XSD_ASSERT(outlet.empty() && level == log::Level::Info);
      all += lines;
    };
    bool is_empty = false;
    while (!is_empty) {
      is_empty = log::flush_backlog();
      XSD_ASSERT(receiver_.receive(receiving_.get(), kMany, add) == log::LineReceiver::State::Empty);
    }
    XSD_ASSERT(receiver_.take_bad() == 0);
    return all;
  }

 private:
  UniqueFd receiving_;
  log::LineReceiver receiver_;
};

/// The first `begun` bytes were read by somebody else; the others come after `turns` of the loop, or at the
/// end.
std::string lines_of(std::string_view bytes, std::size_t begun, bool turns) {
  static Log log;
  static const SystemClock kClock;
  static const auto kLoop = reactor::EventLoop::create(reactor::PollerKind::Poll, kClock).value();
  int fds[2];
  XSD_ASSERT(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
  const UniqueFd reading(fds[0]);
  UniqueFd writing(fds[1]);
  auto reader =
      logger::PipeReader::create(*kLoop, "echo", reading.get(), std::string(bytes.substr(0, begun))).value();
  if (turns) (void)kLoop->run_once(Duration::zero());
  const std::string_view rest = bytes.substr(begun);
  XSD_ASSERT(write(writing.get(), rest.data(), rest.size()) == static_cast<ssize_t>(rest.size()));
  if (turns) (void)kLoop->run_once(Duration::zero());
  writing.reset();
  reader->finish();
  return log.take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (std::count(bytes.begin(), bytes.end(), '\n') > kFlood) return 0;
  const std::string all = lines_of(bytes, 0, false);
  XSD_ASSERT(lines_of(bytes, bytes.size(), false) == all);
  XSD_ASSERT(lines_of(bytes, bytes.size() / 2, true) == all);
  std::string_view rest = all;
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    XSD_ASSERT(line.starts_with(kBegin) && line.size() <= kBegin.size() + kLongest);
  }
  return 0;
}
