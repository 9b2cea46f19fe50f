// SPDX-License-Identifier: Apache-2.0
//
// What stands in pages for people and in the examples: every file in it is good for --check, but for what
// depends on the machine, and those that can be served here are.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

/// The YAML blocks of a page.
std::vector<std::string> yaml_blocks(const fs::path& page) {
  static const std::string kBegin = "```yaml\n";
  const std::string text = read_file(page);
  std::vector<std::string> blocks;
  for (std::size_t at = text.find(kBegin); at != std::string::npos; at = text.find(kBegin, at)) {
    at += kBegin.size();
    blocks.push_back(text.substr(at, text.find("```", at) - at));
  }
  return blocks;
}

std::vector<fs::path> files_in(const char* folder, std::string_view ending) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(source_folder() / folder)) {
    if (entry.path().extension() == ending) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool is_main_file(const std::string& text) {
  const auto begins = [&](const std::string& line) {
    return text.starts_with(line) || contains(text, "\n" + line);
  };
  return begins("daemon:") || begins("defaults:") || begins("include:");
}

/// Everything that --check has against it is something that this machine has not.
void expect_good(const std::string& text) {
  TempFolder folder;
  folder.make_folder("conf.d");
  const bool is_main = is_main_file(text);
  folder.write(is_main ? "xsd.yaml" : "conf.d/it.yaml", text);
  const RunResult result = run_xsd({"--check", "-c", folder.string(is_main ? "xsd.yaml" : "conf.d")});
  EXPECT_TRUE(result.status == 0 || contains(result.out, "error: ")) << text;
  for (const std::string& line : split_lines(result.out)) {
    if (!contains(line, "error: ")) continue;
    EXPECT_TRUE(contains(line, "not found") || contains(line, "not executable") || contains(line, "not root"))
        << line;
  }
}

/// `text` without the lines of that key.
std::string without(std::string text, const std::string& key) {
  for (std::size_t at; (at = text.find(key)) != std::string::npos;)
    text.erase(at, text.find('\n', at) - at);
  return text;
}

TEST(Documents, service_file_of_the_readme_works) {
  constexpr std::uint16_t kPort = 1717;
  if (!fs::exists("/usr/bin/uptime")) GTEST_SKIP() << "no /usr/bin/uptime (procps)";
  const std::vector<std::string> blocks = yaml_blocks(source_folder() / "README.md");
  ASSERT_EQ(blocks.size(), 1U);
  std::string text = blocks[0];
  ASSERT_THAT(text, HasSubstr(":" + std::to_string(kPort)));
  ASSERT_THAT(text, HasSubstr("user: "));
  if (!is_root()) text = without(text, "user: ");
  TempFolder folder;
  folder.write("conf.d/uptime.yaml", text);
  const std::uint16_t port = free_port();
  Daemon daemon(folder, {.arguments = {"--port-offset", std::to_string(port - kPort)}});
  EXPECT_THAT(ask(port), HasSubstr("up "));
  EXPECT_EQ(daemon.stop(), 0);
}

TEST(Documents, have_good_files_in_them) {
  std::size_t blocks = 0;
  for (const fs::path& page : files_in("packaging/doc", ".md")) {
    SCOPED_TRACE(page);
    for (const std::string& text : yaml_blocks(page)) {
      expect_good(text);
      ++blocks;
    }
  }
  EXPECT_GT(blocks, 15U);
}

TEST(Documents, cookbook_has_ten_services_and_names_files_that_are_there) {
  const std::string text = read_file(source_folder() / "packaging/doc/cookbook.md");
  std::size_t services = 0;
  for (const std::string& line : split_lines(text)) {
    if (line.starts_with("## ")) ++services;
    const std::string_view view = line;
    if (!view.starts_with("`conf.d/") && !view.starts_with("`examples/")) continue;
    const std::string name(view.substr(1, view.find('`', 1) - 1));
    const fs::path folder = name.starts_with("conf.d") ? source_folder() : source_folder() / "packaging";
    EXPECT_TRUE(fs::exists(folder / name)) << name;
  }
  EXPECT_EQ(services, 10U);
}

TEST(Examples, are_good) {
  const std::vector<fs::path> files = files_in("packaging/examples", ".yaml");
  EXPECT_GE(files.size(), 3U);
  for (const fs::path& file : files) {
    SCOPED_TRACE(file);
    expect_good(read_file(file));
  }
}

/// With a client that has sent a request which nobody reads, too.
TEST(Examples, answer_the_balancer) {
  constexpr std::uint16_t kCheck = 9200;
  std::string text = read_file(source_folder() / "packaging/examples/haproxy.yaml");
  if (!is_root()) text = without(text, "user: ");
  TempFolder folder;
  folder.write("conf.d/haproxy.yaml", text);
  const std::uint16_t port = free_ports(2).front();
  const int offset = port - kCheck;
  ASSERT_GE(offset, 0);
  Daemon daemon(folder, {.arguments = {"--port-offset", std::to_string(offset)}});
  EXPECT_THAT(ask(port, "OPTIONS / HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.0 "));
  EXPECT_THAT(ask(static_cast<std::uint16_t>(port + 1)), StartsWith("up "));
  EXPECT_EQ(daemon.stop(), 0);
}

}  // namespace
}  // namespace xsd::test
