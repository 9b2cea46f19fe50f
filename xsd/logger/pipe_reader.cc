// SPDX-License-Identifier: Apache-2.0
#include "xsd/logger/pipe_reader.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include "xsd/base/log.h"
#include "xsd/base/text.h"

namespace xsd::logger {
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

PipeReader::PipeReader(reactor::EventLoop& loop, std::string service, int fd, std::string begun)
    : service_(std::move(service)),
      fd_(fd),
      text_(std::move(begun)),
      next_turn_(loop, [this] { on_turn(); }) {}

Result<std::unique_ptr<PipeReader>> PipeReader::create(reactor::EventLoop& loop, std::string service, int fd,
                                                       std::string begun) {
  std::unique_ptr<PipeReader> made(new PipeReader(loop, std::move(service), fd, std::move(begun)));
  auto watch = loop.watch(fd, reactor::kReadable, [self = made.get()](reactor::Events) { self->on_turn(); });
  if (!watch) return std::move(watch.error()).within("pipe for standard error");
  made->watch_ = std::move(*watch);
  if (!made->text_.empty()) made->next_turn_.arm(Duration::zero());
  return made;
}

void PipeReader::finish() {
  for (int turns = 0; turns < kTurnsAtEnd && (!log_some() || read_some()); ++turns) {
  }
  const std::string rest_text = stop();
  std::string_view rest = rest_text;
  if (!next_line(rest) && !rest_text.empty())
    log::message(log::Level::Info, format_line(service_, rest_text));
}

std::string PipeReader::stop() {
  next_turn_.cancel();
  watch_.reset();
  return std::exchange(text_, {});
}

void PipeReader::on_turn() {
  if (!lines_wait_) (void)read_some();
  lines_wait_ = !log_some();
  watch_.set_interest(lines_wait_ ? reactor::kNone : reactor::kReadable);
  if (lines_wait_) next_turn_.arm(Duration::zero());
}

bool PipeReader::read_some() {
  char buffer[kReadSize];
  const ssize_t count = read(fd_, buffer, sizeof buffer);
  if (count <= 0) return false;
  text_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

bool PipeReader::log_some() {
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

}  // namespace xsd::logger
