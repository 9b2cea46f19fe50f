// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/settings_wire.h"

#include "config_test.h"
#include "xsd/config/yaml_reader.h"

namespace xsd::config {
namespace {

using Kind = SettingsNode::Kind;

SettingsNode settings_of_file() {
  return decode_text(
             "service: echo\n"
             "port: 7\n"
             "plugin: echo\n"
             "settings:\n"
             "  greeting: hello\n"
             "  nothing:\n"
             "  list: [a, [b, {c: d}]]\n"
             "  map: {}\n")
      .only()
      .settings;
}

std::string bytes_of(const SettingsNode& node) {
  std::string out;
  put_settings(out, node);
  return out;
}

SettingsNode nested(std::size_t depth) {
  SettingsNode node;
  for (std::size_t i = 1; i < depth; ++i) {
    SettingsNode list;
    list.kind = Kind::List;
    list.items.push_back(std::move(node));
    node = std::move(list);
  }
  return node;
}

SettingsNode wide(std::size_t nodes) {
  SettingsNode list;
  list.kind = Kind::List;
  list.items.resize(nodes - 1);
  return list;
}

bool is_taken(std::string_view bytes) {
  WireReader reader(bytes);
  (void)get_settings(reader);
  return reader.is_complete();
}

TEST(SettingsWire, brings_all_kinds_of_nodes_across_with_their_places) {
  const SettingsNode sent = settings_of_file();
  ASSERT_EQ(sent.members.size(), 4U);
  const std::string bytes = bytes_of(sent);
  WireReader reader(bytes);
  const SettingsNode node = get_settings(reader);
  EXPECT_TRUE(reader.is_complete());
  EXPECT_EQ(node, sent);
  const SettingsNode& greeting = node.members[0].second;
  EXPECT_EQ(greeting.where, (Position{5, 13}));
  EXPECT_EQ(greeting.key_where, (Position{5, 3}));
  EXPECT_EQ(node.members[2].second.items[1].items[1].members[0].second.key_where, (Position{7, 18}));
  EXPECT_EQ(bytes_of(node), bytes);
}

TEST(SettingsWire, refuses_every_cut) {
  const std::string bytes = bytes_of(settings_of_file());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    WireReader reader(std::string_view(bytes).substr(0, length));
    EXPECT_EQ(get_settings(reader).kind, Kind::Null);
    EXPECT_TRUE(reader.failed()) << length;
  }
}

TEST(SettingsWire, refuses_what_no_file_could_hold) {
  EXPECT_TRUE(is_taken(bytes_of(nested(kMaxNesting))));
  EXPECT_FALSE(is_taken(bytes_of(nested(kMaxNesting + 1))));
  EXPECT_TRUE(is_taken(bytes_of(wide(kMaxNodes))));
  EXPECT_FALSE(is_taken(bytes_of(wide(kMaxNodes + 1))));
  SettingsNode scalar;
  scalar.kind = Kind::Scalar;
  scalar.scalar = std::string("a\0b", 3);
  EXPECT_FALSE(is_taken(bytes_of(scalar)));
  scalar.scalar.assign((std::size_t{1} << 20) + 1, 'x');
  EXPECT_FALSE(is_taken(bytes_of(scalar)));
}

TEST(SettingsWire, refuses_a_kind_and_a_count_that_cannot_be) {
  std::string bytes = bytes_of(SettingsNode());
  bytes[0] = 4;
  EXPECT_FALSE(is_taken(bytes));
  bytes[0] = static_cast<char>(Kind::List);
  put_number(bytes, ~std::uint32_t{0});
  EXPECT_FALSE(is_taken(bytes));
}

}  // namespace
}  // namespace xsd::config
