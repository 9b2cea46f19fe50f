// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/program_support.h"

#include <charconv>
#include <cstddef>
#include <sstream>

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace xsd::test {
namespace {

/// `key=value key="quoted value"`.
void add_fields(Record& record, std::string_view text) {
  while (!text.empty()) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return;
    const std::string key(text.substr(0, equals));
    text.remove_prefix(equals + 1);
    const bool quoted = text.starts_with('"') || text.starts_with('\'');
    const char end_mark = quoted ? text.front() : ' ';
    if (quoted) text.remove_prefix(1);
    const std::size_t end = std::min(text.find(end_mark), text.size());
    record[key] = std::string(text.substr(0, end));
    text.remove_prefix(end);
    while (!text.empty() && (text.front() == ' ' || text.front() == end_mark))
      text.remove_prefix(1);
  }
}

}  // namespace

std::string World::operator[](const std::string& key) const {
  const auto found = values.find(key);
  return found == values.end() ? std::string() : found->second;
}

World parse_world(std::string_view text) {
  World world;
  for (const std::string& line : split_lines(text)) {
    const std::size_t blank = std::min(line.find(' '), line.size());
    const std::string key = line.substr(0, blank);
    const std::string value = line.substr(std::min(blank + 1, line.size()));
    if (key == "arg") {
      world.arguments.push_back(value);
    } else if (key == "env") {
      const std::size_t equals = std::min(value.find('='), value.size());
      const bool first =
          world.environment.emplace(value.substr(0, equals), value.substr(std::min(equals + 1, value.size())))
              .second;
      EXPECT_TRUE(first) << "twice in the environment: " << value;
    } else {
      world.values[key] = value;
    }
  }
  return world;
}

World ask_world(std::uint16_t port, const ClientOptions& options) {
  World world = parse_world(ask(port, "", options));
  EXPECT_FALSE(world["pid"].empty()) << "the program said nothing";
  return world;
}

std::vector<Record> records(const Daemon& daemon, std::string_view service, std::string_view event) {
  const std::string mark = " info: " + std::string(service) + ": " + std::string(event) + " conn=";
  std::vector<Record> found;
  for (const std::string& line : daemon.log_lines(mark)) {
    Record record{{"service", std::string(service)}, {"event", std::string(event)}};
    add_fields(record, std::string_view(line).substr(line.find(mark) + mark.size() - 5));
    found.push_back(std::move(record));
  }
  return found;
}

std::vector<Record> wait_records(const Daemon& daemon, std::string_view service, std::string_view event,
                                 std::size_t count, Milliseconds deadline) {
  std::vector<Record> found;
  EXPECT_TRUE(eventually(
      [&] {
        found = records(daemon, service, event);
        return found.size() >= count;
      },
      deadline))
      << found.size() << " '" << event << "' records of " << service << ", not " << count;
  return found;
}

std::size_t settled_fd_count(Daemon& daemon) {
  (void)daemon.state();  // the answer comes from a later turn of the loop
  return fd_count(daemon.pid());
}

pid_t pid_of(std::string_view line) {
  constexpr std::string_view kMark = "pid ";
  pid_t pid = 0;
  if (line.starts_with(kMark))
    (void)std::from_chars(line.data() + kMark.size(), line.data() + line.size(), pid);
  return pid;
}

Barrier::Barrier(const std::filesystem::path& path) : path_(path.string()) {
  if (mkfifo(path_.c_str(), 0600) != 0 || chmod(path_.c_str(), 0666) != 0)
    ADD_FAILURE() << "mkfifo " << path_;
  fd_ = open(path_.c_str(), O_RDWR | O_CLOEXEC);
}

void Barrier::release() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

UnixClient::UnixClient(int type, const std::string& path) : fd_(socket(AF_UNIX, type | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // Autobind: an abstract name that the kernel chooses.
  if (type == SOCK_DGRAM)
    (void)bind(fd_, reinterpret_cast<const sockaddr*>(&address), offsetof(sockaddr_un, sun_path));
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

UnixClient::~UnixClient() {
  close(fd_);
}

bool UnixClient::send(std::string_view text) {
  return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

std::string UnixClient::receive(Milliseconds deadline) {
  pollfd ready{fd_, POLLIN, 0};
  if (poll(&ready, 1, static_cast<int>(deadline.count())) <= 0) return {};
  char buffer[65536];
  const ssize_t count = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
  return count > 0 ? std::string(buffer, static_cast<std::size_t>(count)) : std::string();
}

std::string why_not_for_all(const std::filesystem::path& file) {
  for (std::filesystem::path part = std::filesystem::canonical(file); part.has_relative_path();
       part = part.parent_path()) {
    struct stat status {};
    if (stat(part.c_str(), &status) != 0 || (status.st_mode & S_IXOTH) == 0)
      return "other users cannot get at " + part.string();
  }
  return {};
}

void become_user(uid_t uid) {
  if (setgroups(0, nullptr) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) _exit(1);
}

void drop_capability(int number) {
  // A root process gets at exec what is left in its bounding set.
  if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) _exit(1);
}

std::string program_on(std::string_view name, const std::vector<std::string>& endpoints,
                       const std::vector<std::string>& argv, std::string_view more) {
  const auto list = [](const std::vector<std::string>& words, std::size_t begin) {
    std::string text = "[";
    for (std::size_t i = begin; i < words.size(); ++i)
      text += (i == begin ? "" : ", ") + yaml_quoted(words[i]);
    return text + "]\n";
  };
  std::string text = "service: " + std::string(name) + "\nlisten: " + list(endpoints, 0) +
                     "server: " + yaml_quoted(argv[0]) + "\n";
  if (argv.size() > 1) text += "server_args: " + list(argv, 1);
  if (!contains(more, "user: ")) text += "user: " + current_user() + "\n";
  return text + std::string(more) + (more.empty() || more.ends_with('\n') ? "" : "\n");
}

std::string copy_program(const TempFolder& folder, std::string_view name, std::string_view as) {
  const std::filesystem::path to = folder / as;
  std::filesystem::create_directories(to.parent_path());
  // Beside it and renamed: a process that another thread of tests forks meanwhile must not hold it open.
  std::filesystem::copy_file(program(name), to, std::filesystem::copy_options::overwrite_existing);
  (void)chmod(to.c_str(), 0755);
  return to.string();
}

}  // namespace xsd::test
