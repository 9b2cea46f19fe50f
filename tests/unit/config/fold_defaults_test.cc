// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/fold_defaults.h"

#include <gtest/gtest.h>

#include "xsd/config/foreign_tree.h"
#include "xsd/config/yaml_writer.h"

namespace xsd::config {
namespace {

constexpr bool kAll = true;

struct Folded {
  std::string yaml;
  std::string said;
  YamlNode service;
};

Folded fold(std::string_view service, std::string_view defaults, bool wants = kAll) {
  DiagnosticSink sink("x", "");
  YamlNode map = *read_yaml(service, sink);
  fold_defaults(
      map, *read_yaml(defaults, sink), [&](std::string_view key) { return wants || key == "instances"; },
      sink);
  Folded out;
  out.yaml = write_yaml(map);
  for (const Diagnostic& one : sink.all())
    out.said += one.message + "\n";
  out.service = std::move(map);
  return out;
}

TEST(FoldDefaults, adds_what_is_not_said) {
  EXPECT_EQ(fold("service: s\nnice: 1\n", "nice: 2\numask: 022\n").yaml, "service: s\nnice: 1\numask: 022\n");
  EXPECT_EQ(fold("service: s\n", "umask: 022\ninstances: 3\n", false).yaml, "service: s\ninstances: 3\n");
}

TEST(FoldDefaults, knows_both_names_of_a_key) {
  EXPECT_EQ(fold("interface: a\n", "bind: b\n").yaml, "interface: a\n");
  EXPECT_EQ(fold("rlimit_files: 3\n", "rlimit_nofile: hard\n").yaml, "rlimit_files: 3\n");
}

TEST(FoldDefaults, makes_lists_whole) {
  EXPECT_EQ(fold("only_from+: [c, a]\nonly_from-: [b, x]\nnice: 1\n", "only_from: [a, b]\n").yaml,
            "only_from: [a, c]\nnice: 1\n");
  EXPECT_EQ(fold("only_from-: [X]\n", "only_from: [a, x]\n").yaml, "only_from: [a]\n");
  EXPECT_EQ(fold("only_from+: [c]\n", "nice: 1\n").yaml, "only_from: [c]\nnice: 1\n");
  const Folded nothing = fold("service: s\nonly_from-: [c]\n", "nice: 1\n");
  EXPECT_EQ(nothing.yaml, "service: s\nnice: 1\n");
  EXPECT_EQ(nothing.said, "'c' is not in what 'only_from' inherits, so there is nothing to remove\n");
}

TEST(FoldDefaults, begins_anew_where_the_default_is_written_nowhere) {
  DiagnosticSink sink("x", "");
  YamlNode defaults = container(YamlNode::Kind::Map, {});
  put(defaults, "passenv", {}, text_list({"*"}));
  YamlNode service = *read_yaml("passenv+: [TERM]\n", sink);
  fold_defaults(
      service, defaults, [](std::string_view) { return true; }, sink);
  EXPECT_EQ(write_yaml(service), "passenv: [TERM]\n");
}

TEST(FoldDefaults, puts_what_is_added_where_the_service_is) {
  const Folded out = fold("\n\n  service: s\n", "only_from: [a]\n");
  const YamlNode& list = *out.service.find("only_from");
  EXPECT_EQ(list.where, out.service.where);
  EXPECT_EQ(list.items[0].where, out.service.where);
}

}  // namespace
}  // namespace xsd::config
