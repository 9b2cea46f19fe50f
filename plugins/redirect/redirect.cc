// SPDX-License-Identifier: Apache-2.0
//
// redirect: passes each connection on to another server. The host carries the bytes (join of plugin.h); what
// is done here is to find somebody who takes the connection.
//
//   LookingUp    what the host's name means is being asked, by one thread for all clients who want to know,
//                and is good for a few seconds; literal addresses and unix sockets need no asking
//   Connecting   to one address after the other; first to the one that has answered last
//   Resting      nobody has taken it: all of it again in a second, as often as `retries` says
//   Passing      joined
//
// Each step of the first two may take `connect_timeout`. Nothing is read from the client before it is joined:
// what it sends waits in the kernel. If nobody takes it in the end it is closed, and a line of the log says
// why: the first time, and then once a minute, until one has passed and none failed for five seconds.
//
// If a name cannot be asked about now, but could before, what it meant then still counts.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "xsd/plugin.hpp"

namespace {

using namespace std::chrono_literals;
using xsd::api::Connection;
using xsd::api::Host;
using xsd::api::Node;

constexpr std::chrono::nanoseconds kFresh = 5s;
constexpr std::chrono::nanoseconds kRest = 1s;
constexpr std::chrono::nanoseconds kQuiet = 60s;
constexpr std::chrono::nanoseconds kCalm = 5s;
constexpr std::chrono::nanoseconds kLongestTimeout = 1h;
constexpr std::uint64_t kMostRetries = 1000;
constexpr std::size_t kMostAddresses = 64;

struct Address {
  std::string host;        ///< numeric; of a unix socket its path, or @NAME
  std::uint16_t port = 0;  ///< 0: a unix socket
  friend bool operator==(const Address& a, const Address& b) { return a.host == b.host && a.port == b.port; }
};
using Addresses = std::vector<Address>;

std::string shown(const std::string& host, const std::string& port) {
  if (port.empty()) return host;
  return (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + port;
}

std::string to_string(const Address& address) {
  return shown(address.host, address.port != 0 ? std::to_string(address.port) : "");
}

bool is_unix(std::string_view host) {
  return host.substr(0, 1) == "/" || host.substr(0, 1) == "@";
}

std::string text_of(Node node) {
  return std::string(node.text().value_or(""));
}

/// What a name means, or why nobody knows.
struct Answer {
  Addresses addresses;
  int error = 0;  ///< EAI_*
  std::string text;
};

/// `flags`: with AI_NUMERICHOST and AI_NUMERICSERV nobody is asked.
Answer ask(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_protocol = IPPROTO_TCP;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  Answer answer;
  answer.error = getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
  if (answer.error != 0) {
    answer.text = answer.error == EAI_SYSTEM ? std::generic_category().message(errno)
                                             : std::string(gai_strerror(answer.error));
    return answer;
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(list, &freeaddrinfo);
  for (const addrinfo* one = list; one != nullptr && answer.addresses.size() < kMostAddresses;
       one = one->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0)
      continue;
    // The port is at the same place in the addresses of both families.
    const std::uint16_t number = ntohs(reinterpret_cast<const sockaddr_in*>(one->ai_addr)->sin_port);
    Address address{text, number};
    const auto& known = answer.addresses;
    if (std::find(known.begin(), known.end(), address) == known.end())
      answer.addresses.push_back(std::move(address));
  }
  if (answer.addresses.empty()) answer.error = EAI_NONAME;
  return answer;
}

class Service;
class Client;

/// To the server, for one client.
class Upstream {
 public:
  Upstream(Connection connection, Client& client) : connection_(connection), client_(&client) {}
  void on_connected(int result);
  void on_close(std::uint32_t reason);
  /// It is of no use to its client any more.
  void abandon() {
    client_ = nullptr;
    connection_.abort();
  }
  /// It goes on by itself.
  void let_go() { client_ = nullptr; }
  Connection connection() const { return connection_; }

 private:
  Connection connection_;
  Client* client_;
};

class Client {
 public:
  Client(Connection connection, Service& service) : connection_(connection), service_(service) {}
  int on_open();
  void on_close(std::uint32_t reason);

  void on_found(std::shared_ptr<const Addresses> addresses, std::size_t first);
  void on_not_found(const std::string& why);
  void on_connected(int result);
  void on_upstream_gone() { upstream_ = nullptr; }

 private:
  enum class State : std::uint8_t { LookingUp, Connecting, Resting, Passing, Closing };

  void begin_round();
  void try_next();
  void fail(const std::string& why);
  void end_round();
  void pass();
  void on_time();
  bool leads_back(const Address& address) const;
  const Address& current() const { return (*addresses_)[(first_ + tried_ - 1) % addresses_->size()]; }

  Connection connection_;
  Service& service_;
  State state_ = State::LookingUp;
  std::uint64_t round_ = 0;
  std::shared_ptr<const Addresses> addresses_;
  std::size_t first_ = 0;
  std::size_t tried_ = 0;
  std::string error_;  ///< of the last try
  Upstream* upstream_ = nullptr;
  std::optional<xsd::api::Timer> timer_;  ///< while there is something to wait for
};

class Service {
 public:
  using Sessions = xsd::api::Sessions<Client, Upstream>;
  // NOLINTBEGIN(readability-identifier-naming): the names are those that plugin.hpp looks for.
  static constexpr const char* description = "passes connections on to another server";
  static constexpr std::uint32_t needs = XSD_NEEDS_NETWORK;
  static constexpr xsd_setting settings[] = {
      {"host", XSD_TYPE_TEXT, 1, nullptr,
       "an address, a name, or the path of a unix socket (@NAME: abstract)"},
      {"port", XSD_TYPE_TEXT, 0, nullptr,
       "a number or a name of the services database; none for a unix socket"},
      {"connect_timeout", XSD_TYPE_DURATION, 0, "10s", "how long one address may take to answer"},
      {"retries", XSD_TYPE_NUMBER, 0, "3", "how often all of it is tried again, a second apart"},
  };
  // NOLINTEND(readability-identifier-naming)
  static void validate(Node given, xsd::api::Report report);

  explicit Service(Host host);

  /// Calls the client's on_found or on_not_found, now or later.
  void find(Client& client);
  void forget(Client& client) { waiting_.erase(&client); }
  void tell_passed(const Address& to);
  void tell_failed(const std::string& why);

  const Host& host() const { return host_; }
  const std::string& target() const { return target_; }
  std::uint64_t retries() const { return retries_; }
  std::chrono::nanoseconds timeout() const { return timeout_; }
  const std::string& timeout_text() const { return timeout_text_; }

 private:
  void look_up();
  void on_answer(const Answer& answer);
  std::size_t first() const;

  Host host_;
  std::string name_;
  std::string port_;
  std::string target_;  ///< for messages
  std::chrono::nanoseconds timeout_;
  std::string timeout_text_;
  std::uint64_t retries_;
  xsd::api::Metric passed_;
  xsd::api::Metric failed_;

  bool is_literal_ = false;
  std::shared_ptr<const Addresses> addresses_;
  std::chrono::nanoseconds fresh_until_{};
  bool looking_up_ = false;
  std::unordered_set<Client*> waiting_;
  Address last_good_;

  bool told_ = false;  ///< that nobody takes connections
  std::chrono::nanoseconds told_at_{};
  std::chrono::nanoseconds failed_at_{};  ///< the last one
  std::uint64_t untold_ = 0;
};

// --- the service

void Service::validate(Node given, xsd::api::Report report) {
  const std::string host = text_of(given["host"]);
  const Node port = given["port"];
  if (is_unix(host)) {
    if (port) report(port, "a unix socket has no port");
  } else if (!port) {
    report(given["host"], "'port' is missing");
  } else {
    const auto number = port.number();
    if (number && (*number == 0 || *number > 65535)) report(port, "the port is not in 1 to 65535");
  }
  const auto timeout = given["connect_timeout"].duration();
  if (timeout && (*timeout <= 0ns || *timeout > kLongestTimeout))
    report(given["connect_timeout"], "'connect_timeout' is more than nothing and at most 1h");
  const auto retries = given["retries"].number();
  if (retries && *retries > kMostRetries)
    report(given["retries"], "'retries' is at most " + std::to_string(kMostRetries));
}

// What is declared with a fallback is there; the host has checked it.
Service::Service(Host host)
    : host_(host),
      name_(text_of(host.settings()["host"])),
      port_(text_of(host.settings()["port"])),
      target_(shown(name_, port_)),
      timeout_(host.settings()["connect_timeout"].duration().value_or(10s)),
      timeout_text_(text_of(host.settings()["connect_timeout"])),
      retries_(host.settings()["retries"].number().value_or(0)),
      passed_(host.metric("passed_on")),
      failed_(host.metric("failed")) {
  Answer literal;
  if (is_unix(name_)) {
    literal.addresses.push_back({name_, 0});
  } else {
    literal = ask(name_, port_, AI_NUMERICHOST | AI_NUMERICSERV);
  }
  is_literal_ = literal.error == 0;
  if (is_literal_) addresses_ = std::make_shared<const Addresses>(std::move(literal.addresses));
}

std::size_t Service::first() const {
  const auto found = std::find(addresses_->begin(), addresses_->end(), last_good_);
  return found == addresses_->end() ? 0 : static_cast<std::size_t>(found - addresses_->begin());
}

void Service::find(Client& client) {
  if (is_literal_ || (addresses_ && host_.monotonic_clock() < fresh_until_))
    return client.on_found(addresses_, first());
  waiting_.insert(&client);
  if (!looking_up_) look_up();
}

void Service::look_up() {
  auto answer = std::make_shared<Answer>();
  looking_up_ = true;
  const int error = host_.run_blocking([name = name_, port = port_, answer] { *answer = ask(name, port, 0); },
                                       [this, answer](const std::exception_ptr& failure) {
                                         if (failure)
                                           answer->error =
                                               EAI_MEMORY;  // there is nothing else that it could be
                                         on_answer(*answer);
                                       });
  if (error == 0) return;
  Answer none;
  none.error = EAI_AGAIN;
  none.text = std::generic_category().message(-error);
  on_answer(none);
}

void Service::on_answer(const Answer& answer) {
  looking_up_ = false;
  const bool is_known = answer.error == 0;
  const bool is_temporary = answer.error != EAI_NONAME && answer.error != EAI_NODATA;
  if (is_known) addresses_ = std::make_shared<const Addresses>(answer.addresses);
  if (!is_known && !is_temporary) addresses_.reset();
  fresh_until_ = host_.monotonic_clock() + (is_known ? kFresh : kRest);
  for (Client* const client : std::exchange(waiting_, {})) {
    if (addresses_) {
      client->on_found(addresses_, first());
    } else {
      client->on_not_found(answer.text);
    }
  }
}

void Service::tell_passed(const Address& to) {
  passed_.add();
  last_good_ = to;
  if (!told_ || host_.monotonic_clock() - failed_at_ < kCalm) return;
  told_ = false;
  untold_ = 0;
  host_.log(XSD_LOG_INFO, target_ + " takes connections again");
}

void Service::tell_failed(const std::string& why) {
  failed_.add();
  const std::chrono::nanoseconds now = host_.monotonic_clock();
  failed_at_ = now;
  if (told_ && now - told_at_ < kQuiet) {
    ++untold_;
    return;
  }
  std::string text = "cannot connect to " + target_ + ": " + why + "; the client is closed";
  if (untold_ > 0) text += ", as " + std::to_string(untold_) + " others were since the last line";
  host_.log(XSD_LOG_WARNING, text);
  told_ = true;
  told_at_ = now;
  untold_ = 0;
}

// --- a client

int Client::on_open() {
  connection_.set_reading(false);
  timer_.emplace(service_.host(), [this] { on_time(); });
  begin_round();
  return 0;
}

void Client::on_close(std::uint32_t /*reason*/) {
  service_.forget(*this);
  if (upstream_ != nullptr) upstream_->abandon();
}

void Client::begin_round() {
  state_ = State::LookingUp;
  tried_ = 0;
  timer_->set(service_.timeout());
  service_.find(*this);
}

void Client::on_found(std::shared_ptr<const Addresses> addresses, std::size_t first) {
  addresses_ = std::move(addresses);
  first_ = first;
  try_next();
}

void Client::on_not_found(const std::string& why) {
  error_ = why;
  end_round();
}

/// A connection to this very service would make the next one, without end.
bool Client::leads_back(const Address& address) const {
  const xsd_peer_info& peer = connection_.peer();
  return address == Address{peer.local_address, peer.local_port};
}

void Client::try_next() {
  while (tried_ < addresses_->size()) {
    ++tried_;
    const Address& address = current();
    if (leads_back(address)) {
      error_ = to_string(address) + " is this service itself";
      continue;
    }
    try {
      upstream_ = &service_.host().connect<Upstream>(address.host, address.port, *this);
    } catch (const std::system_error& failure) {
      fail(failure.code().message());
      continue;
    }
    state_ = State::Connecting;
    return timer_->set(service_.timeout());
  }
  end_round();
}

void Client::fail(const std::string& why) {
  const std::string address = to_string(current());
  error_ = address == service_.target() ? why : address + ": " + why;
}

void Client::on_connected(int result) {
  if (result == 0) return pass();
  upstream_ = nullptr;  // it ends by itself
  fail(std::generic_category().message(-result));
  try_next();
}

void Client::end_round() {
  if (round_ < service_.retries()) {
    ++round_;
    state_ = State::Resting;
    return timer_->set(kRest);
  }
  state_ = State::Closing;
  timer_->cancel();
  service_.tell_failed(error_);
  connection_.close();
}

void Client::pass() {
  const int result = connection_.join(upstream_->connection());
  if (result != 0) {
    std::exchange(upstream_, nullptr)->abandon();
    error_ = std::generic_category().message(-result);  // ours, most likely for want of descriptors
    return end_round();
  }
  service_.tell_passed(current());
  std::exchange(upstream_, nullptr)->let_go();
  state_ = State::Passing;
  addresses_.reset();
  timer_.reset();
}

void Client::on_time() {
  switch (state_) {
    case State::LookingUp:
      service_.forget(*this);
      error_ = "nobody could say within " + service_.timeout_text() + " what the name means";
      return end_round();
    case State::Connecting:
      std::exchange(upstream_, nullptr)->abandon();
      fail("no answer within " + service_.timeout_text());
      return try_next();
    case State::Resting:
      return begin_round();
    case State::Passing:
    case State::Closing:
      return;
  }
}

// --- to the server

void Upstream::on_connected(int result) {
  // What it leads to may be its end.
  Client* const client = result == 0 ? client_ : std::exchange(client_, nullptr);
  if (client != nullptr) client->on_connected(result);
}

void Upstream::on_close(std::uint32_t /*reason*/) {
  if (client_ != nullptr) client_->on_upstream_gone();
}

}  // namespace

XSD_PLUGIN(redirect, Service)
