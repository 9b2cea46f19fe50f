// SPDX-License-Identifier: Apache-2.0
//
// Twins: xinetd and `xsd --xinetd`, side by side in a network of their own that knows no names, each with the
// same configuration on ports of its own. What clients see of the one they shall see of the other; where not,
// packaging/doc/xinetd-differences.md lists it.
//
//     Twins twins;
//     twins.write("service one\n{\n ... port = @1@\n}\n");      // @1@ to @9@: ports, @FOLDER@: the side's
//     own twins.start(); twins.expect_same("the answer", [](const Side& side) { return ask(side.port(1)); });
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/harness/harness.h"
#include "tests/integration/harness/own_network.h"

namespace xsd::test {

class Side {
 public:
  explicit Side(std::string name) : name_(std::move(name)), ports_(free_ports(9)) {}
  const std::string& name() const noexcept { return name_; }
  std::uint16_t port(int number) const { return ports_.at(static_cast<std::size_t>(number) - 1); }
  const TempFolder& folder() const noexcept { return folder_; }
  pid_t pid() const;
  /// TERM, and waits for the end.
  void terminate();
  /// HUP, and waits until it was taken.
  void reload();

 private:
  friend class Twins;
  std::string fill_in(std::string text) const;

  std::string name_;
  TempFolder folder_;
  std::vector<std::uint16_t> ports_;
  std::unique_ptr<Process> xinetd_;
  std::unique_ptr<Daemon> xsd_;
};

class Twins {
 public:
  using Observe = std::function<std::string(Side&)>;

  Twins();
  /// Empty if both can be run here.
  std::string why_not() const;

  /// The main file of both.
  void write(const std::string& text);
  void write_file(const std::string& name, const std::string& text);
  void start();
  void reload();
  void expect_same(std::string_view what, const Observe& observe);
  /// `listed`: the heading in the list of differences, without its marks.
  void expect_difference(std::string_view listed, const std::string& of_xinetd, const std::string& of_xsd,
                         const Observe& observe);

  Side& xinetd() noexcept { return xinetd_; }
  Side& xsd() noexcept { return xsd_; }

 private:
  OwnNetwork network_;
  Side xinetd_{"xinetd"};
  Side xsd_{"xsd"};
};

}  // namespace xsd::test
