// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/settings_nodes.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "script_plugin.h"

namespace xsd::plugin {
namespace {

using config::SettingsNode;
using Kind = SettingsNode::Kind;

SettingsNode scalar(std::string text, std::uint32_t line = 0) {
  SettingsNode node;
  node.kind = Kind::Scalar;
  node.scalar = std::move(text);
  node.where.line = line;
  return node;
}

SettingsNode map(std::vector<std::pair<std::string, SettingsNode>> members) {
  SettingsNode node;
  node.kind = Kind::Map;
  node.members = std::move(members);
  return node;
}

SettingsNode list(std::vector<SettingsNode> items) {
  SettingsNode node;
  node.kind = Kind::List;
  node.items = std::move(items);
  return node;
}

constexpr xsd_setting kSettings[] = {
    {"root", XSD_TYPE_PATH, 1, nullptr, "where the files are"},
    {"timeout", XSD_TYPE_DURATION, 0, "10s", "how long"},
    {"index", XSD_TYPE_TEXTS, 0, "index.html", "names"},
};

xsd_plugin with_settings() {
  xsd_plugin plugin{};
  plugin.setting_count = std::size(kSettings);
  plugin.setting_size = sizeof(xsd_setting);
  plugin.settings = kSettings;
  return plugin;
}

std::string text_of(const xsd_node* node) {
  const char* const text = node_text(node);
  return text != nullptr ? text : "(none)";
}

TEST(SettingsNodes, shows_the_map_in_the_order_of_the_file) {
  const SettingsNode root =
      map({{"b", scalar("1")}, {"a", list({scalar("x"), scalar("y")})}, {"c", map({{"k", scalar("v")}})}});
  const xsd_node* const node = as_node(root);
  EXPECT_EQ(node_kind(node), XSD_NODE_MAP);
  EXPECT_EQ(node_count(node), 3U);
  const char* key = nullptr;
  EXPECT_EQ(text_of(node_at(node, 0, &key)), "1");
  EXPECT_STREQ(key, "b");
  const xsd_node* const items = node_at(node, 1, nullptr);
  EXPECT_EQ(node_kind(items), XSD_NODE_LIST);
  EXPECT_EQ(node_count(items), 2U);
  EXPECT_EQ(text_of(node_at(items, 1, &key)), "y");
  EXPECT_EQ(key, nullptr);
  EXPECT_EQ(node_at(items, 2, &key), nullptr);
  EXPECT_EQ(node_at(node, 3, &key), nullptr);
  EXPECT_EQ(text_of(node_find(node_find(node, "c"), "k")), "v");
  EXPECT_EQ(node_find(node, "d"), nullptr);
  EXPECT_EQ(text_of(node), "(none)");
}

TEST(SettingsNodes, takes_null_for_a_node_that_is_not_there) {
  const char* key = "";
  EXPECT_EQ(node_kind(nullptr), XSD_NODE_NULL);
  EXPECT_EQ(node_text(nullptr), nullptr);
  EXPECT_EQ(node_count(nullptr), 0U);
  EXPECT_EQ(node_at(nullptr, 0, &key), nullptr);
  EXPECT_EQ(key, nullptr);
  EXPECT_EQ(node_find(nullptr, "x"), nullptr);
  std::uint64_t number = 7;
  EXPECT_EQ(node_number(nullptr, &number), -EINVAL);
  EXPECT_EQ(number, 7U);
}

TEST(SettingsNodes, reads_scalars_by_the_grammar_of_the_daemon) {
  std::uint64_t number = 7;
  int truth = 7;
  std::int64_t duration = 7;
  EXPECT_EQ(node_number(as_node(scalar("18446744073709551615")), &number), 0);
  EXPECT_EQ(number, UINT64_MAX);
  EXPECT_EQ(node_number(as_node(scalar("010")), &number), -EINVAL);
  EXPECT_EQ(number, UINT64_MAX);
  EXPECT_EQ(node_boolean(as_node(scalar("yes")), &truth), 0);
  EXPECT_EQ(truth, 1);
  EXPECT_EQ(node_boolean(as_node(scalar("on")), &truth), -EINVAL);
  EXPECT_EQ(node_duration(as_node(scalar("250ms")), &duration), 0);
  EXPECT_EQ(duration, 250'000'000);
  EXPECT_EQ(node_duration(as_node(scalar("10")), &duration), -EINVAL);
  EXPECT_EQ(node_size(as_node(scalar("64K")), &number), 0);
  EXPECT_EQ(number, 65536U);
  EXPECT_EQ(node_size(as_node(list({scalar("1")})), &number), -EINVAL);
}

TEST(SettingsNodes, gives_fallbacks_by_name_only) {
  const SettingsNode written = map({{"root", scalar("/srv")}});
  const SettingsNode root = complete_settings(with_settings(), &written);
  const xsd_node* const node = as_node(root);
  EXPECT_EQ(node_count(node), 1U);
  EXPECT_EQ(text_of(node_find(node, "root")), "/srv");
  EXPECT_EQ(text_of(node_find(node, "timeout")), "10s");
  const xsd_node* const index = node_find(node, "index");
  EXPECT_EQ(node_kind(index), XSD_NODE_LIST);
  EXPECT_EQ(text_of(node_at(index, 0, nullptr)), "index.html");
  EXPECT_EQ(node_find(node, "other"), nullptr);
}

TEST(SettingsNodes, a_fallback_gives_way_to_the_file) {
  const SettingsNode written = map({{"timeout", scalar("1s")}, {"index", scalar("a.html")}});
  const SettingsNode root = complete_settings(with_settings(), &written);
  EXPECT_EQ(text_of(node_find(as_node(root), "timeout")), "1s");
  const xsd_node* const index = node_find(as_node(root), "index");
  EXPECT_EQ(node_count(index), 1U);
  EXPECT_EQ(text_of(node_at(index, 0, nullptr)), "a.html");
  EXPECT_EQ(node_find(as_node(root), "root"), nullptr);
}

TEST(SettingsNodes, a_service_without_settings_has_an_empty_map) {
  const SettingsNode none;
  for (const SettingsNode* const written : {static_cast<const SettingsNode*>(nullptr), &none}) {
    const SettingsNode root = complete_settings({}, written);
    EXPECT_EQ(node_kind(as_node(root)), XSD_NODE_MAP);
    EXPECT_EQ(node_count(as_node(root)), 0U);
  }
}

TEST(SettingsNodes, reads_settings_of_another_size) {
  struct Longer {
    xsd_setting known;
    const char* later;
  };
  static constexpr Longer kLonger[] = {{{"a", XSD_TYPE_TEXT, 0, "1", ""}, "x"},
                                       {{"b", XSD_TYPE_TEXT, 0, "2", ""}, "y"}};
  xsd_plugin plugin{};
  plugin.setting_count = 2;
  plugin.setting_size = sizeof(Longer);
  plugin.settings = &kLonger[0].known;
  const SettingsNode root = complete_settings(plugin, nullptr);
  EXPECT_EQ(text_of(node_find(as_node(root), "b")), "2");
}

TEST(SettingsNodes, tells_problems_with_their_places) {
  SettingsNode written = map({{"root", scalar("/srv", 12)}});
  written.where.line = 10;
  xsd_plugin plugin = with_settings();
  plugin.validate = [](const xsd_host* host, const xsd_node* settings, xsd_report* report) {
    host->report(report, host->node_find(settings, "root"), "no\nroot");
    host->report(report, host->node_find(settings, "timeout"), "too short");
    host->report(report, nullptr, std::string(5000, 'x').c_str());
  };
  std::vector<std::pair<std::uint32_t, std::string>> problems;
  validate_settings(plugin, written, [&](const config::Position& where, std::string_view text) {
    problems.emplace_back(where.line, text);
  });
  ASSERT_EQ(problems.size(), 3U);
  EXPECT_EQ(problems[0], (std::pair<std::uint32_t, std::string>{12, "no\\nroot"}));
  EXPECT_EQ(problems[1], (std::pair<std::uint32_t, std::string>{10, "too short"}));
  EXPECT_EQ(problems[2].first, 10U);
  EXPECT_EQ(problems[2].second.size(), 1024U);
}

class SettingsTest : public WithScript<PluginTest> {};

TEST_F(SettingsTest, a_service_keeps_its_settings) {
  SettingsNode written = map({{"root", scalar("/srv")}});
  options.settings = &written;
  start_script();
  written = {};
  EXPECT_EQ(text_of(host().node_find(host().settings(script.service), "root")), "/srv");
}

}  // namespace
}  // namespace xsd::plugin
