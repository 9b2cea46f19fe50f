// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/helper.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xsd/base/log.h"
#include "xsd/base/number.h"
#include "xsd/process/spawner.h"

namespace xsd::process {
namespace {

constexpr std::size_t kPiece = std::size_t{64} * 1024;  // what a pipe holds, where pages have 4 KiB
// What a child that has ended left in the pipe is less, however large pages are: where more comes somebody
// else (a process that the work has left behind) writes on.
constexpr int kLastPieces = 32;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int fds[2] = {-1, -1};
  if (pipe2(fds, O_CLOEXEC) != 0) return Error::from_errno(errno, "pipe");
  Pipe pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
  // Only our end: the child is to wait when we do not come to read.
  if (fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0) return Error::from_errno(errno, "pipe");
  pipe.read = raise_fd(std::move(pipe.read));
  return pipe;
}

void close_range_of(unsigned first, unsigned last) noexcept {
  if (first <= last) (void)syscall(SYS_close_range, first, last, 0);
}

// Everything but the pipe, perhaps another one (-1: none) and the standard descriptors. Where close_range(2)
// is filtered one by one, up to the limit, as the numbers can be no higher; it is paid by the helper, not by
// us.
void close_all_but(int out, int other) noexcept {
  const auto last = static_cast<unsigned>(std::max(out, other));
  const auto first = static_cast<unsigned>(other < 0 ? out : std::min(out, other));
  if (syscall(SYS_close_range, last + 1, ~0U, 0) == 0) {
    close_range_of(3, first - 1);
    close_range_of(first + 1, last - 1);
    return;
  }
  const long limit = sysconf(_SC_OPEN_MAX);
  for (int fd = 3; fd < limit; ++fd) {
    if (fd != out && fd != other) (void)syscall(SYS_close, fd);
  }
}

std::string ending(const reactor::ChildExit& exit) {
  if (!exit.signalled && exit.code == 0) return {};
  return (exit.signalled ? "the helper was " : "the helper ") + exit.text();
}

}  // namespace

void end_unwatched(pid_t pid) noexcept {
  (void)kill(pid, SIGKILL);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool write_all(int fd, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Helper::Helper(reactor::EventLoop& loop, Task task)
    : task_(std::move(task)),
      deadline_(loop, [this] { end("no answer within " + format_duration(task_.limit)); }) {}

Helper::~Helper() {
  (void)child_.signal(SIGKILL);  // it has ended: then there is nothing to end
}

Result<std::unique_ptr<Helper>> Helper::start(reactor::EventLoop& loop, reactor::ChildWatcher& children,
                                              Task task) {
  auto pipe = make_pipe();
  if (!pipe) return std::move(pipe.error());
  std::unique_ptr<Helper> helper(new Helper(loop, std::move(task)));
  helper->pipe_ = std::move(pipe->read);
  auto watch = loop.watch(helper->pipe_.get(), reactor::kReadable,
                          [raw = helper.get()](reactor::Events) { (void)raw->read_pieces(1); });
  if (!watch) return std::move(watch.error()).within("pipe");
  helper->watch_ = std::move(*watch);

  const pid_t parent = getpid();
  log::flush();  // the child has a copy of what is still to be written
  // The library's fork, so that what the work uses of it (memory, name services) is in order in the child.
  const pid_t pid = fork();
  if (pid < 0) return Error::from_errno(errno, "fork");
  if (pid == 0) helper->run(pipe->write.get(), parent);
  pipe->write.reset();  // or there would never be an end

  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int error = errno;
    end_unwatched(pid);
    return Error::from_errno(error, "pidfd_open");
  }
  auto child = children.watch(pid, std::move(pidfd),
                              [raw = helper.get()](const reactor::ChildExit& exit) { raw->on_exit(exit); });
  if (!child) {
    end_unwatched(pid);
    return std::move(child.error());
  }
  helper->child_ = std::move(*child);
  helper->deadline_.arm(helper->task_.limit);
  return helper;
}

void Helper::run(int out, pid_t parent) noexcept {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it went before we asked to go with it
  close_all_but(out, task_.keep);
  (void)prctl(PR_SET_NAME, task_.name);
  // Reset while they are still blocked.
  if (!reset_signal_dispositions()) _exit(1);
  sigset_t none;
  sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, nullptr);
  task_.work(out);
  _exit(0);
}

std::optional<Helper::Wants> Helper::read_some() {
  std::array<char, kPiece> buffer;
  const ssize_t size = read(pipe_.get(), buffer.data(), buffer.size());
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (size <= 0) {
    watch_.reset();  // the exit comes as well, and tells more
    return std::nullopt;
  }
  return task_.on_bytes(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
}

bool Helper::read_pieces(int most) {
  for (int i = 0; i < most && watch_.active(); ++i) {
    const auto wants = read_some();
    if (!wants) break;
    if (*wants == Wants::More) continue;
    end(*wants == Wants::NoMore ? "" : "the helper's answer makes no sense");
    return true;
  }
  return false;
}

void Helper::on_exit(const reactor::ChildExit& exit) {
  if (!read_pieces(kLastPieces)) end(ending(exit));
}

void Helper::end(const std::string& why) {
  deadline_.cancel();
  watch_.reset();
  (void)child_.signal(SIGKILL);
  const auto on_end = std::exchange(task_.on_end, nullptr);
  if (on_end) on_end(why);
}

}  // namespace xsd::process
