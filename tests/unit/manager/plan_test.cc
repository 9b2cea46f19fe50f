// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/plan.h"

#include <gtest/gtest.h>

#include "xsd/config/plugins.h"

namespace xsd::manager {
namespace {

using config::LoadedService;

// A snapshot and what runs, put together by name; the plan is compared as text.
class PlanTest : public testing::Test {
 protected:
  static std::shared_ptr<config::ServiceDefinition> define(const std::string& id) {
    auto definition = std::make_shared<config::ServiceDefinition>();
    definition->id = definition->service = id;
    definition->plugin = "echo";
    return definition;
  }
  static std::shared_ptr<const config::Resolution> resolve(std::uint16_t port) {
    auto resolution = std::make_shared<config::Resolution>();
    resolution->endpoints.push_back(
        {net::Transport::Stream, *net::SocketAddress::parse("127.0.0.1", port), {}});
    return resolution;
  }
  LoadedService& wants(const std::string& id, const std::string& file = "a.yaml") {
    LoadedService loaded;
    loaded.id = id;
    loaded.file = file;
    loaded.definition = define(id);
    loaded.resolution = resolve(7);
    return snapshot_.services.emplace_back(std::move(loaded));
  }
  void runs(const std::string& id, const std::string& file = "a.yaml") {
    running_[id] = {file, true, define(id), resolve(7), nullptr};
  }
  void failed_before(const std::string& id, const std::string& file = "a.yaml") {
    running_[id] = {file, false, nullptr, nullptr, nullptr};
  }

  std::string plan() const {
    static constexpr const char* kNames[] = {"stop", "disable", "fault", "change", "start", "keep"};
    std::string out;
    for (const Action& action : make_plan(running_, snapshot_)) {
      out += std::string(out.empty() ? "" : " ") + kNames[static_cast<int>(action.kind)] + ":" + action.id;
    }
    return out;
  }

  std::map<std::string, RunningEntry> running_;
  config::Snapshot snapshot_;
};

TEST_F(PlanTest, starts_what_is_new_and_stops_what_is_gone) {
  runs("old");
  wants("new");
  EXPECT_EQ(plan(), "stop:old start:new");
}

TEST_F(PlanTest, keeps_what_means_the_same) {
  runs("echo");
  wants("echo", "moved.yaml");
  EXPECT_EQ(plan(), "keep:echo");
}

TEST_F(PlanTest, changes_what_means_something_else) {
  runs("echo");
  auto changed = define("echo");
  changed->instances = {3};
  wants("echo").definition = changed;
  EXPECT_EQ(plan(), "change:echo");
}

TEST_F(PlanTest, changes_what_resolves_to_something_else) {
  runs("echo");
  wants("echo").resolution = resolve(8);
  EXPECT_EQ(plan(), "change:echo");
}

TEST_F(PlanTest, changes_what_uses_another_library) {
  const auto with_inode = [](ino_t inode) {
    auto image = std::make_shared<config::PluginImage>();
    image->name = "echo";
    image->stamp.inode = inode;
    auto resolution = std::make_shared<config::Resolution>(*resolve(7));
    resolution->plugin_image = std::move(image);
    return resolution;
  };
  runs("echo");
  running_["echo"].resolution = with_inode(1);
  wants("echo").resolution = with_inode(1);
  EXPECT_EQ(plan(), "keep:echo");
  snapshot_.services[0].resolution = with_inode(2);
  EXPECT_EQ(plan(), "change:echo");
  snapshot_.services[0].resolution = resolve(7);
  EXPECT_EQ(plan(), "change:echo");
}

TEST_F(PlanTest, disables) {
  runs("echo");
  auto off = define("echo");
  off->disabled = true;
  wants("echo").definition = off;
  EXPECT_EQ(plan(), "disable:echo");
}

TEST_F(PlanTest, leaves_a_faulty_service_running) {
  runs("echo");
  LoadedService& loaded = wants("echo");
  loaded.definition = nullptr;
  loaded.resolution = nullptr;
  EXPECT_EQ(plan(), "fault:echo");
}

TEST_F(PlanTest, leaves_a_service_running_that_is_impossible_here_now) {
  runs("echo");
  wants("echo").resolution = nullptr;
  EXPECT_EQ(plan(), "fault:echo");
}

TEST_F(PlanTest, leaves_everything_of_an_unreadable_file_running) {
  runs("one", "many.yaml");
  runs("two", "many.yaml");
  runs("other", "other.yaml");
  LoadedService& broken = wants("many", "many.yaml");
  broken.id_known = false;
  broken.definition = nullptr;
  EXPECT_EQ(plan(), "stop:other fault:many");
}

TEST_F(PlanTest, stops_nothing_of_a_file_with_a_fault) {
  runs("echo", "echo.yaml");
  runs("other", "other.yaml");
  LoadedService& broken = wants("echo;", "echo.yaml");
  broken.definition = nullptr;
  broken.resolution = nullptr;
  EXPECT_EQ(plan(), "stop:other fault:echo;");
}

TEST_F(PlanTest, stops_what_is_gone_if_the_fault_of_its_file_is_older) {
  runs("echo");
  running_["echo"].named_in = 4;
  failed_before("rpc");
  running_["rpc"].faulty_since = 4;
  wants("rpc").definition = nullptr;
  EXPECT_EQ(plan(), "stop:echo fault:rpc");
  // One more fault, and it may be what is gone.
  wants("ech0").definition = nullptr;
  EXPECT_EQ(plan(), "fault:rpc fault:ech0");
}

TEST_F(PlanTest, leaves_what_may_be_the_faulty_one_until_that_is_good) {
  runs("echo");
  running_["echo"].named_in = 4;
  failed_before("ech0");
  running_["ech0"].faulty_since = 5;
  wants("ech0").definition = nullptr;
  EXPECT_EQ(plan(), "fault:ech0");
  wants("other");
  snapshot_.services.erase(snapshot_.services.begin());
  EXPECT_EQ(plan(), "stop:ech0 stop:echo start:other");
}

TEST_F(PlanTest, leaves_everything_of_a_file_that_stays_unreadable) {
  runs("one", "many.yaml");
  running_["one"].named_in = 9;
  failed_before("many", "many.yaml");
  running_["many"].faulty_since = 5;
  LoadedService& broken = wants("many", "many.yaml");
  broken.id_known = false;
  broken.definition = nullptr;
  EXPECT_EQ(plan(), "fault:many");
}

TEST_F(PlanTest, lets_the_good_one_of_two_with_the_same_id_live) {
  runs("echo");
  LoadedService& second = wants("echo", "b.yaml");
  second.definition = nullptr;
  wants("echo", "c.yaml");
  EXPECT_EQ(plan(), "keep:echo");
}

TEST_F(PlanTest, starts_what_failed_before) {
  failed_before("echo");
  wants("echo");
  EXPECT_EQ(plan(), "start:echo");
}

TEST_F(PlanTest, forgets_a_failure_whose_file_is_gone) {
  failed_before("broken", "broken.yaml");
  EXPECT_EQ(plan(), "stop:broken");
}

TEST_F(PlanTest, frees_endpoints_before_they_are_wanted) {
  runs("gone");
  runs("moves");
  wants("fresh");
  wants("moves").resolution = resolve(9);
  EXPECT_EQ(plan(), "stop:gone change:moves start:fresh");
}

TEST_F(PlanTest, changes_what_has_another_text_in_its_files) {
  const auto with = [](const char* text) {
    auto resolution = std::make_shared<config::Resolution>(*resolve(7));
    resolution->files.edit().banner = std::make_shared<const std::string>(text);
    return resolution;
  };
  wants("a").resolution = with("hello");
  runs("a");
  EXPECT_EQ(make_plan(running_, snapshot_).at(0).kind, ActionKind::Change);
  running_["a"].resolution = with("hello");
  EXPECT_EQ(make_plan(running_, snapshot_).at(0).kind, ActionKind::Keep);
}

}  // namespace
}  // namespace xsd::manager
