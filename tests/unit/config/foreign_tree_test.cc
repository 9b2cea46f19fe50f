// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/foreign_tree.h"

#include <gtest/gtest.h>

#include "xsd/config/yaml_writer.h"

namespace xsd::config {
namespace {

TEST(ForeignTree, is_built_and_changed) {
  YamlNode map = container(YamlNode::Kind::Map, {1, 1});
  put(map, "a", {1, 1}, scalar("x", {1, 2}));
  put(map, "list", {2, 1}, text_list({"One", "two"}));
  EXPECT_EQ(write_yaml(map), "a: x\nlist: [One, two]\n");
  find_member(map, "a")->scalar = "y";
  drop_member(map, "list");
  drop_member(map, "no such");
  EXPECT_EQ(write_yaml(map), "a: y\n");
  EXPECT_EQ(find_member(map, "list"), nullptr);
}

TEST(ForeignTree, finds_words_whatever_their_case) {
  YamlNode map = container(YamlNode::Kind::Map, {});
  put(map, "flags", {}, text_list({"Reuse"}));
  EXPECT_TRUE(has_word(map, "flags", "REUSE"));
  EXPECT_EQ(find_word(map, "flags", "reuse")->scalar, "Reuse");
  EXPECT_FALSE(has_word(map, "flags", "REUS"));
  EXPECT_FALSE(has_word(map, "type", "REUSE"));
}

TEST(ForeignTree, keeps_percent_signs_as_they_stand) {
  EXPECT_EQ(literal_argument("100% %{x} %%{y}"), "100% %%{x} %%%{y}");
}

TEST(ForeignTree, knows_what_is_served_here) {
  EXPECT_TRUE(is_internal_service("echo"));
  EXPECT_FALSE(is_internal_service("servers"));
}

}  // namespace
}  // namespace xsd::config
