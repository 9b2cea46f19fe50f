// SPDX-License-Identifier: Apache-2.0
#include "xsd/worker/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xsd/config/client_files.h"
#include "xsd/config/definition_wire.h"

namespace xsd::worker {
namespace {

using testing::ElementsAre;

net::SocketAddress address(const char* text, std::uint16_t port) {
  return *net::SocketAddress::parse(text, port);
}

TEST(WorkerProtocol, commands_come_back_as_they_were_and_in_order) {
  std::string message;
  append(message, ToWorker(Hello{.title = "chat",
                                 .poller = 2,
                                 .log_settings = "x",
                                 .has_log = true,
                                 .plugin = "chat",
                                 .library_path = "/p/chat.so",
                                 .needs_files = true,
                                 .needs_network = false,
                                 .first_connection = 7}));
  append(message, ToWorker(ListenOn{3, {0, 2, 5}}));
  append(message, ToWorker(Terminate{3, std::chrono::seconds(10), true}));
  append(message, ToWorker(Deal{3, 9, address("192.0.2.7", 40000), address("::1", 7), "root"}));
  const auto commands = decode_to_worker(message);
  ASSERT_TRUE(commands);
  ASSERT_EQ(commands->size(), 4U);
  const auto& hello = std::get<Hello>((*commands)[0]);
  EXPECT_EQ(hello.title, "chat");
  EXPECT_EQ(hello.plugin, "chat");
  EXPECT_EQ(hello.library_path, "/p/chat.so");
  EXPECT_TRUE(hello.needs_files);
  EXPECT_FALSE(hello.needs_network);
  EXPECT_EQ(hello.first_connection, 7U);
  EXPECT_THAT(std::get<ListenOn>((*commands)[1]).endpoints, ElementsAre(0, 2, 5));
  EXPECT_EQ(std::get<Terminate>((*commands)[2]).grace, std::chrono::seconds(10));
  const auto& deal = std::get<Deal>((*commands)[3]);
  EXPECT_EQ(deal.user, "root");
  EXPECT_EQ(deal.service, 3U);
  EXPECT_EQ(deal.connection, 9U);
  EXPECT_EQ(deal.remote.to_string(), "192.0.2.7:40000");
  EXPECT_EQ(deal.local.to_string(), "[::1]:7");
}

TEST(WorkerProtocol, bans_come_back_with_their_time) {
  const policy::SourceKey source = *policy::SourceKey::of(address("2001:db8::1", 0), {});
  std::string message;
  append(message, ToWorker(Banned{{source, MonotonicTime(std::chrono::hours(1))}}));
  append(message, ToWorker(Banned{{*policy::SourceKey::whole(address("192.0.2.7", 0)), policy::kForever}}));
  append(message, ToWorker(Unbanned{source}));
  const auto commands = decode_to_worker(message);
  ASSERT_TRUE(commands);
  ASSERT_EQ(commands->size(), 3U);
  EXPECT_EQ(std::get<Banned>((*commands)[0]).ban,
            (policy::Ban{source, MonotonicTime(std::chrono::hours(1))}));
  EXPECT_EQ(std::get<Banned>((*commands)[1]).ban.until, policy::kForever);
  EXPECT_EQ(std::get<Unbanned>((*commands)[2]).source, source);
  policy::SourceKey too_long = source;
  too_long.bits = 129;
  message.clear();
  append(message, ToWorker(Unbanned{too_long}));
  EXPECT_FALSE(decode_to_worker(message));
}

TEST(WorkerProtocol, files_and_names_come_back_as_they_were) {
  std::string message;
  append(message, ToWorker(LentFile{"/etc/xsd/allow", 7}));
  append(message, ToWorker(NamesOf{address("192.0.2.7", 40000), true, {"a.example", "b.example"}}));
  const auto commands = decode_to_worker(message);
  ASSERT_TRUE(commands);
  ASSERT_EQ(commands->size(), 2U);
  EXPECT_EQ(std::get<LentFile>(commands->front()).path, "/etc/xsd/allow");
  EXPECT_EQ(std::get<LentFile>(commands->front()).version, 7U);
  EXPECT_EQ(descriptors_of(commands->front()), 1U);
  const auto& names = std::get<NamesOf>(commands->back());
  EXPECT_EQ(names.peer.to_string(), "192.0.2.7:40000");
  EXPECT_TRUE(names.are_known);
  EXPECT_THAT(names.names, ElementsAre("a.example", "b.example"));
  message.clear();
  append(message, FromWorker(AskNames{address("2001:db8::1", 9)}));
  const auto events = decode_from_worker(message);
  ASSERT_TRUE(events);
  EXPECT_EQ(std::get<AskNames>(events->front()).peer.to_string(), "[2001:db8::1]:9");
}

TEST(WorkerProtocol, what_a_worker_tells_comes_back_with_its_addresses) {
  std::string message;
  append(message, FromWorker(HandOver{3, 9, address("192.0.2.7", 40000), address("::1", 7), "cat"}));
  append(message, FromWorker(DealTaken{3, 10}));
  append(message, FromWorker(DealEnded{3, 10}));
  const auto events = decode_from_worker(message);
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 3U);
  EXPECT_EQ(std::get<DealTaken>((*events)[1]).connection, 10U);
  EXPECT_EQ(std::get<DealEnded>(events->back()).service, 3U);
  EXPECT_EQ(std::get<DealEnded>(events->back()).connection, 10U);
  const auto& given = std::get<HandOver>(events->front());
  EXPECT_EQ(given.remote.to_string(), "192.0.2.7:40000");
  EXPECT_EQ(given.local.to_string(), "[::1]:7");
  EXPECT_EQ(given.target, "cat");
}

TEST(WorkerProtocol, says_how_many_descriptors_go_with_a_command) {
  Hello with_all;
  with_all.has_log = true;
  with_all.plugin = "chat";
  EXPECT_EQ(descriptors_of(ToWorker(Hello{})), 1U);
  EXPECT_EQ(descriptors_of(ToWorker(with_all)), 3U);
  EXPECT_EQ(descriptors_of(ToWorker(Sockets{1, {4, 5}})), 2U);
  EXPECT_EQ(descriptors_of(ToWorker(Deal{})), 1U);
  EXPECT_EQ(descriptors_of(ToWorker(Drain{1})), 0U);
  EXPECT_EQ(descriptors_of(FromWorker(HandOver{})), 1U);
  EXPECT_EQ(descriptors_of(FromWorker(Answer{})), 0U);
  EXPECT_EQ(descriptors_of(FromWorker(DealEnded{})), 0U);
}

TEST(WorkerProtocol, what_is_cut_or_has_a_bad_byte_is_nothing) {
  std::string message;
  append(message, FromWorker(Answer{5, "no such file"}));
  for (std::size_t length = 1; length < message.size(); ++length)
    EXPECT_FALSE(decode_from_worker(std::string_view(message).substr(0, length))) << length;
  EXPECT_FALSE(decode_from_worker("\xff"));
  EXPECT_FALSE(decode_to_worker("\xff"));
  std::string flag;
  append(flag, ToWorker(Terminate{1, {}, true}));
  flag.back() = 2;
  EXPECT_FALSE(decode_to_worker(flag));
}

TEST(WorkerProtocol, a_text_without_end_is_cut_by_the_sender_and_refused_by_the_receiver) {
  std::string message;
  append(message, FromWorker(Answer{5, std::string(100'000, 'x')}));
  const auto events = decode_from_worker(message);
  ASSERT_TRUE(events);
  EXPECT_EQ(std::get<Answer>(events->front()).error.size(), 4096U);
}

TEST(WorkerProtocol, definitions_carry_what_a_service_needs) {
  config::ServiceDefinition definition;
  definition.id = "echo-1";
  definition.service = "echo";
  definition.plugin = "echo";
  definition.flags = config::kFlagKeepAlive;
  definition.instances.value = 3;
  definition.clients.edit().only_from = {*config::parse_address_rule("10.1.{2,3}"),
                                         *config::parse_address_rule("::1")};
  definition.clients.edit().no_access = {*config::parse_address_rule("10.1.2.0/25")};
  definition.per_source.value = 2;
  definition.clients.edit().source_prefix = {24, 56};
  definition.clients.edit().source_rate = config::RateLimit{{10, std::chrono::minutes(1)}, 5};
  definition.idle_timeout = std::chrono::minutes(5);
  definition.mux_targets.edit() = {{"Shout", "shout-1", config::MuxKind::Mux},
                                   {"time", "time", config::MuxKind::MuxPlus}};
  definition.log.edit() = {.target = config::ServiceLog::Target::File, .path = "/var/log/echo"};
  config::Resolution resolution;
  resolution.endpoints = {{net::Transport::Stream, address("127.0.0.1", 7), {}},
                          {net::Transport::Datagram, address("::1", 7), "lo"},
                          {net::Transport::Stream, *net::SocketAddress::unix_path("/run/x"), {}}};
  std::string memory;
  append_definition(memory, {8, 2, config::encode_definition(definition, resolution)});
  const auto entries = decode_definitions(memory);
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ(entries->front().service, 8U);
  EXPECT_EQ(entries->front().cell, 2U);
  const auto wired = config::decode_definition(entries->front().definition);
  ASSERT_TRUE(wired);
  EXPECT_EQ(wired->definition->id, "echo-1");
  EXPECT_EQ(wired->definition->flags, config::kFlagKeepAlive);
  EXPECT_EQ(wired->definition->instances.value, 3U);
  EXPECT_EQ(wired->definition->clients->only_from, definition.clients->only_from);
  EXPECT_EQ(wired->definition->clients->no_access, definition.clients->no_access);
  EXPECT_EQ(wired->definition->per_source, definition.per_source);
  EXPECT_EQ(wired->definition->clients->source_prefix, definition.clients->source_prefix);
  EXPECT_EQ(wired->definition->clients->source_rate, definition.clients->source_rate);
  EXPECT_EQ(wired->definition->idle_timeout, std::chrono::minutes(5));
  EXPECT_EQ(wired->definition->mux_targets, definition.mux_targets);
  EXPECT_EQ(wired->definition->log->target, config::ServiceLog::Target::File);
  EXPECT_EQ(wired->definition->log->place(), definition.log->place());
  EXPECT_EQ(wired->resolution->endpoints, resolution.endpoints);
  EXPECT_FALSE(config::decode_definition(std::string(entries->front().definition) + "x"));
  EXPECT_FALSE(decode_definitions(memory + "x"));
}

TEST(WorkerProtocol, definitions_carry_what_clients_are_asked_and_told) {
  config::ServiceDefinition definition;
  definition.id = "echo";
  config::ClientRules& clients = definition.clients.edit();
  clients.access_times = {*config::parse_access_window("Mon-Fri 22:00-6:00"),
                          *config::parse_access_window("0:00-24:00")};
  clients.max_load = 4.5;
  config::Resolution resolution;
  resolution.files.edit().zone = std::make_shared<const std::string>("CET-1");
  resolution.files.edit().banner_fail = std::make_shared<const std::string>(config::kMaxBanner, 'x');
  resolution.files.edit().banner = std::make_shared<const std::string>();
  const auto wired = config::decode_definition(config::encode_definition(definition, resolution));
  ASSERT_TRUE(wired);
  EXPECT_EQ(wired->definition->clients, definition.clients);
  EXPECT_EQ(wired->resolution->files, resolution.files);
  const auto next =
      config::decode_definition(config::encode_definition(definition, resolution), *wired->resolution->files);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->resolution->files->banner_fail, wired->resolution->files->banner_fail) << "they share it";
  clients.access_times->front().begin = config::kMinutesOfDay;
  EXPECT_FALSE(config::decode_definition(config::encode_definition(definition, resolution)));
}

TEST(WorkerProtocol, lists_with_names_go_with_datagrams_only_and_without_words_that_are_networks) {
  config::ServiceDefinition definition;
  definition.id = "echo";
  definition.clients.edit().only_from = {*config::parse_address_rule("file:/etc/xsd/allow"),
                                         *config::parse_address_rule("ours"),
                                         *config::parse_address_rule(".example.org")};
  config::Resolution resolution;
  resolution.endpoints = {{net::Transport::Stream, address("127.0.0.1", 7), {}}};
  resolution.networks = {{"ours", *net::Prefix::of(address("192.0.2.7", 0))}};
  const auto streams = config::decode_definition(config::encode_definition(definition, resolution));
  ASSERT_TRUE(streams);
  EXPECT_FALSE(streams->definition->clients->only_from);
  resolution.endpoints.push_back({net::Transport::Datagram, address("127.0.0.1", 7), {}});
  const auto both = config::decode_definition(config::encode_definition(definition, resolution));
  ASSERT_TRUE(both);
  definition.clients.edit().only_from->at(1) = *config::parse_address_rule("192.0.2.7");
  EXPECT_EQ(both->definition->clients->only_from, definition.clients->only_from);
}

TEST(WorkerProtocol, a_list_that_lets_nobody_in_is_not_one_that_is_missing) {
  config::ServiceDefinition definition;
  definition.id = "echo";
  definition.clients.edit().only_from.emplace();
  const auto wired = config::decode_definition(config::encode_definition(definition, {}));
  ASSERT_TRUE(wired);
  ASSERT_TRUE(wired->definition->clients->only_from);
  EXPECT_TRUE(wired->definition->clients->only_from->empty());
}

}  // namespace
}  // namespace xsd::worker
