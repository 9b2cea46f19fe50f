// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/service_text.h"

#include <pwd.h>
#include <unistd.h>

namespace xsd::test {
namespace {

std::string endpoint(std::string_view scheme, std::string_view host, std::uint16_t port) {
  return std::string(scheme) + "://" + std::string(host) + ":" + std::to_string(port);
}

std::string with_end_of_line(std::string_view text) {
  return std::string(text) + (text.empty() || text.ends_with('\n') ? "" : "\n");
}

}  // namespace

std::string tcp(std::uint16_t port, std::string_view host) {
  return endpoint("tcp", host, port);
}

std::string udp(std::uint16_t port, std::string_view host) {
  return endpoint("udp", host, port);
}

std::string plugin_service(std::string_view name, std::string_view plugin, std::uint16_t port,
                           std::string_view more) {
  return "service: " + std::string(name) + "\nplugin: " + std::string(plugin) + "\nlisten: [" +
         yaml_quoted(tcp(port)) + ", " + yaml_quoted(udp(port)) + "]\n" + with_end_of_line(more);
}

std::string echo_service(std::string_view name, std::uint16_t port, std::string_view more) {
  return plugin_service(name, "echo", port, more);
}

std::string program_service(std::string_view name, std::uint16_t port, const std::vector<std::string>& argv,
                            std::string_view more) {
  std::string text = "service: " + std::string(name) + "\nlisten: [" + yaml_quoted(tcp(port)) +
                     "]\nserver: " + yaml_quoted(argv[0]) + "\n";
  text += "user: " + current_user() + "\n";
  for (std::size_t i = 1; i < argv.size(); ++i)
    text += (i == 1 ? "server_args: [" : ", ") + yaml_quoted(argv[i]);
  return text + (argv.size() > 1 ? "]\n" : "") + with_end_of_line(more);
}

std::string shell_service(std::string_view name, std::uint16_t port, std::string_view script,
                          std::string_view more) {
  return program_service(name, port, {"/bin/sh", "-c", std::string(script)}, more);
}

std::string yaml_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') out += '\\';
    if (byte == '\n') {
      out += "\\n";
    } else {
      out += byte;
    }
  }
  return out + '"';
}

std::string current_user() {
  const passwd* const entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_name : std::to_string(geteuid());
}

bool is_root() {
  return geteuid() == 0;
}

}  // namespace xsd::test
