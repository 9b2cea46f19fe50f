// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/client_files.h"

#include "config_test.h"

namespace xsd::config {
namespace {

class ClientFileReaderTest : public testing::Test {
 protected:
  std::string fault(const std::string& path) {
    const auto& text = reader_.banner(path);
    return text ? "none" : text.error().text();
  }

  TestFolder folder_;
  ClientFileReader reader_;
};

TEST_F(ClientFileReaderTest, reads_a_file_once_a_load) {
  const std::string path = folder_.write("banner", "hello\n");
  const auto first = reader_.banner(path);
  ASSERT_TRUE(first);
  EXPECT_EQ(**first, "hello\n");
  folder_.write("banner", "another\n");
  EXPECT_EQ(*reader_.banner(path), *first) << "they share it";
  reader_.clear();
  EXPECT_EQ(**reader_.banner(path), "another\n");
  EXPECT_EQ(**first, "hello\n") << "who has it keeps it";
}

TEST_F(ClientFileReaderTest, takes_any_bytes_up_to_the_limit) {
  const std::string all("\0\xff\n", 3);
  EXPECT_EQ(**reader_.banner(folder_.write("bytes", all)), all);
  EXPECT_EQ(**reader_.banner(folder_.write("empty", "")), "");
  EXPECT_EQ((*reader_.banner(folder_.write("full", std::string(kMaxBanner, 'x'))))->size(), kMaxBanner);
  EXPECT_EQ(fault(folder_.write("large", std::string(kMaxBanner + 1, 'x'))), "is larger than 64K");
}

TEST_F(ClientFileReaderTest, says_what_keeps_one_from_being_read) {
  EXPECT_EQ(fault(folder_.path("missing")), "not found");
  EXPECT_EQ(fault(folder_.write("file", "") + "/below"), "not found");
  EXPECT_EQ(fault(folder_.root()), "is no regular file");
  EXPECT_EQ(fault("/dev/zero"), "is no regular file");
  const std::string fifo = folder_.path("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0644), 0);
  EXPECT_EQ(fault(fifo), "is no regular file") << "and nobody waits for its other end";
  if (geteuid() == 0) return;
  const std::string secret = folder_.write("secret", "x");
  ASSERT_EQ(::chmod(secret.c_str(), 0), 0);
  EXPECT_EQ(fault(secret), "cannot be read (Permission denied)");
}

TEST_F(ClientFileReaderTest, knows_time_zones_by_name) {
  EXPECT_TRUE(reader_.zone("")) << "the machine has one, whatever it is";
  const auto& none = reader_.zone("No/Such");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().text(), "not found");
  EXPECT_EQ(reader_.zone("/etc/localtime").error().text(),
            "cannot be used: '/etc/localtime' cannot be the name of a time zone");
}

}  // namespace
}  // namespace xsd::config
