// SPDX-License-Identifier: Apache-2.0
//
// What --import prints against files: tests/config/import/NAME.xinetd and NAME.inetd give exactly the report
// and the service file in NAME.FORMAT.golden. So do files that people published, where there are any (a
// folder `shared/corpus` beside the checkout, or XSD_CORPUS): tests/config/corpus has what they give. What is
// written is accepted whole. XSD_UPDATE_GOLDEN=1 writes the files anew; read them before you commit them.
#include <algorithm>
#include <set>
#include <sstream>

#include "config_test.h"
#include "xsd/config/import.h"

namespace xsd::config {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string without(std::string text, const std::string& what) {
  for (std::size_t at; (at = text.find(what)) != std::string::npos;)
    text.erase(at, what.size());
  return text;
}

/// Folders of the machine are not there, whatever it has.
std::string on_no_machine(std::string text) {
  constexpr std::string_view kFolder = "/etc/xinetd.d";
  for (std::size_t at = 0; (at = text.find(kFolder, at)) != std::string::npos;)
    text.replace(at, kFolder.size(), "/nowhere/xinetd.d");
  return text;
}

// It reads back, its services have definitions, and no two have one id.
void expect_accepted(const std::string& yaml) {
  const Decoded decoded = decode_text(yaml);
  std::set<std::string> ids;
  for (const DecodedService& service : decoded.services)
    EXPECT_TRUE(ids.insert(service.id).second) << service.id;
  for (const Diagnostic& one : decoded.diagnostics) {
    if (one.message.find(" is not available yet in this version") != std::string::npos) continue;
    EXPECT_EQ(one.severity, Severity::Warning) << format_diagnostic(one);
  }
}

void check(const fs::path& source, SourceFormat format, const fs::path& golden) {
  SCOPED_TRACE(source.string());
  const TestFolder folder;
  const std::vector<std::string> paths{
      folder.write(source.filename().string(), on_no_machine(text_of(source)))};
  const Import import = import_files(format, paths);
  const std::string yaml = format_import(import, paths);
  const std::string said = without(format_report(import, false) + "---\n" + yaml, folder.root() + "/");
  if (std::getenv("XSD_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(golden, std::ios::binary) << said;
  } else {
    EXPECT_EQ(said, text_of(golden));
  }
  EXPECT_EQ(import.is_complete(), said.find(": error: ") == std::string::npos);
  expect_accepted(yaml);
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".golden") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST(ImportGolden, says_what_changes) {
  const fs::path folder = fs::path(XSD_CONFIG_CASES) / "import";
  const auto files = files_in(folder);
  EXPECT_GE(files.size(), 8U);
  for (const fs::path& file : files) {
    const bool is_inetd = file.extension() == ".inetd";
    check(file, is_inetd ? SourceFormat::Inetd : SourceFormat::Xinetd,
          folder / (file.filename().string() + ".golden"));
  }
}

fs::path corpus() {
  if (const char* const named = std::getenv("XSD_CORPUS"); named != nullptr) return named;
  return fs::path(XSD_CONFIG_CASES).parent_path().parent_path().parent_path() / "shared" / "corpus";
}

void check_corpus(const std::string& name, SourceFormat format, std::size_t fewest) {
  const fs::path folder = corpus() / name;
  if (!fs::is_directory(folder)) GTEST_SKIP() << "wants published files in " << folder;
  const auto files = files_in(folder);
  EXPECT_GE(files.size(), fewest);
  for (const fs::path& file : files) {
    check(file, format,
          fs::path(XSD_CONFIG_CASES) / "corpus" / (name + "-" + file.stem().string() + ".golden"));
  }
}

TEST(ImportGolden, reads_the_xinetd_files_of_others) {
  check_corpus("xinetd", SourceFormat::Xinetd, 74);
}

TEST(ImportGolden, reads_the_inetd_files_of_others) {
  check_corpus("inetd", SourceFormat::Inetd, 25);
}

}  // namespace
}  // namespace xsd::config
