// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {
namespace {

constexpr std::uint16_t kFirstPort = 12000;
constexpr std::uint16_t kLastPort = 31999;
constexpr rlim_t kUsualFiles = 1024;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts)
    result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

void set_up_child(const Launch& launch, int group_fd, int error_fd, int output_fd) {
  // The driver may be killed: no server of its stays behind.
  (void)prctl(PR_SET_PDEATHSIG, launch.orphan_signal);
  (void)signal(SIGPIPE, SIG_DFL);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = std::min(kUsualFiles, files.rlim_max);
    (void)setrlimit(RLIMIT_NOFILE, &files);
  }
  if (launch.cpu >= 0) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<std::size_t>(launch.cpu), &cpus);
    (void)sched_setaffinity(0, sizeof cpus, &cpus);
  }
  // A group that cannot be entered would make the server look free of cost.
  if (group_fd >= 0 && write(group_fd, "0", 1) != 1) _exit(126);
  if (error_fd >= 0) (void)dup2(error_fd, 2);
  if (output_fd >= 0) (void)dup2(output_fd, 1);
}

bool is_bindable(std::uint16_t port, int type) {
  const xsd::UniqueFd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return fd && bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

int milliseconds_left(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

void pause_for(std::chrono::microseconds time) {
  std::this_thread::sleep_for(time);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), output_(std::move(other.output_)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    stop(std::chrono::milliseconds(0));
    pid_ = std::exchange(other.pid_, -1);
    output_ = std::move(other.output_);
  }
  return *this;
}

Process::~Process() {
  stop(std::chrono::milliseconds(0));
}

xsd::Result<Process> Process::start(const Launch& launch) {
  std::vector<std::string> argv = launch.argv;
  std::vector<std::string> environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                          "LANG=C.UTF-8", "TZ=UTC"};
  environment.insert(environment.end(), launch.extra_environment.begin(), launch.extra_environment.end());
  const std::vector<char*> arguments = pointers(argv);
  const std::vector<char*> variables = pointers(environment);

  xsd::UniqueFd group;
  if (!launch.cgroup_procs.empty()) {
    group = xsd::UniqueFd(open(launch.cgroup_procs.c_str(), O_WRONLY | O_CLOEXEC));
    if (!group) return xsd::Error::from_errno(errno, launch.cgroup_procs);
  }
  xsd::UniqueFd errors;
  if (!launch.error_file.empty()) {
    errors = xsd::UniqueFd(open(launch.error_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!errors) return xsd::Error::from_errno(errno, launch.error_file);
  }
  Process process;
  xsd::UniqueFd write_end;
  if (launch.capture_output) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return xsd::Error::from_errno(errno, "pipe");
    process.output_ = xsd::UniqueFd(ends[0]);
    write_end = xsd::UniqueFd(ends[1]);
  }
  const pid_t pid = fork();
  if (pid < 0) return xsd::Error::from_errno(errno, "fork");
  if (pid == 0) {
    set_up_child(launch, group.get(), errors.get(), write_end.get());
    execve(arguments[0], arguments.data(), variables.data());
    _exit(127);
  }
  process.pid_ = pid;
  return process;
}

bool Process::is_running() {
  if (pid_ < 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  pid_ = -1;
  return false;
}

void Process::stop(std::chrono::milliseconds grace) {
  if (pid_ < 0) return;
  if (grace.count() > 0) {
    (void)kill(pid_, SIGTERM);
    const Deadline deadline = Clock::now() + grace;
    while (is_running() && Clock::now() < deadline)
      pause_for(std::chrono::milliseconds(2));
  }
  if (pid_ < 0) return;
  (void)kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})), keep_(other.keep_) {}

TemporaryFolder& TemporaryFolder::operator=(TemporaryFolder&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(keep_, other.keep_);
  return *this;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;  // nothing can be done about a folder that stays
  if (!path_.empty() && !keep_) std::filesystem::remove_all(path_, ignored);
}

xsd::Result<TemporaryFolder> TemporaryFolder::create(bool keep) {
  std::string name = "/tmp/xsd-bench-" + (keep ? "kept" : std::to_string(getpid())) + "-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) return xsd::Error::from_errno(errno, "mkdtemp");
  TemporaryFolder folder;
  folder.path_ = name;
  folder.keep_ = keep;
  std::error_code failed;
  std::filesystem::permissions(folder.path_, std::filesystem::perms(0755), failed);
  if (failed) return xsd::Error::from_errno(failed.value(), name);
  return folder;
}

void remove_stale(const std::filesystem::path& parent) {
  constexpr std::string_view kPrefix = "xsd-bench-";
  std::vector<std::filesystem::path> stale;
  std::error_code failed;
  for (std::filesystem::directory_iterator it(parent, failed), end; !failed && it != end;
       it.increment(failed)) {
    const std::string name = it->path().filename().string();
    struct stat status {};
    if (!name.starts_with(kPrefix) || lstat(it->path().c_str(), &status) != 0) continue;
    const int pid = std::atoi(name.c_str() + kPrefix.size());
    const bool is_ours = S_ISDIR(status.st_mode) && status.st_uid == geteuid();
    if (pid > 0 && is_ours && kill(pid, 0) != 0 && errno == ESRCH) stale.push_back(it->path());
  }
  for (const std::filesystem::path& path : stale) {
    // A control group goes by rmdir alone: its files are the kernel's.
    if (rmdir(path.c_str()) != 0 && errno == ENOTEMPTY) std::filesystem::remove_all(path, failed);
  }
}

xsd::Result<ReadySocket> ReadySocket::create(const std::filesystem::path& path) {
  ReadySocket ready;
  ready.fd_ = xsd::UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!ready.fd_) return xsd::Error::from_errno(errno, "socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path) return xsd::Error("path too long: " + text);
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  if (bind(ready.fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return xsd::Error::from_errno(errno, text);
  }
  return ready;
}

bool ReadySocket::wait_ready(Deadline deadline) {
  for (;;) {
    std::array<char, 4096> message{};
    const ssize_t size = recv(fd_.get(), message.data(), message.size(), MSG_DONTWAIT);
    if (size > 0) {
      const std::string_view text(message.data(), static_cast<std::size_t>(size));
      if (text.starts_with("READY=1") || text.find("\nREADY=1") != std::string_view::npos) return true;
      continue;
    }
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (poll(&waiting, 1, milliseconds_left(deadline)) <= 0) return false;
  }
}

void ReadySocket::drain() {
  std::array<char, 4096> message{};
  while (recv(fd_.get(), message.data(), message.size(), MSG_DONTWAIT) > 0) {
  }
}

xsd::Status write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return xsd::Error("cannot write " + path.string());
  return {};
}

xsd::Status replace_file(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path beside = path.parent_path() / ("." + path.filename().string() + ".new");
  if (xsd::Status written = write_file(beside, text); !written) return written;
  std::error_code failed;
  std::filesystem::rename(beside, path, failed);
  if (failed) return xsd::Error::from_errno(failed.value(), path.string());
  return {};
}

std::string read_file(const std::filesystem::path& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string last_lines(const std::filesystem::path& path) {
  constexpr std::size_t kEnough = 1500;
  const std::string text = read_file(path);
  return text.size() <= kEnough ? text : "..." + text.substr(text.size() - kEnough);
}

xsd::Result<std::vector<std::uint16_t>> free_ports(std::size_t count) {
  // Goes round from a place that differs between runs, so that two drivers rarely meet.
  static std::uint16_t next = static_cast<std::uint16_t>(kFirstPort + getpid() % (kLastPort - kFirstPort));
  std::vector<std::uint16_t> ports;
  ports.reserve(count);
  for (int tries = 0; ports.size() < count && tries < kLastPort - kFirstPort; ++tries) {
    next = next >= kLastPort ? kFirstPort : static_cast<std::uint16_t>(next + 1);
    if (is_bindable(next, SOCK_STREAM) && is_bindable(next, SOCK_DGRAM)) ports.push_back(next);
  }
  if (ports.size() < count) return xsd::Error("not enough free ports");
  return ports;
}

}  // namespace bench
