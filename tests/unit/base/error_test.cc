// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "xsd/base/result.h"

namespace xsd {
namespace {

TEST(Error, names_the_call_and_the_reason_when_made_from_errno) {
  const Error error = Error::from_errno(EACCES, "bind [::]:21");
  EXPECT_EQ(error.text(), "bind [::]:21: Permission denied");
  EXPECT_EQ(error.number(), EACCES);
}

TEST(Error, grows_outwards_and_keeps_its_number) {
  const Error error = Error::from_errno(EACCES, "bind [::]:21").within("cannot start 'ftp'");
  EXPECT_EQ(error.text(), "cannot start 'ftp': bind [::]:21: Permission denied");
  EXPECT_EQ(error.number(), EACCES);
}

TEST(Error, has_no_number_when_it_is_only_text) {
  EXPECT_EQ(Error("plain").number(), 0);
}

TEST(Result, holds_a_value_or_an_error) {
  const Result<int> good = 3;
  const Result<int> bad = Error("no");
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 3);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().text(), "no");
  const Status done;
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace xsd
