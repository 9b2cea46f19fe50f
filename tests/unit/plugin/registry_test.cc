// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

// Of plugin_header.c and plugin_header.cc.
extern "C" {
const xsd_plugin* xsd_plugin_entry_v1(void);
const xsd_plugin* xsd_builtin_in_cpp(void);
}

namespace xsd::plugin {
namespace {

TEST(Registry, lists_the_builtin_plugins_by_name) {
  std::vector<std::string_view> names;
  for (const PluginEntry& entry : builtin_plugins()) {
    names.push_back(entry.name);
    EXPECT_FALSE(entry.description.empty()) << entry.name;
    EXPECT_TRUE(entry.streams()) << entry.name;
    const bool is_for_streams = entry.name == "redirect" || entry.name == "tcpmux";
    EXPECT_EQ(entry.datagrams(), !is_for_streams) << entry.name;
    // Those that need nothing share a worker.
    EXPECT_EQ(entry.needs(), entry.name == "redirect" ? XSD_NEEDS_NETWORK : 0U) << entry.name;
    EXPECT_EQ(find_plugin(entry.name), &entry);
  }
  EXPECT_EQ(names, (std::vector<std::string_view>{"chargen", "daytime", "discard", "echo", "redirect",
                                                  "tcpmux", "time"}));
}

TEST(Registry, finds_nothing_by_an_unknown_name) {
  EXPECT_EQ(find_plugin(""), nullptr);
  EXPECT_EQ(find_plugin("ech"), nullptr);
  EXPECT_EQ(find_plugin("echoo"), nullptr);
  EXPECT_EQ(find_plugin("zzz"), nullptr);
}

TEST(Registry, knows_a_plugin_made_with_the_header_alone) {
  const xsd_plugin* const in_c = xsd_plugin_entry_v1();
  EXPECT_STREQ(in_c->name, "in_c");
  EXPECT_EQ(in_c->size, sizeof(xsd_plugin));
  EXPECT_EQ(in_c->api_version, XSD_PLUGIN_API_VERSION);
  EXPECT_STREQ(xsd_builtin_in_cpp()->name, "in_cpp");
}

TEST(Registry, tells_streams_and_datagrams_by_the_callbacks) {
  xsd_plugin plugin{};
  plugin.size = sizeof plugin;
  const PluginEntry entry{"x", "", &plugin};
  EXPECT_FALSE(entry.streams());
  EXPECT_FALSE(entry.datagrams());
  plugin.on_data = [](void*, xsd_connection*, const void*, std::size_t) {};
  EXPECT_TRUE(entry.streams());
  EXPECT_FALSE(entry.datagrams());
  plugin.on_datagram = [](void*, xsd_datagram*, const void*, std::size_t) {};
  EXPECT_TRUE(entry.datagrams());
}

TEST(KnownPart, takes_the_smaller_size_and_zero_fills) {
  // An older plugin's struct ends before on_end; what follows it in memory is not a callback.
  constexpr std::size_t kOldSize = offsetof(xsd_plugin, on_end);
  alignas(xsd_plugin) unsigned char memory[sizeof(xsd_plugin)];
  std::memset(memory, 0x5a, sizeof memory);
  xsd_plugin old{};
  old.size = kOldSize;
  old.name = "old";
  old.on_data = [](void*, xsd_connection*, const void*, std::size_t) {};
  std::memcpy(memory, &old, kOldSize);
  const xsd_plugin known = known_part(*reinterpret_cast<const xsd_plugin*>(memory));
  EXPECT_STREQ(known.name, "old");
  EXPECT_NE(known.on_data, nullptr);
  EXPECT_EQ(known.on_end, nullptr);
  EXPECT_EQ(known.on_close, nullptr);
  EXPECT_EQ(known.on_datagram, nullptr);
}

TEST(KnownPart, ignores_what_a_newer_plugin_has_beyond_it) {
  struct Newer {
    xsd_plugin known;
    void (*more)();
  } newer{};
  newer.known.size = sizeof newer;
  newer.known.name = "newer";
  EXPECT_STREQ(known_part(newer.known).name, "newer");
}

}  // namespace
}  // namespace xsd::plugin
