// SPDX-License-Identifier: Apache-2.0
//
// A plugin in C++17 on plugin.hpp. The first byte of what a client sends is a command:
//   e  echo the rest        t  throw a std::exception     i  throw an int
//   w  do it on a thread    c  connect to the port in the rest and write "hello" there
//   r  a timer that throws  f  connect to nowhere
// Datagrams are echoed, "throw" throws. `greeting` is written first; "no" refuses clients, "throw" throws.
// `start: throw` and `start: busy` make the start fail.
#define XSD_PLUGIN_BUILTIN
#include "xsd/plugin.hpp"

#include <memory>
#include <stdexcept>
#include <string>

static_assert(__cplusplus == 201703L, "this is about C++17");

namespace {

struct Service;

/// To elsewhere.
struct Upstream {
  Upstream(xsd::api::Connection given, xsd::api::Connection on_behalf_of)
      : connection(given), client(on_behalf_of) {}
  void on_connected(int result) {
    if (result == 0) connection.write("hello");
  }
  void on_data(std::string_view data) { client.write(data); }
  // No on_end: the host finishes.

  xsd::api::Connection connection;
  xsd::api::Connection client;
};

struct Client {
  Client(xsd::api::Connection given, Service& owner);
  int on_open();
  void on_data(std::string_view data);
  void on_end() { connection.close(); }
  void on_close(std::uint32_t reason);

  xsd::api::Connection connection;
  Service& service;
  std::unique_ptr<xsd::api::Timer> timer;
};

struct Service {
  using Sessions = xsd::api::Sessions<Client, Upstream>;
  static constexpr const char* description = "in C++";
  static constexpr const char* version = "1.2.3";
  static constexpr std::uint32_t needs = XSD_NEEDS_FILES;
  static constexpr xsd_setting settings[] = {
      {"greeting", XSD_TYPE_TEXT, 0, "hi ", "what clients are told first"},
      {"start", XSD_TYPE_TEXT, 0, nullptr, "how it fails"},
  };
  static void validate(xsd::api::Node node, xsd::api::Report report) {
    if (node["greeting"].text() == "throw") throw std::runtime_error("cannot look at it");
    if (node["start"]) report(node["start"], "is for tests");
  }

  explicit Service(xsd::api::Host given) : host(given), clients(host.metric("clients")) {
    const auto how = host.settings()["start"].text();
    if (how == "throw") throw std::runtime_error("will not start");
    if (how == "busy") throw std::system_error(EBUSY, std::generic_category(), "start");
  }
  ~Service() { host.log(XSD_LOG_INFO, "gone"); }
  void on_datagram(xsd::api::Datagram datagram) {
    if (datagram.data() == "throw") throw std::runtime_error("no such datagram");
    datagram.reply(datagram.data());
  }

  xsd::api::Host host;
  xsd::api::Metric clients;
};

Client::Client(xsd::api::Connection given, Service& owner) : connection(given), service(owner) {
  if (service.host.settings()["greeting"].text() == "throw") throw std::runtime_error("no client");
}

int Client::on_open() {
  const std::string greeting(service.host.settings()["greeting"].text().value_or(""));
  if (greeting == "no") return -EACCES;
  service.clients.add();
  return connection.write(greeting);
}

void Client::on_data(std::string_view data) {
  const std::string rest(data.substr(1));
  switch (data.front()) {
    case 'e':
      connection.write(rest);
      break;
    case 't':
      throw std::runtime_error("thrown");
    case 'i':
      throw 42;
    case 'w':
      service.host.run_blocking([] { throw std::runtime_error("at work"); },
                                [this](std::exception_ptr failure) {
                                  connection.write(failure ? "failed" : "done");
                                  if (failure) std::rethrow_exception(failure);
                                });
      break;
    case 'r':
      timer = std::make_unique<xsd::api::Timer>(service.host, [this] {
        connection.write("fired");
        timer.reset();
        throw std::runtime_error("fired");
      });
      timer->set(std::chrono::milliseconds(0));
      break;
    case 'c':
      service.host.connect<Upstream>("127.0.0.1", static_cast<std::uint16_t>(std::stoi(rest)), connection);
      break;
    case 'f':
      service.host.connect<Upstream>("nowhere", 1, connection);
      break;
    default:
      break;
  }
}

void Client::on_close(std::uint32_t reason) {
  service.host.log(XSD_LOG_INFO, "close " + std::to_string(reason));
}

}  // namespace

XSD_PLUGIN(cpp, Service)
