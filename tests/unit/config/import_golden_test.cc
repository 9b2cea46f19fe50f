// SPDX-License-Identifier: Apache-2.0
//
// What --import prints against files: tests/config/import/NAME.xinetd and NAME.inetd give exactly the report
// and the service file in NAME.FORMAT.golden. So do files that people published, where there are any: the
// folder in XSD_CORPUS has them below `xinetd` and `inetd`, tests/config/corpus what they give. What is
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

void check(const fs::path& source, ForeignFormat format, const fs::path& golden) {
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
    check(file, is_inetd ? ForeignFormat::Inetd : ForeignFormat::Xinetd,
          folder / (file.filename().string() + ".golden"));
  }
}

void check_corpus(const std::string& name, ForeignFormat format, std::size_t fewest) {
  const char* const corpus = std::getenv("XSD_CORPUS");
  if (corpus == nullptr || !fs::is_directory(fs::path(corpus) / name))
    GTEST_SKIP() << "wants published files of " << name << " in the folder that XSD_CORPUS names";
  const auto files = files_in(fs::path(corpus) / name);
  EXPECT_GE(files.size(), fewest);
  for (const fs::path& file : files) {
    check(file, format,
          fs::path(XSD_CONFIG_CASES) / "corpus" / (name + "-" + file.stem().string() + ".golden"));
  }
}

TEST(ImportGolden, reads_the_xinetd_files_of_others) {
  check_corpus("xinetd", ForeignFormat::Xinetd, 74);
}

TEST(ImportGolden, reads_the_inetd_files_of_others) {
  check_corpus("inetd", ForeignFormat::Inetd, 25);
}

}  // namespace
}  // namespace xsd::config
