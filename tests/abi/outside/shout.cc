// SPDX-License-Identifier: Apache-2.0
//
// A plugin in C++17, with plugin.hpp and the standard library: its templates are symbols that no visibility
// hides.
#include <algorithm>
#include <cctype>
#include <map>
#include <regex>
#include <string>
#include <string_view>

#include "xsd/plugin.hpp"

namespace {

struct Service;

struct Session {
  Session(xsd::api::Connection given, Service& of) : connection(given), service(of) {}
  void on_data(std::string_view data);

  xsd::api::Connection connection;
  Service& service;
};

struct Service {
  using Sessions = xsd::api::Sessions<Session>;
  static constexpr const char* description = "answers in capitals";

  explicit Service(xsd::api::Host /*host*/) {}

  const std::regex line{"[^\n]*\n"};
  std::map<std::string, std::string> answers{{"HELLO\n", "HELLO YOURSELF\n"}};
};

void Session::on_data(std::string_view data) {
  std::string text(data);
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  if (std::regex_match(text, service.line) && service.answers.count(text) > 0) text = service.answers[text];
  (void)connection.write(text);
}

}  // namespace

XSD_PLUGIN(shout, Service)
