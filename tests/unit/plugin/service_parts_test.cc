// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/service_parts.h"

#include <gmock/gmock.h>

#include "script_plugin.h"

namespace xsd::plugin {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class ServicePartsTest : public WithScript<PluginTest> {
 protected:
  static constexpr std::int64_t kSecond = 1'000'000'000;

  xsd_timer* make_timer(std::function<void()>& fire) {
    return host().timer_new(
        script.service, [](void* argument) { (*static_cast<std::function<void()>*>(argument))(); }, &fire);
  }
  int fired = 0;
  std::function<void()> count = [this] { ++fired; };
};

TEST_F(ServicePartsTest, a_timer_fires_once_for_each_time_it_is_set) {
  start_script();
  xsd_timer* const timer = make_timer(count);
  advance(seconds(100));
  EXPECT_EQ(fired, 0);
  host().timer_set(timer, 5 * kSecond);
  host().timer_set(timer, 10 * kSecond);
  advance(seconds(6));
  EXPECT_EQ(fired, 0);
  advance(seconds(5));
  EXPECT_EQ(fired, 1);
  advance(seconds(100));
  EXPECT_EQ(fired, 1);
  host().timer_set(timer, -1);
  advance(Duration::zero());
  EXPECT_EQ(fired, 2);
  host().timer_set(timer, kSecond);
  host().timer_cancel(timer);
  advance(seconds(2));
  EXPECT_EQ(fired, 2);
  host().timer_free(timer);
  host().timer_free(nullptr);
}

TEST_F(ServicePartsTest, a_timer_may_free_itself_and_set_itself) {
  start_script();
  xsd_timer* own = nullptr;
  std::function<void()> fire = [&] {
    if (++fired < 3) return host().timer_set(own, kSecond);
    host().timer_free(own);
  };
  own = make_timer(fire);
  host().timer_set(own, kSecond);
  for (int i = 0; i < 5; ++i)
    advance(seconds(2));
  EXPECT_EQ(fired, 3);
  EXPECT_EQ(loop->timer_count(), 0U);
}

TEST_F(ServicePartsTest, what_a_timer_asks_of_connections_is_done_after_it) {
  std::string record;
  xsd_connection* open_one = nullptr;
  script.on_open = [&](xsd_connection* c) {
    open_one = c;
    return 0;
  };
  script.on_close = [&](xsd_connection*, std::uint32_t) { record += "close "; };
  start_script();
  const UniqueFd mine = client();
  std::function<void()> fire = [&] {
    (void)host().write(open_one, "late", 4);
    host().close(open_one);
    record += "fired ";
  };
  host().timer_set(make_timer(fire), kSecond);
  advance(seconds(2));
  EXPECT_EQ(record, "fired close ");
  EXPECT_EQ(receive_all(mine), "late");
  EXPECT_EQ(ends.size(), 1U);
}

TEST_F(ServicePartsTest, a_timer_s_connection_s_report_may_end_the_service) {
  xsd_connection* open_one = nullptr;
  script.on_open = [&](xsd_connection* c) {
    open_one = c;
    return 0;
  };
  start_script();
  const UniqueFd mine = client();
  std::function<void()> fire = [&] { host().close(open_one); };
  host().timer_set(make_timer(fire), kSecond);
  at_end = [this](const StreamEnd&) { service.reset(); };
  advance(seconds(2));
  EXPECT_EQ(service, nullptr);
}

TEST_F(ServicePartsTest, timers_of_a_service_end_with_it) {
  script.stop = [&] {
    host().timer_set(make_timer(count), 0);  // nothing comes of it
  };
  start_script();
  host().timer_set(make_timer(count), kSecond);
  service.reset();
  EXPECT_EQ(loop->timer_count(), 0U);
  advance(seconds(2));
  EXPECT_EQ(fired, 0);
}

TEST_F(ServicePartsTest, the_clock_is_that_of_the_turn) {
  start_script();
  advance(seconds(3));
  const std::int64_t before = host().monotonic_clock(script.service);
  EXPECT_EQ(before, clock.now.time_since_epoch().count());
  clock.now += seconds(1);
  EXPECT_EQ(host().monotonic_clock(script.service), before);
}

TEST_F(ServicePartsTest, counters_are_made_once_and_added_up) {
  start_script();
  xsd_metric* const hits = host().metric(script.service, "hits");
  ASSERT_NE(hits, nullptr);
  EXPECT_EQ(host().metric(script.service, "hits"), hits);
  EXPECT_NE(host().metric(script.service, "misses_2"), hits);
  host().metric_add(hits, 5);
  host().metric_add(hits, -2);
  host().metric_add(nullptr, 1);
  EXPECT_THAT(service->metrics(), ElementsAre(Pair("hits", 3U), Pair("misses_2", 0U)));
}

TEST_F(ServicePartsTest, refuses_names_that_are_none_and_the_seventeenth) {
  start_script();
  const std::string longest(31, 'a');
  for (const std::string& name : {std::string(), longest + "a", std::string("Hits"), std::string("a-b")})
    EXPECT_EQ(host().metric(script.service, name.c_str()), nullptr) << name;
  EXPECT_NE(host().metric(script.service, longest.c_str()), nullptr);
  for (int i = 1; i < 16; ++i)
    EXPECT_NE(host().metric(script.service, ("m" + std::to_string(i)).c_str()), nullptr);
  EXPECT_EQ(host().metric(script.service, "one_more"), nullptr);
  EXPECT_NE(host().metric(script.service, "m7"), nullptr);
}

TEST_F(ServicePartsTest, counters_live_in_the_cells_of_the_owner_while_it_is_there) {
  std::uint64_t cell = 40;
  options.make_metric = [&](std::string_view name) { return name == "full" ? nullptr : &cell; };
  xsd_metric* hits = nullptr;
  script.stop = [&] { host().metric_add(hits, 1); };
  start_script();
  EXPECT_EQ(host().metric(script.service, "full"), nullptr);
  hits = host().metric(script.service, "hits");
  host().metric_add(hits, 2);
  EXPECT_EQ(cell, 42U);
  service.reset();
  EXPECT_EQ(cell, 42U);
}

}  // namespace
}  // namespace xsd::plugin
