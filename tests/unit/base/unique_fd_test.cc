// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/unique_fd.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace xsd {
namespace {

bool is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

UniqueFd open_null() {
  return UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC));
}

TEST(UniqueFd, closes_what_it_holds) {
  int number = -1;
  {
    const UniqueFd fd = open_null();
    number = fd.get();
    ASSERT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, gives_up_ownership_when_moved_or_released) {
  UniqueFd first = open_null();
  const int number = first.get();
  UniqueFd second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_EQ(second.get(), number);
  EXPECT_EQ(second.release(), number);
  EXPECT_TRUE(is_open(number));
  close(number);
}

TEST(UniqueFd, leaves_errno_alone_when_it_closes) {
  UniqueFd fd = open_null();
  errno = EINTR;
  fd.reset();
  EXPECT_EQ(errno, EINTR);
}

TEST(RaiseFd, moves_a_descriptor_to_the_floor_and_closes_the_low_one) {
  UniqueFd low = open_null();
  const int before = low.get();
  ASSERT_LT(before, fd_floor());
  const UniqueFd high = raise_fd(std::move(low));
  EXPECT_GE(high.get(), fd_floor());
  EXPECT_FALSE(is_open(before));
  EXPECT_EQ(fcntl(high.get(), F_GETFD), FD_CLOEXEC);
}

TEST(RaiseFd, leaves_a_descriptor_where_it_is_when_no_number_is_free_above) {
  rlimit saved{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &saved), 0);
  UniqueFd low = open_null();
  const int number = low.get();
  rlimit tight = saved;
  tight.rlim_cur = static_cast<rlim_t>(fd_floor());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  const UniqueFd same = raise_fd(std::move(low));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &saved), 0);
  EXPECT_EQ(same.get(), number);
}

TEST(FdFloor, is_at_most_a_quarter_of_the_limit) {
  rlimit saved{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &saved), 0);
  rlimit tight = saved;
  tight.rlim_cur = 100;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  update_fd_floor();
  EXPECT_EQ(fd_floor(), 25);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &saved), 0);
  update_fd_floor();
  EXPECT_EQ(fd_floor(), saved.rlim_cur >= 256 ? 64 : static_cast<int>(saved.rlim_cur / 4));
}

TEST(LowerFd, duplicates_to_a_low_number) {
  const UniqueFd high = raise_fd(open_null());
  auto low = lower_fd(high.get());
  ASSERT_TRUE(low);
  EXPECT_LT(low->get(), fd_floor());
  EXPECT_EQ(fcntl(low->get(), F_GETFD), FD_CLOEXEC);
  EXPECT_FALSE(lower_fd(-1));
}

}  // namespace
}  // namespace xsd
