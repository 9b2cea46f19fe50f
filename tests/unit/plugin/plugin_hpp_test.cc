// SPDX-License-Identifier: Apache-2.0
//
// plugin.hpp, which is C++20 here and C++17 in cpp_plugin.cc.
#include "xsd/plugin.hpp"

#include <gmock/gmock.h>

#include "datagram_peer.h"
#include "xsd/plugin/blocking_pool.h"
#include "xsd/plugin/settings_nodes.h"

extern "C" const xsd_plugin* xsd_builtin_cpp(void);

namespace xsd::plugin {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class CppPluginTest : public DatagramPluginTest {
 protected:
  void TearDown() override { service.reset(); }

  static config::SettingsNode setting(std::string key, std::string value) {
    config::SettingsNode map;
    map.kind = config::SettingsNode::Kind::Map;
    config::SettingsNode node;
    node.kind = config::SettingsNode::Kind::Scalar;
    node.scalar = std::move(value);
    map.members.emplace_back(std::move(key), std::move(node));
    return map;
  }
  void start_cpp(const config::SettingsNode& settings = {}) {
    HostedOptions options;
    options.settings = &settings;
    options.pool = &pool;
    start({"cpp", "", xsd_builtin_cpp()}, std::nullopt, std::move(options));
  }
  int error_of_start(const config::SettingsNode& settings) {
    HostedOptions options;
    options.settings = &settings;
    options.on_log = [this](std::uint32_t, std::string_view text) { logged += text; };
    const auto created = HostedService::create(*loop, {"cpp", "", xsd_builtin_cpp()}, std::move(options));
    return created ? 0 : created.error().number();
  }
  bool was_logged(std::string_view text) {
    return turn_until([&] { return logged.find(text) != std::string::npos; });
  }

  BlockingPool pool{*loop};
};

TEST_F(CppPluginTest, the_table_has_what_the_author_wrote) {
  const xsd_plugin& table = *xsd_builtin_cpp();
  EXPECT_EQ(table.size, sizeof(xsd_plugin));
  EXPECT_EQ(table.api_version, XSD_PLUGIN_API_VERSION);
  EXPECT_STREQ(table.name, "cpp");
  EXPECT_STREQ(table.description, "in C++");
  EXPECT_STREQ(table.version, "1.2.3");
  EXPECT_EQ(table.needs, XSD_NEEDS_FILES);
  EXPECT_EQ(table.setting_count, 2U);
  EXPECT_NE(table.validate, nullptr);
  EXPECT_NE(table.on_data, nullptr);
  EXPECT_NE(table.on_end, nullptr);
  EXPECT_NE(table.on_connected, nullptr);
  EXPECT_NE(table.on_datagram, nullptr);
  EXPECT_EQ(table.on_readable, nullptr);
  EXPECT_EQ(table.on_writable, nullptr);
  EXPECT_EQ(table.on_urgent, nullptr);
  EXPECT_EQ(table.on_program, nullptr);
  EXPECT_EQ(table.on_datagrams, nullptr);
}

TEST_F(CppPluginTest, serves_clients_and_counts_them) {
  start_cpp();
  const UniqueFd mine = client();
  send_all(mine, "eecho");
  EXPECT_EQ(receive(mine, 7), "hi echo");
  EXPECT_THAT(service->metrics(), ElementsAre(Pair("clients", 1U)));
  end_sending(mine);
  EXPECT_EQ(receive_all(mine), "");
  EXPECT_TRUE(ended(1));
  service.reset();
  EXPECT_EQ(logged, "2:close 0\n2:gone\n");
}

TEST_F(CppPluginTest, an_exception_aborts_the_connection_and_is_logged) {
  start_cpp();
  const UniqueFd other = client();
  for (const char* const command : {"t", "i"}) {
    logged.clear();
    const UniqueFd mine = client();
    send_all(mine, command);
    (void)receive(mine, SIZE_MAX);
    EXPECT_EQ(saw_error, ECONNRESET);
    EXPECT_EQ(logged, std::string("0:on_data: ") +
                          (*command == 't' ? "thrown" : "an exception that is no std::exception") +
                          "\n2:close 0\n");
  }
  send_all(other, "estill");
  EXPECT_EQ(receive(other, 8), "hi still");
}

TEST_F(CppPluginTest, an_exception_in_start_refuses_the_service) {
  EXPECT_EQ(error_of_start(setting("start", "throw")), EIO);
  EXPECT_EQ(logged, "start: will not start");
  EXPECT_EQ(error_of_start(setting("start", "busy")), EBUSY);
}

TEST_F(CppPluginTest, a_client_can_be_refused_by_answer_and_by_exception) {
  for (const char* const how : {"no", "throw"}) {
    start_cpp(setting("greeting", how));
    auto [mine, accepted] = tcp_pair();
    EXPECT_FALSE(open(std::move(accepted)));
    EXPECT_EQ(receive_all(mine), "");
    service.reset();
  }
  EXPECT_EQ(logged, "2:gone\n0:on_open: no client\n2:gone\n");
}

TEST_F(CppPluginTest, work_on_a_thread_hands_its_exception_on) {
  start_cpp();
  const UniqueFd mine = client();
  send_all(mine, "w");
  EXPECT_EQ(receive(mine, 9), "hi failed");
  EXPECT_EQ(logged, "0:done: at work\n");
  EXPECT_EQ(service->connections(), 1U);
}

TEST_F(CppPluginTest, a_timer_may_destroy_itself_and_throw) {
  start_cpp();
  const UniqueFd mine = client();
  send_all(mine, "r");
  EXPECT_EQ(receive(mine, 8), "hi fired");
  EXPECT_EQ(logged, "0:timer: fired\n");
}

TEST_F(CppPluginTest, connects_with_a_session_of_its_own) {
  start_cpp();
  const net::SocketAddress any = *net::SocketAddress::parse("127.0.0.1", 0);
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ASSERT_EQ(bind(listener.get(), any.raw(), any.raw_length()), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  const UniqueFd mine = client();
  send_all(mine, "c" + std::to_string(address_of(listener.get(), false).port()));
  UniqueFd upstream;
  ASSERT_TRUE(turn_until([&] {
    upstream.reset(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    return static_cast<bool>(upstream);
  }));
  EXPECT_EQ(receive(upstream, 5), "hello");
  send_all(upstream, "answer");
  end_sending(upstream);
  EXPECT_EQ(receive(mine, 9), "hi answer");
  EXPECT_EQ(receive_all(upstream), "");  // has no on_end, so it was finished
}

TEST_F(CppPluginTest, connect_throws_what_plugin_h_answers) {
  start_cpp();
  const UniqueFd mine = client();
  send_all(mine, "f");
  EXPECT_TRUE(was_logged("0:on_data: connect to nowhere: Invalid argument\n"));
}

TEST_F(CppPluginTest, datagrams_go_on_after_an_exception) {
  start_cpp();
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  send_to(mine, "127.0.0.1", "throw");
  send_to(mine, "127.0.0.1", "echo");
  EXPECT_EQ(receive_datagram(mine), "echo");
  EXPECT_EQ(logged, "0:on_datagram: no such datagram\n");
}

TEST_F(CppPluginTest, validates_and_an_exception_is_a_problem_of_the_whole) {
  std::string problems;
  const auto on_problem = [&](const config::Position&, std::string_view text) {
    problems += std::string(text) + "\n";
  };
  validate_settings(*xsd_builtin_cpp(), setting("start", "x"), on_problem);
  validate_settings(*xsd_builtin_cpp(), setting("greeting", "throw"), on_problem);
  EXPECT_EQ(problems, "is for tests\ncannot look at it\n");
}

}  // namespace
}  // namespace xsd::plugin
