// SPDX-License-Identifier: Apache-2.0
#include "xsd/logger/logger.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include "xsd/base/log.h"
#include "xsd/base/log_channel.h"
#include "xsd/logger/pipe_reader.h"
#include "xsd/logger/protocol.h"
#include "xsd/process/channel.h"
#include "xsd/process/role.h"
#include "xsd/process/sandbox.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::logger {
namespace {

constexpr Duration kBacklogRetry = std::chrono::milliseconds(100);
// After a first message others follow; to be woken for each of them would cost more than to write it. Nobody
// waits for a line.
constexpr Duration kCollecting = std::chrono::milliseconds(5);
constexpr Duration kTellOfBad = std::chrono::seconds(1);
constexpr int kMessagesATurn = 64;
// More than a socket holds, and an end for one whose sender goes on and on.
constexpr int kMessagesAtEnd = 4096;

/// The receiving end of a pair.
struct Source {
  Source(reactor::EventLoop& loop, UniqueFd end, std::function<void()> on_pause)
      : fd(std::move(end)), pause(loop, std::move(on_pause)) {}

  UniqueFd fd;
  bool came = false;  ///< something, when it was read last
  std::uint64_t received = 0;
  reactor::Timer pause;
  reactor::Watch watch;
};

/// Lines for an outlet that is not known: the message that brings it may wait in the channel.
struct Stray {
  std::string outlet;
  pid_t sender;
  log::Level level;
  std::string lines;
};

/// The reading end of a pipe.
struct Pipe {
  UniqueFd fd;
  std::unique_ptr<PipeReader> reader;
};

class Logger {
 public:
  explicit Logger(reactor::EventLoop& loop)
      : loop_(loop),
        retry_(loop,
               [this] {
                 if (!log::flush_backlog()) retry_.arm(kBacklogRetry);
               }),
        tell_of_bad_(loop, [this] { log::add_dropped(std::exchange(bad_, 0), EBADMSG); }),
        settle_(loop, [this] {
          channel_->receive_rest();
          write_strays();
        }) {
    log::on_backlog([this] { retry_.arm(kBacklogRetry); });
    log::on_full_outlet(
        [this](const std::string& name) { channel_->send(encode({.say = Say::FullOutlet, .name = name})); });
  }
  ~Logger() {
    log::on_backlog(nullptr);
    log::on_full_outlet(nullptr);
  }
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  int run(UniqueFd channel);

 private:
  using Sources = std::unordered_map<FeedId, std::unique_ptr<Source>>;

  void on_message(std::string_view bytes, std::vector<UniqueFd> fds);
  void set_target(const Message& message, UniqueFd fd);
  void add_outlet(const Message& message, UniqueFd fd);
  void take(std::string_view outlet, pid_t sender, log::Level level, std::string_view lines);
  /// To their outlet, if it is known by now; else to the log. `only`: those of that outlet.
  void write_strays(std::string_view only = {});
  void add_source(FeedId id, UniqueFd fd);
  void add_pipe(Message message, UniqueFd fd);
  void remove(FeedId id);
  void on_ready(FeedId id);
  log::LineReceiver::State receive(Source& source, int most);
  void give_up(const std::string& why);

  reactor::EventLoop& loop_;
  log::LineReceiver receiver_;  ///< of all sources, one after the other
  std::uint64_t bad_ = 0;
  Sources sources_;
  std::unordered_map<FeedId, Pipe> pipes_;
  reactor::Timer retry_;
  reactor::Timer tell_of_bad_;
  std::vector<Stray> strays_;
  reactor::Timer settle_;
  bool is_ready_ = false;
  int status_ = 0;
  std::unique_ptr<process::Channel> channel_;
};

int Logger::run(UniqueFd channel) {
  auto made = process::Channel::create(
      loop_, std::move(channel),
      {.on_message = [this](std::string_view bytes,
                            std::vector<UniqueFd> fds) { on_message(bytes, std::move(fds)); },
       .on_end = [this](const std::string&) { loop_.stop(); }});
  if (!made) {
    log::error("logger: {}", made.error().text());
    return 1;
  }
  channel_ = std::move(*made);
  loop_.run();
  for (auto& [id, source] : sources_)
    (void)receive(*source, kMessagesAtEnd);
  write_strays();
  for (auto& [id, pipe] : pipes_)
    pipe.reader->finish();
  log::add_dropped(bad_, EBADMSG);
  log::flush();
  (void)log::flush_backlog();
  return status_;
}

void Logger::on_message(std::string_view bytes, std::vector<UniqueFd> fds) {
  auto message = decode(bytes);
  if (!message || fds.size() > 1) return give_up("a message of the master makes no sense");
  UniqueFd fd = fds.empty() ? UniqueFd() : raise_fd(std::move(fds.front()));
  switch (message->say) {
    case Say::Target:
      return set_target(*message, std::move(fd));
    case Say::AddOutlet:
      return add_outlet(*message, std::move(fd));
    case Say::RemoveOutlet:
      return log::close_outlet(message->name);
    case Say::AddLines:
      return add_source(message->id, std::move(fd));
    case Say::AddPipe:
      return add_pipe(std::move(*message), std::move(fd));
    case Say::Remove:
      return remove(message->id);
    case Say::Ready:
    case Say::FullOutlet:
    case Say::Failed:
      break;
  }
  give_up("a message of the master makes no sense");
}

void Logger::set_target(const Message& message, UniqueFd fd) {
  // What the master had sent before goes where it was meant to go.
  if (const auto own = sources_.find(message.id); own != sources_.end()) {
    Source& source = *own->second;
    while (source.received < message.count &&
           receive(source, static_cast<int>(
                               std::min<std::uint64_t>(message.count - source.received, kMessagesATurn))) ==
               log::LineReceiver::State::More) {
    }
  }
  if (Status status = log::adopt(message.text, std::move(fd)); !status) return give_up(status.error().text());
  if (std::exchange(is_ready_, true)) return;
  channel_->send(encode({.say = Say::Ready}));
}

void Logger::add_outlet(const Message& message, UniqueFd fd) {
  if (Status status = log::adopt_outlet(message.name, message.text, std::move(fd)); !status)
    return give_up(status.error().text());
  write_strays(message.name);  // before what comes now
}

void Logger::take(std::string_view outlet, pid_t sender, log::Level level, std::string_view lines) {
  if (outlet.empty() || log::has_outlet(outlet)) return log::forward(outlet, sender, level, lines);
  strays_.push_back({std::string(outlet), sender, level, std::string(lines)});
  if (!settle_.armed()) settle_.arm(Duration::zero());
}

void Logger::write_strays(std::string_view only) {
  std::vector<Stray> others;
  for (Stray& stray : std::exchange(strays_, {})) {
    if (only.empty() || stray.outlet == only) {
      log::forward(stray.outlet, stray.sender, stray.level, stray.lines);
    } else {
      others.push_back(std::move(stray));
    }
  }
  strays_ = std::move(others);
}

void Logger::add_source(FeedId id, UniqueFd fd) {
  if (!fd) return give_up("a source has no descriptor");
  auto source = std::make_unique<Source>(loop_, std::move(fd), [this, id] { on_ready(id); });
  auto watch =
      loop_.watch(source->fd.get(), reactor::kReadable, [this, id](reactor::Events) { on_ready(id); });
  if (!watch) return give_up(watch.error().text());
  source->watch = std::move(*watch);
  sources_[id] = std::move(source);
}

void Logger::add_pipe(Message message, UniqueFd fd) {
  if (!fd) return give_up("a pipe has no descriptor");
  auto reader = PipeReader::create(loop_, std::move(message.name), fd.get(), std::move(message.begun));
  if (!reader) return give_up(reader.error().text());
  pipes_[message.id] = Pipe{std::move(fd), std::move(*reader)};
}

void Logger::remove(FeedId id) {
  if (const auto pipe = pipes_.find(id); pipe != pipes_.end()) {
    pipe->second.reader->finish();
    pipes_.erase(pipe);
  } else if (const auto source = sources_.find(id); source != sources_.end()) {
    (void)receive(*source->second, kMessagesAtEnd);
    sources_.erase(source);
  }
}

void Logger::on_ready(FeedId id) {
  using State = log::LineReceiver::State;
  const auto found = sources_.find(id);
  if (found == sources_.end()) return;
  Source& source = *found->second;
  const State state = receive(source, kMessagesATurn);
  if (state == State::Ended) {
    sources_.erase(found);
    return;
  }
  // Nothing came while it was paused: then it is waited for.
  const bool pauses = source.came || state == State::Failed;
  source.watch.set_interest(pauses ? reactor::kNone : reactor::kReadable);
  if (pauses) source.pause.arm(state == State::More ? Duration::zero() : kCollecting);
}

log::LineReceiver::State Logger::receive(Source& source, int most) {
  const auto state =
      receiver_.receive(source.fd.get(), most,
                        [this](std::string_view outlet, pid_t sender, log::Level level,
                               std::string_view lines) { take(outlet, sender, level, lines); });
  const std::uint64_t count = receiver_.take_count();
  source.came = count > 0;
  source.received += count;
  if (const std::uint64_t bad = receiver_.take_bad(); bad > 0) {
    bad_ += bad;
    if (!tell_of_bad_.armed()) tell_of_bad_.arm(kTellOfBad);
  }
  return state;
}

void Logger::give_up(const std::string& why) {
  channel_->send(encode({.say = Say::Failed, .text = why}));
  status_ = 1;
  loop_.stop();
}

}  // namespace

int run_logger(UniqueFd channel) {
  process::block_ending_signals();
  const auto fail = [&](const Error& error) {
    const std::string text = encode({.say = Say::Failed, .text = error.text()});
    (void)send(channel.get(), text.data(), text.size(),
               MSG_DONTWAIT | MSG_NOSIGNAL);  // the status tells, too
    return 1;
  };
  if (Status status = process::enter_sandbox({}); !status) return fail(status.error());
  const SystemClock clock;
  auto loop = reactor::EventLoop::create(reactor::PollerKind::Epoll, clock);
  if (!loop) return fail(loop.error());
  return Logger(**loop).run(std::move(channel));
}

}  // namespace xsd::logger
