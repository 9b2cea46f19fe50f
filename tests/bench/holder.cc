// SPDX-License-Identifier: Apache-2.0
#include "holder.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using xsd::UniqueFd;

namespace bench {
namespace {

constexpr auto kCallTimeout = std::chrono::milliseconds(5000);

void send_answer(int fd, const void* answer, std::size_t size) {
  (void)!write(fd, answer, size);  // a driver that went away needs no answer
}

// Opens them one after the other; false at the first that does not echo.
bool open_all(std::vector<UniqueFd>& connections, std::uint16_t port, unsigned count, Deadline deadline) {
  constexpr std::string_view kText = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  connections.reserve(count);
  while (connections.size() < count) {
    UniqueFd fd(connect_from_next_source(port, kCallTimeout));
    std::array<char, kText.size()> answer{};
    if (!fd || Clock::now() > deadline ||
        send(fd.get(), kText.data(), kText.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(kText.size()) ||
        recv(fd.get(), answer.data(), answer.size(), MSG_WAITALL) != static_cast<ssize_t>(answer.size()) ||
        std::string_view(answer.data(), answer.size()) != kText) {
      return false;
    }
    connections.push_back(std::move(fd));
  }
  return true;
}

unsigned count_silent(const std::vector<UniqueFd>& connections) {
  unsigned silent = 0;
  for (const UniqueFd& fd : connections) {
    char byte = 0;
    if (recv(fd.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN) ++silent;
  }
  return silent;
}

}  // namespace

Helper::Helper(Helper&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      control_(std::move(other.control_)),
      answers_(std::move(other.answers_)) {}

Helper& Helper::operator=(Helper&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(control_, other.control_);
  std::swap(answers_, other.answers_);
  return *this;
}

Helper::~Helper() {
  if (pid_ < 0) return;
  (void)kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

xsd::Result<bool> Helper::fork_child() {
  std::array<int, 2> control{};
  std::array<int, 2> answers{};
  if (pipe2(control.data(), O_CLOEXEC) != 0) return xsd::Error::from_errno(errno, "pipe");
  UniqueFd control_read(control[0]);
  UniqueFd control_write(control[1]);
  if (pipe2(answers.data(), O_CLOEXEC) != 0) return xsd::Error::from_errno(errno, "pipe");
  UniqueFd answers_read(answers[0]);
  UniqueFd answers_write(answers[1]);
  const pid_t pid = fork();
  if (pid < 0) return xsd::Error::from_errno(errno, "fork");
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    control_ = std::move(control_read);
    answers_ = std::move(answers_write);
    control_write.reset();
    return true;
  }
  pid_ = pid;
  control_ = std::move(control_write);
  answers_ = std::move(answers_read);
  return false;
}

bool Helper::receive(void* answer, std::size_t size, Deadline deadline) {
  pollfd waiting{answers_.get(), POLLIN, 0};
  if (poll(&waiting, 1, milliseconds_left(deadline)) != 1) return false;
  return read(answers_.get(), answer, size) == static_cast<ssize_t>(size);
}

void Helper::tell_to_stop() {
  (void)!write(control_.get(), "x", 1);  // a helper that died is noticed when its answer does not come
}

xsd::Result<Holder> Holder::start(std::uint16_t port, unsigned count, Deadline deadline) {
  Holder holder;
  xsd::Result<bool> in_child = holder.fork_child();
  if (!in_child) return std::move(in_child.error());
  if (*in_child) {
    std::vector<UniqueFd> connections;
    const bool opened = open_all(connections, port, count, deadline);
    send_answer(holder.answers_.get(), &opened, sizeof opened);
    char byte = 0;
    (void)!read(holder.control_.get(), &byte, 1);  // returns when told to stop
    const unsigned silent = count_silent(connections);
    send_answer(holder.answers_.get(), &silent, sizeof silent);
    _exit(0);
  }
  bool opened = false;
  if (!holder.receive(&opened, sizeof opened, deadline) || !opened) {
    return xsd::Error("cannot hold " + std::to_string(count) + " echo connections");
  }
  return holder;
}

xsd::Result<unsigned> Holder::release(Deadline deadline) {
  tell_to_stop();
  unsigned silent = 0;
  if (!receive(&silent, sizeof silent, deadline)) return xsd::Error("the holding client died");
  return silent;
}

xsd::Result<LoadProcess> LoadProcess::start(std::uint16_t port, Kind kind, unsigned parallel,
                                            Deadline deadline) {
  LoadProcess load;
  xsd::Result<bool> in_child = load.fork_child();
  if (!in_child) return std::move(in_child.error());
  if (*in_child) {
    const Tally tally = run_short({.port = port,
                                   .kind = kind,
                                   .connections = 100'000'000,
                                   .parallel = parallel,
                                   .deadline = deadline,
                                   .stop_fd = load.control_.get()});
    send_answer(load.answers_.get(), &tally, sizeof tally);
    _exit(0);
  }
  return load;
}

xsd::Result<Tally> LoadProcess::stop(Deadline deadline) {
  tell_to_stop();
  Tally tally;
  if (!receive(&tally, sizeof tally, deadline)) return xsd::Error("the loading client died");
  return tally;
}

}  // namespace bench
