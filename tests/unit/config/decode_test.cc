// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/decode.h"

#include "config_test.h"
#include "xsd/base/number.h"
#include "xsd/config/listen_spec.h"
#include "xsd/config/settings_table.h"

namespace xsd::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr std::string_view kEcho = "service: echo\nplugin: echo\nlisten: tcp://127.0.0.1:7\n";
constexpr std::string_view kCat = "service: cat\nserver: /bin/cat\nuser: nobody\nlisten: tcp://127.0.0.1:7\n";

std::string with(std::string_view base, std::string_view lines) {
  return std::string(base) + std::string(lines);
}

std::vector<std::string> listens(const ServiceDefinition& definition) {
  std::vector<std::string> out;
  for (const ListenSpec& spec : definition.listen)
    out.push_back(to_string(spec));
  return out;
}

// What `listen` becomes for a service in xinetd's words.
std::vector<std::string> expanded(std::string_view lines) {
  return listens(decode_text(with("service: echo\nplugin: echo\n", lines)).only());
}

TEST(Decode, reads_a_plugin_service) {
  const Decoded decoded =
      decode_text("service: echo\nplugin: echo\nlisten: [tcp://127.0.0.1:7, udp://127.0.0.1:7]\n");
  EXPECT_THAT(decoded.diagnostics, IsEmpty());
  const ServiceDefinition& definition = decoded.only();
  EXPECT_EQ(definition.id, "echo");
  EXPECT_EQ(definition.service, "echo");
  EXPECT_EQ(definition.file, "test.yaml");
  EXPECT_EQ(definition.where, (Position{1, 1}));
  EXPECT_EQ(definition.kind, ServiceKind::Plugin);
  EXPECT_EQ(definition.plugin, "echo");
  EXPECT_THAT(listens(definition), ElementsAre("tcp://127.0.0.1:7", "udp://127.0.0.1:7"));
  EXPECT_EQ(definition.listen[1].where, (Position{3, 29}));
  EXPECT_TRUE(definition.instances.is_unlimited());
  EXPECT_EQ(definition.idle_timeout, std::chrono::minutes(5));
  EXPECT_FALSE(definition.wait);
  EXPECT_FALSE(definition.disabled);
}

TEST(Decode, reads_everything_about_a_program) {
  const Decoded decoded = decode_text(R"(service: finger
id: finger-1
description: who is logged in
listen: "tcp://*:finger"
server: /usr/sbin/in.fingerd
server_args: [fingerd, -w, "%{remote_addr}", ""]
flags: [nameinargs, KeepAlive]
user: nobody
group: 100
groups: yes
umask: 077
nice: -5
directory: /srv
chroot: /jail
env: {TERM: vt100, EMPTY: ""}
passenv: [HOME]
stderr: log
no_new_privs: no
rlimit_cpu: 10s:1m
rlimit_as: 64M
rlimit_nproc: unlimited
instances: unlimited
stop_timeout: 250ms
on_remove: drain
on_stop: leave
log_on_success: [host, duration]
log_on_failure: []
backlog: 16
disable: yes
)");
  EXPECT_EQ(shown(decoded.diagnostics, ""), "");
  const ServiceDefinition& d = decoded.only();
  EXPECT_EQ(d.id, "finger-1");
  EXPECT_EQ(d.kind, ServiceKind::Program);
  EXPECT_EQ(d.server, "/usr/sbin/in.fingerd");
  EXPECT_EQ(d.server_where, (Position{5, 9}));
  EXPECT_THAT(d.server_args, ElementsAre("fingerd", "-w", "%{remote_addr}", ""));
  EXPECT_EQ(d.flags, unsigned{kFlagNameInArgs | kFlagKeepAlive});
  EXPECT_EQ(d.user, "nobody");
  EXPECT_EQ(d.user_where, (Position{8, 7}));
  EXPECT_EQ(d.group, "100");
  EXPECT_TRUE(d.groups);
  EXPECT_EQ(d.umask, 077U);
  EXPECT_EQ(d.nice, -5);
  EXPECT_EQ(d.directory, "/srv");
  EXPECT_EQ(d.chroot, "/jail");
  EXPECT_THAT(d.env, ElementsAre(Pair("TERM", "vt100"), Pair("EMPTY", "")));
  EXPECT_THAT(d.passenv, ElementsAre("HOME"));
  EXPECT_EQ(d.stderr_target, StderrTarget::Log);
  EXPECT_FALSE(d.no_new_privs);
  ASSERT_EQ(d.rlimits.size(), 3U);
  EXPECT_EQ(d.rlimits[0].resource, RLIMIT_CPU);
  EXPECT_EQ(d.rlimits[0].soft, 10U);
  EXPECT_EQ(d.rlimits[0].hard, 60U);
  EXPECT_EQ(d.rlimits[1].resource, RLIMIT_NPROC);
  EXPECT_EQ(d.rlimits[1].soft, RLIM_INFINITY);
  EXPECT_EQ(d.rlimits[2].resource, RLIMIT_AS);
  EXPECT_EQ(d.rlimits[2].hard, rlim_t{64} << 20U);
  EXPECT_TRUE(d.instances.is_unlimited());
  EXPECT_EQ(d.stop_timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(d.on_remove, OnRemove::Drain);
  EXPECT_EQ(d.on_stop, OnStop::Leave);
  EXPECT_EQ(d.log_on_success, unsigned{kLogHost | kLogDuration});
  EXPECT_EQ(d.log_on_failure, 0U);
  EXPECT_EQ(d.backlog, 16U);
  EXPECT_TRUE(d.disabled);
  EXPECT_EQ(d.idle_timeout, std::nullopt);
}

TEST(Decode, gives_programs_their_own_defaults) {
  const ServiceDefinition d = decode_text(kCat).only();
  EXPECT_EQ(d.instances, Limit{256});
  EXPECT_EQ(d.umask, 022U);
  EXPECT_EQ(d.stop_timeout, std::chrono::seconds(10));
  EXPECT_EQ(d.backlog, 4096U);
  EXPECT_TRUE(d.no_new_privs);
  EXPECT_EQ(d.directory, "/");
}

TEST(Decode, turns_xinetd_words_into_listen) {
  EXPECT_THAT(expanded("socket_type: stream\n"), ElementsAre("tcp://*:echo"));
  EXPECT_THAT(expanded("socket_type: dgram\nwait: yes\n"), ElementsAre("udp://*:echo"));
  EXPECT_THAT(expanded("protocol: udp\nport: 7\n"), ElementsAre("udp://*:7"));
  EXPECT_THAT(expanded("port: 7\n"), ElementsAre("tcp://*:7"));
  EXPECT_THAT(expanded("port: 9000-9003\n"), ElementsAre("tcp://*:9000-9003"));
  EXPECT_THAT(expanded("port: telnet\n"), ElementsAre("tcp://*:telnet"));
  EXPECT_THAT(expanded("socket_type: STREAM\nprotocol: TCP\nbind: 127.0.0.1\n"),
              ElementsAre("tcp://127.0.0.1:echo"));
  EXPECT_THAT(expanded("interface: ::1\nport: 7\n"), ElementsAre("tcp://[::1]:7"));
  EXPECT_THAT(expanded("bind: \"[::1]\"\nport: 7\n"), ElementsAre("tcp://[::1]:7"));
  EXPECT_THAT(expanded("bind: localhost\nport: 7\nflags: [IPv4]\n"), ElementsAre("tcp4://localhost:7"));
  EXPECT_THAT(expanded("bind: \"%lo\"\nport: 7\n"), ElementsAre("tcp://*%lo:7"));
  EXPECT_THAT(expanded("port: 7\nflags: [IPv6]\n"), ElementsAre("tcp://*:7"));
  EXPECT_THAT(expanded("bind: localhost\nport: 7\nflags: [IPv6]\n"), ElementsAre("tcp6://localhost:7"));
  EXPECT_THAT(expanded("port: 7\nflags: [IPv4, IPv6]\n"), ElementsAre("tcp://*:7"));
  EXPECT_THAT(expanded("port: 7\nv6only: yes\n"), ElementsAre("tcp6://*:7"));
  EXPECT_THAT(expanded("port: 7\nv6only: no\n"), ElementsAre("tcp://*:7"));
  EXPECT_THAT(expanded("flags: [REUSE]\n"), ElementsAre("tcp://*:echo"));
}

TEST(Decode, means_the_same_in_both_spellings) {
  const Decoded ours = decode_text(with("service: echo\nplugin: echo\n", "listen: tcp4://*:7\n"));
  const Decoded xinetd = decode_text("service: echo\ntype: INTERNAL\nport: 7\nflags: [IPv4]\nwait: no\n");
  EXPECT_TRUE(ours.only().means_the_same(xinetd.only()));
}

TEST(Decode, takes_an_internal_service_as_xinetd_writes_it) {
  const Decoded decoded = decode_text(
      "service: echo\nid: echo-dgram\ntype: [INTERNAL, UNLISTED]\nsocket_type: dgram\nwait: yes\nuser: "
      "root\nport: 7\n");
  const ServiceDefinition& d = decoded.only();
  EXPECT_EQ(d.plugin, "echo");
  EXPECT_EQ(d.user, "");
  EXPECT_FALSE(d.wait);
  EXPECT_EQ(decoded.fault(), "'user' has no effect on an internal service");
}

TEST(Decode, waits_by_default_on_datagrams_only) {
  constexpr std::string_view kBase = "service: x\nserver: /bin/cat\nuser: nobody\n";
  EXPECT_TRUE(decode_text(with(kBase, "listen: udp://*:69\n")).only().wait);
  EXPECT_FALSE(decode_text(with(kBase, "listen: tcp://*:69\n")).only().wait);
  EXPECT_TRUE(decode_text(with(kBase, "listen: unix-dgram:///run/x\n")).only().wait);
  EXPECT_FALSE(decode_text(with(kBase, "listen: [unix-seqpacket:///run/x, tcp://*:7]\n")).only().wait);
  EXPECT_TRUE(decode_text(with(kBase, "listen: tcp://*:69\nwait: yes\n")).only().wait);
}

TEST(Decode, requires_a_user_of_root_only) {
  constexpr std::string_view kNoUser = "service: x\nserver: /bin/cat\nlisten: tcp://*:7\n";
  EXPECT_THAT(decode_text(kNoUser, false).diagnostics, IsEmpty());
  EXPECT_EQ(decode_text(kNoUser, true).fault(),
            "'user' is missing: the daemon runs as root, so it must know who '/bin/cat' is to run as");
}

TEST(Decode, reads_several_services_of_a_file) {
  const Decoded decoded = decode_text(R"(services:
  - {service: a, plugin: echo, listen: "tcp://*:1"}
  - {service: b, plugin: echo, listen: "tcp://*:x y"}
  - {service: c, plugin: echo, listen: "tcp://*:3"}
  - {plugin: echo, listen: "tcp://*:4"}
)");
  ASSERT_EQ(decoded.services.size(), 4U);
  EXPECT_NE(decoded.services[0].definition, nullptr);
  EXPECT_EQ(decoded.services[1].definition, nullptr);
  EXPECT_EQ(decoded.services[1].id, "b");
  EXPECT_THAT(decoded.services[1].error, testing::StartsWith("test.yaml:3:40: 'x y' is no port"));
  EXPECT_NE(decoded.services[2].definition, nullptr);
  EXPECT_EQ(decoded.services[2].error, "");
  EXPECT_FALSE(decoded.services[3].id_known);
  EXPECT_EQ(decoded.services[3].id, "test#4");
}

TEST(Decode, blames_the_service_that_a_duplicate_key_stands_in) {
  const Decoded decoded = decode_text(R"(services:
  - service: a
    plugin: echo
    listen: tcp://*:1
  - service: b
    plugin: echo
    plugin: echo
    listen: tcp://*:2
)");
  ASSERT_EQ(decoded.services.size(), 2U);
  EXPECT_NE(decoded.services[0].definition, nullptr);
  EXPECT_EQ(decoded.services[1].definition, nullptr);
  EXPECT_THAT(decoded.services[1].error, testing::StartsWith("test.yaml:7:5: 'plugin' is given twice"));
}

TEST(Decode, takes_an_empty_file_for_none) {
  for (const std::string_view text : {"", "# nothing\n", "---\n", "services: []\n", "services:\n"}) {
    const Decoded decoded = decode_text(text);
    EXPECT_THAT(decoded.services, IsEmpty()) << text;
    EXPECT_THAT(decoded.diagnostics, IsEmpty()) << text;
  }
}

TEST(Decode, names_the_file_where_no_service_is_known) {
  for (const std::string_view text : {"- a\n", "text\n", "daemon: {watch: true}\n", "services: {a: b}\n"}) {
    const Decoded decoded = decode_text(text);
    ASSERT_EQ(decoded.services.size(), 1U) << text;
    EXPECT_EQ(decoded.services[0].id, "test") << text;
    EXPECT_FALSE(decoded.services[0].id_known) << text;
    EXPECT_EQ(decoded.services[0].definition, nullptr) << text;
    EXPECT_NE(decoded.services[0].error, "") << text;
  }
}

TEST(Decode, keeps_the_name_of_a_faulty_service) {
  const Decoded decoded = decode_text(with(kEcho, "instances: many\n"));
  ASSERT_EQ(decoded.services.size(), 1U);
  EXPECT_EQ(decoded.services[0].id, "echo");
  EXPECT_TRUE(decoded.services[0].id_known);
  EXPECT_EQ(decoded.services[0].error,
            "test.yaml:4:12: 'instances' wants a number from 0 to 1000000000, or unlimited, not 'many'");
}

TEST(Decode, reports_all_faults_at_once) {
  const Decoded decoded =
      decode_text(with(kEcho, "instances: many\nwait: perhaps\nlisten_to: x\nuser: nobody\n"));
  EXPECT_THAT(messages(decoded.diagnostics),
              ElementsAre("'instances' wants a number from 0 to 1000000000, or unlimited, not 'many'",
                          "'wait' wants true or false (or yes, no), not 'perhaps'",
                          "unknown key 'listen_to', did you mean 'listen'?",
                          "'user' is only for programs, this service runs a plugin that has no 'programs'"));
}

TEST(Decode, reports_at_most_a_hundred_unknown_keys) {
  std::string text(kEcho);
  for (int i = 0; i < 30000; ++i)
    text += "listen" + std::to_string(i) + ": x\n";
  const auto said = messages(decode_text(text).diagnostics);
  ASSERT_EQ(said.size(), 101U);
  EXPECT_EQ(said.front(), "unknown key 'listen0', did you mean 'listen'?");
  EXPECT_EQ(said.back(), "too many errors; the others are not shown");
}

TEST(Decode, bounds_lists_and_environments) {
  std::string list = "listen:\n";
  std::string env = "env:\n";
  for (std::size_t i = 0; i <= 4096; ++i)
    list += "- tcp://127.0.0.1:7\n";
  for (int i = 0; i <= 1000; ++i)
    env += "  A" + std::to_string(i) + ": x\n";
  EXPECT_THAT(messages(decode_text("service: x\nplugin: echo\n" + list).diagnostics),
              ElementsAre("'listen' has more than 4096 entries"));
  EXPECT_THAT(messages(decode_text(with(kCat, env)).diagnostics),
              ElementsAre("'env' has more than 1000 variables"));
}

TEST(Decode, keeps_the_settings_of_a_plugin_as_they_are) {
  const ServiceDefinition d = decode_text(with(kEcho, "settings: {a: 010, b: [x, ~, {c: \"\"}]}\n")).only();
  ASSERT_EQ(d.settings.kind, SettingsNode::Kind::Map);
  ASSERT_EQ(d.settings.members.size(), 2U);
  EXPECT_EQ(d.settings.members[0].second.scalar, "010");
  const SettingsNode& list = d.settings.members[1].second;
  ASSERT_EQ(list.items.size(), 3U);
  EXPECT_EQ(list.items[1].kind, SettingsNode::Kind::Null);
  EXPECT_EQ(list.items[2].members[0].second.kind, SettingsNode::Kind::Scalar);
}

// --- inheritance ---

Inherited inherited(std::string_view main_text) {
  return decode_main_text(main_text).inherited;
}

TEST(Decode, inherits_defaults) {
  const Inherited from = inherited(R"(daemon: {stop_timeout: 3s}
defaults:
  flags: [KEEPALIVE]
  user: games
  instances: 9
  env: {A: 1, B: 2}
  rlimit_nofile: 100
)");
  const ServiceDefinition program =
      decode_text("service: x\nserver: /bin/cat\nlisten: tcp://*:7\n", true, from).only();
  EXPECT_EQ(program.user, "games");
  EXPECT_EQ(program.flags, unsigned{kFlagKeepAlive});
  EXPECT_EQ(program.instances, Limit{9});
  EXPECT_EQ(program.rlimits.size(), 1U);
  EXPECT_EQ(program.stop_timeout, std::chrono::seconds(3));
  const ValueOrigin* const user = origin_of(program.origins, "user");
  ASSERT_NE(user, nullptr);
  EXPECT_TRUE(user->from_defaults);
  EXPECT_EQ(user->where, (Position{4, 3}));

  const ServiceDefinition plugin = decode_text(kEcho, true, from).only();
  EXPECT_EQ(plugin.user, "");  // it has no use for one
  EXPECT_EQ(plugin.flags, unsigned{kFlagKeepAlive});
  EXPECT_EQ(plugin.instances, Limit{9});
  EXPECT_THAT(plugin.rlimits, IsEmpty());

  const ServiceDefinition own =
      decode_text(with(kCat, "rlimit_files: 50\nstop_timeout: 1s\n"), true, from).only();
  EXPECT_EQ(own.user, "nobody");
  ASSERT_EQ(own.rlimits.size(), 1U);
  EXPECT_EQ(own.rlimits[0].key, "rlimit_files");
  EXPECT_EQ(own.stop_timeout, std::chrono::seconds(1));
}

TEST(Decode, gives_times_of_defaults_to_those_that_can_have_them) {
  const Inherited from = inherited(R"(defaults:
  idle_timeout: 1m
  start_timeout: 10s
  max_duration: 1h
  lingering: 2s
  user: nobody
)");
  const Decoded decoded = decode_text(R"(services:
  - {service: tcp, server: /bin/cat, listen: "tcp://*:7"}
  - {service: unix, server: /bin/cat, listen: "unix:///run/cat"}
  - {service: wait, server: /bin/cat, listen: "tcp://*:8", wait: true}
  - {service: udp, server: /bin/cat, listen: "udp://*:7"}
  - {service: echo, plugin: echo, listen: "tcp://*:9"}
  - {service: starts, plugin: echo, listen: "tcp://*:10", programs: {cat: /bin/cat}}
)",
                                      true, from);
  EXPECT_THAT(decoded.diagnostics, IsEmpty());
  const auto times_of = [&](std::size_t i) {
    const ServiceDefinition& d = *decoded.services.at(i).definition;
    const auto shown = [](const std::optional<Duration>& time) {
      return time ? format_duration(*time) : "-";
    };
    return shown(d.idle_timeout) + " " + shown(d.times->start_timeout) + " " + shown(d.times->max_duration) +
           " " + format_duration(d.times->lingering);
  };
  EXPECT_EQ(times_of(0), "1m 10s 1h 2s");
  EXPECT_EQ(times_of(1), "- - 1h 2s");
  EXPECT_EQ(times_of(2), "- - - 0s");
  EXPECT_EQ(times_of(3), "- - - 0s");
  EXPECT_EQ(times_of(4), "1m - - 0s");
  EXPECT_EQ(times_of(5), "1m - 1h 0s");
}

TEST(Decode, edits_inherited_lists) {
  const Inherited from = inherited(R"(defaults:
  flags: [KEEPALIVE, NODELAY]
  env: {A: 1, B: 2}
  passenv: [HOME, SHELL]
  log_on_success: [PID, HOST]
)");
  const ServiceDefinition d = decode_text(with(kCat, R"(flags-: [NODELAY]
env+: {B: 3, C: 4}
env-: [A]
passenv+: [TERM, HOME]
log_on_success+: [DURATION]
)"),
                                          true, from)
                                  .only();
  EXPECT_EQ(d.flags, unsigned{kFlagKeepAlive});
  EXPECT_THAT(d.env, ElementsAre(Pair("B", "3"), Pair("C", "4")));
  EXPECT_THAT(d.passenv, ElementsAre("HOME", "SHELL", "TERM"));
  EXPECT_EQ(d.log_on_success, unsigned{kLogPid | kLogHost | kLogDuration});
  EXPECT_THAT(decode_text(with(kCat, "passenv: []\n"), true, from).only().passenv, IsEmpty());
}

TEST(Decode, carries_no_traffic_of_programs) {
  constexpr std::string_view kFault = "'TRAFFIC' is for services whose bytes xsd carries, not for programs";
  EXPECT_EQ(decode_text(with(kCat, "log_on_success: [TRAFFIC]\n")).fault(), kFault);
  EXPECT_EQ(decode_text(with(kCat, "log_on_success+: [traffic]\n")).fault(), kFault);
  const Inherited from = inherited("defaults: {log_on_success: [PID, TRAFFIC]}\n");
  EXPECT_EQ(decode_text(with(kCat, "log_on_success: [TRAFFIC]\n"), true, from).fault(), kFault);
  // For all services: those that can have it do.
  EXPECT_EQ(decode_text(kCat, true, from).only().log_on_success, unsigned{kLogPid});
  EXPECT_EQ(decode_text(with(kCat, "log_on_success+: [HOST]\n"), true, from).only().log_on_success,
            unsigned{kLogPid | kLogHost});
  EXPECT_EQ(decode_text(kEcho, true, from).only().log_on_success, unsigned{kLogPid | kLogTraffic});
  const Inherited alone = inherited("defaults: {log_on_success: [TRAFFIC]}\n");
  EXPECT_EQ(decode_text(kCat, true, alone).only().log_on_success, ServiceDefinition().log_on_success);
  EXPECT_EQ(decode_text(with(kEcho, "log_on_success: [TRAFFIC]\n")).only().log_on_success,
            unsigned{kLogTraffic});
}

TEST(Decode, takes_a_doubled_percent_sign_for_a_literal) {
  const auto arguments = [](const std::string& text) {
    return decode_text(with(kCat, "server_args: [\"" + text + "\"]\n"));
  };
  for (const char* const good : {"%%{x}", "%%{remote_addr", "%%%{remote_addr}", "a%%{%{service}", "%", "50%"})
    EXPECT_THAT(arguments(good).only().server_args, ElementsAre(good));
  EXPECT_EQ(arguments("%%{x}%{y}").fault(),
            "unknown variable '%{y}', known are %{remote_addr} %{remote_port} %{server_port} %{service}; a "
            "literal %{ is written %%{");
  EXPECT_EQ(arguments("a%{service").fault(),
            "'}' is missing behind '%{service'; a literal %{ is written %%{");
}

TEST(Decode, names_the_longest_duration) {
  for (const std::string value : {"10001d", "240001h", "99999999999999999999999s"}) {
    EXPECT_EQ(decode_text(with(kEcho, "stop_timeout: " + value + "\n")).fault(),
              "'stop_timeout' wants a duration such as 250ms, 10s, 5m, 1h or 1d, not '" + value +
                  "': 10000d is the longest");
  }
  EXPECT_EQ(decode_text(with(kEcho, "stop_timeout: 10000d\n")).only().stop_timeout,
            std::chrono::hours(240000));
  EXPECT_EQ(decode_text(with(kEcho, "stop_timeout: 007d\n")).fault(),
            "'stop_timeout' wants a duration such as 250ms, 10s, 5m, 1h or 1d, not '007d'");
}

TEST(Decode, says_that_what_is_never_inherited_cannot_be_edited) {
  EXPECT_EQ(decode_text(with(kCat, "server_args+: [-x]\n")).fault(),
            "'server_args' is never inherited, so there is nothing to edit: write 'server_args'");
  EXPECT_EQ(decode_text(with(kEcho, "description+: [x]\n")).fault(),
            "'description' is never inherited, so there is nothing to edit: write 'description'");
  EXPECT_EQ(decode_text(with(kEcho, "backlog+: [1]\n")).fault(),
            "'backlog' is no list, nothing can be added to it or removed from it");
}

TEST(Decode, warns_about_a_removal_of_nothing) {
  EXPECT_EQ(decode_text(with(kCat, "passenv-: [HOME]\n")).fault(),
            "'HOME' is not in the inherited 'passenv', nothing to remove");
  EXPECT_EQ(decode_text(with(kCat, "flags-: [NODELAY]\n")).fault(),
            "'NODELAY' is not in the inherited 'flags', nothing to remove");
}

TEST(Decode, uses_inherited_addresses_without_listen_only) {
  const Inherited from = inherited("defaults: {bind: 127.0.0.1, flags: [IPv4]}\n");
  EXPECT_THAT(listens(decode_text("service: echo\nplugin: echo\nport: 7\n", true, from).only()),
              ElementsAre("tcp://127.0.0.1:7"));
  const Decoded decoded = decode_text("service: echo\nplugin: echo\nlisten: tcp://*:7\n", true, from);
  EXPECT_THAT(listens(decoded.only()), ElementsAre("tcp://*:7"));
  EXPECT_THAT(decoded.diagnostics, IsEmpty());
}

TEST(Decode, runs_what_the_lists_let_run) {
  const Inherited enabled = inherited("defaults: {enabled: [echo, cat], disabled: [cat]}\n");
  EXPECT_FALSE(decode_text(kEcho, true, enabled).only().disabled);
  EXPECT_TRUE(decode_text(kCat, true, enabled).only().disabled);
  EXPECT_TRUE(
      decode_text("service: x\nid: other\nplugin: echo\nlisten: tcp://*:7\n", true, enabled).only().disabled);
  EXPECT_TRUE(decode_text(with(kEcho, "disable: yes\n"), true, enabled).only().disabled);
  const Inherited none = inherited("defaults: {enabled: []}\n");
  EXPECT_TRUE(decode_text(kEcho, true, none).only().disabled);
}

// --- the main file ---

TEST(DecodeMain, has_defaults_for_everything) {
  for (const std::string_view text : {"", "daemon:\ndefaults:\n", "daemon: {}\n"}) {
    const DecodedMain main = decode_main_text(text);
    EXPECT_FALSE(main.faulty);
    EXPECT_EQ(main.daemon.pid_file, "/run/xsd/xsd.pid");
    EXPECT_FALSE(main.daemon.pid_file_written);
    EXPECT_EQ(main.daemon.max_processes, Limit{4096});
    EXPECT_THAT(main.daemon.without_effect_yet, IsEmpty());
    ASSERT_EQ(main.include.size(), 1U);
    EXPECT_EQ(main.include[0].text, "conf.d/*.yaml");
  }
}

TEST(DecodeMain, reads_the_log_targets) {
  const auto log = [](const std::string& target) {
    const DecodedMain main = decode_main_text("daemon: {log: {target: " + target + "}}\n");
    EXPECT_FALSE(main.faulty) << target;
    return main.daemon.log;
  };
  EXPECT_EQ(log("stderr").target, LogSettings::Target::Stderr);
  EXPECT_EQ(log("syslog").target, LogSettings::Target::Syslog);
  EXPECT_EQ(log("Journal").target, LogSettings::Target::Journal);
  for (const auto& [text, host] :
       {std::pair("127.0.0.1:514", "127.0.0.1"), std::pair("[2001:db8::1]:514", "2001:db8::1"),
        std::pair("logs.example:514", "logs.example")}) {
    const LogSettings udp = log("{udp: \"" + std::string(text) + "\"}");
    EXPECT_EQ(udp.target, LogSettings::Target::Udp);
    EXPECT_EQ(udp.host, host);
    EXPECT_EQ(udp.port, 514);
  }
  for (const char* const text :
       {"127.0.0.1", "127.0.0.1:", ":514", "*:514", "127.0.0.1:65536", "h:syslog", "h%lo:514", "h:1-2"}) {
    std::vector<Diagnostic> diagnostics;
    EXPECT_TRUE(
        decode_main_text("daemon: {log: {target: {udp: \"" + std::string(text) + "\"}}}\n", &diagnostics)
            .faulty)
        << text;
    EXPECT_EQ(diagnostics.size(), 1U) << text;
  }
}

TEST(DecodeMain, reads_everything) {
  const DecodedMain main = decode_main_text(R"(daemon:
  user: root
  pid_file: run/xsd.pid
  control_socket: /run/c.sock
  workers: 0
  max_processes: unlimited
  stop_timeout: 1m
  watch: yes
  plugin_dirs: [/a, b]
  log:
    target: {file: log/xsd.log}
    level: WARNING
    format: json
include: [a.yaml, "/etc/more/*.yaml"]
)");
  EXPECT_FALSE(main.faulty);
  const DaemonSettings& d = main.daemon;
  EXPECT_EQ(d.user, "root");
  EXPECT_EQ(d.pid_file, "/etc/xsd/run/xsd.pid");
  EXPECT_TRUE(d.pid_file_written);
  EXPECT_EQ(d.control_socket, "/run/c.sock");
  EXPECT_EQ(d.workers, WorkersMode::Zero);
  EXPECT_TRUE(d.max_processes.is_unlimited());
  EXPECT_EQ(d.stop_timeout, std::chrono::minutes(1));
  EXPECT_TRUE(d.watch);
  EXPECT_THAT(d.plugin_dirs, ElementsAre("/a", "/etc/xsd/b"));
  EXPECT_EQ(d.log, (LogSettings{.target = LogSettings::Target::File,
                                .path = "/etc/xsd/log/xsd.log",
                                .level = "warning",
                                .json = true}));
  EXPECT_THAT(d.without_effect_yet, ElementsAre("control_socket"));
  EXPECT_EQ(main.include.size(), 2U);
}

TEST(DecodeMain, is_not_faulty_for_the_fault_of_one_of_its_services) {
  std::vector<Diagnostic> diagnostics;
  const DecodedMain main = decode_main_text(R"(services:
  - {service: a, plugin: echo, listen: "tcp://*:1"}
  - {service: b, plugin: echo}
)",
                                            &diagnostics);
  EXPECT_FALSE(main.faulty);
  ASSERT_EQ(main.services.size(), 2U);
  EXPECT_NE(main.services[0].definition, nullptr);
  EXPECT_EQ(main.services[1].definition, nullptr);
}

TEST(DecodeMain, is_faulty_for_a_fault_in_the_defaults) {
  std::vector<Diagnostic> diagnostics;
  const DecodedMain main = decode_main_text("defaults: {instances: many, flags: [NODELAY]}\n", &diagnostics);
  EXPECT_TRUE(main.faulty);
  EXPECT_EQ(main.inherited.defaults.draft.flags, unsigned{kFlagNoDelay});
}

TEST(Definitions, means_the_same_wherever_it_stands) {
  const ServiceDefinition a = decode_text(kEcho).only();
  const ServiceDefinition b = decode_text(with("# moved\n\n", kEcho)).only();
  EXPECT_TRUE(a.means_the_same(b));
  EXPECT_FALSE(a.means_the_same(decode_text(with(kEcho, "instances: 3\n")).only()));
  EXPECT_FALSE(a.means_the_same(decode_text(with(kEcho, "settings: {a: b}\n")).only()));
}

}  // namespace
}  // namespace xsd::config
