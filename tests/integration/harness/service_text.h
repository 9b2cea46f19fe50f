// SPDX-License-Identifier: Apache-2.0
//
// Texts of service files for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xsd::test {

/// `tcp://127.0.0.1:PORT`.
std::string tcp(std::uint16_t port, std::string_view host = "127.0.0.1");
std::string udp(std::uint16_t port, std::string_view host = "127.0.0.1");

/// A plugin service on one port, tcp and udp. `more`: lines to add.
std::string plugin_service(std::string_view name, std::string_view plugin, std::uint16_t port,
                           std::string_view more = "");
std::string echo_service(std::string_view name, std::uint16_t port, std::string_view more = "");

/// A program started for each connection of a tcp port, as the user that runs the test. argv[0] is a path.
std::string program_service(std::string_view name, std::uint16_t port, const std::vector<std::string>& argv,
                            std::string_view more = "");
/// `/bin/sh -c SCRIPT` for each connection.
std::string shell_service(std::string_view name, std::uint16_t port, std::string_view script,
                          std::string_view more = "");

/// A YAML scalar in double quotes.
std::string yaml_quoted(std::string_view text);

/// Who we are, for `user:`.
std::string current_user();
bool is_root();

}  // namespace xsd::test
