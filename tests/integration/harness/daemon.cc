// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/daemon.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iostream>
#include <utility>

#include <gtest/gtest.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

namespace xsd::test {
namespace {

constexpr std::size_t kShownLines = 60;
constexpr Milliseconds kLastGrace{3000};
constexpr int kStep = 200;

constexpr std::string_view kReloadMark = ": reload: ";
constexpr Milliseconds kOnItsWay{5000};

// Where kcmp(2) is forbidden nothing is the same.
bool is_same_open_file(int one, int other) {
  const pid_t us = getpid();
  return syscall(SYS_kcmp, us, us, KCMP_FILE, one, other) == 0;
}

}  // namespace

std::vector<std::string> trace_reads() {
  return {"-s", "200", "-e", "trace=read,readv,recvfrom,recvmsg,recvmmsg,pread64,splice"};
}

void expect_not_read_by_master(const Daemon& daemon, std::string_view text) {
  bool somebody_read_it = false;
  for (const std::string& line : split_lines(daemon.strace_text())) {
    const bool masters = line.starts_with(std::to_string(daemon.pid()) + " ");
    somebody_read_it = somebody_read_it || contains(line, text);
    if (!masters) continue;
    EXPECT_FALSE(contains(line, text)) << line;
    EXPECT_FALSE(contains(line, "recvfrom(")) << line;
  }
  EXPECT_TRUE(somebody_read_it) << "the trace shows what is read";
}

void expect_no_sanitizer_report(std::string_view text) {
  for (const char* const mark :
       {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:"}) {
    if (contains(text, mark)) ADD_FAILURE() << "sanitizer report:\n" << text;
  }
}

Daemon::Daemon(const TempFolder& folder, DaemonOptions options)
    : folder_(folder.path()),
      log_file_(folder / (options.log_to_file ? "xsd.log" : "stderr")),
      store_size_(options.store_size) {
  if (options.config.empty()) options.config = folder / "conf.d";
  std::vector<std::string> argv{xsd_binary(), options.config_option, options.config.string(), "--pid-file",
                                folder.string("xsd.pid")};
  if (options.log_to_file) argv.insert(argv.end(), {"--log-file", log_file_.string()});
  const auto& more = options.arguments;
  const char* const poller = std::getenv("XSD_TEST_POLLER");
  if (poller != nullptr && std::find(more.begin(), more.end(), "--poller") == more.end()) {
    argv.insert(argv.end(), {"--poller", poller});
  }
  argv.insert(argv.end(), options.arguments.begin(), options.arguments.end());
  make_notify_socket();
  store_ = options.store;
  options.start.listen.insert(options.start.listen.end(), store_.begin(), store_.end());
  options.start.environment.push_back("NOTIFY_SOCKET=" + folder.string("notify"));
  options.start.output = folder / "stdout";
  options.start.error = folder / "stderr";
  if (!options.start.strace.empty()) strace_file_ = options.start.strace_output = folder / "strace";
  process_ = std::make_unique<Process>(argv, options.start);
  if (options.wait_ready && !wait_ready())
    ADD_FAILURE() << "the daemon did not get ready\n" << error_output() << log();
}

Daemon::~Daemon() {
  if (process_->running()) {
    (void)process_->signal(SIGQUIT);  // takes its programs with it
    if (!process_->wait(kLastGrace)) (void)process_->signal(SIGKILL);
    (void)process_->wait();
  } else if (!end_expected_) {
    ADD_FAILURE() << "the daemon ended by itself with status " << process_->wait().value_or(-1);
  }
  close(notify_);
  for (const auto& [name, fd] : store_)
    close(fd);
  expect_no_sanitizer_report(error_output());
  if (!testing::Test::HasFailure()) return;
  const std::vector<std::string> lines = split_lines(log());
  std::cerr << "--- end of the log (" << lines.size() << " lines)\n";
  for (std::size_t i = lines.size() > kShownLines ? lines.size() - kShownLines : 0; i < lines.size(); ++i) {
    std::cerr << lines[i] << '\n';
  }
  std::cerr << "--- standard error\n" << error_output() << "---\n";
}

void Daemon::make_notify_socket() {
  notify_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (folder_ / "notify").string();
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  (void)unlink(path.c_str());  // of an earlier daemon in the same folder
  if (bind(notify_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    ADD_FAILURE() << "bind " << path;
  (void)chmod(path.c_str(), 0777);
}

bool Daemon::receive_notification(SteadyTime end) {
  for (;;) {
    char buffer[4096];
    iovec text{buffer, sizeof buffer};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr header{};
    header.msg_iov = &text;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t count = recvmsg(notify_, &header, MSG_CMSG_CLOEXEC);
    if (count >= 0) {
      notifications_.emplace_back(buffer, static_cast<std::size_t>(count));
      int fd = -1;
      if (const cmsghdr* const rights = CMSG_FIRSTHDR(&header); rights != nullptr)
        std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
      keep_or_forget(notifications_.back(), fd);
      return true;
    }
    const int left = milliseconds_until(end);
    pollfd ready{notify_, POLLIN, 0};
    // In steps, because a daemon that ends says nothing.
    if (poll(&ready, 1, std::min(left, kStep)) > 0) continue;
    if (left == 0 || (process_ && !process_->running())) return false;
  }
}

void Daemon::keep_or_forget(const std::string& notification, int fd) {
  std::map<std::string, std::string> values;
  for (const std::string& line : split_lines(notification))
    values[line.substr(0, line.find('='))] = line.substr(line.find('=') + 1);
  if (values["FDSTORE"] == "1") {
    const bool is_there = std::any_of(store_.begin(), store_.end(), [fd](const auto& entry) {
      return is_same_open_file(entry.second, fd);
    });
    if (is_there || store_.size() >= store_size_) {
      close(fd);
    } else {
      store_.emplace(values["FDNAME"], fd);
    }
  } else if (values["FDSTOREREMOVE"] == "1") {
    const auto [first, last] = store_.equal_range(values["FDNAME"]);
    std::for_each(first, last, [](const auto& entry) { close(entry.second); });
    store_.erase(first, last);
  }
}

Store Daemon::take_store() {
  (void)notifications();
  return std::exchange(store_, {});
}

const Store& Daemon::store() {
  (void)notifications();
  return store_;
}

bool Daemon::wait_notification(std::string_view part, Milliseconds deadline) {
  const SteadyTime end = std::chrono::steady_clock::now() + deadline;
  while (receive_notification(end)) {
    if (contains(notifications_.back(), part)) return true;
  }
  return false;
}

const std::vector<std::string>& Daemon::notifications() {
  while (receive_notification(std::chrono::steady_clock::now())) {
  }
  return notifications_;
}

bool Daemon::wait_ready(Milliseconds deadline) {
  return wait_notification("READY=1", deadline);
}

std::string Daemon::hup_and_wait(Milliseconds deadline) {
  (void)notifications();
  if (!signal(SIGHUP)) return {};
  std::string line = wait_reload(deadline);
  if (line.empty()) ADD_FAILURE() << "the reload did not end";
  return line;
}

std::string Daemon::wait_reload(Milliseconds deadline) {
  const SteadyTime end = std::chrono::steady_clock::now() + deadline;
  if (!wait_notification("RELOADING=1", deadline)) return {};
  if (!wait_notification("READY=1", Milliseconds(milliseconds_until(end)))) return {};
  // The line is on its way to the logger, with all that was said before it.
  (void)eventually([&] { return count_reload_lines() > reload_lines_; }, kOnItsWay);
  reload_lines_ = count_reload_lines();
  return last_reload_line();
}

std::size_t Daemon::count_reload_lines() const {
  return log_lines(kReloadMark).size();
}

std::string Daemon::last_reload_line() const {
  const std::vector<std::string> lines = split_lines(log());
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (contains(*line, kReloadMark)) return *line;
  }
  return "(no line about a reload in the log)";
}

int Daemon::stop(Milliseconds deadline) {
  (void)signal(SIGTERM);
  return wait_exit(deadline).value_or(-1);
}

std::optional<int> Daemon::wait_exit(Milliseconds deadline) {
  end_expected_ = true;
  return process_->wait(deadline);
}

std::string Daemon::log() const {
  return read_file(log_file_);
}

std::string Daemon::error_output() const {
  return read_file(folder_ / "stderr");
}

std::vector<std::string> Daemon::log_lines(std::string_view part) const {
  std::vector<std::string> found;
  for (std::string& line : split_lines(log())) {
    if (contains(line, part)) found.push_back(std::move(line));
  }
  return found;
}

bool Daemon::wait_log(std::string_view part, std::size_t count, Milliseconds deadline) const {
  return eventually([&] { return count_lines(log(), part) >= count; }, deadline);
}

std::vector<std::string> Daemon::state(std::string_view part) {
  const std::size_t dumps = log_lines("generation ").size();
  (void)signal(SIGUSR1);
  if (!wait_log("generation ", dumps + 1)) ADD_FAILURE() << "no state dump";
  // The head says how many lines follow only by their end: a second dump's head stands behind them all.
  (void)signal(SIGUSR1);
  if (!wait_log("generation ", dumps + 2)) ADD_FAILURE() << "no state dump";
  std::vector<std::string> found;
  std::size_t seen = 0;
  for (std::string& line : split_lines(log())) {
    if (contains(line, "generation ")) ++seen;
    if (seen == dumps + 1 && contains(line, part)) found.push_back(std::move(line));
  }
  return found;
}

}  // namespace xsd::test
