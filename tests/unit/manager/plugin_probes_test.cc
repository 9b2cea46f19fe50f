// SPDX-License-Identifier: Apache-2.0
//
// What is answered without a process. Those that are started are in tests/integration/libraries_test.cc.
#include "xsd/manager/plugin_probes.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xsd/base/clock.h"

namespace xsd::manager {
namespace {

using config::PluginAnswers;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

config::SettingsNode settings(const std::string& key) {
  config::SettingsNode map;
  map.kind = config::SettingsNode::Kind::Map;
  map.members.emplace_back(key, config::SettingsNode());
  return map;
}

class PluginProbesTest : public testing::Test {
 protected:
  PluginProbesTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "xsd-probes-XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    questions_.rules.folders = {folder_};
    std::ofstream(folder_ + "/text.so") << "text";
  }
  ~PluginProbesTest() override { std::filesystem::remove_all(folder_); }

  PluginAnswers ask() {
    std::optional<PluginAnswers> learned;
    probes_.ask(questions_, config::UserEntry{},
                [&](PluginAnswers answers) { learned = std::move(answers); });
    EXPECT_FALSE(learned);  // never from within
    EXPECT_TRUE(probes_.busy());
    while (!learned)
      (void)loop_->run_once(std::chrono::seconds(5));
    EXPECT_FALSE(probes_.busy());
    EXPECT_EQ(children_.size(), 0U);
    return std::move(*learned);
  }

  SystemClock clock_;
  std::unique_ptr<reactor::EventLoop> loop_ = *reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_);
  reactor::ChildWatcher children_{*loop_};
  process::Spawner spawner_;
  process::RoleStarter starter_{spawner_, process::Inheritance::capture()};
  PluginCache cache_;
  PluginProbes probes_{*loop_, children_, starter_, cache_};
  std::string folder_;
  PluginAnswers questions_;
};

TEST_F(PluginProbesTest, ask_builtin_plugins_here) {
  questions_.add("echo", config::SettingsNode());
  questions_.add("echo", settings("greeting"));
  const PluginAnswers answers = ask();
  EXPECT_EQ(answers.find("echo").fault, "");
  EXPECT_EQ(answers.find("echo").image, nullptr);
  EXPECT_THAT(answers.find_faults("echo", config::SettingsNode()), IsEmpty());
  ASSERT_EQ(answers.find_faults("echo", settings("greeting")).size(), 1U);
  EXPECT_EQ(answers.find_faults("echo", settings("greeting"))[0].text, "plugin 'echo' has no settings");
}

TEST_F(PluginProbesTest, start_nothing_for_files_that_must_not_be_loaded) {
  questions_.add("text", config::SettingsNode());
  questions_.add("none", config::SettingsNode());
  const PluginAnswers answers = ask();
  EXPECT_THAT(answers.find("text").fault, HasSubstr("it is no library (no ELF file)"));
  EXPECT_EQ(answers.find("text").path, folder_ + "/text.so");
  EXPECT_TRUE(answers.find("none").is_missing);
  EXPECT_THAT(answers.libraries, ElementsAre("text"));
}

TEST_F(PluginProbesTest, call_nobody_when_they_are_cancelled) {
  questions_.add("echo", config::SettingsNode());
  bool called = false;
  probes_.ask(questions_, config::UserEntry{}, [&called](const PluginAnswers&) { called = true; });
  probes_.cancel();
  EXPECT_FALSE(probes_.busy());
  (void)loop_->run_once(Duration::zero());
  EXPECT_FALSE(called);
}

TEST(PluginCache, knows_a_library_by_its_file_and_the_settings_that_were_good) {
  PluginCache cache;
  auto image = std::make_shared<config::PluginImage>();
  image->stamp.inode = 7;
  const config::PluginQuestion one{"told", {"a"}};
  const config::PluginQuestion both{"told", {"a", "b"}};
  EXPECT_EQ(cache.find(one, image->stamp), nullptr);
  cache.keep(one, image);
  EXPECT_EQ(cache.find(one, image->stamp), image);
  EXPECT_EQ(cache.find({"told", {}}, image->stamp), image);
  EXPECT_EQ(cache.find(both, image->stamp), nullptr);
  config::FileStamp other = image->stamp;
  other.size = 1;
  EXPECT_EQ(cache.find(one, other), nullptr);
  cache.keep(both, image);
  EXPECT_EQ(cache.find(one, image->stamp), image);
  EXPECT_EQ(cache.find(both, image->stamp), image);
}

}  // namespace
}  // namespace xsd::manager
