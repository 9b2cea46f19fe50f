// SPDX-License-Identifier: Apache-2.0
#include "xsd/logger/logger_process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <span>
#include <utility>
#include <vector>

#include <poll.h>

#include <poll.h>
#include <sys/ioctl.h>
#include "xsd/base/log.h"
#include "xsd/process/helper.h"

namespace xsd::logger {
namespace {

constexpr Duration kLongEnough = std::chrono::milliseconds(500);
constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(30);
constexpr int kPatienceAtEndMs = 1000;

bool wait_for_end(int pidfd) noexcept {
  pollfd entry{pidfd, POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&entry, 1, kPatienceAtEndMs);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

LoggerProcess::LoggerProcess(reactor::EventLoop& loop, reactor::ChildWatcher& children,
                             process::RoleStarter& roles, std::optional<process::Credentials> user)
    : loop_(loop), children_(children), roles_(roles), user_(std::move(user)), restart_(loop, [this] {
        start();
      }) {}

LoggerProcess::~LoggerProcess() {
  log::flush();
  (void)log::flush_backlog();
  if (child_.active()) {
    channel_.reset();  // its end: it writes what is there
    if (!wait_for_end(pidfd_.get())) {
      (void)child_.signal(SIGKILL);
      (void)wait_for_end(pidfd_.get());
    }
  }
  for (const UniqueFd& end : left_)
    log::write_rest(end.get());
  if (own_) log::end_diversion(own_->receiving_end());
  channel_.reset();
  own_.reset();  // before what it tells of its end
}

void LoggerProcess::start() {
  Status status = launch();
  if (status) return;
  if (!std::exchange(is_missed_, true))
    log::warning("logger: {}; the daemon writes the log itself and tries again", status.error().text());
  start_later();
}

Status LoggerProcess::launch() {
  if (!own_) {
    auto own = LineFeed::create(*this);
    if (!own) return std::move(own.error());
    own_ = std::move(*own);
  }
  auto sending_end = duplicate_fd(own_->sending_end());
  if (!sending_end) return std::move(sending_end.error());
  auto started = roles_.start(
      {.role = "logger", .title = "xsd: logger", .credentials = user_, .whole_environment = true});
  if (!started) return std::move(started.error());
  auto pidfd = duplicate_fd(started->pidfd.get());
  const auto give_up = [&](Error error) {
    child_ = {};
    process::end_unwatched(started->pid);
    return error;
  };
  if (!pidfd) return give_up(std::move(pidfd.error()));
  auto channel = process::Channel::create(
      loop_, std::move(started->channel),
      {.on_message = [this](std::string_view bytes,
                            const std::vector<UniqueFd>& /*fds*/) { on_message(bytes); },
       // Its end follows, if it has not come already.
       .on_end = [this](const std::string&) { (void)child_.signal(SIGKILL); }});
  if (!channel) return give_up(std::move(channel.error()));
  auto child = children_.watch(started->pid, std::move(started->pidfd),
                               [this](const reactor::ChildExit& exit) { on_exit(exit); });
  if (!child) return give_up(std::move(child.error()));
  child_ = std::move(*child);
  pidfd_ = std::move(*pidfd);
  channel_ = std::move(*channel);
  started_ = loop_.now();
  why_.clear();
  on_target();
  for (const std::string& name : log::outlet_names())
    on_outlet(name);
  for (const auto& [id, feed] : feeds_)
    hand_over(*feed);
  log::divert(std::move(*sending_end));
  return {};
}

void LoggerProcess::start_later() {
  restart_.arm(pause_);
  pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
}

void LoggerProcess::on_target() {
  if (!channel_) return;
  const int fd = log::target_descriptor();
  channel_->send(encode({.say = Say::Target,
                         .id = own_->id_,
                         .count = log::diverted_messages(),
                         .text = log::describe_target()}),
                 std::span(&fd, fd < 0 ? 0U : 1U));
}

void LoggerProcess::on_outlet(const std::string& name) {
  if (!channel_) return;
  const int fd = log::outlet_descriptor(name);
  if (fd < 0) return channel_->send(encode({.say = Say::RemoveOutlet, .name = name}));
  channel_->send(encode({.say = Say::AddOutlet, .text = log::describe_outlet(name), .name = name}),
                 std::span(&fd, 1U));
}

bool LoggerProcess::add(Feed& feed) {
  do {
    feed.id_ = ++last_id_;
  } while (!feeds_.try_emplace(feed.id_, &feed).second);
  if (!channel_) return false;
  hand_over(feed);
  return true;
}

void LoggerProcess::keep_rest(UniqueFd receiving_end) {
  std::erase_if(left_, [](const UniqueFd& end) {  // what was read to its end
    pollfd entry{end.get(), 0, 0};
    int queued = 1;
    return poll(&entry, 1, 0) == 1 && (entry.revents & POLLHUP) != 0 &&
           ioctl(end.get(), FIONREAD, &queued) == 0 && queued == 0;
  });
  left_.push_back(std::move(receiving_end));
}

void LoggerProcess::remove(Feed& feed) {
  feeds_.erase(feed.id_);
  if (channel_) channel_->send(encode({.say = Say::Remove, .id = feed.id_}));
}

void LoggerProcess::hand_over(Feed& feed) {
  const int fd = feed.read_end_.get();
  channel_->send(encode(feed.hand_over()), std::span(&fd, 1U));
}

void LoggerProcess::on_message(std::string_view bytes) {
  const auto message = decode(bytes);
  if (message && message->say == Say::Failed) why_ = ": " + message->text;
  if (message && message->say == Say::FullOutlet && log::rotate_outlet(message->name))
    on_outlet(message->name);
  if (!message || message->say != Say::Ready) return;
  if (std::exchange(is_missed_, false)) log::info("logger: it runs again");
}

void LoggerProcess::on_exit(const reactor::ChildExit& exit) {
  channel_.reset();
  pidfd_.reset();
  if (own_) log::end_diversion(own_->receiving_end());
  for (const auto& [id, feed] : feeds_)
    feed->take_back();
  if (!std::exchange(is_missed_, true))
    log::warning("logger: {}{}; the daemon writes the log itself until another one runs", exit.text(), why_);
  if (loop_.now() - started_ >= kLongEnough) pause_ = Duration::zero();
  start_later();
}

}  // namespace xsd::logger
