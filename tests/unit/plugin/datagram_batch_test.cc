// SPDX-License-Identifier: Apache-2.0
//
// Datagrams for plugins that take them together.
#include <gmock/gmock.h>

#include <numeric>

#include "datagram_peer.h"
#include "script_plugin.h"
#include "xsd/plugin/datagram.h"

namespace xsd::plugin {
namespace {

using ::testing::ElementsAre;

class DatagramBatchTest : public WithScript<DatagramPluginTest> {
 protected:
  static std::string data_of(xsd_datagram* datagram) {
    std::size_t length = 99;
    const void* const data = script.host->datagram_data(datagram, &length);
    return {static_cast<const char*>(data), length};
  }
  void start_echo() {
    script.on_datagrams = [this](xsd_datagram* const* datagrams, std::size_t count) {
      batches.push_back(count);
      for (std::size_t i = 0; i < count; ++i) {
        const std::string data = data_of(datagrams[i]);
        results.push_back(host().reply(datagrams[i], data.data(), data.size()));
      }
    };
    start_script();
  }
  std::size_t shown() const { return std::accumulate(batches.begin(), batches.end(), std::size_t{0}); }

  std::vector<std::size_t> batches;
  std::vector<int> results;
};

TEST_F(DatagramBatchTest, those_that_wait_come_together_and_are_answered_each) {
  start_echo();
  bind_service("127.0.0.1");
  const UniqueFd one = peer("127.0.0.1");
  const UniqueFd two = peer("127.0.0.1");
  send_to(one, "127.0.0.1", "first");
  send_to(two, "127.0.0.1", "");
  send_to(one, "127.0.0.1", "third");
  EXPECT_EQ(receive_datagram(one), "first");
  EXPECT_EQ(receive_datagram(one), "third");
  EXPECT_EQ(receive_datagram(two), "");
  EXPECT_THAT(batches, ElementsAre(3));
  EXPECT_EQ(service->datagrams().received, 3U);
  EXPECT_EQ(service->datagrams().answered, 3U);
  EXPECT_EQ(service->datagrams().bytes_in, 10U);
  EXPECT_EQ(service->datagrams().bytes_out, 10U);
}

TEST_F(DatagramBatchTest, a_turn_takes_no_more_than_64) {
  start_echo();
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  for (int i = 0; i < 100; ++i)
    send_to(mine, "127.0.0.1", "x");
  loop->run_once(Duration::zero());
  EXPECT_THAT(batches, ElementsAre(32, 32));
  ASSERT_TRUE(turn_until([&] { return shown() == 100; }));
  EXPECT_EQ(service->datagrams().answered, 100U);
}

TEST_F(DatagramBatchTest, large_ones_keep_apart) {
  start_echo();
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  const std::string a(65507, 'a');
  const std::string b(40000, 'b');
  send_to(mine, "127.0.0.1", a);
  send_to(mine, "127.0.0.1", b);
  EXPECT_TRUE(receive_datagram(mine) == a);
  EXPECT_TRUE(receive_datagram(mine) == b);
}

TEST_F(DatagramBatchTest, replies_leave_from_the_address_that_was_asked) {
  start_echo();
  bind_service("0.0.0.0");
  const UniqueFd mine = peer("127.0.0.1");
  send_to(mine, "127.0.0.2", "x");
  send_to(mine, "127.0.0.3", "y");
  EXPECT_EQ(receive_datagram(mine), "x");
  EXPECT_EQ(last_sender.host(), "127.0.0.2");
  EXPECT_EQ(receive_datagram(mine), "y");
  EXPECT_EQ(last_sender.host(), "127.0.0.3");
}

TEST_F(DatagramBatchTest, one_reply_each_and_none_too_long) {
  script.on_datagrams = [this](xsd_datagram* const* datagrams, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string data = data_of(datagrams[i]);
      const std::string big(kScratchSize + 1, 'x');
      results.push_back(
          host().reply(datagrams[i], data == "big" ? big.data() : "a", data == "big" ? big.size() : 1));
      results.push_back(host().reply(datagrams[i], "b", 1));
    }
  };
  start_script();
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  send_to(mine, "127.0.0.1", "big");
  send_to(mine, "127.0.0.1", "small");
  EXPECT_EQ(receive_datagram(mine), "a");
  EXPECT_FALSE(has_datagram(mine));
  EXPECT_THAT(results, ElementsAre(-EMSGSIZE, -EALREADY, 0, -EALREADY));
}

TEST_F(DatagramBatchTest, a_reply_that_cannot_be_sent_does_not_hold_up_the_others) {
  // Too long for the network, though not for us.
  script.on_datagrams = [this](xsd_datagram* const* datagrams, std::size_t count) {
    const std::string big(kScratchSize, 'x');
    for (std::size_t i = 0; i < count; ++i)
      results.push_back(host().reply(datagrams[i], big.data(), i == 1 ? big.size() : 3));
  };
  start_script();
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  for (int i = 0; i < 3; ++i)
    send_to(mine, "127.0.0.1", "q");
  EXPECT_EQ(receive_datagram(mine), "xxx");
  EXPECT_EQ(receive_datagram(mine), "xxx");
  EXPECT_EQ(service->datagrams().answered, 2U);
  EXPECT_THAT(results, ElementsAre(0, 0, 0));
}

TEST_F(DatagramBatchTest, goes_on_after_a_client_that_is_gone) {
  start_echo();
  bind_service("127.0.0.1");
  for (int i = 0; i < 3; ++i) {
    UniqueFd gone = peer("127.0.0.1");
    send_to(gone, "127.0.0.1", "x");
    gone.reset();
    const UniqueFd mine = peer("127.0.0.1");
    send_to(mine, "127.0.0.1", "hello");
    EXPECT_EQ(receive_datagram(mine), "hello");
  }
}

TEST_F(DatagramBatchTest, dangerous_senders_are_left_out) {
  start_echo();
  bind_service("127.0.0.1");
  const UniqueFd bad = peer("127.0.0.1");
  const UniqueFd good = peer("127.0.0.1");
  refused_sender = address_of(bad.get(), false);
  send_to(bad, "127.0.0.1", "bad");
  send_to(good, "127.0.0.1", "good");
  send_to(bad, "127.0.0.1", "bad");
  EXPECT_EQ(receive_datagram(good), "good");
  EXPECT_THAT(batches, ElementsAre(1));
  EXPECT_EQ(service->datagrams().refused, 2U);
  EXPECT_FALSE(has_datagram(bad));
}

}  // namespace
}  // namespace xsd::plugin
