// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/client.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace xsd::test {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* raw() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address make_address(const std::string& host, std::uint16_t port) {
  Address address;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&address.storage, &v4, sizeof v4);
    address.length = sizeof v4;
  } else if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&address.storage, &v6, sizeof v6);
    address.length = sizeof v6;
  }
  return address;
}

bool wait_for(int fd, short events, SteadyTime end) {
  pollfd ready{fd, events, 0};
  int count = 0;
  do {
    count = poll(&ready, 1, milliseconds_until(end));
  } while (count < 0 && errno == EINTR);
  return count > 0;
}

SteadyTime end_after(Milliseconds deadline) {
  return std::chrono::steady_clock::now() + deadline;
}

/// 0 or an errno.
int finish_connect(int fd, const sockaddr* address, socklen_t length, Milliseconds deadline) {
  if (connect(fd, address, length) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait_for(fd, POLLOUT, end_after(deadline))) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

std::string own_text() {
  static unsigned counter = 0;
  return "token " + std::to_string(getpid()) + "." + std::to_string(++counter) + "\n";
}

}  // namespace

Client::Client(std::uint16_t port, const ClientOptions& options) {
  const Address to = make_address(options.host, port);
  fd_ = socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (options.receive_buffer > 0) {
    (void)setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer, sizeof options.receive_buffer);
  }
  if (!options.source.empty()) {
    const Address from = make_address(options.source, 0);
    if (bind(fd_, from.raw(), from.length) != 0) error_ = errno;
  }
  if (error_ == 0) error_ = finish_connect(fd_, to.raw(), to.length, options.deadline);
  if (error_ != 0) close();
}

Client Client::to_unix_socket(const std::string& path) {
  Client client;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (path.starts_with('@')) {
    address.sun_path[0] = '\0';
  } else {
    ++length;
  }
  client.fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  client.error_ = finish_connect(client.fd_, reinterpret_cast<const sockaddr*>(&address), length, kDeadline);
  if (client.error_ != 0) client.close();
  return client;
}

Client::~Client() {
  close();
}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      error_(other.error_),
      ending_(other.ending_),
      pending_(std::move(other.pending_)) {}

Client& Client::operator=(Client&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    error_ = other.error_;
    ending_ = other.ending_;
    pending_ = std::move(other.pending_);
  }
  return *this;
}

std::uint16_t Client::local_port() const {
  sockaddr_in6 address{};
  socklen_t length = sizeof address;
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  return ntohs(address.sin6_port);  // at the same place in both families
}

bool Client::send(std::string_view data, Milliseconds deadline) {
  const SteadyTime end = end_after(deadline);
  while (!data.empty()) {
    const ssize_t count = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      data.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EAGAIN || !wait_for(fd_, POLLOUT, end)) {
      return false;
    }
  }
  return true;
}

bool Client::fill(SteadyTime end) {
  if (fd_ < 0 || ending_ != Ending::Open) return false;
  char buffer[65536];
  for (;;) {
    const ssize_t count = recv(fd_, buffer, sizeof buffer, 0);
    if (count > 0) {
      pending_.append(buffer, static_cast<std::size_t>(count));
      return true;
    }
    if (count == 0) {
      ending_ = Ending::Closed;
      return false;
    }
    if (errno != EAGAIN) {
      ending_ = Ending::Reset;
      return false;
    }
    if (!wait_for(fd_, POLLIN, end)) return false;
  }
}

std::string Client::receive(std::size_t size, Milliseconds deadline) {
  const SteadyTime end = end_after(deadline);
  while (pending_.size() < size && fill(end)) {
  }
  std::string data = pending_.substr(0, size);
  pending_.erase(0, data.size());
  return data;
}

std::string Client::receive_line(Milliseconds deadline) {
  const SteadyTime end = end_after(deadline);
  std::size_t found = std::string::npos;
  while ((found = pending_.find('\n')) == std::string::npos && fill(end)) {
  }
  std::string line = pending_.substr(0, found);
  pending_.erase(0, found == std::string::npos ? found : found + 1);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::string Client::receive_until_eof(Milliseconds deadline) {
  const SteadyTime end = end_after(deadline);
  while (fill(end)) {
  }
  return std::exchange(pending_, {});
}

Ending Client::wait_end(Milliseconds deadline) {
  const SteadyTime end = end_after(deadline);
  while (fill(end))
    pending_.clear();
  return ending_;
}

void Client::half_close() {
  (void)shutdown(fd_, SHUT_WR);
}

void Client::close() {
  if (fd_ >= 0) (void)::close(std::exchange(fd_, -1));
}

void Client::reset() {
  const linger hard{1, 0};
  (void)setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

UdpClient::UdpClient(std::uint16_t port, const ClientOptions& options) {
  const Address to = make_address(options.host, port);
  fd_ = socket(to.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (options.receive_buffer > 0) {
    (void)setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer, sizeof options.receive_buffer);
  }
  if (!options.source.empty()) {
    const Address from = make_address(options.source, 0);
    (void)bind(fd_, from.raw(), from.length);
  }
  (void)connect(fd_, to.raw(), to.length);  // so that only answers from the address that we asked count
}

UdpClient::~UdpClient() {
  if (fd_ >= 0) (void)close(fd_);
}

bool UdpClient::send(std::string_view payload) {
  return ::send(fd_, payload.data(), payload.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(payload.size());
}

std::optional<std::string> UdpClient::receive(Milliseconds deadline) {
  const SteadyTime end = end_after(deadline);
  std::string buffer(65536, '\0');
  while (wait_for(fd_, POLLIN, end)) {
    const ssize_t count = recv(fd_, buffer.data(), buffer.size(), 0);
    if (count < 0) return std::nullopt;  // refused
    buffer.resize(static_cast<std::size_t>(count));
    return buffer;
  }
  return std::nullopt;
}

bool echoes(std::uint16_t port, const ClientOptions& options) {
  Client client(port, options);
  return client.connected() && echoes(client, own_text());
}

bool echoes(Client& client, std::string_view text) {
  return client.send(text) && client.receive(text.size()) == text;
}

bool udp_echoes(std::uint16_t port, Milliseconds deadline) {
  UdpClient client(port);
  const std::string text = own_text();
  return client.send(text) && client.receive(deadline) == text;
}

std::string ask(std::uint16_t port, std::string_view request, const ClientOptions& options) {
  Client client(port, options);
  if (!client.connected() || !client.send(request)) return {};
  client.half_close();
  return client.receive_until_eof(options.deadline);
}

bool is_refused(std::uint16_t port, const ClientOptions& options) {
  const Client client(port, options);
  return client.error() == ECONNREFUSED;
}

}  // namespace xsd::test
