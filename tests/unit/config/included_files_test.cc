// SPDX-License-Identifier: Apache-2.0
//
// Through the loader, whose memory it is.
#include "xsd/config/included_files.h"

#include "config_test.h"

namespace xsd::config {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class IncludedFilesTest : public testing::Test {
 protected:
  IncludedFilesTest() : loader_(load_options(folder_.path("xsd.yaml")), std::make_unique<FakeNames>()) {
    folder_.write("xsd.yaml", "");
  }
  void write(const std::string& name, std::string_view text) const { folder_.write(name, text); }
  void write_service(const std::string& file, const std::string& name) const {
    write(file, "service: " + name + "\nplugin: echo\nlisten: unix:///run/" + name + "\n");
  }
  void move(const std::string& from, const std::string& to) const {
    fs::rename(folder_.path(from), folder_.path(to));
  }
  std::string said(const Snapshot& snapshot) const { return shown(snapshot.diagnostics, folder_.root()); }
  /// Loads; what was said.
  std::string load() {
    const Snapshot snapshot = loader_.load();
    rejected_ = snapshot.rejected;
    ids_.clear();
    for (const LoadedService& service : snapshot.services)
      ids_.push_back(service.id);
    watched_ = snapshot.watched_folders;
    return said(snapshot);
  }

  TestFolder folder_;
  Loader loader_;
  bool rejected_ = false;
  std::vector<std::string> ids_;
  std::vector<std::string> watched_;
};

constexpr std::string_view kMissing =
    "xsd.yaml:1:11: warning: include 'none/*.yaml': folder not found; no services from there\n"
    "include: [none/*.yaml]\n          ^\n";
constexpr std::string_view kNoneIsGone =
    "xsd.yaml:1:11: error: include 'none/*.yaml': folder not found; if no services are wanted from there, "
    "make it empty\n"
    "include: [none/*.yaml]\n          ^\n";
constexpr std::string_view kDefaultIsGone =
    "xsd.yaml: error: include 'conf.d/*.yaml': folder not found; if no services are wanted from there, make "
    "it empty\n";

TEST_F(IncludedFilesTest, warns_of_a_written_folder_that_is_not_there) {
  write("xsd.yaml", "include: [none/*.yaml]\n");
  for (int i = 0; i < 2; ++i) {  // at the first load and after it
    EXPECT_EQ(load(), kMissing);
    EXPECT_FALSE(rejected_);
    EXPECT_THAT(ids_, IsEmpty());
    EXPECT_THAT(watched_, ElementsAre(folder_.root(), folder_.path("none")));
  }
}

TEST_F(IncludedFilesTest, has_nothing_to_say_about_a_default_folder_that_never_was_there) {
  fs::remove(folder_.path("conf.d"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(load(), "");
    EXPECT_FALSE(rejected_);
  }
}

TEST_F(IncludedFilesTest, rejects_a_reload_when_a_folder_is_gone) {
  write_service("conf.d/a.yaml", "a");
  EXPECT_EQ(load(), "");
  move("conf.d", "moved");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(load(), kDefaultIsGone);
    EXPECT_TRUE(rejected_);
  }
  move("moved", "conf.d");
  EXPECT_EQ(load(), "");
  EXPECT_FALSE(rejected_);
  EXPECT_THAT(ids_, ElementsAre("a"));
}

TEST_F(IncludedFilesTest, does_not_miss_the_services_of_a_folder_that_is_gone) {
  write("xsd.yaml", "defaults: {enabled: [a]}\n");
  write_service("conf.d/a.yaml", "a");
  EXPECT_EQ(load(), "");
  move("conf.d", "moved");
  EXPECT_EQ(load(), kDefaultIsGone);
}

TEST_F(IncludedFilesTest, rejects_a_reload_when_a_folder_that_came_later_is_gone) {
  write("xsd.yaml", "include: [none/*.yaml]\n");
  EXPECT_EQ(load(), kMissing);
  fs::create_directory(folder_.path("none"));
  EXPECT_EQ(load(), "");
  fs::remove(folder_.path("none"));
  EXPECT_EQ(load(), kNoneIsGone);
  EXPECT_TRUE(rejected_);
}

TEST_F(IncludedFilesTest, rejects_a_reload_with_a_new_include_that_is_not_there) {
  write_service("conf.d/a.yaml", "a");
  EXPECT_EQ(load(), "");
  write("xsd.yaml", "include: [none/*.yaml]\n");
  EXPECT_EQ(load(), kNoneIsGone);
  EXPECT_TRUE(rejected_) << "a typing mistake must not stop everything";
}

TEST_F(IncludedFilesTest, lets_an_include_go_together_with_its_folder) {
  write("xsd.yaml", "include: [conf.d/*.yaml, more/*.yaml]\n");
  fs::create_directory(folder_.path("more"));
  EXPECT_EQ(load(), "");
  fs::remove(folder_.path("more"));
  write("xsd.yaml", "include: [conf.d/*.yaml]\n");
  EXPECT_EQ(load(), "");
  EXPECT_FALSE(rejected_);
}

TEST_F(IncludedFilesTest, rejects_a_reload_when_a_folder_is_swapped_while_it_is_read) {
  write_service("conf.d/a.yaml", "a");
  fs::create_directory(folder_.path("new"));
  EXPECT_EQ(load(), "");
  loader_.begin();
  (void)loader_.step(Duration::zero());  // it knows its files now
  move("conf.d", "old");
  move("new", "conf.d");
  while (loader_.step(Duration::zero()) != Loader::Progress::Done) {
  }
  const Snapshot snapshot = loader_.take();
  EXPECT_TRUE(snapshot.rejected);
  EXPECT_THAT(said(snapshot), HasSubstr("xsd.yaml: error: 'conf.d' was replaced while it was read"));
  EXPECT_EQ(load(), "");
  EXPECT_FALSE(rejected_);
}

TEST_F(IncludedFilesTest, warns_of_a_file_that_is_not_there) {
  write("xsd.yaml", "include: [conf.d/*.yaml, one.yaml]\n");
  EXPECT_EQ(load(),
            "xsd.yaml:1:26: warning: include 'one.yaml': matches no file; no services from there\n"
            "include: [conf.d/*.yaml, one.yaml]\n                         ^\n");
  EXPECT_FALSE(rejected_);
  write_service("one.yaml", "one");
  EXPECT_EQ(load(), "");
  EXPECT_THAT(ids_, ElementsAre("one"));
  write("xsd.yaml", "include: [\"conf.d/none*.yaml\"]\n");
  EXPECT_EQ(load(), "") << "a pattern may match nothing";
}

TEST_F(IncludedFilesTest, skips_the_main_file) {
  write_service("a.yaml", "a");
  const std::string folder = fs::path(folder_.root()).filename().string();
  for (const std::string& pattern :
       {std::string("*.yaml"), "../" + folder + "/*.yaml", folder_.path("*.yaml")}) {
    write("xsd.yaml", "include: [\"" + pattern + "\"]\n");
    EXPECT_EQ(load(), "") << pattern;
    EXPECT_THAT(ids_, ElementsAre("a")) << pattern;
  }
  write_service("conf.d/xsd.yaml", "namesake");
  write("xsd.yaml", "include: [\"*.yaml\", \"conf.d/*.yaml\"]\n");
  EXPECT_EQ(load(), "");
  EXPECT_THAT(ids_, ElementsAre("a", "namesake"));
}

}  // namespace
}  // namespace xsd::config
