// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/plugins.h"

#include "config_test.h"

namespace xsd::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

SettingsNode settings(const std::string& lines) {
  return decode_text("service: x\nplugin: library\nlisten: tcp://*:7\n" + lines).only().settings;
}

TEST(PluginAnswers, are_one_question_for_each_plugin_and_each_settings) {
  PluginAnswers answers;
  const SettingsNode none = settings("");
  const SettingsNode empty = settings("settings:\n");
  const SettingsNode some = settings("settings: {a: b}\n");
  answers.add("one", none);
  answers.add("two", some);
  answers.add("one", some);
  answers.add("one", empty);
  answers.add("one", some);
  ASSERT_THAT(answers.questions(), SizeIs(2));
  EXPECT_EQ(answers.questions()[0].plugin, "one");
  EXPECT_THAT(answers.questions()[0].settings, SizeIs(2));
  EXPECT_THAT(answers.questions()[1].settings, SizeIs(1));
}

TEST(PluginAnswers, are_found_by_the_settings) {
  PluginAnswers answers;
  const SettingsNode good = settings("settings: {a: b}\n");
  const SettingsNode bad = settings("settings: {a: c}\n");
  answers.add("one", good);
  answers.add("one", bad);
  EXPECT_EQ(answers.find("one").fault, "was not looked for");
  PluginAnswer answer;
  answer.settings = {{}, {{bad.members[0].second.where, "no"}}};
  answers.set(0, std::move(answer));
  EXPECT_EQ(answers.find("one").fault, "");
  EXPECT_THAT(answers.find_faults("one", good), IsEmpty());
  ASSERT_THAT(answers.find_faults("one", bad), SizeIs(1));
  EXPECT_EQ(answers.find_faults("one", bad)[0].text, "no");
  EXPECT_THAT(answers.find_faults("one", SettingsNode()), IsEmpty());
  EXPECT_THAT(answers.find_faults("two", bad), IsEmpty());
  EXPECT_EQ(answers.find("two").fault, "was not looked for");
  answers.give_up("cannot be looked at");
  EXPECT_EQ(answers.find("one").fault, "cannot be looked at");
}

TEST(PluginImage, is_the_same_as_long_as_the_file_is) {
  PluginImage a;
  PluginImage b;
  a.name = b.name = "library";
  a.stamp.inode = b.stamp.inode = 7;
  EXPECT_TRUE(is_same_image(nullptr, nullptr));
  EXPECT_FALSE(is_same_image(&a, nullptr));
  EXPECT_TRUE(is_same_image(&a, &b));
  b.stamp.changed.tv_nsec = 1;
  EXPECT_FALSE(is_same_image(&a, &b));
}

TEST(RoleUser, is_the_one_that_is_written_or_the_first_usual_one_that_exists) {
  FakeNames names;
  const auto find = [&](const std::string& written) {
    NameAnswers answers;
    add_role_user_questions(written, answers);
    ask_all(names, answers);
    const auto user = find_role_user(written, answers);
    return user ? user->name + ":" + std::to_string(user->uid) : user.error().text();
  };
  EXPECT_EQ(find("games"), "games:5");
  EXPECT_EQ(find("4242"), ":4242");
  EXPECT_EQ(find("0"), "user '0' is root");
  EXPECT_EQ(find("nobdy"), "user 'nobdy' not found");
  EXPECT_EQ(find(""), "nobody:65534");
  NameAnswers unknown;
  add_role_user_questions("", unknown);
  unknown.give_up("no answer within 5s");
  EXPECT_EQ(find_role_user("", unknown).error().text(), "user 'nobody' not found (no answer within 5s)");
}

}  // namespace
}  // namespace xsd::config
