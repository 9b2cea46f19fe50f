// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/log_target.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

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

std::uint64_t LogTarget::take_dropped(int& number) noexcept {
  number = dropped_errno_;
  return std::exchange(dropped_, 0);
}

void LogTarget::drop_lines(std::string_view lines, int number) noexcept {
  dropped_ += static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
  dropped_errno_ = number;
}

Result<std::unique_ptr<LogTarget>> StreamTarget::attach(int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return Error::from_errno(errno, "standard error");
  auto make = [](UniqueFd own, Kind kind) {
    return std::unique_ptr<LogTarget>(new StreamTarget(raise_fd(std::move(own)), kind));
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

Result<std::unique_ptr<LogTarget>> StreamTarget::open_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640));
  if (!fd) return Error::from_errno(errno, "open " + path);
  return std::unique_ptr<LogTarget>(new StreamTarget(raise_fd(std::move(fd)), Kind::NonBlocking));
}

std::size_t StreamTarget::write_some(std::string_view bytes) noexcept {
  if (kind_ == Kind::Interrupted) {
    const ssize_t count = write_interrupted(bytes.substr(0, kPortion));
    return count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  ssize_t count = 0;
  do {
    count = kind_ == Kind::Socket ? send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                  : ::write(fd_.get(), bytes.data(), bytes.size());
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

void StreamTarget::write(Level /*level*/, std::string_view lines) noexcept {
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
  if (would_block(number)) {
    if (backlog_.size() + lines.size() <= kMaxBacklog) {
      backlog_ += lines;
      return;
    }
  } else if (backlog_.empty() && backlog_cut_) {
    // The disk filled up inside a line: keep the rest of that one line, so that the file stays a file of
    // whole lines.
    const std::size_t end = lines.find('\n') + 1;
    backlog_ += lines.substr(0, end);
    lines.remove_prefix(end);
  }
  drop_lines(lines, number);
}

std::unique_ptr<LogTarget> SyslogTarget::create(std::string path) {
  return std::unique_ptr<LogTarget>(new SyslogTarget(std::move(path)));
}

bool SyslogTarget::connect() noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(address.sun_path, path_.data(), path_.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return false;
  fd_ = raise_fd(std::move(fd));
  return true;
}

bool SyslogTarget::send(std::string_view datagram) noexcept {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!fd_ && !connect()) return false;
    if (::send(fd_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
    if (would_block(errno) || errno == ENOBUFS) return false;
    fd_.reset();
  }
  return false;
}

void SyslogTarget::write(Level level, std::string_view lines) noexcept {
  static constexpr int kPriorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
  const int priority = LOG_DAEMON | kPriorities[static_cast<std::size_t>(level)];
  const std::string header = "<" + std::to_string(priority) + ">xsd[" + std::to_string(getpid()) + "]: ";
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end + 1);
    std::string datagram = header;
    datagram += line.substr(0, line.size() - 1);
    if (!send(datagram)) {
      drop_lines(line, errno);
    }
    lines.remove_prefix(line.size());
  }
}

}  // namespace xsd::log
