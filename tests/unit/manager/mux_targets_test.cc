// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/mux_targets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xsd::manager {
namespace {

using config::LoadedService;
using config::MuxKind;
using config::ServiceDefinition;

class MuxTargetsTest : public testing::Test {
 protected:
  MuxTargetsTest() { loaded("tcpmux").definition = mux_; }
  static std::shared_ptr<ServiceDefinition> define(const std::string& id, MuxKind kind) {
    auto definition = std::make_shared<ServiceDefinition>();
    definition->id = definition->service = id;
    definition->kind = config::ServiceKind::Program;
    definition->mux = kind;
    return definition;
  }
  LoadedService& loaded(const std::string& id, const std::string& file = "a.yaml") {
    LoadedService& service = snapshot_.services.emplace_back();
    service.id = id;
    service.file = file;
    return service;
  }
  std::shared_ptr<ServiceDefinition> wants(const std::string& id, MuxKind kind = MuxKind::Mux) {
    const auto definition = define(id, kind);
    loaded(id).definition = definition;
    return definition;
  }
  void runs(const std::string& id, const std::string& file) {
    running_[id] = {file, true, define(id, MuxKind::Mux), nullptr, nullptr};
  }
  /// What tcpmux has: "NAME>ID", with a + before it if it greets.
  std::string targets() {
    add_mux_targets(snapshot_, running_);
    std::string out;
    for (const config::MuxTarget& target : *snapshot_.services.front().definition->mux_targets)
      out += (target.kind == MuxKind::MuxPlus ? " +" : " ") + target.name + ">" + target.id;
    return out;
  }

  const std::shared_ptr<ServiceDefinition> mux_ = [] {
    auto definition = std::make_shared<ServiceDefinition>();
    definition->id = definition->service = definition->plugin = "tcpmux";
    return definition;
  }();
  config::Snapshot snapshot_;
  std::map<std::string, RunningEntry> running_;
};

TEST_F(MuxTargetsTest, are_those_who_ask_for_it_by_name) {
  wants("time", MuxKind::MuxPlus);
  wants("secret", MuxKind::None);
  wants("shout")->service = "Alias";
  EXPECT_EQ(targets(), " Alias>shout +time>time");
  EXPECT_TRUE(mux_->mux_targets->empty());  // it may be what runs
}

TEST_F(MuxTargetsTest, are_not_those_that_are_off) {
  wants("shout")->disabled = true;
  EXPECT_EQ(targets(), "");
}

TEST_F(MuxTargetsTest, are_the_first_of_a_name) {
  wants("one")->service = "Shout";
  wants("two")->service = "shout";
  EXPECT_EQ(targets(), " Shout>one");
}

TEST_F(MuxTargetsTest, are_those_too_that_go_on_since_they_are_faulty_now) {
  runs("faulty", "b.yaml");
  runs("beside", "c.yaml");
  runs("gone", "a.yaml");
  runs("changed", "a.yaml");
  loaded("faulty", "d.yaml");
  loaded("c", "c.yaml");
  wants("changed", MuxKind::None);
  EXPECT_EQ(targets(), " beside>beside faulty>faulty");
}

TEST_F(MuxTargetsTest, belong_to_tcpmux_alone) {
  wants("shout");
  auto echo = std::make_shared<ServiceDefinition>(*mux_);
  echo->plugin = "echo";
  loaded("echo").definition = echo;
  EXPECT_EQ(targets(), " shout>shout");
  EXPECT_TRUE(snapshot_.services.back().definition->mux_targets->empty());
}

}  // namespace
}  // namespace xsd::manager
