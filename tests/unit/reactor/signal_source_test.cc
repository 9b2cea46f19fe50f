// SPDX-License-Identifier: Apache-2.0
#include "xsd/reactor/signal_source.h"

#include <algorithm>
#include <csignal>

#include <sys/wait.h>

#include "tests/unit/reactor/reactor_test.h"

namespace xsd::reactor {
namespace {

class SignalSourceOn : public LoopTest {
 protected:
  std::unique_ptr<SignalSource> create(std::initializer_list<int> signals) {
    auto source = SignalSource::create(*loop, signals, [this](int number, pid_t sender) {
      numbers.push_back(number);
      senders.push_back(sender);
    });
    EXPECT_TRUE(source) << source.error().text();
    return std::move(*source);
  }

  std::vector<int> numbers;
  std::vector<pid_t> senders;
};

INSTANTIATE_TEST_SUITE_P(On, SignalSourceOn, each_poller(), kind_name);

TEST_P(SignalSourceOn, hands_a_signal_and_its_sender_to_the_handler) {
  const auto source = create({SIGUSR1, SIGHUP});
  ASSERT_EQ(kill(getpid(), SIGHUP), 0);
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(numbers, std::vector<int>{SIGHUP});
  EXPECT_EQ(senders, std::vector<pid_t>{getpid()});
}

TEST_P(SignalSourceOn, hands_each_of_several_signals_out_once) {
  const auto source = create({SIGUSR1, SIGUSR2, SIGHUP, SIGTERM});
  for (int i = 0; i < 5; ++i) {
    for (const int number : {SIGUSR1, SIGUSR2, SIGHUP, SIGTERM})
      ASSERT_EQ(kill(getpid(), number), 0);
  }
  EXPECT_EQ(turn(), 1U);
  std::sort(numbers.begin(), numbers.end());
  std::vector<int> expected{SIGUSR1, SIGUSR2, SIGHUP, SIGTERM};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(numbers, expected);
  EXPECT_EQ(turn(), 0U);
}

TEST_P(SignalSourceOn, wakes_a_loop_that_waits) {
  const auto source = create({SIGUSR1});
  const pid_t parent = getpid();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(kill(parent, SIGUSR1) == 0 ? 0 : 1);
  EXPECT_TRUE(turn_until([&] { return !numbers.empty(); }));
  EXPECT_EQ(senders, std::vector<pid_t>{child});
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

TEST_P(SignalSourceOn, may_be_destroyed_by_its_handler) {
  std::unique_ptr<SignalSource> source;
  int calls = 0;
  auto created = SignalSource::create(*loop, {SIGUSR1, SIGUSR2}, [&](int, pid_t) {
    ++calls;
    source.reset();
  });
  ASSERT_TRUE(created);
  source = std::move(*created);
  ASSERT_EQ(kill(getpid(), SIGUSR1), 0);
  ASSERT_EQ(kill(getpid(), SIGUSR2), 0);
  EXPECT_EQ(turn(), 1U);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(source, nullptr);
  EXPECT_EQ(loop->watch_count(), 0U);
}

TEST_P(SignalSourceOn, refuses_a_number_that_is_no_signal) {
  const auto source = SignalSource::create(*loop, {1000}, [](int, pid_t) {});
  EXPECT_FALSE(source);
}

}  // namespace
}  // namespace xsd::reactor
