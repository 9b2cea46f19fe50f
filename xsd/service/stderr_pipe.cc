// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/stderr_pipe.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace xsd::service {

StderrPipe::StderrPipe(std::unique_ptr<logger::PipeFeed> feed, UniqueFd write_end)
    : owner_(geteuid()), write_end_(std::move(write_end)), feed_(std::move(feed)) {}

Result<std::unique_ptr<StderrPipe>> StderrPipe::create(reactor::EventLoop& loop,
                                                       logger::LoggerProcess* logger, std::string service) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno(errno, "pipe for standard error");
  UniqueFd read_end = raise_fd(UniqueFd(ends[0]));
  UniqueFd write_end = raise_fd(UniqueFd(ends[1]));
  if (fcntl(read_end.get(), F_SETFL, O_NONBLOCK) != 0)
    return Error::from_errno(errno, "pipe for standard error");
  auto feed = logger::PipeFeed::create(loop, logger, std::move(service), std::move(read_end));
  if (!feed) return std::move(feed.error());
  return std::unique_ptr<StderrPipe>(new StderrPipe(std::move(*feed), std::move(write_end)));
}

int StderrPipe::write_end(const std::optional<process::Credentials>& user) noexcept {
  // Where that is refused a program can still write to what it was given.
  if (user && user->uid != owner_ && fchown(write_end_.get(), user->uid, user->gid) == 0) owner_ = user->uid;
  return write_end_.get();
}

}  // namespace xsd::service
