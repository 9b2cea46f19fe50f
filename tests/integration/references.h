// SPDX-License-Identifier: Apache-2.0
//
// References: the super-servers that xsd is compared with, as `make deps` unpacks them beside the build. One
// runs in the foreground, reads a file in the test's folder and writes nothing elsewhere. Needs root. Tests
// skip one that is not there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/harness/harness.h"

namespace xsd::test {

enum class Reference : std::uint8_t { Xinetd, OpenbsdInetd, GnuInetd };

const char* name_of(Reference reference);
bool is_inetd(Reference reference);
/// Empty if it can be run here.
std::string why_not(Reference reference);

class ReferenceDaemon {
 public:
  ReferenceDaemon(Reference reference, const TempFolder& folder);

  /// The main file, from the next start or reload on. That of an inetd gets an entry before all others, at a
  /// port that changes each time: an inetd says nothing when it has read its file, but it answers there only
  /// then.
  void write(const std::string& text) { text_ = text; }
  /// Waits until what is written is served.
  void start(const StartOptions& options = {});
  /// HUP, and the same.
  void reload();
  /// TERM, and waits for the end.
  void terminate();

  pid_t pid() const { return process_->pid(); }
  /// The port of the entry that was added last.
  std::uint16_t sign_port() const { return sign_ports_.at(version_ % sign_ports_.size()); }
  std::string log() const;

 private:
  void write_file();
  bool serves_the_file(std::size_t reloads_wanted) const;
  std::size_t reloads() const;

  Reference reference_;
  const TempFolder& folder_;
  std::vector<std::uint16_t> sign_ports_ = free_ports(2);
  std::size_t version_ = 0;
  std::string text_;
  std::unique_ptr<Process> process_;
};

}  // namespace xsd::test
