// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/shared_memory.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace xsd {
namespace {

TEST(SealedBytes, come_back_and_cannot_be_changed) {
  const auto fd = seal_bytes("test", "hello");
  ASSERT_TRUE(fd);
  EXPECT_EQ(*read_sealed(fd->get(), 5), "hello");
  EXPECT_EQ(pwrite(fd->get(), "x", 1, 0), -1);
  EXPECT_EQ(ftruncate(fd->get(), 1), -1);
  EXPECT_EQ(ftruncate(fd->get(), 100), -1);
}

TEST(SealedBytes, more_than_wanted_is_an_error) {
  const auto fd = seal_bytes("test", "hello");
  ASSERT_TRUE(fd);
  EXPECT_FALSE(read_sealed(fd->get(), 4));
}

TEST(SealedBytes, what_is_not_sealed_is_not_read) {
  const UniqueFd plain(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_FALSE(read_sealed(plain.get(), 10));
  const UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(read_sealed(file.get(), 10));
}

TEST(SharedPage, both_sides_see_the_same_and_none_can_shrink_it) {
  auto page = SharedPage::create("test", 8192);
  ASSERT_TRUE(page);
  auto copy = duplicate_fd(page->fd());
  ASSERT_TRUE(copy);
  auto other = SharedPage::attach(std::move(*copy), 8192);
  ASSERT_TRUE(other) << other.error().text();
  std::strcpy(static_cast<char*>(page->data()), "seen");
  EXPECT_STREQ(static_cast<char*>(other->data()), "seen");
  EXPECT_EQ(ftruncate(other->fd(), 0), -1);
  EXPECT_EQ(errno, EPERM);
}

TEST(SharedPage, another_size_or_an_open_end_is_refused) {
  const auto page = SharedPage::create("test", 8192);
  ASSERT_TRUE(page);
  auto copy = duplicate_fd(page->fd());
  ASSERT_TRUE(copy);
  EXPECT_FALSE(SharedPage::attach(std::move(*copy), 4096));
  UniqueFd plain(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(plain.get(), 4096), 0);
  EXPECT_FALSE(SharedPage::attach(std::move(plain), 4096));
}

}  // namespace
}  // namespace xsd
