// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/own_resolver.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

namespace xsd::test {
namespace {

constexpr char kAddressType = 1;
constexpr char kPointerType = 12;
constexpr std::size_t kHead = 12;

/// As it travels: each part with its length.
std::string encoded(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const auto dot = std::min(name.find('.'), name.size());
    out += static_cast<char>(dot);
    out += name.substr(0, dot);
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  return out + '\0';
}

std::string four_bytes(const std::string& address) {
  in_addr bytes{};
  inet_pton(AF_INET, address.c_str(), &bytes);
  return {reinterpret_cast<const char*>(&bytes), sizeof bytes};
}

std::string reverse_name(const std::string& address) {
  const std::string bytes = four_bytes(address);
  std::string name;
  for (std::size_t i = bytes.size(); i-- > 0;)
    name += std::to_string(static_cast<unsigned char>(bytes[i])) + ".";
  return name + "in-addr.arpa";
}

}  // namespace

OwnResolver::OwnResolver(const TempFolder& folder,
                         const std::vector<std::pair<std::string, std::string>>& hosts)
    : folder_(folder.path()), why_not_(network_.why_not()) {
  if (!why_not_.empty()) return;
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    why_not_ = "no mount namespace";
    return;
  }
  cover("/etc/resolv.conf", "nameserver 127.0.0.53\n");
  cover("/etc/nsswitch.conf", "hosts: dns\nnetworks: files\n");
  for (const auto& [address, name] : hosts) {
    add_reverse(address, name);
    add_forward(name, address);
  }
  server_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  inet_pton(AF_INET, "127.0.0.53", &address.sin_addr);
  if (bind(server_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    why_not_ = "cannot bind port 53";
    return;
  }
  thread_ = std::thread([this] { serve(); });
}

OwnResolver::~OwnResolver() {
  ends_ = true;
  if (thread_.joinable()) thread_.join();
  close(server_);
  for (const std::string& path : covered_)
    (void)umount2(path.c_str(), MNT_DETACH);
}

void OwnResolver::add_reverse(const std::string& address, const std::string& name) {
  const std::lock_guard lock(mutex_);
  records_.emplace(kPointerType + encoded(reverse_name(address)), encoded(name));
}

void OwnResolver::add_forward(const std::string& name, const std::string& address) {
  const std::lock_guard lock(mutex_);
  records_.emplace(kAddressType + encoded(name), four_bytes(address));
}

void OwnResolver::cover(const char* path, std::string_view text) {
  if (!why_not_.empty()) return;
  std::string name(path);
  std::replace(name.begin(), name.end(), '/', '_');
  const std::filesystem::path file = folder_ / name;
  {
    std::ofstream out(file);
    out << text;
  }
  std::filesystem::permissions(file, std::filesystem::perms(0644));
  if (mount(file.c_str(), path, nullptr, MS_BIND, nullptr) != 0) {
    why_not_ = std::string("cannot mount over ") + path;
    return;
  }
  covered_.emplace_back(path);
}

bool OwnResolver::is_asked() const {
  return eventually([this] { return questions_ > 0; });
}

void OwnResolver::serve() {
  while (!ends_) {
    pollfd entry{server_, POLLIN, 0};
    if (poll(&entry, 1, 20) != 1) continue;
    char question[512];
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    const ssize_t got =
        recvfrom(server_, question, sizeof question, 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (got < static_cast<ssize_t>(kHead)) continue;
    ++questions_;
    if (silent_) continue;
    const std::string answer = answer_to({question, static_cast<std::size_t>(got)});
    (void)sendto(server_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
  }
}

// RFC 1035 section 4.1: head, the question as it came, and answers that refer to its name.
std::string OwnResolver::answer_to(std::string_view question) {
  const auto end_of_name = question.find('\0', kHead) + 1;
  const std::string name(question.substr(kHead, end_of_name - kHead));
  const char type = question[end_of_name + 1];
  std::vector<std::string> found;
  {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = records_.equal_range(type + name);
    for (auto record = first; record != last; ++record)
      found.push_back(record->second);
    const bool is_known = !found.empty() || records_.contains(kAddressType + name);
    std::string head(question.substr(0, 2));
    head += {'\x81', is_known ? '\x80' : '\x83', 0, 1, 0, static_cast<char>(found.size()), 0, 0, 0, 0};
    head += question.substr(kHead, end_of_name - kHead + 4);
    for (const std::string& data : found) {
      head += {'\xC0', '\x0C', 0, type, 0, 1, 0, 0, 0, 60, 0, static_cast<char>(data.size())};
      head += data;
    }
    return head;
  }
}

void expect_prompt_echoes(std::uint16_t port, const std::function<bool()>& is_over) {
  std::vector<Milliseconds> answers;
  while (!is_over()) {
    const SteadyTime asked = std::chrono::steady_clock::now();
    ASSERT_TRUE(echoes(port));
    answers.push_back(elapsed(asked));
  }
  ASSERT_GE(answers.size(), 100U);
  std::sort(answers.begin(), answers.end());
  const Milliseconds p99 = answers[answers.size() * 99 / 100];
  testing::Test::RecordProperty("answers", static_cast<int>(answers.size()));
  testing::Test::RecordProperty("p99_ms", static_cast<int>(p99.count()));
  testing::Test::RecordProperty("longest_ms", static_cast<int>(answers.back().count()));
  EXPECT_LT(p99, Milliseconds(100));
  EXPECT_LT(answers.back(), Milliseconds(500));
}

}  // namespace xsd::test
