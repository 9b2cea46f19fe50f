// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/stderr_pipe.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "xsd/base/log.h"
#include "xsd/base/text.h"

namespace xsd::service {
namespace {

constexpr std::size_t kMaxLine = 1024;
constexpr std::size_t kReadSize = 4096;
constexpr std::size_t kLinesATurn = 64;
constexpr int kTurnsAtEnd = 16;

// Cuts the next line off. Nothing if there is only a part of one.
std::optional<std::string_view> next_line(std::string_view& text) {
  const std::size_t end = text.substr(0, kMaxLine + 1).find('\n');
  if (end == std::string_view::npos && text.size() <= kMaxLine) return std::nullopt;
  const std::string_view line = text.substr(0, std::min(end, kMaxLine));
  text.remove_prefix(end == std::string_view::npos ? kMaxLine : end + 1);
  return line;
}

std::string format_line(const std::string& service, std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::string text = service + ": stderr: ";
  append_escaped(text, line);
  return text;
}

}  // namespace

StderrPipe::StderrPipe(reactor::EventLoop& loop, std::string service, UniqueFd read_end, UniqueFd write_end)
    : service_(std::move(service)),
      owner_(geteuid()),
      write_end_(std::move(write_end)),
      read_end_(std::move(read_end)),
      next_turn_(loop, [this] { on_turn(); }) {}

Result<std::unique_ptr<StderrPipe>> StderrPipe::create(reactor::EventLoop& loop, std::string service) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno(errno, "pipe for standard error");
  UniqueFd read_end = raise_fd(UniqueFd(ends[0]));
  UniqueFd write_end = raise_fd(UniqueFd(ends[1]));
  if (fcntl(read_end.get(), F_SETFL, O_NONBLOCK) != 0)
    return Error::from_errno(errno, "pipe for standard error");
  std::unique_ptr<StderrPipe> made(
      new StderrPipe(loop, std::move(service), std::move(read_end), std::move(write_end)));
  StderrPipe* const self = made.get();
  auto watch =
      loop.watch(self->read_end_.get(), reactor::kReadable, [self](reactor::Events) { self->on_turn(); });
  if (!watch) return std::move(watch.error()).within("pipe for standard error");
  made->watch_ = std::move(*watch);
  return made;
}

StderrPipe::~StderrPipe() {
  for (int turns = 0; turns < kTurnsAtEnd && (!log_some() || read_some()); ++turns) {
  }
  std::string_view rest = text_;
  if (!next_line(rest) && !text_.empty()) log::message(log::Level::Info, format_line(service_, text_));
}

int StderrPipe::write_end(const std::optional<process::Credentials>& user) noexcept {
  // Where that is refused a program can still write to what it was given.
  if (user && user->uid != owner_ && fchown(write_end_.get(), user->uid, user->gid) == 0) owner_ = user->uid;
  return write_end_.get();
}

void StderrPipe::on_turn() {
  if (!lines_wait_) (void)read_some();
  lines_wait_ = !log_some();
  watch_.set_interest(lines_wait_ ? reactor::kNone : reactor::kReadable);
  if (lines_wait_) next_turn_.arm(Duration::zero());
}

bool StderrPipe::read_some() {
  char buffer[kReadSize];
  const ssize_t count = read(read_end_.get(), buffer, sizeof buffer);
  if (count <= 0) return false;
  text_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

bool StderrPipe::log_some() {
  std::vector<std::string> lines;
  std::string_view rest = text_;
  while (lines.size() < kLinesATurn) {
    const std::optional<std::string_view> line = next_line(rest);
    if (!line) break;
    lines.push_back(format_line(service_, *line));
  }
  log::messages(log::Level::Info, lines);
  text_.erase(0, text_.size() - rest.size());
  return lines.size() < kLinesATurn;
}

}  // namespace xsd::service
