// SPDX-License-Identifier: Apache-2.0
//
// Writes xsd.yaml(5): the frame given as the only argument, with @DAEMON_KEYS@ and @SERVICE_KEYS@ replaced by
// what the settings table says, so that the manual cannot say something else than the code.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "xsd/config/settings_table.h"

namespace {

using xsd::config::AppliesTo;
using xsd::config::Availability;
using xsd::config::Scope;
using xsd::config::SettingsRow;

// roff takes a backslash for its escape, a line that begins with a dot or a quote for a request, and in one a
// double quote for the bracket of an argument. A sentence begins a line.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool begins_line = out.empty() || out.back() == '\n';
    if (begins_line && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '"') {
      out += "\\(dq";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == ' ' && out.ends_with('.')) {
      out += '\n';
    } else {
      out += c;
    }
  }
  return out;
}

std::string describe(const SettingsRow& row) {
  std::string out =
      ".It Cm " + std::string(row.name) + " : Ar " + roff(row.kind.empty() ? "value" : row.kind) + "\n";
  std::string help = roff(row.help);
  if (!help.empty() && !help.ends_with('.')) help += '.';
  if (!help.empty()) out += help + "\n";
  if (row.availability == Availability::Later) return out + "Not available yet in this version.\n";
  if (row.availability == Availability::Never) return out + "Refused: " + roff(row.reason) + ".\n";
  if (row.no_effect_yet) out += "No effect yet in this version.\n";
  if (row.applies_to == AppliesTo::Programs) out += "For programs.\n";
  if (row.applies_to == AppliesTo::Started) {
    out += "For programs, and plugin services with\n.Cm programs .\n";
  }
  if (row.applies_to == AppliesTo::Plugins) out += "For plugin services.\n";
  if (row.scope == Scope::Defaults) out += "In\n.Cm defaults\nonly.\n";
  if (row.scope == Scope::Service) out += "Not in\n.Cm defaults .\n";
  if (!row.default_text.empty()) out += "Default:\n.Ql " + roff(row.default_text) + " .\n";
  if (!row.example.empty()) out += "Example:\n.Ql " + roff(row.example) + " .\n";
  return out;
}

std::string list_keys(bool of_daemon) {
  std::string out;
  for (const SettingsRow& row : xsd::config::settings_table()) {
    if ((row.scope == Scope::Daemon) == of_daemon) out += describe(row);
  }
  out.pop_back();
  return out;
}

void replace(std::string& text, std::string_view placeholder, const std::string& with) {
  if (const auto at = text.find(placeholder); at != std::string::npos)
    text.replace(at, placeholder.size(), with);
}

}  // namespace

int main(int argc, char** argv) {
  std::ifstream frame(argc == 2 ? argv[1] : "");
  if (!frame) {
    std::cerr << "usage: settings_manual FRAME\n";
    return 2;
  }
  std::ostringstream content;
  content << frame.rdbuf();
  std::string page = content.str();
  replace(page, "@DAEMON_KEYS@", list_keys(true));
  replace(page, "@SERVICE_KEYS@", list_keys(false));
  std::cout << page;
  return 0;
}
