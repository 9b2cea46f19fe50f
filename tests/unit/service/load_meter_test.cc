// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/load_meter.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace xsd::service {
namespace {

using std::chrono::milliseconds;

class ManualClock final : public Clock {
 public:
  MonotonicTime monotonic() const noexcept override { return now; }
  WallTime wall() const noexcept override { return {}; }
  MonotonicTime now{std::chrono::seconds(1000)};
};

class LoadMeterTest : public testing::Test {
 protected:
  LoadMeterTest() {
    meter_.read_with([this] {
      ++reads_;
      return load_;
    });
  }
  void pass(Duration time) {
    clock_.now += time;
    (void)loop_->run_once(Duration::zero());
  }

  ManualClock clock_;
  std::unique_ptr<reactor::EventLoop> loop_ =
      std::move(*reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_));
  LoadMeter meter_{*loop_};
  double load_ = 1;
  int reads_ = 0;
};

TEST_F(LoadMeterTest, reads_once_a_second_however_often_it_is_asked) {
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(meter_.value(), 1);
  EXPECT_EQ(reads_, 1);
  load_ = 2;
  pass(milliseconds(500));
  EXPECT_EQ(meter_.value(), 1);
  pass(milliseconds(510));
  EXPECT_EQ(meter_.value(), 2);
  EXPECT_EQ(reads_, 2);
}

TEST_F(LoadMeterTest, sleeps_when_nobody_asks) {
  EXPECT_EQ(loop_->timer_count(), 0U);
  (void)meter_.value();
  pass(milliseconds(1010));  // somebody has asked since the first sample
  EXPECT_EQ(loop_->timer_count(), 1U);
  pass(milliseconds(1010));
  EXPECT_EQ(loop_->timer_count(), 0U);
  EXPECT_EQ(reads_, 2);
  load_ = 3;
  EXPECT_EQ(meter_.value(), 3) << "what is older than a second is not believed";
}

TEST(Load, is_that_of_the_machine) {
  double means[1] = {};
  ASSERT_EQ(getloadavg(means, 1), 1);
  EXPECT_NEAR(read_load(), means[0], 1.0);
}

}  // namespace
}  // namespace xsd::service
