// SPDX-License-Identifier: Apache-2.0
//
// Whole diagnostics against files: tests/config/bad/NAME.yaml must give exactly NAME.expected, and everything
// in tests/config/good must give nothing and read back the same from --dump-config. A file main_* is a main
// file, any other a service file. A first line
// "# not root" loads it as an ordinary user. XSD_UPDATE_GOLDEN=1 writes the expected files anew; read them
// before you commit them.
#include <algorithm>
#include <sstream>

#include "config_test.h"

namespace xsd::config {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<fs::path> cases(const std::string& folder) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(fs::path(XSD_CONFIG_CASES) / folder)) {
    if (entry.path().extension() == ".yaml") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Snapshot load_case(const TestFolder& folder, const std::string& name, const std::string& text) {
  const bool as_root = !text.starts_with("# not root\n");
  const bool is_main = name.starts_with("main_");
  const std::string path = folder.write(is_main ? name : "conf.d/" + name, text);
  Loader loader(load_options(is_main ? path : folder.path("conf.d"), as_root), std::make_unique<FakeNames>());
  return loader.load();
}

TEST(Golden, explains_every_bad_file) {
  const bool update = std::getenv("XSD_UPDATE_GOLDEN") != nullptr;
  const auto files = cases("bad");
  EXPECT_GE(files.size(), 120U);
  for (const fs::path& file : files) {
    SCOPED_TRACE(file.filename().string());
    const TestFolder folder;
    const Snapshot snapshot = load_case(folder, file.filename().string(), text_of(file));
    std::string said = shown(snapshot.diagnostics, folder.path("conf.d"));
    for (std::size_t at; (at = said.find(folder.root() + "/")) != std::string::npos;)
      said.erase(at, folder.root().size() + 1);
    EXPECT_FALSE(said.empty());
    fs::path expected = file;
    expected.replace_extension(".expected");
    if (update) {
      std::ofstream(expected, std::ios::binary) << said;
    } else {
      EXPECT_EQ(said, text_of(expected));
    }
  }
}

TEST(Golden, has_nothing_to_say_about_good_files) {
  const auto files = cases("good");
  EXPECT_GE(files.size(), 40U);
  for (const fs::path& file : files) {
    SCOPED_TRACE(file.filename().string());
    const TestFolder folder;
    const std::string text = text_of(file);
    const Snapshot snapshot = load_case(folder, file.filename().string(), text);
    EXPECT_EQ(shown(snapshot.diagnostics, folder.root()), "");
    EXPECT_FALSE(snapshot.rejected);

    const TestFolder other;
    const std::string root = text.starts_with("# not root\n") ? "# not root\n" : "";
    const Snapshot again = load_case(other, "main_dump.yaml", root + dump_config(snapshot));
    EXPECT_EQ(shown(again.diagnostics, other.root()), "") << dump_config(snapshot);
    ASSERT_EQ(again.services.size(), snapshot.services.size());
    for (std::size_t i = 0; i < snapshot.services.size(); ++i) {
      ASSERT_NE(snapshot.services[i].definition, nullptr);
      ASSERT_NE(again.services[i].definition, nullptr);
      EXPECT_TRUE(snapshot.services[i].definition->means_the_same(*again.services[i].definition))
          << dump_config(snapshot);
    }
  }
}

}  // namespace
}  // namespace xsd::config
