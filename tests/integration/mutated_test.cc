// SPDX-License-Identifier: Apache-2.0
//
// Files with small faults by chance, as a slip of the hand makes them: whatever they are, a check and a
// reload answer with a place, and nobody loses a service (row cfg_1 of reliability.md). With XSD_TEST_FULL=1
// there are 1000, otherwise 150; the seed is fixed.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <regex>

#include <gtest/gtest.h>

#include "tests/integration/harness/harness.h"
#include "tests/integration/harness/own_network.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;

constexpr Milliseconds kBound(5000);

class Mutator {
 public:
  std::string mutate(std::string text) {
    for (int i = 1 + pick(3); i > 0; --i)
      change(text);
    return text;
  }

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::size_t place(const std::string& text) { return text.empty() ? 0 : random_() % text.size(); }

  void change(std::string& text) {
    static const std::string kBytes = "{}[]:,=+-#'\"\\%&*!|>@` \t\n\r/.09azAZ\x01\x7f\xc3\xff";
    static const char* const kValues[] = {
        "0",    "-1",   "65536", "99999999999999999999", "unlimited",   "yes", "~", "''", "{", "[", "1e3",
        "0x10", "%{x}", "::",    "10.0.0.0/33",          "\xe2\x80\x8b"};
    const std::size_t at = place(text);
    switch (pick(7)) {
      case 0:
        text.erase(at, 1);
        break;
      case 1:
        text.insert(at, 1, kBytes[random_() % kBytes.size()]);
        break;
      case 2:
        text.resize(at);
        break;
      case 3: {  // a line twice
        const std::size_t begin = text.rfind('\n', at) + 1;
        const std::size_t end = std::min(text.find('\n', at), text.size());
        if (begin < end) text.insert(begin, text.substr(begin, end - begin) + "\n");
        break;
      }
      case 4: {  // a line less
        const std::size_t begin = text.rfind('\n', at) + 1;
        text.erase(begin, text.find('\n', at) - begin);
        break;
      }
      case 5: {  // another value
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::size_t begin = text.find_last_of(" \t", end == 0 ? 0 : end - 1);
        if (begin != std::string::npos && begin < end)
          text.replace(begin + 1, end - begin - 1, kValues[pick(static_cast<int>(std::size(kValues)))]);
        break;
      }
      default:
        if (!text.empty()) text[at] = static_cast<char>(random_() % 256);
    }
  }

  std::mt19937 random_{20261129};
};

std::size_t wanted() {
  const char* const full = std::getenv("XSD_TEST_FULL");
  return full != nullptr && std::string_view(full) == "1" ? 500 : 75;
}

std::vector<std::string> texts_below(const std::string& folder, const std::string& ending) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(XSD_TEST_DATA "/config/" + folder)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(ending) && !name.starts_with("main_")) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> texts;
  for (const fs::path& path : paths)
    texts.push_back(read_file(path));
  return texts;
}

/// Each mutant as the file `name` of a running daemon, which also serves `port`.
void try_mutants(const std::vector<std::string>& texts, const TempFolder& folder, const std::string& name,
                 const DaemonOptions& options, std::uint16_t port) {
  ASSERT_FALSE(texts.empty());
  Daemon daemon(folder, options);
  Mutator mutator;
  Milliseconds slowest_reload(0);
  Milliseconds slowest_check(0);
  const std::regex place(name + ":[0-9]+:[0-9]+: error: |" + name + ": error: ");
  std::size_t faulty = 0;
  for (std::size_t i = 0; i < wanted(); ++i) {
    const std::string text = mutator.mutate(texts[i % texts.size()]);
    folder.write(name, text);
    const auto before_check = std::chrono::steady_clock::now();
    const RunResult check = run_xsd({options.config_option, options.config.string(), "--check"});
    const auto before_reload = std::chrono::steady_clock::now();
    const std::string summary = daemon.hup_and_wait();
    const auto after = std::chrono::steady_clock::now();
    slowest_check =
        std::max(slowest_check, std::chrono::duration_cast<Milliseconds>(before_reload - before_check));
    slowest_reload =
        std::max(slowest_reload, std::chrono::duration_cast<Milliseconds>(after - before_reload));
    ASSERT_TRUE(check.status == 0 || check.status == 78) << check.status << " of\n"
                                                         << text << check.out << check.err;
    if (check.status == 78) {
      ++faulty;
      EXPECT_TRUE(std::regex_search(check.out, place)) << "without a place:\n" << check.out << "of\n" << text;
    }
    EXPECT_NE(summary, "") << text;
    EXPECT_TRUE(echoes(port)) << text;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_LE(slowest_check, kBound);
  EXPECT_LE(slowest_reload, kBound);
  EXPECT_GE(faulty, wanted() / 4);
  EXPECT_EQ(daemon.stop(), 0);
  std::printf("%zu mutants, %zu of them faulty; the slowest check took %lld ms, the slowest reload %lld ms\n",
              wanted(), faulty, static_cast<long long>(slowest_check.count()),
              static_cast<long long>(slowest_reload.count()));
}

TEST(MutatedFiles, cost_nobody_a_service) {
  const OwnNetwork network;  // some are good, and get the ports that they want
  if (!network.why_not().empty()) GTEST_SKIP() << network.why_not();
  const TempFolder folder;
  const std::uint16_t port = free_port();
  folder.write("conf.d/echo.yaml", echo_service("echo-that-stays", port));
  try_mutants(texts_below("good", ".yaml"), folder, "conf.d/mutant.yaml", {.config = folder / "conf.d"},
              port);
}

TEST(MutatedFiles, of_xinetd_cost_nobody_a_service) {
  const OwnNetwork network;
  if (!network.why_not().empty()) GTEST_SKIP() << network.why_not();
  const TempFolder folder;
  const std::uint16_t port = free_port();
  folder.make_folder("xinetd.d");
  folder.write("xinetd.conf",
               "service echo-that-stays\n{\n type = UNLISTED\n socket_type = stream\n protocol = tcp\n"
               " wait = no\n user = nobody\n server = /bin/cat\n port = " +
                   std::to_string(port) + "\n cps = 0 0\n}\nincludedir " + folder.string("xinetd.d") + "\n");
  try_mutants(texts_below("xinetd", ".conf"), folder, "xinetd.d/mutant",
              {.config = folder / "xinetd.conf", .config_option = "--xinetd"}, port);
}

}  // namespace
}  // namespace xsd::test
