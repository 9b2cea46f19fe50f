// SPDX-License-Identifier: Apache-2.0
//
// What must hold for every kind of service: a test of it runs with echo as a plugin in a worker, in two
// shards and in the daemon, and as a program for each connection.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {

inline const std::string kEchoKinds[] = {"in_a_worker", "in_shards", "in_the_daemon", "a_program"};

/// Addresses that clients come from.
inline constexpr const char* kFirst = "127.0.0.2";
inline constexpr const char* kSecond = "127.0.0.3";

inline std::string name_of_kind(const testing::TestParamInfo<std::string>& one) {
  return one.param;
}

class EchoOfAKind : public testing::TestWithParam<std::string> {
 protected:
  bool is_program() const { return GetParam() == "a_program"; }
  void write_echo(const std::string& more) const {
    if (is_program()) {
      folder_.write("conf.d/echo.yaml", program_service("echo", port_, {"/bin/cat"}, more));
      return;
    }
    folder_.write("conf.d/echo.yaml", "service: echo\nplugin: echo\nlisten: " + tcp(port_) +
                                          "\nidle_timeout: 1h\n" +
                                          (GetParam() == "in_shards" ? "shards: 2\n" : "") + more + "\n");
  }
  DaemonOptions options() const {
    DaemonOptions options;
    if (GetParam() == "in_the_daemon") options.arguments = {"--workers", "0"};
    return options;
  }
  Client connect(const std::string& source) const { return Client(port_, {.source = source}); }
  static bool is_served(Client& client) { return client.send("x\n") && client.receive(2) == "x\n"; }
  bool serves(const std::string& source) const {
    Client client = connect(source);
    return is_served(client);
  }

  TempFolder folder_;
  std::uint16_t port_ = free_port();
};

}  // namespace xsd::test
