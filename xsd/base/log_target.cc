// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/log_target.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <syslog.h>
#include <unistd.h>

#include "xsd/base/datagram_target.h"

namespace xsd::log {
namespace {

constexpr Duration kPauseAfterBlocking = std::chrono::milliseconds(50);
// pipe(7): a pipe that is writable takes at least this much without blocking.
constexpr std::size_t kPortion = 4096;

bool would_block(int number) noexcept {
  return number == EAGAIN || number == EWOULDBLOCK;
}

/// While one lives, SIGALRM comes every millisecond and interrupts what blocks. A handler that does nothing
/// is there for no longer than that.
class Interruption {
 public:
  Interruption() noexcept {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // no SA_RESTART
    (void)sigaction(SIGALRM, &action, &old_action_);
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    (void)sigprocmask(SIG_UNBLOCK, &alarm, &old_mask_);
    // Again and again, for the first may come before the call that is to be interrupted.
    constexpr itimerval kEveryMillisecond{{0, 1000}, {0, 1000}};
    (void)setitimer(ITIMER_REAL, &kEveryMillisecond, nullptr);
  }
  // None of these calls fails with arguments that are right; and errno is the write's.
  ~Interruption() {
    constexpr itimerval kNever{};
    (void)setitimer(ITIMER_REAL, &kNever, nullptr);
    (void)sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
    (void)sigaction(SIGALRM, &old_action_, nullptr);
  }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

 private:
  struct sigaction old_action_ {};
  sigset_t old_mask_{};
};

/// Our own description of the terminal `fd` if it is the one that controls us: that may be opened whoever
/// owns it.
UniqueFd open_own_terminal(int fd) noexcept {
  UniqueFd own(::open("/dev/tty", O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  unsigned own_device = 0;
  unsigned device = 0;
  if (!own || ioctl(own.get(), TIOCGDEV, &own_device) != 0 || ioctl(fd, TIOCGDEV, &device) != 0) return {};
  return own_device == device ? std::move(own) : UniqueFd();
}

}  // namespace

int severity(Level level) noexcept {
  constexpr std::array<int, 4> kSeverities = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
  return kSeverities[static_cast<std::size_t>(level)];
}

void LogTarget::write(Level level, std::string_view lines) noexcept {
  write_from(getpid(), level, lines);
}

void LogTarget::add_dropped(std::uint64_t count, int number) noexcept {
  dropped_ += count;
  dropped_errno_ = number;
}

std::uint64_t LogTarget::take_dropped(int& number) noexcept {
  number = dropped_errno_;
  return std::exchange(dropped_, 0);
}

void LogTarget::drop_lines(std::string_view lines, int number) noexcept {
  add_dropped(static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n')), number);
}

Result<std::unique_ptr<LogTarget>> StreamTarget::attach(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return Error::from_errno(errno, "standard error");
  auto make = [](UniqueFd own, Kind kind) {
    return std::make_unique<StreamTarget>(raise_fd(std::move(own)), kind);
  };
  if (!S_ISSOCK(info.st_mode)) {
    const std::string self = "/proc/self/fd/" + std::to_string(fd);
    UniqueFd own(::open(self.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (!own) own = open_own_terminal(fd);
    if (own) return make(std::move(own), Kind::NonBlocking);
  }
  auto copy = duplicate_fd(fd);
  if (!copy) return std::move(copy.error()).within("standard error");
  return make(std::move(*copy), S_ISSOCK(info.st_mode) ? Kind::Socket : Kind::Interrupted);
}

Result<std::unique_ptr<LogTarget>> StreamTarget::attach_journal(int fd) {
  auto copy = duplicate_fd(fd);
  if (!copy) return std::move(copy.error()).within("standard error");
  return std::make_unique<StreamTarget>(raise_fd(std::move(*copy)), Kind::Journal);
}

Result<std::unique_ptr<LogTarget>> StreamTarget::open_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640));
  if (!fd) return Error::from_errno(errno, "open " + path);
  return std::make_unique<StreamTarget>(raise_fd(std::move(fd)), Kind::NonBlocking);
}

std::size_t StreamTarget::write_some(std::string_view bytes) noexcept {
  if (kind_ == Kind::Interrupted) {
    const ssize_t count = write_interrupted(bytes.substr(0, kPortion));
    return count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  ssize_t count = 0;
  do {
    count = kind_ == Kind::NonBlocking
                ? ::write(fd_.get(), bytes.data(), bytes.size())
                : send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

// A terminal that is writable may take no more than a byte, and may be stopped (^S) right after we asked.
ssize_t StreamTarget::write_interrupted(std::string_view bytes) noexcept {
  const SystemClock clock;
  pollfd entry{fd_.get(), POLLOUT, 0};
  if (clock.monotonic() < not_before_ || poll(&entry, 1, 0) != 1) {
    errno = EAGAIN;
    return -1;
  }
  ssize_t count = 0;
  {
    const Interruption interruption;
    count = ::write(fd_.get(), bytes.data(), bytes.size());
  }
  const bool interrupted = count < 0 ? errno == EINTR : static_cast<std::size_t>(count) < bytes.size();
  if (interrupted) not_before_ = clock.monotonic() + kPauseAfterBlocking;
  if (count < 0 && errno == EINTR) errno = EAGAIN;
  return count;
}

bool StreamTarget::flush() noexcept {
  std::string_view rest = backlog_;
  while (!rest.empty()) {
    const std::size_t count = write_some(rest);
    if (count == 0) break;
    rest.remove_prefix(count);
    backlog_cut_ = rest.empty() || rest.data()[-1] != '\n';
  }
  backlog_.erase(0, backlog_.size() - rest.size());
  if (backlog_.empty()) {
    backlog_.shrink_to_fit();
    backlog_cut_ = false;
  }
  return backlog_.empty();
}

void StreamTarget::write_from(pid_t /*sender*/, Level level, std::string_view lines) noexcept {
  if (kind_ != Kind::Journal) return write_lines(lines);
  const std::string prefix = "<" + std::to_string(severity(level)) + ">";
  std::string prefixed;
  for (std::size_t end; (end = lines.find('\n')) != std::string_view::npos; lines.remove_prefix(end + 1)) {
    prefixed += prefix;
    prefixed += lines.substr(0, end + 1);
  }
  write_lines(prefixed);
}

void StreamTarget::write_lines(std::string_view lines) noexcept {
  if (flush()) {
    while (!lines.empty()) {
      const std::size_t count = write_some(lines);
      if (count == 0) break;
      lines.remove_prefix(count);
      backlog_cut_ = !lines.empty() && lines.data()[-1] != '\n';
    }
  }
  if (lines.empty()) return;
  const int number = errno;
  if (would_block(number) && backlog_.size() + lines.size() <= kMaxBacklog) {
    backlog_ += lines;
    return;
  }
  if (backlog_.empty() && backlog_cut_) {
    // The disk, or the stream, filled up inside a line: keep the rest of that one line, so that it stays one
    // of whole lines.
    const std::size_t end = lines.find('\n') + 1;
    backlog_ += lines.substr(0, end);
    lines.remove_prefix(end);
  }
  drop_lines(lines, number);
}

void StreamTarget::put_parts(std::string& out) const {
  put_number(out, TargetParts::Stream);
  put_number(out, kind_);
}

void NullTarget::put_parts(std::string& out) const {
  put_number(out, TargetParts::Null);
}

Result<std::unique_ptr<LogTarget>> restore_target(WireReader& parts, UniqueFd fd) {
  const auto what = parts.choice(TargetParts::Datagram);
  if (!parts.failed() && what == TargetParts::Null) return std::make_unique<NullTarget>();
  if (!parts.failed() && what == TargetParts::Datagram)
    return DatagramTarget::restore(parts, raise_fd(std::move(fd)));
  const auto kind = parts.choice(StreamTarget::Kind::Interrupted);
  if (parts.failed() || !fd) return Error("a log target that makes no sense");
  return std::make_unique<StreamTarget>(raise_fd(std::move(fd)), kind);
}

}  // namespace xsd::log
