// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/hosted_service.h"

#include <gmock/gmock.h>

#include <fcntl.h>

#include "plugin_test.h"

namespace xsd::plugin {
namespace {

using ::testing::HasSubstr;

class HostedServiceTest : public PluginTest {};

TEST_F(HostedServiceTest, calls_start_and_stop_once) {
  start_probe();
  EXPECT_STREQ(probe.record, "start ");
  service.reset();
  EXPECT_STREQ(probe.record, "start stop ");
}

TEST_F(HostedServiceTest, shows_whose_plugin_is_at_work) {
  static std::uint64_t busy = 0;
  static std::vector<std::uint64_t> seen;
  busy = 0;
  seen.clear();
  xsd_plugin watching = *xsd_builtin_probe();
  watching.start = [](const xsd_host*, xsd_service*, void**) {
    seen.push_back(busy);
    return 0;
  };
  watching.on_open = [](void*, xsd_connection*) {
    seen.push_back(busy);
    return -1;
  };
  watching.stop = [](void*) { seen.push_back(busy); };
  HostedOptions options;
  options.busy_with = &busy;
  options.number = 7;
  start({"watching", "", &watching}, {}, std::move(options));
  EXPECT_EQ(busy, 0U);
  auto [mine, accepted] = tcp_pair();
  EXPECT_EQ(service->open(std::move(accepted), 1, {}, {}), OpenOutcome::Refused);
  EXPECT_EQ(busy, 0U);
  service.reset();
  EXPECT_EQ(busy, 0U);
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{7, 7, 7}));
}

TEST_F(HostedServiceTest, fails_with_the_errno_that_start_returns) {
  probe.start_result = -ENOSPC;
  const PluginEntry entry{"probe", "", xsd_builtin_probe()};
  auto created = HostedService::create(*loop, entry, {});
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().number(), ENOSPC);
  EXPECT_EQ(created.error().text(), "plugin 'probe': No space left on device");
  EXPECT_STREQ(probe.record, "start ");
}

TEST_F(HostedServiceTest, refuses_another_major_version) {
  xsd_plugin other = *xsd_builtin_probe();
  other.api_version = 2U << 16;
  const PluginEntry entry{"probe", "", &other};
  auto created = HostedService::create(*loop, entry, {});
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().text(), "plugin 'probe' was built for interface version 2, this is 1");
  EXPECT_STREQ(probe.record, "");
}

TEST_F(HostedServiceTest, runs_a_plugin_with_a_smaller_struct) {
  // Nothing of it beyond on_data: the host finishes for it.
  xsd_plugin old = *xsd_builtin_probe();
  old.size = offsetof(xsd_plugin, on_end);
  start({"old", "", &old});
  const UniqueFd mine = client();
  send_all(mine, "whello");
  end_sending(mine);
  EXPECT_EQ(receive_all(mine), "hello");
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  EXPECT_STREQ(probe.record, "start open data:6 ");
}

TEST_F(HostedServiceTest, reports_a_connection_after_on_close) {
  start_probe();
  probe.finish_on_end = 1;
  std::string at_report;
  at_end = [&](const StreamEnd&) {
    at_report = probe.record;
    EXPECT_EQ(service->connections(), 0U);
  };
  auto [mine, accepted] = tcp_pair();
  const net::SocketAddress remote = address_of(accepted.get(), true);
  const net::SocketAddress local = address_of(accepted.get(), false);
  ASSERT_EQ(service->open(std::move(accepted), 0xabc, remote, local), OpenOutcome::Open);
  EXPECT_EQ(service->connections(), 1U);
  send_all(mine, "whello");
  EXPECT_EQ(receive(mine, 5), "hello");
  clock.now += seconds(3);
  end_sending(mine);
  EXPECT_EQ(receive_all(mine), "");
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(at_report, "start open data:6 end close:0 ");
  EXPECT_EQ(ends[0].id, 0xabcU);
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  EXPECT_EQ(ends[0].bytes_in, 6U);
  EXPECT_EQ(ends[0].bytes_out, 5U);
  EXPECT_EQ(ends[0].duration, seconds(3));
  EXPECT_EQ(ends[0].remote, remote);
  EXPECT_EQ(ends[0].local, local);
  settle();
  EXPECT_EQ(ends.size(), 1U);
  EXPECT_EQ(loop->watch_count(), 0U);
}

TEST_F(HostedServiceTest, reports_after_open_has_returned_when_the_plugin_closes_at_once) {
  start_probe();
  probe.on_open = "cbye";
  const UniqueFd mine = client();
  EXPECT_EQ(service->connections(), 0U);
  EXPECT_TRUE(ends.empty());
  EXPECT_EQ(loop->watch_count(), 0U);
  loop->run_once(Duration::zero());
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  EXPECT_EQ(ends[0].bytes_out, 3U);
  EXPECT_EQ(receive_all(mine), "bye");
}

TEST_F(HostedServiceTest, reports_what_was_deferred_when_destroyed_before) {
  start_probe();
  probe.on_open = "cbye";
  const UniqueFd mine = client();
  service.reset();
  EXPECT_EQ(ends.size(), 1U);
  settle();
  EXPECT_EQ(ends.size(), 1U);
}

TEST_F(HostedServiceTest, does_not_report_a_refused_connection) {
  start_probe();
  probe.open_result = -EACCES;
  probe.on_open = "wno";
  auto [mine, accepted] = tcp_pair();
  EXPECT_EQ(service->open(std::move(accepted), 1, {}, {}), OpenOutcome::Refused);
  EXPECT_EQ(receive_all(mine), "no");
  settle();
  EXPECT_TRUE(ends.empty());
  EXPECT_EQ(service->connections(), 0U);
  EXPECT_STREQ(probe.record, "start open ");
}

TEST_F(HostedServiceTest, moves_a_socket_that_stays_above_the_floor) {
  start_probe();
  auto [mine, accepted] = tcp_pair();
  const int low = accepted.get();
  ASSERT_LT(low, fd_floor());
  ASSERT_TRUE(open(std::move(accepted)));
  EXPECT_EQ(fcntl(low, F_GETFD), -1);
  EXPECT_NE(fcntl(fd_floor(), F_GETFD), -1);
}

TEST_F(HostedServiceTest, refuses_a_socket_that_the_poller_cannot_hold) {
  auto select_loop = reactor::EventLoop::create(reactor::PollerKind::Select, clock);
  ASSERT_TRUE(select_loop);
  HostedOptions options;
  bool reported = false;
  options.on_stream_end = [&](const StreamEnd&) { reported = true; };
  const PluginEntry entry{"probe", "", xsd_builtin_probe()};
  auto hosted = HostedService::create(**select_loop, entry, std::move(options));
  ASSERT_TRUE(hosted);
  auto [mine, accepted] = tcp_pair();
  UniqueFd high(fcntl(accepted.get(), F_DUPFD_CLOEXEC, 1024));
  if (!high) GTEST_SKIP() << "needs descriptors above 1024";
  accepted.reset();
  EXPECT_EQ((*hosted)->open(std::move(high), 1, {}, {}), OpenOutcome::NoRoom);
  EXPECT_EQ(receive_all(mine), "");
  EXPECT_FALSE(reported);
  EXPECT_STREQ(probe.record, "start ");
}

TEST_F(HostedServiceTest, close_all_ends_every_connection_with_the_cause) {
  start_probe();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 20; ++i)
    clients.push_back(client());
  service->close_all(EndCause::Drain);
  EXPECT_EQ(ends.size(), 20U);
  for (const StreamEnd& end : ends)
    EXPECT_EQ(end.cause, EndCause::Drain);
  EXPECT_EQ(service->connections(), 0U);
  EXPECT_EQ(loop->watch_count(), 0U);
  for (const UniqueFd& mine : clients)
    EXPECT_EQ(receive_all(mine), "");
  service->close_all(EndCause::Drain);
  EXPECT_EQ(ends.size(), 20U);
}

TEST_F(HostedServiceTest, destructor_ends_what_is_left_before_stop) {
  start_probe();
  const UniqueFd one = client();
  const UniqueFd two = client();
  service.reset();
  EXPECT_STREQ(probe.record, "start open open close:3 close:3 stop ");
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(ends[0].cause, EndCause::Drain);
  EXPECT_EQ(ends[0].id, 1U);
  EXPECT_EQ(loop->watch_count(), 0U);
  EXPECT_EQ(loop->timer_count(), 0U);
}

TEST_F(HostedServiceTest, can_be_asked_by_the_reports_of_its_destructor) {
  start_probe();
  const UniqueFd one = client();
  const UniqueFd two = client();
  std::vector<std::size_t> left;
  at_end = [&left, asked = service.get()](const StreamEnd&) { left.push_back(asked->connections()); };
  service.reset();
  EXPECT_EQ(left, (std::vector<std::size_t>{0, 0}));
}

TEST_F(HostedServiceTest, can_be_destroyed_by_its_own_report) {
  start_probe(seconds(5));
  UniqueFd one = client();
  const UniqueFd two = client();
  const UniqueFd three = client();
  at_end = [this](const StreamEnd&) { service.reset(); };
  reset(std::move(one));
  ASSERT_TRUE(ended(3));
  EXPECT_EQ(ends[0].cause, EndCause::Peer);
  EXPECT_EQ(ends[1].cause, EndCause::Drain);
  EXPECT_EQ(ends[2].cause, EndCause::Drain);
  EXPECT_THAT(probe.record, HasSubstr("close:1 close:3 close:3 stop "));
  settle();
  EXPECT_EQ(ends.size(), 3U);
  EXPECT_EQ(loop->timer_count(), 0U);
}

TEST_F(HostedServiceTest, can_be_destroyed_by_the_report_of_a_timeout) {
  start_probe(seconds(5));
  const UniqueFd one = client();
  const UniqueFd two = client();
  at_end = [this](const StreamEnd&) { service.reset(); };
  advance(seconds(6));
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(ends[0].cause, EndCause::Timeout);
  EXPECT_EQ(ends[1].cause, EndCause::Drain);
}

TEST_F(HostedServiceTest, can_be_destroyed_by_a_deferred_report) {
  start_probe();
  probe.on_open = "cbye";
  const UniqueFd one = client();
  const UniqueFd two = client();
  at_end = [this](const StreamEnd&) { service.reset(); };
  settle();
  EXPECT_EQ(ends.size(), 2U);
  EXPECT_EQ(service, nullptr);
}

TEST_F(HostedServiceTest, can_open_and_close_others_from_its_report) {
  start_probe();
  UniqueFd one = client();
  const UniqueFd two = client();
  UniqueFd three;
  at_end = [&](const StreamEnd&) {
    if (three) return;
    three = client();
    service->close_all(EndCause::Drain);
  };
  reset(std::move(one));
  ASSERT_TRUE(ended(3));
  EXPECT_EQ(ends[0].id, 1U);
  EXPECT_EQ(ends[1].cause, EndCause::Drain);
  EXPECT_EQ(ends[2].cause, EndCause::Drain);
  EXPECT_EQ(service->connections(), 0U);
}

TEST_F(HostedServiceTest, new_connections_get_the_new_timeout) {
  start_probe(seconds(5));
  const UniqueFd one = client();
  service->set_idle_timeout(seconds(50));
  const UniqueFd two = client();
  service->set_idle_timeout(std::nullopt);
  const UniqueFd three = client();
  advance(seconds(6));
  EXPECT_EQ(ends.size(), 1U);
  advance(seconds(46));
  EXPECT_EQ(ends.size(), 2U);
  advance(std::chrono::hours(100));
  EXPECT_EQ(ends.size(), 2U);
}

TEST_F(HostedServiceTest, escapes_and_cuts_what_a_plugin_logs) {
  start_probe();
  const UniqueFd mine = client();
  send_all(mine, "lone\ntwo\x1b");
  ASSERT_TRUE(turn_until([&] { return !logged.empty(); }));
  EXPECT_EQ(logged, "1:one\\ntwo\\x1b\n");
  logged.clear();
  send_all(mine, "l" + std::string(5000, 'x'));
  ASSERT_TRUE(turn_until([&] { return !logged.empty(); }));
  EXPECT_EQ(logged.size(), 2 + 1024 + 1U);
}

TEST_F(HostedServiceTest, tells_the_peer_s_and_the_local_address) {
  start_probe();
  for (const char* host : {"127.0.0.1", "::1"}) {
    const UniqueFd mine = client(host);
    const net::SocketAddress remote = address_of(mine.get(), false);
    const net::SocketAddress local = address_of(mine.get(), true);
    send_all(mine, "p");
    const std::string expected = "the-service " + remote.host() + " " + std::to_string(remote.port()) + " " +
                                 local.host() + " " + std::to_string(local.port());
    EXPECT_EQ(receive(mine, expected.size()), expected);
  }
}

TEST_F(HostedServiceTest, tells_nothing_of_an_unnamed_unix_peer) {
  start_probe();
  auto [mine, accepted] = unix_pair();
  ASSERT_TRUE(open(std::move(accepted)));
  send_all(mine, "p");
  EXPECT_EQ(receive(mine, 17), "the-service  0  0");
}

TEST_F(HostedServiceTest, listener_options_are_inherited) {
  auto [mine, accepted] = tcp_pair();
  int value = 0;
  socklen_t length = sizeof value;
  ASSERT_EQ(getsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &value, &length), 0);
  EXPECT_NE(value, 0);
  ASSERT_EQ(getsockopt(accepted.get(), SOL_SOCKET, SO_OOBINLINE, &value, &length), 0);
  EXPECT_NE(value, 0);
  auto [one, two] = unix_pair();
  EXPECT_TRUE(prepare_stream_listener(one.get(), address_of(one.get(), false)));
}

}  // namespace
}  // namespace xsd::plugin
