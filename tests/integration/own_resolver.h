// SPDX-License-Identifier: Apache-2.0
//
// OwnResolver: names of the test's own. A network with nothing but a loopback interface, where the only name
// server is one of the test's; a resolv.conf, an nsswitch.conf and what else the test likes lie over the
// machine's, for this process and what it starts. The server answers from a table, or takes every question
// and never answers. Needs root.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/integration/harness/harness.h"

namespace xsd::test {

class OwnResolver {
 public:
  /// `hosts`: IPv4 addresses and names, of both directions.
  OwnResolver(const TempFolder& folder, const std::vector<std::pair<std::string, std::string>>& hosts);
  ~OwnResolver();
  OwnResolver(const OwnResolver&) = delete;
  OwnResolver& operator=(const OwnResolver&) = delete;

  /// Empty if it is there.
  const std::string& why_not() const noexcept { return why_not_; }
  /// The address has this name, which leads nowhere, or to another one.
  void add_reverse(const std::string& address, const std::string& name);
  void add_forward(const std::string& name, const std::string& address);
  /// From now on it answers, or does not.
  void set_silent(bool silent) noexcept { silent_ = silent; }
  /// Puts a text over a file of the machine.
  void cover(const char* path, std::string_view text);

  /// Waits until a question has come since `forget` (or the start).
  bool is_asked() const;
  std::size_t questions() const noexcept { return questions_; }
  void forget() noexcept { questions_ = 0; }

 private:
  void serve();
  std::string answer_to(std::string_view question);

  OwnNetwork network_;
  std::filesystem::path folder_;
  std::string why_not_;
  std::vector<std::string> covered_;
  int server_ = -1;
  std::mutex mutex_;
  std::multimap<std::string, std::string> records_;  ///< by type and name, as they are asked for
  std::atomic<bool> silent_ = false;
  std::atomic<bool> ends_ = false;
  std::atomic<std::size_t> questions_ = 0;
  std::thread thread_;
};

/// Asks an echo service, one client after the other, until it is over: at least a hundred are answered,
/// nearly all of them within 100 ms and none after more than 500 (row sys_3 of reliability.md). The figures
/// become properties of the test.
void expect_prompt_echoes(std::uint16_t port, const std::function<bool()>& is_over);

}  // namespace xsd::test
