// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/name_service.h"

#include "xsd/base/clock.h"
#include "xsd/base/number.h"
#include "xsd/base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <optional>
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
  explicit SystemNameService(HostPatience patience) : patience_(patience) {}

  void refresh() override {
    interfaces_.clear();
    has_ipv6_.reset();
    host_time_ = Duration::zero();
    resolver_is_ready_ = false;
  }

  NameAnswer ask(const NameQuestion& question) override {
    switch (question.kind) {
      case NameQuestion::Kind::User:
        return user(question.text);
      case NameQuestion::Kind::UserAndGroups: {
        NameAnswer answer = user(question.text);
        if (answer.found()) answer.groups = groups_of(answer.user.name);
        return answer;
      }
      case NameQuestion::Kind::Group:
        return group(question.text);
      case NameQuestion::Kind::TcpPort:
        return port(question.text, "tcp");
      case NameQuestion::Kind::UdpPort:
        return port(question.text, "udp");
      case NameQuestion::Kind::Network:
        return network(question.text);
      case NameQuestion::Kind::Host:
        return host(question.text);
    }
    return NameAnswer::not_found();
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
  NameAnswer user(const std::string& account) {
    const auto number = account_number(account);
    passwd record{};
    const passwd* const entry =
        look_up(record, buffer_, [&](passwd* r, char* b, std::size_t n, passwd** out) {
          return number ? getpwuid_r(*number, r, b, n, out) : getpwnam_r(account.c_str(), r, b, n, out);
        });
    NameAnswer answer = NameAnswer::not_found();
    if (entry == nullptr) return answer;
    answer.state = NameAnswer::State::Found;
    answer.user = UserEntry{entry->pw_name, entry->pw_uid, entry->pw_gid};
    return answer;
  }

  // getgrouplist(3) puts the group that it is given among the others. Which one the program will run with is
  // not known yet, so it gets one that nobody can have, and that one is taken out again.
  static std::vector<gid_t> groups_of(const std::string& name) {
    constexpr gid_t kNoGroup = ~gid_t{0};
    std::vector<gid_t> groups(32);
    for (;;) {
      int count = static_cast<int>(groups.size());
      const bool fits = getgrouplist(name.c_str(), kNoGroup, groups.data(), &count) >= 0;
      groups.resize(static_cast<std::size_t>(count));
      if (fits) break;
    }
    std::erase(groups, kNoGroup);
    return groups;
  }

  NameAnswer group(const std::string& name) {
    ::group record{};
    const ::group* const entry =
        look_up(record, buffer_, [&](::group* r, char* b, std::size_t n, ::group** out) {
          return getgrnam_r(name.c_str(), r, b, n, out);
        });
    NameAnswer answer = NameAnswer::not_found();
    if (entry == nullptr) return answer;
    answer.state = NameAnswer::State::Found;
    answer.gid = entry->gr_gid;
    return answer;
  }

  NameAnswer port(const std::string& name, const char* protocol) {
    servent record{};
    const servent* const entry =
        look_up(record, buffer_, [&](servent* r, char* b, std::size_t n, servent** out) {
          return getservbyname_r(name.c_str(), protocol, r, b, n, out);
        });
    NameAnswer answer = NameAnswer::not_found();
    if (entry == nullptr) return answer;
    answer.state = NameAnswer::State::Found;
    answer.port = ntohs(static_cast<std::uint16_t>(entry->s_port));
    return answer;
  }

  // IPv4 only; as everywhere in the lists, zeros at the end are wildcards.
  NameAnswer network(const std::string& name) {
    netent record{};
    int error = 0;
    const netent* const entry =
        look_up(record, buffer_, [&](netent* r, char* b, std::size_t n, netent** out) {
          return getnetbyname_r(name.c_str(), r, b, n, out, &error);
        });
    if (entry == nullptr && error == TRY_AGAIN) return NameAnswer::unknown("no answer from a name server");
    NameAnswer answer = NameAnswer::not_found();
    if (entry == nullptr || entry->n_addrtype != AF_INET || entry->n_net == 0) return answer;
    std::uint32_t number = entry->n_net;
    while ((number & 0xFF000000U) == 0)
      number <<= 8U;  // some sources leave the parts at the end out
    unsigned length = net::Prefix::kV4Bits;
    while ((number >> (net::Prefix::kV4Bits - length) & 0xFFU) == 0)
      length -= 8;
    answer.state = NameAnswer::State::Found;
    answer.network = net::Prefix::v4(in_addr{htonl(number)}, length);
    return answer;
  }

  NameAnswer host(const std::string& name) {
    if (patience_ == HostPatience::Long) return look_up_host(name);
    if (host_time_ >= kHostBudget) {
      return NameAnswer::unknown("not asked: other hosts took longer than " + format_duration(kHostBudget));
    }
    const MonotonicTime before = clock_.monotonic();
    NameAnswer answer = look_up_host(name);
    host_time_ += clock_.monotonic() - before;
    return answer;
  }

  // Once a load, so that a change of resolv.conf is seen: the library does not look for one any more after
  // somebody has changed the times.
  void prepare_resolver() {
    if (resolver_is_ready_) return;
    resolver_is_ready_ = true;
    (void)res_init();  // without it the defaults of resolv.conf(5) hold
    _res.retrans = 1;
    _res.retry = patience_ == HostPatience::Short ? 1 : 2;
  }

  NameAnswer look_up_host(const std::string& name) {
    prepare_resolver();
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int error = getaddrinfo(name.c_str(), nullptr, &hints, &list);
    if (error == EAI_AGAIN) return NameAnswer::unknown("no answer from a name server");
    NameAnswer answer = NameAnswer::not_found();
    if (error != 0) return answer;
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
      const net::SocketAddress address(entry->ai_addr, entry->ai_addrlen);
      const auto& known = answer.addresses;
      if (!address.is_ip() || std::find(known.begin(), known.end(), address) != known.end()) continue;
      answer.addresses.push_back(address);
    }
    freeaddrinfo(list);
    if (!answer.addresses.empty()) answer.state = NameAnswer::State::Found;
    return answer;
  }

  const HostPatience patience_;
  std::unordered_map<std::string, bool> interfaces_;
  std::optional<bool> has_ipv6_;
  bool resolver_is_ready_ = false;
  Duration host_time_ = Duration::zero();
  std::vector<char> buffer_;
  SystemClock clock_;
};

}  // namespace

std::unique_ptr<NameService> make_system_name_service(HostPatience patience) {
  return std::make_unique<SystemNameService>(patience);
}

void ask_all(NameService& names, NameAnswers& answers) {
  for (std::size_t i = 0; i < answers.questions().size(); ++i)
    answers.set(i, names.ask(answers.questions()[i]));
}

}  // namespace xsd::config
