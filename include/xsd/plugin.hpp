// SPDX-License-Identifier: Apache-2.0
//
// A thin layer of C++17 over plugin.h, which says what everything means; header only. A plugin is a class for
// the service and one or more for its connections:
//
//   struct Service;
//   struct Session {
//     Session(xsd::api::Connection connection, Service& service);
//     void on_data(std::string_view data) { connection.write(data); }
//     xsd::api::Connection connection;
//   };
//   struct Service {
//     using Sessions = xsd::api::Sessions<Session>;
//     static constexpr const char* description = "sends back what it gets";
//     explicit Service(xsd::api::Host host);
//   };
//   XSD_PLUGIN(my_echo, Service)
//
// A Service is made when a service starts and destroyed when it stops. It may have, all public and none of
// them overloaded:
//   using Sessions                         the first is made for each client; the others by connect<S> and
//                                          start_program<S>
//   static constexpr const char* description, *version;
//   static constexpr std::uint32_t needs = XSD_NEEDS_...;
//   static constexpr xsd_setting settings[] = {...};
//   static void validate(Node settings, Report report);
//   void on_datagram(Datagram); or void on_datagrams(Datagrams);
// A session is made with its Connection and the Service (or what connect<S> was given) and destroyed after
// on_close. It may have:
//   int on_open()                          of clients; anything but 0 refuses
//   void on_data(std::string_view), on_end(), on_writable(), on_readable(), on_urgent(), on_connected(int),
//   on_program(const ProgramEnd&), on_close(std::uint32_t reason)
// What it does not have is not in the plugin's table either, so the host does what it does without: a session
// that has no on_end is finished. on_readable is something that all sessions of a plugin have, or none.
//
// No exception leaves a callback: it is logged as an error, and the connection is aborted; in a constructor
// the service or the client is refused (with the code of a std::system_error). Handles (Connection, Node,
// Metric, Datagram) are copied freely and own nothing; they are valid as long as what they stand for.
#ifndef XSD_PLUGIN_HPP
#define XSD_PLUGIN_HPP

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "xsd/plugin.h"

namespace xsd::api {

template <class... S>
struct Sessions {};

/// A part of the settings, or none: then everything it is asked for is not there.
class Node {
 public:
  Node(const xsd_host* host, const xsd_node* node) : host_(host), node_(node) {}
  explicit operator bool() const { return node_ != nullptr; }
  Node operator[](const char* key) const { return {host_, host_->node_find(node_, key)}; }
  std::uint32_t kind() const { return host_->node_kind(node_); }
  std::size_t size() const { return host_->node_count(node_); }
  /// In a list the key is "".
  std::pair<std::string_view, Node> at(std::size_t index) const {
    const char* key = nullptr;
    const xsd_node* const node = host_->node_at(node_, index, &key);
    return {key != nullptr ? key : "", Node(host_, node)};
  }
  std::optional<std::string_view> text() const {
    const char* const text = host_->node_text(node_);
    return text != nullptr ? std::optional<std::string_view>(text) : std::nullopt;
  }
  std::optional<std::uint64_t> number() const { return read<std::uint64_t>(host_->node_number); }
  std::optional<std::uint64_t> bytes() const { return read<std::uint64_t>(host_->node_size); }
  std::optional<bool> boolean() const {
    const auto value = read<int>(host_->node_boolean);
    return value ? std::optional<bool>(*value != 0) : std::nullopt;
  }
  std::optional<std::chrono::nanoseconds> duration() const {
    const auto count = read<std::int64_t>(host_->node_duration);
    return count ? std::optional(std::chrono::nanoseconds(*count)) : std::nullopt;
  }
  const xsd_node* get() const { return node_; }

 private:
  template <class T>
  std::optional<T> read(int (*function)(const xsd_node*, T*)) const {
    T value{};
    return function(node_, &value) == 0 ? std::optional<T>(value) : std::nullopt;
  }
  const xsd_host* host_;
  const xsd_node* node_;
};

/// Of `validate`: what is wrong, and where.
class Report {
 public:
  Report(const xsd_host* host, xsd_report* report) : host_(host), report_(report) {}
  void operator()(Node node, const std::string& text) const {
    host_->report(report_, node.get(), text.c_str());
  }

 private:
  const xsd_host* host_;
  xsd_report* report_;
};

class Metric {
 public:
  Metric(const xsd_host* host, xsd_metric* metric) : host_(host), metric_(metric) {}
  void add(std::int64_t number = 1) const { host_->metric_add(metric_, number); }

 private:
  const xsd_host* host_;
  xsd_metric* metric_;
};

struct ProgramEnd {
  int error;
  int exit_status;
  int signal;
};

class Connection {
 public:
  Connection(const xsd_host* host, xsd_connection* connection) : host_(host), connection_(connection) {}
  const xsd_peer_info& peer() const { return *host_->peer_info(connection_); }
  int write(std::string_view data) const { return host_->write(connection_, data.data(), data.size()); }
  int write(const xsd_piece* pieces, std::size_t count, std::uint32_t flags = 0) const {
    return host_->write_pieces(connection_, pieces, count, flags);
  }
  std::int64_t try_write(std::string_view data) const {
    return host_->try_write(connection_, data.data(), data.size());
  }
  int send_file(int fd, std::uint64_t offset, std::uint64_t length) const {
    return host_->send_file(connection_, fd, offset, length);
  }
  std::int64_t read(void* buffer, std::size_t length) const {
    return host_->read(connection_, buffer, length);
  }
  std::int64_t peek(void* buffer, std::size_t length) const {
    return host_->peek(connection_, buffer, length);
  }
  std::uint64_t unsent() const { return host_->unsent(connection_); }
  void set_reading(bool on) const { host_->set_reading(connection_, on ? 1 : 0); }
  void want_writable(bool on) const { host_->want_writable(connection_, on ? 1 : 0); }
  void discard_input() const { host_->discard_input(connection_); }
  void set_idle_timeout(std::chrono::nanoseconds timeout) const {
    host_->set_idle_timeout(connection_, timeout.count());
  }
  void finish() const { host_->finish(connection_); }
  void close() const { host_->close(connection_); }
  void abort() const { host_->abort(connection_); }
  int join(Connection other) const { return host_->join(connection_, other.connection_); }
  int hand_over(const std::string& service) const { return host_->hand_over(connection_, service.c_str()); }
  const xsd_host* host() const { return host_; }
  xsd_connection* get() const { return connection_; }

 private:
  const xsd_host* host_;
  xsd_connection* connection_;
};

class Datagram {
 public:
  Datagram(const xsd_host* host, xsd_datagram* datagram) : host_(host), datagram_(datagram) {}
  std::string_view data() const {
    std::size_t length = 0;
    const void* const bytes = host_->datagram_data(datagram_, &length);
    return {static_cast<const char*>(bytes), length};
  }
  const xsd_peer_info& peer() const { return *host_->datagram_info(datagram_); }
  int reply(std::string_view data) const { return host_->reply(datagram_, data.data(), data.size()); }

 private:
  const xsd_host* host_;
  xsd_datagram* datagram_;
};

class Datagrams {
 public:
  Datagrams(const xsd_host* host, xsd_datagram* const* first, std::size_t count)
      : host_(host), first_(first), count_(count) {}
  std::size_t size() const { return count_; }
  Datagram operator[](std::size_t index) const { return {host_, first_[index]}; }

 private:
  const xsd_host* host_;
  xsd_datagram* const* first_;
  std::size_t count_;
};

namespace detail {

/// Calls `work`; false after an exception, which is logged. *error is a negative errno then.
template <class Work>
bool contain(const xsd_host* host, xsd_service* service, const char* where, Work&& work,
             int* error = nullptr) noexcept {
  const auto log = [&](const char* what) {
    // An exception while one is told of leaves only the place to be named.
    try {
      const std::string text = std::string(where) + ": " + what;
      host->log(service, XSD_LOG_ERROR, text.data(), text.size());
    } catch (const std::exception&) {
      host->log(service, XSD_LOG_ERROR, where, std::char_traits<char>::length(where));
    }
  };
  if (error != nullptr) *error = -EIO;
  try {
    std::forward<Work>(work)();
    return true;
  } catch (const std::system_error& failure) {
    if (error != nullptr && failure.code().value() > 0) *error = -failure.code().value();
    log(failure.what());
  } catch (const std::exception& failure) {
    log(failure.what());
  } catch (...) {  // the callers are C
    log("an exception that is no std::exception");
  }
  return false;
}

/// A function of C++ as the argument of a host function.
struct Job {
  const xsd_host* host;
  xsd_service* service;
  std::function<void()> work;
  std::function<void(std::exception_ptr)> done;
  std::exception_ptr failure;
};

struct Handler;

}  // namespace detail

/// What a service is given to work with. A copy of it is as good.
class Host {
 public:
  Host(const xsd_host* host, xsd_service* service) : host_(host), service_(service) {}
  void log(std::uint32_t level, std::string_view text) const {
    host_->log(service_, level, text.data(), text.size());
  }
  Node settings() const { return {host_, host_->settings(service_)}; }
  Metric metric(const char* name) const { return {host_, host_->metric(service_, name)}; }
  std::chrono::nanoseconds monotonic_clock() const {
    return std::chrono::nanoseconds(host_->monotonic_clock(service_));
  }
  /// An S for a new connection, made of it and `arguments`. Throws std::system_error where plugin.h has an
  /// error. The connection owns the S.
  template <class S, class... Arguments>
  S& connect(const std::string& address, std::uint16_t port, Arguments&&... arguments) const;
  template <class S, class... Arguments>
  S& start_program(const std::string& program, const std::vector<std::string>& environment,
                   const std::string& directory, Arguments&&... arguments) const;
  /// `work` on another thread, then `done` here with what `work` has thrown, if anything. 0 or a negative
  /// errno.
  int run_blocking(std::function<void()> work, std::function<void(std::exception_ptr)> done) const {
    auto job = std::make_unique<detail::Job>(
        detail::Job{host_, service_, std::move(work), std::move(done), nullptr});
    const int result = host_->run_blocking(
        service_,
        [](void* argument) {
          auto* const own = static_cast<detail::Job*>(argument);
          try {
            own->work();
          } catch (...) {  // handed on, whatever it is
            own->failure = std::current_exception();
          }
        },
        [](void* argument) {
          const std::unique_ptr<detail::Job> own(static_cast<detail::Job*>(argument));
          detail::contain(own->host, own->service, "done", [&] { own->done(own->failure); });
        },
        job.get());
    if (result == 0) (void)job.release();  // `done` has it
    return result;
  }
  const xsd_host* get() const { return host_; }
  xsd_service* service() const { return service_; }

 private:
  const xsd_host* host_;
  xsd_service* service_;
};

/// Owns a timer. Its function may destroy it.
class Timer {
 public:
  Timer(Host host, std::function<void()> fire) : own_(std::make_unique<Own>(host, std::move(fire))) {}
  void set(std::chrono::nanoseconds delay) { own_->host.get()->timer_set(own_->timer, delay.count()); }
  void cancel() { own_->host.get()->timer_cancel(own_->timer); }

 private:
  struct Own {
    Own(Host given, std::function<void()> function)
        : host(given),
          fire(std::make_shared<std::function<void()>>(std::move(function))),
          timer(host.get()->timer_new(host.service(), &Own::on_fire, this)) {}
    Own(const Own&) = delete;
    Own& operator=(const Own&) = delete;
    ~Own() { host.get()->timer_free(timer); }
    static void on_fire(void* argument) {
      const Host host = static_cast<Own*>(argument)->host;
      const std::shared_ptr<std::function<void()>> fire = static_cast<Own*>(argument)->fire;
      detail::contain(host.get(), host.service(), "timer", [&] { (*fire)(); });
    }
    Host host;
    std::shared_ptr<std::function<void()>> fire;  ///< outlives the timer while it runs
    xsd_timer* timer;
  };
  std::unique_ptr<Own> own_;
};

}  // namespace xsd::api

#include "xsd/plugin_table.hpp"

#endif  // XSD_PLUGIN_HPP
