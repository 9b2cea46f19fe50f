// SPDX-License-Identifier: Apache-2.0
#include "config_test.h"
#include "xsd/config/encoders.h"

namespace xsd::config {
namespace {

using testing::HasSubstr;
using testing::Not;

Snapshot load(const std::string& path) {
  return Loader(load_options(path), std::make_unique<FakeNames>()).load();
}

TEST(Dump, quotes_what_could_be_taken_for_something_else) {
  for (const std::string_view text :
       {"echo", "/bin/cat", "tcp://127.0.0.1:7", "nobody", "in.fingerd", "x_y-z"}) {
    EXPECT_EQ(yaml_scalar(text), text);
  }
  for (const std::string_view text : {"", "no", "Null", "~", "10", "1e3", "-x", "a b", "a: b", "a#b", "[x]",
                                      "*", "%{x}", "a:", "@x", "'"}) {
    EXPECT_EQ(yaml_scalar(text), "\"" + std::string(text) + "\"");
  }
  EXPECT_EQ(yaml_scalar("a\nb\"c\\"), "\"a\\nb\\\"c\\\\\"");
}

TEST(Dump, says_where_each_value_is_from) {
  const TestFolder folder;
  const std::string main = folder.write(
      "xsd.yaml", "daemon:\n  stop_timeout: 3s\ndefaults:\n  flags: [KEEPALIVE]\n  disabled: [off]\n");
  folder.write("conf.d/a.yaml", "service: echo\ntype: INTERNAL\nport: 7\nidle_timeout: unlimited\n");
  folder.write("conf.d/b.yaml", "service: off\nplugin: echo\nlisten: tcp://*:8\n");
  folder.write("conf.d/c.yaml", "service: bad\nplugin: echo\nlisten: tcp://*:9\ninstances: x\n");
  std::string dump = dump_config(load(main));
  for (std::size_t at; (at = dump.find(folder.root() + "/")) != std::string::npos;)
    dump.erase(at, folder.root().size() + 1);
  EXPECT_THAT(dump, HasSubstr("# the effective configuration of xsd, from xsd.yaml\n"));
  EXPECT_THAT(dump, HasSubstr("  stop_timeout: 3s  # xsd.yaml:2\n"));
  EXPECT_THAT(dump, HasSubstr("  # pid_file: /run/xsd/xsd.pid  # default\n"));
  EXPECT_THAT(dump, HasSubstr("  max_processes: 4096  # default\n"));
  EXPECT_THAT(
      dump,
      HasSubstr("  # --- conf.d/a.yaml\n  - service: echo  # conf.d/a.yaml:1\n    id: echo  # default\n"));
  EXPECT_THAT(dump, HasSubstr("    plugin: echo  # conf.d/a.yaml:2\n"));
  EXPECT_THAT(dump, HasSubstr("    listen: [\"tcp://*:7\"]  # conf.d/a.yaml:3\n"));
  EXPECT_THAT(dump, HasSubstr("    flags: [KEEPALIVE]  # xsd.yaml:4 (defaults)\n"));
  EXPECT_THAT(dump, HasSubstr("    idle_timeout: unlimited  # conf.d/a.yaml:4\n"));
  EXPECT_THAT(dump, HasSubstr("    stop_timeout: 3s  # xsd.yaml:2 (daemon)\n"));
  EXPECT_THAT(dump, HasSubstr("    disable: true  # by the lists in 'defaults' of xsd.yaml\n"));
  EXPECT_THAT(dump,
              HasSubstr("  # --- conf.d/c.yaml\n  # faulty: bad: conf.d/c.yaml:4:12: 'instances' wants"));
  EXPECT_THAT(dump, Not(HasSubstr("user:")));
}

TEST(Dump, reads_back_to_the_same) {
  const TestFolder folder;
  const std::string main = folder.write("xsd.yaml", R"(daemon:
  max_processes: unlimited
  log: {target: {file: /tmp/x y.log}, level: debug, format: json}
defaults:
  flags: [KEEPALIVE]
  user: nobody
  env: {A: "1", "B C": "x\ty"}
  enabled: [full, plug, wait, echo]
services:
  - service: full
    description: "a \"quoted\" # text: with 'things' \u2028"
    listen: [tcp4://*:1000-1010, "tcp://[::1]:7", "tcp://*%lo:telnet", unix:///run/x, "unix://@y"]
    server: /bin/true
    server_args: [-x, "%{service}", "", "a b", "no", "~", "{"]
    flags+: [NODELAY, NORETRY]
    group: 5
    groups: yes
    umask: 7
    nice: -3
    passenv: [HOME, "X"]
    env+: {NO: no}
    stderr: "null"
    no_new_privs: false
    rlimit_nofile: 10:20
    rlimit_as: unlimited
    rlimit_stack: 8M:unlimited
    rlimit_cpu: 2m
    instances: unlimited
    stop_timeout: 1500ms
    on_remove: drain
    on_stop: leave
    log_on_success: []
    log_on_failure-: [ATTEMPT]
    backlog: 5
  - service: plug
    plugin: greeter
    listen: udp://127.0.0.1:8
    settings: {a: [1, {b: ~}, [], {}], "c d": "no", e: "x: y"}
    idle_timeout: 90s
  - {service: wait, server: /bin/true, listen: "udp6://*:69"}
  - {service: echo, type: INTERNAL, socket_type: dgram, wait: yes, port: 9, flags: [IPv4]}
  - {service: lost, plugin: echo, listen: "tcp://*:11"}
)");
  Snapshot first = load(main);
  EXPECT_EQ(shown(first.diagnostics, folder.root()), "");
  const Snapshot second = load(folder.write("dump.yaml", dump_config(first)));
  EXPECT_EQ(shown(second.diagnostics, folder.root()), "");
  ASSERT_EQ(first.services.size(), second.services.size());
  for (std::size_t i = 0; i < first.services.size(); ++i) {
    ASSERT_NE(first.services[i].definition, nullptr);
    ASSERT_NE(second.services[i].definition, nullptr);
    EXPECT_TRUE(first.services[i].definition->means_the_same(*second.services[i].definition))
        << first.services[i].id;
    if (first.services[i].resolution == nullptr) continue;
    EXPECT_EQ(first.services[i].resolution->endpoints, second.services[i].resolution->endpoints);
  }
  EXPECT_EQ(first.daemon.max_processes, second.daemon.max_processes);
  EXPECT_EQ(first.daemon.log, second.daemon.log);
  EXPECT_EQ(first.daemon.pid_file_written, second.daemon.pid_file_written);
  EXPECT_EQ(first.daemon.without_effect_yet, second.daemon.without_effect_yet);
  EXPECT_TRUE(second.services[4].definition->disabled);
}

TEST(Dump, of_a_sensor_reads_back_to_the_same) {
  const TestFolder folder;
  const Snapshot first = load(folder.write("xsd.yaml", R"(defaults: {idle_timeout: 10s}
services:
  - {service: a, flags: [SENSOR], deny_time: 60, listen: "tcp://*:8", idle_timeout: 5s}
  - {service: b, flags: [SENSOR], deny_time: 60, listen: "tcp://*:9"}
)"));
  const Snapshot second = load(folder.write("dump.yaml", dump_config(first)));
  EXPECT_EQ(shown(second.diagnostics, folder.root()), "");
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(first.services.at(i).definition->idle_timeout, std::nullopt);
    EXPECT_TRUE(first.services.at(i).definition->means_the_same(*second.services.at(i).definition));
  }
}

}  // namespace
}  // namespace xsd::config
