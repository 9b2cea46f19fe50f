// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/process.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/harness/proc.h"
#include "tests/integration/harness/temp_folder.h"

extern char** environ;

namespace xsd::test {
namespace {

constexpr int kCannotExecute = 127;

std::vector<std::string> make_environment(const StartOptions& options) {
  std::vector<std::string> environment;
  const auto is_replaced = [&](std::string_view entry) {
    const std::string_view name = entry.substr(0, entry.find('='));
    for (const std::string& unset : options.unset) {
      if (unset == name) return true;
    }
    for (const std::string& given : options.environment) {
      if (std::string_view(given).substr(0, given.find('=')) == name) return true;
    }
    return false;
  };
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!is_replaced(*entry)) environment.emplace_back(*entry);
  }
  environment.insert(environment.end(), options.environment.begin(), options.environment.end());
  if (!options.listen.empty()) {
    std::string names;
    for (const auto& [name, fd] : options.listen)
      names += (names.empty() ? "" : ":") + name;
    environment.push_back("LISTEN_FDNAMES=" + names);
    environment.push_back("LISTEN_FDS=" + std::to_string(options.listen.size()));
  }
  if (!options.strace.empty()) {
    // The leak checker is a tracer of its own and there can be only one.
    const char* const now = std::getenv("ASAN_OPTIONS");
    std::erase_if(environment, [](const std::string& entry) { return entry.starts_with("ASAN_OPTIONS="); });
    environment.push_back("ASAN_OPTIONS=" + (now != nullptr ? std::string(now) + ":" : std::string()) +
                          "detect_leaks=0");
  }
  return environment;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (std::string& word : words)
    all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

void redirect(int fd, const std::filesystem::path& path, int flags) {
  const int file = open(path.c_str(), flags, 0644);
  if (file < 0 || dup2(file, fd) < 0) _exit(kCannotExecute);
  if (file != fd) close(file);
}

constexpr char kListenPid[] = "LISTEN_PID=";

// In the child. They may stand where they are to go.
void hand_over(const std::vector<std::pair<std::string, int>>& listen, char* listen_pid) {
  if (listen.empty()) return;
  const int last = 3 + static_cast<int>(listen.size());
  std::vector<int> aside;
  for (const auto& [name, fd] : listen)
    aside.push_back(fcntl(fd, F_DUPFD_CLOEXEC, last));
  for (std::size_t i = 0; i < aside.size(); ++i) {
    if (dup2(aside[i], 3 + static_cast<int>(i)) < 0) _exit(kCannotExecute);
  }
  (void)std::sprintf(listen_pid + sizeof kListenPid - 1, "%d", getpid());
}

int shell_status(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

std::string why_no_strace() {
  static const std::string why = []() -> std::string {
    const RunResult result = run({"strace", "-o", "/dev/null", "/bin/true"});
    if (result.status == 0) return {};
    return "strace does not work here: " + result.err;
  }();
  return why;
}

Process::Process(const std::vector<std::string>& argv, const StartOptions& options) {
  std::vector<std::string> words = argv;
  std::vector<std::string> environment = make_environment(options);
  if (!options.listen.empty()) environment.push_back(kListenPid + std::string(20, '\0'));
  const std::vector<char*> word_pointers = pointers(words);
  const std::vector<char*> environment_pointers = pointers(environment);
  int gate[2];
  if (pipe2(gate, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
  if (pid_ == 0) {
    char go = 0;
    if (!options.strace.empty() && read(gate[0], &go, 1) != 1) _exit(kCannotExecute);
    redirect(STDIN_FILENO, options.input, O_RDWR);
    redirect(STDOUT_FILENO, options.output, O_WRONLY | O_CREAT | O_APPEND);
    redirect(STDERR_FILENO, options.error, O_WRONLY | O_CREAT | O_APPEND);
    hand_over(options.listen, environment.back().data());
    if (options.in_child) options.in_child();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(kCannotExecute);
    execvpe(word_pointers[0], word_pointers.data(), environment_pointers.data());
    _exit(kCannotExecute);
  }
  close(gate[0]);
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (!options.strace.empty()) {
    start_strace(options);
    (void)::write(gate[1], "g", 1);
  }
  close(gate[1]);
}

void Process::start_strace(const StartOptions& options) {
  std::vector<std::string> argv{"strace", "-f", "-o", options.strace_output.string()};
  argv.insert(argv.end(), options.strace.begin(), options.strace.end());
  argv.insert(argv.end(), {"-p", std::to_string(pid_)});
  strace_ = std::make_unique<Process>(argv);
  const auto attached = [&] { return status_field(pid_, "TracerPid") != "0" || !strace_->running(); };
  if (!eventually(attached) || !strace_->running()) throw std::runtime_error("strace did not attach");
}

void Process::end_tracing() {
  if (!strace_) return;
  (void)strace_->signal(SIGINT);
  (void)strace_->wait();
  strace_.reset();
}

Process::~Process() {
  if (running()) {
    (void)signal(SIGKILL);
    (void)wait(kDeadline);
  }
  if (strace_) (void)strace_->wait();  // it ends with what it traces
  if (pidfd_ >= 0) close(pidfd_);
}

bool Process::running() {
  return !wait(Milliseconds(0)).has_value();
}

bool Process::signal(int number) {
  // Not reaped yet, so the number is still its own.
  return !status_ && kill(pid_, number) == 0;
}

std::optional<int> Process::wait(Milliseconds deadline) {
  if (status_) return status_;
  pollfd ended{pidfd_, POLLIN, 0};
  const SteadyTime end = std::chrono::steady_clock::now() + deadline;
  int count = 0;
  do {
    count = poll(&ended, 1, milliseconds_until(end));
  } while (count < 0 && errno == EINTR);
  const auto reap = [&] {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) status_ = shell_status(status);
    return status_.has_value();
  };
  // A tracer learns of the end before we do.
  if (count > 0) (void)eventually(reap, Milliseconds(milliseconds_until(end)));
  return status_;
}

RunResult run(const std::vector<std::string>& argv, StartOptions options, Milliseconds deadline) {
  const TempFolder folder;
  options.output = folder / "out";
  options.error = folder / "err";
  RunResult result;
  {
    Process process(argv, options);
    result.status = process.wait(deadline).value_or(-1);
  }
  result.out = folder.read("out");
  result.err = folder.read("err");
  return result;
}

RunResult run_xsd(std::vector<std::string> arguments, StartOptions options, Milliseconds deadline) {
  arguments.insert(arguments.begin(), xsd_binary());
  return run(arguments, std::move(options), deadline);
}

std::string xsd_binary() {
  return XSD_BINARY;
}

std::string program(std::string_view name) {
  return std::string(XSD_PROGRAMS "/") + std::string(name);
}

bool is_sanitized() {
#ifdef XSD_SANITIZED
  return true;
#else
  return false;
#endif
}

}  // namespace xsd::test
