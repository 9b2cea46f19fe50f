// SPDX-License-Identifier: Apache-2.0
#include "xsd/daemon/notifier.h"

#include <gtest/gtest.h>

namespace xsd::daemon {
namespace {

TEST(StoreRoom, is_what_the_manager_keeps_but_leaves_descriptors_to_the_loader) {
  EXPECT_EQ(store_room(0, 1024, 0), 0U);
  EXPECT_EQ(store_room(100, 1024, 0), 100U);
  EXPECT_EQ(store_room(4096, 1024, 0), 960U);
  EXPECT_EQ(store_room(4096, 1024, 900), 60U);
  EXPECT_EQ(store_room(4096, 1024, 2000), 0U);
  EXPECT_EQ(store_room(4096, 20, 0), 0U);
  EXPECT_EQ(store_room(4096, RLIM_INFINITY, 3), 4096U);
}

}  // namespace
}  // namespace xsd::daemon
