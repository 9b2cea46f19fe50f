// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/file_mark.h"

#include <gtest/gtest.h>

namespace xsd::config {
namespace {

using namespace std::chrono_literals;

FileStamp stamp_at(std::time_t seconds, long nanoseconds) {
  FileStamp stamp;
  stamp.modified = {seconds, nanoseconds};
  stamp.changed = {seconds, nanoseconds};
  return stamp;
}

TEST(IsYoung, lasts_for_some_ticks_of_the_kernel) {
  const FileStamp stamp = stamp_at(1000, 500'000'000);
  EXPECT_TRUE(is_young(stamp, WallTime(1000s + 510ms)));
  EXPECT_FALSE(is_young(stamp, WallTime(1000s + 560ms)));
}

TEST(IsYoung, lasts_longer_where_times_are_whole_seconds) {
  const FileStamp stamp = stamp_at(1000, 0);
  EXPECT_TRUE(is_young(stamp, WallTime(1002s + 900ms)));
  EXPECT_FALSE(is_young(stamp, WallTime(1003s)));
}

TEST(IsYoung, holds_for_a_file_from_the_future) {
  EXPECT_TRUE(is_young(stamp_at(2000, 1), WallTime(1000s)));
}

TEST(TextMark, knows_its_text_again) {
  SourceFile file;
  file.text = "service: echo\n";
  file.stamp = stamp_at(1000, 1);
  const TextMark mark = mark_of(file, WallTime(1001s));
  EXPECT_FALSE(mark.young);
  EXPECT_TRUE(mark.has_text("service: echo\n"));
  EXPECT_FALSE(mark.has_text("service: ech0\n"));
}

}  // namespace
}  // namespace xsd::config
