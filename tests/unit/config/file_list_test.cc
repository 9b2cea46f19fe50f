// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/file_list.h"

#include "config_test.h"

namespace xsd::config {
namespace {

using testing::ElementsAre;

Result<std::vector<std::string>> list_files(const std::string& folder, const std::string& pattern,
                                            std::size_t limit) {
  return list_names(
      folder, [&](const dirent& entry) { return is_listed(entry, pattern); }, limit);
}

TEST(FileList, takes_paths_apart) {
  EXPECT_EQ(folder_of("/etc/xsd/xsd.yaml"), "/etc/xsd");
  EXPECT_EQ(folder_of("/xsd.yaml"), "/");
  EXPECT_EQ(folder_of("xsd.yaml"), ".");
  EXPECT_EQ(stem_of("conf.d/echo.yaml"), "echo");
  EXPECT_EQ(stem_of("a.b.yaml"), "a.b");
}

TEST(FileList, lists_in_the_order_of_bytes_and_skips_leftovers) {
  const TestFolder folder;
  for (const char* name :
       {"b.yaml", "a.yaml", "B.yaml", "\xC3\xA4.yaml", ".hidden.yaml", "#a.yaml", "#a.yaml#", "a.yaml~",
        "a.yml", "a.yaml.swp", "a.yaml.dpkg-new", ".yaml", "10.yaml", "9.yaml"}) {
    folder.write(name, "");
  }
  EXPECT_THAT(*list_files(folder.root(), "*.yaml", 100),
              ElementsAre("10.yaml", "9.yaml", "B.yaml", "a.yaml", "b.yaml", "\xC3\xA4.yaml"));
  EXPECT_THAT(*list_files(folder.root(), "*", 100),
              ElementsAre("10.yaml", "9.yaml", "B.yaml", "a.yaml", "b.yaml", "\xC3\xA4.yaml"));
  EXPECT_THAT(*list_files(folder.root(), "[ab]*.yaml", 100), ElementsAre("a.yaml", "b.yaml"));
  EXPECT_THAT(*list_files(folder.root(), "a.yaml", 100), ElementsAre("a.yaml"));
}

TEST(FileList, stops_at_the_limit) {
  const TestFolder folder;
  for (int i = 0; i < 10; ++i)
    folder.write(std::to_string(i) + ".yaml", "");
  EXPECT_EQ(list_files(folder.root(), "*.yaml", 4)->size(), 5U);
}

TEST(FileList, tells_a_missing_folder_from_other_faults) {
  const TestFolder folder;
  EXPECT_EQ(list_files(folder.path("none"), "*.yaml", 4).error().number(), ENOENT);
  folder.write("file", "");
  EXPECT_EQ(list_files(folder.path("file"), "*.yaml", 4).error().number(), ENOTDIR);
}

}  // namespace
}  // namespace xsd::config
