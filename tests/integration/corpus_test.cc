// SPDX-License-Identifier: Apache-2.0
//
// Configurations of xinetd's and inetd's that real people wrote (a folder `shared/corpus` beside the
// checkout, or XSD_CORPUS; skipped where there is none): what the reference listens for, xsd does. Only what
// depends on their machines is changed in the texts: programs that are missing here, users, addresses, names
// of services, and `disable`.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <grp.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <pwd.h>
#include <unistd.h>

#include "tests/integration/harness/harness.h"
#include "tests/integration/harness/own_network.h"
#include "tests/integration/references.h"

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

std::string user_here(const std::string& name) {
  return getpwnam(name.c_str()) != nullptr ? name : "nobody";
}

std::string group_here(const std::string& name) {
  return getgrnam(name.c_str()) != nullptr ? name : "nogroup";
}

/// The same configuration of xinetd's for this machine.
std::string xinetd_moved_here(const std::string& text) {
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
    if (key == "user") value = user_here(value);
    if (key == "group") value = group_here(value);
    if (key == "bind" || key == "interface") value = "127.0.0.1";
    if (key == "disable") value = "no";
    out += found[1].str() + key + found[3].str() + value + found[5].str() + "\n";
  }
  return out;
}

/// The same inetd.conf for this machine: a service without a number gets one, and the same one each time, and
/// a unix socket its place in the folder.
std::string inetd_moved_here(const std::string& text, const TempFolder& folder) {
  static const std::regex kEntry(
      R"(^(\S+:)?([^\s:#]+)(\s+\S+\s+)(tcp|udp|unix)(\S*\s+\S+\s+)([^\s.:]+)([.:]\S+)?(\s+)(\S+)([^\n]*)$)");
  static const std::regex kHosts(R"(^\S+:\s*$)");
  constexpr int kFirstNumber = 20000;
  std::map<std::string, int> numbers;
  std::string out;
  for (const std::string& line : split_lines(text)) {
    std::smatch found;
    if (line.starts_with("#") || !std::regex_match(line, found, kEntry)) {
      out += (std::regex_match(line, kHosts) ? "127.0.0.1,127.0.0.2:" : line) + "\n";
      continue;
    }
    std::string name = found[2];
    const std::string protocol = found[4];
    const bool is_number = name.find_first_not_of("0123456789") == std::string::npos;
    if (protocol == "unix") {
      name = folder.string(fs::path(name).filename().string());
    } else if (!is_number && getservbyname(name.c_str(), protocol.c_str()) == nullptr) {
      name = std::to_string(
          numbers.try_emplace(name, kFirstNumber + static_cast<int>(numbers.size())).first->second);
    }
    std::string group = found[7];
    if (!group.empty()) group = group.substr(0, 1) + group_here(group.substr(1));
    std::string program = found[9];
    std::string arguments = found[10];
    if (program.ends_with("/tcpd")) {
      arguments = " /bin/cat";  // is the program
    } else if (program != "internal" && access(program.c_str(), X_OK) != 0) {
      program = "/bin/cat";
    }
    out += found[1].str() + name + found[3].str() + protocol + found[5].str() + user_here(found[6]) + group +
           found[8].str() + program + arguments + "\n";
  }
  return out;
}

/// "tcp4/79", "udp6/69", "unix/run/socket": what is listened for in our network.
std::set<std::string> ports() {
  const std::string tables = "/proc/self/task/" + std::to_string(gettid()) + "/net/";
  std::set<std::string> out;
  for (const std::string protocol : {"tcp", "udp"}) {
    for (const char* const family : {"", "6"}) {
      std::ifstream table(tables + protocol + family);
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
        out.insert(protocol + (*family == '\0' ? "4/" : "6/") +
                   std::to_string(std::stoi(local.substr(local.rfind(':') + 1), nullptr, 16)));
      }
    }
  }
  for (const std::string& line : split_lines(read_file(tables + "unix"))) {
    constexpr const char* kListening = " 00010000 ";
    const std::size_t path = line.find('/');
    if (line.find(kListening) != std::string::npos && path != std::string::npos)
      out.insert("unix" + line.substr(path));
  }
  return out;
}

std::string listed(const std::set<std::string>& items) {
  std::string out;
  for (const std::string& item : items)
    out += (out.empty() ? "" : " ") + item;
  return out;
}

std::set<std::string> ports_of(Reference reference, const TempFolder& folder, const std::string& text) {
  ReferenceDaemon daemon(reference, folder);
  daemon.write(text);
  daemon.start();
  std::set<std::string> all = ports();
  if (is_inetd(reference)) all.erase("tcp4/" + std::to_string(daemon.sign_port()));
  return all;
}

class CorpusTest : public testing::TestWithParam<Reference> {};

TEST_P(CorpusTest, is_served_as_the_reference_does) {
  const Reference reference = GetParam();
  if (const std::string why = why_not(reference); !why.empty()) GTEST_SKIP() << why;
  const std::vector<fs::path> files = files_of(is_inetd(reference) ? "inetd" : "xinetd");
  if (files.empty()) GTEST_SKIP() << "no corpus in " << corpus();
  const OwnNetwork network;
  if (!network.why_not().empty()) GTEST_SKIP() << network.why_not();
  std::size_t sockets = 0;
  for (const fs::path& file : files) {
    const TempFolder folder;
    const std::string text =
        is_inetd(reference) ? inetd_moved_here(read_file(file), folder) : xinetd_moved_here(read_file(file));
    const std::set<std::string> theirs = ports_of(reference, folder, text);
    folder.write("xsd.conf", text);
    Daemon daemon(folder, {.config = folder / "xsd.conf",
                           .config_option = is_inetd(reference) ? "--inetd" : "--xinetd",
                           .arguments = {}});
    const std::set<std::string> ours = ports();
    EXPECT_EQ(daemon.stop(), 0);
    std::set<std::string> lost;
    std::set_difference(theirs.begin(), theirs.end(), ours.begin(), ours.end(),
                        std::inserter(lost, lost.end()));
    EXPECT_TRUE(lost.empty()) << file.filename() << ": " << name_of(reference) << " listens for "
                              << listed(theirs) << "; we do not for " << listed(lost) << "\n"
                              << text << daemon.log();
    sockets += theirs.size();
  }
  std::printf("%s: %zu configurations, %zu sockets\n", name_of(reference), files.size(), sockets);
}

std::string parameter_name(const testing::TestParamInfo<Reference>& one) {
  return one.param == Reference::Xinetd         ? "xinetd"
         : one.param == Reference::OpenbsdInetd ? "openbsd_inetd"
                                                : "gnu_inetd";
}

INSTANTIATE_TEST_SUITE_P(Of, CorpusTest,
                         testing::Values(Reference::Xinetd, Reference::OpenbsdInetd, Reference::GnuInetd),
                         parameter_name);

}  // namespace
}  // namespace xsd::test
