// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/plugin_struct.h"

#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xsd::plugin {
namespace {

using config::Position;
using config::SettingsNode;
using testing::ElementsAre;
using testing::IsEmpty;

std::array<xsd_setting, 3> some_settings() {
  return {{{"greeting", XSD_TYPE_TEXT, 1, nullptr, "what is said"},
           {"times", XSD_TYPE_NUMBER, 0, "1", nullptr},
           {"words", XSD_TYPE_TEXTS, 0, nullptr, nullptr}}};
}

class PluginStruct : public testing::Test {
 protected:
  PluginStruct() {
    plugin_.size = sizeof plugin_;
    plugin_.api_version = XSD_PLUGIN_API_VERSION;
    plugin_.name = "told";
    plugin_.on_data = [](void*, xsd_connection*, const void*, std::size_t) {};
    plugin_.settings = settings_.data();
    plugin_.setting_count = static_cast<std::uint32_t>(settings_.size());
    plugin_.setting_size = sizeof(xsd_setting);
  }
  std::string fault() const {
    const Status status = check_plugin_struct(&plugin_, "told");
    return status ? "" : status.error().text();
  }
  /// "LINE:COLUMN text" of each.
  std::vector<std::string> faults_of(const SettingsNode& settings) const {
    std::vector<std::string> out;
    check_settings(plugin_, settings, [&](const Position& where, std::string_view text) {
      out.push_back(std::to_string(where.line) + ":" + std::to_string(where.column) + " " +
                    std::string(text));
    });
    return out;
  }
  static SettingsNode scalar(const std::string& text, std::uint32_t line) {
    SettingsNode node;
    node.kind = SettingsNode::Kind::Scalar;
    node.scalar = text;
    node.where = {line, 9};
    node.key_where = {line, 3};
    return node;
  }
  static SettingsNode map(std::vector<std::pair<std::string, SettingsNode>> members) {
    SettingsNode node;
    node.kind = SettingsNode::Kind::Map;
    node.members = std::move(members);
    return node;
  }

  std::array<xsd_setting, 3> settings_ = some_settings();
  xsd_plugin plugin_{};
};

TEST_F(PluginStruct, is_good_as_it_should_be) {
  EXPECT_EQ(fault(), "");
  // That of version 1.0 has neither settings nor anything else of 1.1.
  plugin_.size = offsetof(xsd_plugin, version);
  plugin_.api_version = XSD_PLUGIN_API_MAJOR << 16U;
  plugin_.setting_count = 7777;
  EXPECT_EQ(fault(), "");
  plugin_ = {};
  EXPECT_EQ(fault(), "says that its struct xsd_plugin has 0 bytes");
}

TEST_F(PluginStruct, may_be_larger_and_of_a_later_minor_version) {
  struct {
    xsd_plugin known;
    std::array<char, 100> later;
  } larger{plugin_, {}};
  larger.known.size = sizeof larger;
  larger.known.api_version = XSD_PLUGIN_API_VERSION + 7;
  EXPECT_TRUE(check_plugin_struct(&larger.known, "told"));
}

TEST_F(PluginStruct, says_what_is_wrong_with_it) {
  EXPECT_FALSE(check_plugin_struct(nullptr, "told"));
  EXPECT_FALSE(check_plugin_struct(
      reinterpret_cast<const xsd_plugin*>(reinterpret_cast<const char*>(&plugin_) + 1), "told"));
  plugin_.api_version = 2U << 16U;
  EXPECT_EQ(fault(), "is made for version 2.0 of the plugin interface; this is 1.1");
  plugin_.api_version = XSD_PLUGIN_API_VERSION;
  plugin_.name = nullptr;
  EXPECT_EQ(fault(), "has no name");
  plugin_.name = "a name that is longer than any name may be";
  EXPECT_EQ(fault(), "calls itself 'a name that is longer than any na': a plugin's file has its name");
  plugin_.name = "told";
  const std::string longest(300, 'x');
  plugin_.version = longest.c_str();
  EXPECT_EQ(fault(), "has too long a text about itself");
  plugin_.version = nullptr;
  plugin_.needs = 1U << 30U;
  EXPECT_EQ(fault(), "needs what this version of the daemon does not know");
  plugin_.needs = XSD_NEEDS_FILES;
  plugin_.on_data = nullptr;
  EXPECT_EQ(fault(), "serves neither streams nor datagrams");
  plugin_.on_readable = [](void*, xsd_connection*) {};
  EXPECT_EQ(fault(), "");
}

TEST_F(PluginStruct, says_what_is_wrong_with_its_settings) {
  plugin_.settings = nullptr;
  EXPECT_EQ(fault(), "has a table of settings that cannot be one (3 of 32 bytes)");
  plugin_.settings = settings_.data();
  plugin_.setting_size = 8;
  EXPECT_EQ(fault(), "has a table of settings that cannot be one (3 of 8 bytes)");
  plugin_.setting_size = sizeof(xsd_setting);
  plugin_.setting_count = 257;
  EXPECT_EQ(fault(), "has a table of settings that cannot be one (257 of 32 bytes)");
  plugin_.setting_count = 3;
  settings_[2].name = "Words";
  EXPECT_EQ(fault(), "has a setting without a proper name, number 3");
  settings_[2].name = "times";
  EXPECT_EQ(fault(), "has a setting 'times' twice");
  settings_ = some_settings();
  settings_[1].type = 10;
  EXPECT_EQ(fault(), "has a setting 'times' of a type that nobody knows, 10");
  settings_[1].type = XSD_TYPE_DURATION;
  EXPECT_EQ(fault(), "has a setting 'times' whose fallback '1' is not a duration like 10s or 5m");
}

TEST_F(PluginStruct, has_settings_that_are_checked) {
  EXPECT_THAT(faults_of(map({{"greeting", scalar("hello", 5)}, {"words", scalar("a", 6)}})), IsEmpty());
  EXPECT_THAT(faults_of(map({{"greetings", scalar("hello", 5)}, {"times", scalar("010", 6)}})),
              ElementsAre("5:3 plugin 'told' has no setting 'greetings', did you mean 'greeting'?",
                          "6:9 'times' wants a number, not '010'",
                          "0:0 setting 'greeting' of plugin 'told' is missing"));
  EXPECT_THAT(faults_of(SettingsNode()), ElementsAre("0:0 setting 'greeting' of plugin 'told' is missing"));
  SettingsNode nothing;
  nothing.where = {5, 12};
  EXPECT_THAT(faults_of(map({{"greeting", nothing}})),
              ElementsAre("5:12 'greeting' wants a text, not nothing"));
}

TEST_F(PluginStruct, may_have_no_settings_at_all) {
  plugin_.setting_count = 0;
  EXPECT_THAT(faults_of(map({{"greeting", scalar("hello", 5)}})),
              ElementsAre("0:0 plugin 'told' has no settings"));
  EXPECT_THAT(faults_of(map({})), IsEmpty());
}

TEST_F(PluginStruct, is_asked_itself_when_the_types_are_right) {
  plugin_.validate = [](const xsd_host* host, const xsd_node* settings, xsd_report* report) {
    host->report(report, host->node_find(settings, "greeting"), "that is rude");
    host->report(report, nullptr, "try again");
  };
  EXPECT_THAT(faults_of(map({{"greeting", scalar("oi", 5)}})),
              ElementsAre("5:9 that is rude", "0:0 try again"));
  EXPECT_THAT(faults_of(map({{"greeting", scalar("oi", 5)}, {"times", scalar("x", 6)}})),
              ElementsAre("6:9 'times' wants a number, not 'x'"));
}

}  // namespace
}  // namespace xsd::plugin
