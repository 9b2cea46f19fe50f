// SPDX-License-Identifier: Apache-2.0
//
// A plugin in C++17 that uses the standard library: its templates are symbols that no visibility hides.
#include <algorithm>
#include <cctype>
#include <map>
#include <regex>
#include <string>

#include "xsd/plugin.h"

namespace {

const xsd_host* host = nullptr;
std::map<std::string, std::string> answers{{"HELLO\n", "HELLO YOURSELF\n"}};

int start(const xsd_host* given, xsd_service* /*service*/, void** /*state*/) {
  host = given;
  return 0;
}

void on_data(void* /*state*/, xsd_connection* connection, const void* data, std::size_t length) {
  static const std::regex kLine("[^\n]*\n");
  std::string text(static_cast<const char*>(data), length);
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  if (std::regex_match(text, kLine) && answers.count(text) > 0) text = answers[text];
  (void)host->write(connection, text.data(), text.size());
}

xsd_plugin make_plugin() {
  xsd_plugin made{};
  made.size = sizeof made;
  made.api_version = XSD_PLUGIN_API_VERSION;
  made.name = "shout";
  made.description = "answers in capitals";
  made.start = start;
  made.on_data = on_data;
  return made;
}

const xsd_plugin plugin = make_plugin();

}  // namespace

extern "C" {
XSD_PLUGIN_REGISTER(shout, plugin)
}
