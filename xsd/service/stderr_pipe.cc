// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/stderr_pipe.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "xsd/base/log.h"
#include "xsd/base/text.h"

namespace xsd::service {
namespace {

constexpr std::size_t kMaxLine = 1024;
constexpr std::size_t kReadSize = 4096;
constexpr int kReadsAtEnd = 16;

}  // namespace

StderrPipe::StderrPipe(std::string service, UniqueFd read_end, UniqueFd write_end)
    : service_(std::move(service)), write_end_(std::move(write_end)), read_end_(std::move(read_end)) {}

Result<std::unique_ptr<StderrPipe>> StderrPipe::create(reactor::EventLoop& loop, std::string service) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno(errno, "pipe for standard error");
  UniqueFd read_end = raise_fd(UniqueFd(ends[0]));
  UniqueFd write_end = raise_fd(UniqueFd(ends[1]));
  if (fcntl(read_end.get(), F_SETFL, O_NONBLOCK) != 0)
    return Error::from_errno(errno, "pipe for standard error");
  std::unique_ptr<StderrPipe> made(
      new StderrPipe(std::move(service), std::move(read_end), std::move(write_end)));
  StderrPipe* const self = made.get();
  auto watch =
      loop.watch(self->read_end_.get(), reactor::kReadable, [self](reactor::Events) { self->read_some(); });
  if (!watch) return std::move(watch.error()).within("pipe for standard error");
  made->watch_ = std::move(*watch);
  return made;
}

StderrPipe::~StderrPipe() {
  for (int reads = 0; reads < kReadsAtEnd && read_some(); ++reads) {
  }
  if (!partial_.empty()) log_line(partial_);
}

bool StderrPipe::read_some() {
  char buffer[kReadSize];
  const ssize_t count = read(read_end_.get(), buffer, sizeof buffer);
  if (count <= 0) return false;
  partial_.append(buffer, static_cast<std::size_t>(count));
  std::string_view rest = partial_;
  for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
    log_line(rest.substr(0, end));
  }
  for (; rest.size() > kMaxLine; rest.remove_prefix(kMaxLine))
    log_line(rest.substr(0, kMaxLine));
  partial_.erase(0, partial_.size() - rest.size());
  return true;
}

void StderrPipe::log_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::string text;
  append_escaped(text, line.substr(0, kMaxLine));
  log::info("{}: stderr: {}", service_, text);
}

}  // namespace xsd::service
