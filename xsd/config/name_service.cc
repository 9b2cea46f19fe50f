// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/name_service.h"

#include "xsd/base/clock.h"
#include "xsd/base/unique_fd.h"

#include <cerrno>
#include <unordered_map>
#include <utility>

#include <grp.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <resolv.h>
#include <sys/socket.h>
#include <unistd.h>

namespace xsd::config {
namespace {

constexpr Duration kHostBudget = std::chrono::seconds(1);
constexpr std::size_t kLargestBuffer = std::size_t{1} << 20;

// Calls a reentrant look-up with a buffer that grows until it is large enough.
template <class Record, class Call>
Record* look_up(Record& record, std::vector<char>& buffer, Call call) {
  buffer.resize(2048);
  for (;;) {
    Record* found = nullptr;
    const int error = call(&record, buffer.data(), buffer.size(), &found);
    if (error == EINTR) continue;
    if (error != ERANGE || buffer.size() >= kLargestBuffer) return error == 0 ? found : nullptr;
    buffer.resize(buffer.size() * 4);
  }
}

class SystemNameService final : public NameService {
 public:
  void refresh() override {
    users_.clear();
    groups_.clear();
    ports_.clear();
    hosts_.clear();
    interfaces_.clear();
    has_ipv6_.reset();
    host_time_ = Duration::zero();
  }

  std::optional<UserEntry> user(const std::string& name) override {
    const auto [place, is_new] = users_.try_emplace(name);
    if (is_new) {
      passwd record{};
      const passwd* const found =
          look_up(record, buffer_, [&](passwd* r, char* b, std::size_t n, passwd** out) {
            return getpwnam_r(name.c_str(), r, b, n, out);
          });
      if (found != nullptr) place->second = UserEntry{found->pw_name, found->pw_uid, found->pw_gid};
    }
    return place->second;
  }

  std::optional<UserEntry> user(uid_t uid) override {
    const auto [place, is_new] = users_.try_emplace("#" + std::to_string(uid));  // no name has a '#'
    if (is_new) {
      passwd record{};
      const passwd* const found = look_up(
          record, buffer_,
          [&](passwd* r, char* b, std::size_t n, passwd** out) { return getpwuid_r(uid, r, b, n, out); });
      if (found != nullptr) place->second = UserEntry{found->pw_name, found->pw_uid, found->pw_gid};
    }
    return place->second;
  }

  std::optional<gid_t> group(const std::string& name) override {
    const auto [place, is_new] = groups_.try_emplace(name);
    if (is_new) {
      ::group record{};
      const ::group* const found =
          look_up(record, buffer_, [&](::group* r, char* b, std::size_t n, ::group** out) {
            return getgrnam_r(name.c_str(), r, b, n, out);
          });
      if (found != nullptr) place->second = found->gr_gid;
    }
    return place->second;
  }

  std::vector<gid_t> groups_of(const UserEntry& user) override {
    std::vector<gid_t> groups(32);
    for (;;) {
      int count = static_cast<int>(groups.size());
      const bool fits = getgrouplist(user.name.c_str(), user.gid, groups.data(), &count) >= 0;
      groups.resize(static_cast<std::size_t>(count));
      if (fits) return groups;
    }
  }

  std::optional<std::uint16_t> port(const std::string& name, const std::string& protocol) override {
    const auto [place, is_new] = ports_.try_emplace(protocol + "/" + name);
    if (is_new) {
      servent record{};
      const servent* const found =
          look_up(record, buffer_, [&](servent* r, char* b, std::size_t n, servent** out) {
            return getservbyname_r(name.c_str(), protocol.c_str(), r, b, n, out);
          });
      if (found != nullptr) place->second = ntohs(static_cast<std::uint16_t>(found->s_port));
    }
    return place->second;
  }

  std::vector<net::SocketAddress> addresses(const std::string& host) override {
    const auto [place, is_new] = hosts_.try_emplace(host);
    if (is_new && host_time_ < kHostBudget) {
      const MonotonicTime before = clock_.monotonic();
      place->second = ask(host);
      host_time_ += clock_.monotonic() - before;
    }
    return place->second;
  }

  bool has_interface(const std::string& name) override {
    const auto [place, is_new] = interfaces_.try_emplace(name, false);
    if (is_new) place->second = if_nametoindex(name.c_str()) != 0;
    return place->second;
  }

  bool has_ipv6() override {
    if (!has_ipv6_) {
      const UniqueFd probe(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      has_ipv6_ = probe || errno != EAFNOSUPPORT;
    }
    return *has_ipv6_;
  }

  uid_t own_uid() override { return geteuid(); }
  gid_t own_gid() override { return getegid(); }

 private:
  // The loop stands still meanwhile, so a resolver that does not answer gets one try of a second.
  static std::vector<net::SocketAddress> ask(const std::string& host) {
    if ((_res.options & RES_INIT) == 0) (void)res_init();  // without it the defaults of resolv.conf(5) hold
    _res.retrans = 1;
    _res.retry = 1;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    std::vector<net::SocketAddress> addresses;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return addresses;
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
      const net::SocketAddress address(entry->ai_addr, entry->ai_addrlen);
      bool is_known = !address.is_ip();
      for (const auto& other : addresses)
        is_known = is_known || other == address;
      if (!is_known) addresses.push_back(address);
    }
    freeaddrinfo(list);
    return addresses;
  }

  std::unordered_map<std::string, std::optional<UserEntry>> users_;
  std::unordered_map<std::string, std::optional<gid_t>> groups_;
  std::unordered_map<std::string, std::optional<std::uint16_t>> ports_;
  std::unordered_map<std::string, std::vector<net::SocketAddress>> hosts_;
  std::unordered_map<std::string, bool> interfaces_;
  std::optional<bool> has_ipv6_;
  Duration host_time_ = Duration::zero();
  std::vector<char> buffer_;
  SystemClock clock_;
};

}  // namespace

std::unique_ptr<NameService> make_system_name_service() {
  return std::make_unique<SystemNameService>();
}

}  // namespace xsd::config
