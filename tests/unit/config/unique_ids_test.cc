// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/unique_ids.h"

#include <gtest/gtest.h>

#include "xsd/config/foreign_tree.h"

namespace xsd::config {
namespace {

YamlNode service(std::string_view name, std::string_view socket_type = "stream") {
  YamlNode map = container(YamlNode::Kind::Map, {1, 1});
  put(map, "service", {1, 1}, scalar(std::string(name), {1, 1}));
  put(map, "socket_type", {1, 1}, scalar(std::string(socket_type), {1, 1}));
  return map;
}

std::string claimed(UniqueIds& ids, YamlNode map, DiagnosticSink& sink) {
  ids.claim(map, sink);
  return map.find("id") != nullptr ? map.find("id")->scalar : map.find("service")->scalar;
}

TEST(UniqueIds, change_only_what_is_taken) {
  DiagnosticSink sink("x", "");
  UniqueIds ids;
  EXPECT_EQ(claimed(ids, service("echo"), sink), "echo");
  EXPECT_TRUE(sink.all().empty());
  EXPECT_EQ(claimed(ids, service("echo", "dgram"), sink), "echo-udp");
  EXPECT_EQ(claimed(ids, service("echo", "dgram"), sink), "echo-2");
  EXPECT_EQ(claimed(ids, service("echo-3"), sink), "echo-3");
  EXPECT_EQ(claimed(ids, service("echo"), sink), "echo-4");
  EXPECT_EQ(claimed(ids, service("time", "dgram"), sink), "time");
  EXPECT_EQ(claimed(ids, service("time"), sink), "time-tcp");
  EXPECT_EQ(sink.all().size(), 4U);
  EXPECT_EQ(sink.all()[0].severity, Severity::Note);
  EXPECT_EQ(sink.all()[0].message, "the id 'echo' is taken, this service gets 'echo-udp'");
}

TEST(UniqueIds, replace_an_id_that_is_written) {
  DiagnosticSink sink("x", "");
  UniqueIds ids;
  YamlNode map = service("b");
  put(map, "id", {2, 1}, scalar("a", {2, 1}));
  EXPECT_EQ(claimed(ids, service("a"), sink), "a");
  EXPECT_EQ(claimed(ids, map, sink), "a-2");
  EXPECT_EQ(claimed(ids, service("b"), sink), "b");
}

TEST(UniqueIds, stay_short_enough_for_an_id) {
  DiagnosticSink sink("x", "");
  UniqueIds ids;
  const std::string name(64, 'x');
  EXPECT_EQ(claimed(ids, service(name), sink), name);
  EXPECT_EQ(claimed(ids, service(name), sink), std::string(62, 'x') + "-2");
}

TEST(UniqueIds, leave_alone_what_has_no_name) {
  DiagnosticSink sink("x", "");
  UniqueIds ids;
  YamlNode nameless = container(YamlNode::Kind::Map, {1, 1});
  ids.claim(nameless, sink);
  ids.claim(nameless, sink);
  EXPECT_TRUE(nameless.members.empty());
  EXPECT_TRUE(sink.all().empty());
}

}  // namespace
}  // namespace xsd::config
