// SPDX-License-Identifier: Apache-2.0
//
// Configurations of xinetd's that real people wrote (a folder `shared/corpus` beside the checkout, or
// XSD_CORPUS; skipped where there is none): what xinetd listens for, `xsd --xinetd` does. Only what depends
// on their machines is changed in the texts: programs that are missing here, users, addresses, and `disable`.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"
#include "tests/integration/harness/own_network.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;

fs::path corpus() {
  if (const char* const named = std::getenv("XSD_CORPUS"); named != nullptr) return named;
  return fs::path(XSD_TEST_DATA).parent_path().parent_path() / "shared" / "corpus";
}

std::vector<fs::path> files_of(const char* kind) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(corpus() / kind, error))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// The same configuration for this machine.
std::string moved_here(const std::string& text) {
  static const std::regex kLine(R"(^(\s*)(server|user|group|bind|interface|disable)(\s*=\s*)(\S+)(.*)$)");
  std::string out;
  for (const std::string& line : split_lines(text)) {
    std::smatch found;
    if (line.starts_with("include")) continue;
    if (!std::regex_match(line, found, kLine)) {
      out += line + "\n";
      continue;
    }
    const std::string key = found[2];
    std::string value = found[4];
    if (key == "server" && access(value.c_str(), X_OK) != 0) value = "/bin/cat";
    if (key == "user" && getpwnam(value.c_str()) == nullptr) value = "nobody";
    if (key == "group" && getgrnam(value.c_str()) == nullptr) value = "nogroup";
    if (key == "bind" || key == "interface") value = "127.0.0.1";
    if (key == "disable") value = "no";
    out += found[1].str() + key + found[3].str() + value + found[5].str() + "\n";
  }
  return out;
}

/// "tcp/79", "udp/69": what is listened for in our network.
std::set<std::string> ports() {
  std::set<std::string> out;
  for (const std::string protocol : {"tcp", "udp"}) {
    for (const char* const family : {"", "6"}) {
      std::ifstream table("/proc/self/task/" + std::to_string(gettid()) + "/net/" + protocol + family);
      std::string line;
      std::getline(table, line);
      while (std::getline(table, line)) {
        std::istringstream words(line);
        std::string number;
        std::string local;
        std::string remote;
        std::string state;
        words >> number >> local >> remote >> state;
        if (state != (protocol == "tcp" ? "0A" : "07")) continue;
        out.insert(protocol + "/" +
                   std::to_string(std::stoi(local.substr(local.rfind(':') + 1), nullptr, 16)));
      }
    }
  }
  return out;
}

std::string listed(const std::set<std::string>& items) {
  std::string out;
  for (const std::string& item : items)
    out += (out.empty() ? "" : " ") + item;
  return out;
}

std::set<std::string> ports_of_xinetd(const TempFolder& folder) {
  const std::string log = folder.string("xinetd.log");
  Process xinetd({XSD_XINETD, "-dontfork", "-f", folder.string("xinetd.conf"), "-pidfile",
                  folder.string("xinetd.pid"), "-filelog", log});
  EXPECT_TRUE(eventually([&] { return contains(read_file(log), "Started working: ") || !xinetd.running(); }));
  return ports();
}

TEST(Corpus, of_xinetd_is_served_as_xinetd_does) {
  if (geteuid() != 0) GTEST_SKIP() << "xinetd runs its programs as root only";
  if (access(XSD_XINETD, X_OK) != 0) GTEST_SKIP() << "no xinetd here (make deps unpacks it)";
  const std::vector<fs::path> files = files_of("xinetd");
  if (files.empty()) GTEST_SKIP() << "no corpus in " << corpus();
  const OwnNetwork network;
  if (!network.why_not().empty()) GTEST_SKIP() << network.why_not();
  std::size_t sockets = 0;
  for (const fs::path& file : files) {
    const TempFolder folder;
    folder.write("xinetd.conf", moved_here(read_file(file)));
    const std::set<std::string> theirs = ports_of_xinetd(folder);
    Daemon daemon(folder, {.config = folder / "xinetd.conf", .config_option = "--xinetd", .arguments = {}});
    const std::set<std::string> ours = ports();
    EXPECT_EQ(daemon.stop(), 0);
    std::set<std::string> lost;
    std::set_difference(theirs.begin(), theirs.end(), ours.begin(), ours.end(),
                        std::inserter(lost, lost.end()));
    EXPECT_TRUE(lost.empty()) << file.filename() << ": xinetd listens for " << listed(theirs)
                              << "; we do not for " << listed(lost) << "\n"
                              << daemon.log();
    sockets += theirs.size();
  }
  std::printf("%zu configurations of xinetd, %zu ports\n", files.size(), sockets);
}

}  // namespace
}  // namespace xsd::test
