// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/plugin_requests.h"

#include <cerrno>
#include <climits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace xsd::service {
namespace {

config::ServiceDefinition definition() {
  config::ServiceDefinition definition;
  definition.programs = {{"report", {"/bin/true"}, {}}};
  definition.hand_over = {"ssh"};
  definition.mux_targets.edit() = {{"Shout", "shout-1", config::MuxKind::Mux}};
  return definition;
}

int check(std::vector<std::string> environment, std::string directory = "", std::string program = "report") {
  plugin::ProgramStart start;
  start.program = std::move(program);
  start.environment = std::move(environment);
  start.directory = std::move(directory);
  return check_program_start(definition(), start);
}

TEST(PluginRequests, allow_only_what_the_definition_names) {
  EXPECT_EQ(check_hand_over(definition(), "ssh"), 0);
  EXPECT_EQ(check_hand_over(definition(), "shout-1"), 0);
  EXPECT_EQ(check_hand_over(definition(), "Shout"), -EACCES);
  EXPECT_EQ(check_hand_over(definition(), "ss"), -EACCES);
  EXPECT_EQ(check_hand_over(definition(), ""), -EACCES);
  EXPECT_EQ(check({}), 0);
  EXPECT_EQ(check({}, "", "other"), -ENOENT);
}

TEST(PluginRequests, take_names_of_variables_that_are_nobody_elses) {
  EXPECT_EQ(check({"A=", "_b9=x=y", "REMOTE_ADDR=192.0.2.7", "PATH_INFO=/x"}), 0);
  for (const std::string_view bad : {"A", "=x", "9A=x", "A-B=x", "A B=x", "PATH=/", "LD_PRELOAD=x", "XSD_=x"})
    EXPECT_EQ(check({std::string(bad)}), -EINVAL) << bad;
  EXPECT_EQ(check({std::string("A=x\0y", 5)}), -EINVAL);
  EXPECT_EQ(check({"A=x", "B=x", "A=y"}), -EINVAL);
}

TEST(PluginRequests, bound_the_environment) {
  std::vector<std::string> many;
  for (int i = 0; i < 128; ++i)
    many.push_back("A" + std::to_string(i) + "=x");
  EXPECT_EQ(check(many), 0);
  many.emplace_back("B=x");
  EXPECT_EQ(check(many), -ENOBUFS);
  EXPECT_EQ(check({"A=" + std::string(32 * 1024 - 3, 'x')}), 0);
  EXPECT_EQ(check({"A=" + std::string(32 * 1024 - 2, 'x')}), -ENOBUFS);
}

TEST(PluginRequests, want_an_absolute_directory) {
  EXPECT_EQ(check({}, "/srv"), 0);
  EXPECT_EQ(check({}, "srv"), -EINVAL);
  EXPECT_EQ(check({}, std::string("/a\0b", 4)), -EINVAL);
  EXPECT_EQ(check({}, "/" + std::string(PATH_MAX, 'x')), -ENOBUFS);
}

}  // namespace
}  // namespace xsd::service
