// SPDX-License-Identifier: Apache-2.0
//
// Twins: a reference (xinetd, or an inetd) and xsd, side by side in a network of their own that knows no
// names, each with the same configuration. What clients see of the one they shall see of the other; where
// not, the list of differences in packaging/doc says so.
//
//     Twins twins;                                             // or Twins(Reference::OpenbsdInetd)
//     twins.write("service one\n{\n ... port = @1@\n}\n");      // @1@ to @9@: ports, @FOLDER@: the side's
//     own twins.start(); twins.expect_same("the answer", [](const Side& side) { return ask(side.port(1)); });
//
// An inetd has its internal services at their own ports only, so beside it xsd runs with all ports some
// higher.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/harness/harness.h"
#include "tests/integration/harness/own_network.h"
#include "tests/integration/references.h"

namespace xsd::test {

class Side {
 public:
  explicit Side(std::string name) : name_(std::move(name)), ports_(free_ports(9)) {}
  const std::string& name() const noexcept { return name_; }
  std::uint16_t port(int number) const { return well_known(ports_.at(static_cast<std::size_t>(number) - 1)); }
  /// Where the service that the configuration has at this port is reached.
  std::uint16_t well_known(std::uint16_t port) const {
    return static_cast<std::uint16_t>(port + port_offset_);
  }
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
  std::uint16_t port_offset_ = 0;
  std::unique_ptr<ReferenceDaemon> reference_;
  std::unique_ptr<Daemon> xsd_;
};

class Twins {
 public:
  using Observe = std::function<std::string(Side&)>;

  explicit Twins(Reference reference = Reference::Xinetd);
  /// Empty if both can be run here.
  std::string why_not() const;

  /// One more of this machine.
  void add_address(const char* address) { network_.add_address(address); }
  /// The main file of both.
  void write(const std::string& text);
  void write_file(const std::string& name, const std::string& text);
  void start();
  void reload();
  void expect_same(std::string_view what, const Observe& observe);
  /// `listed`: the heading in the list of differences, without its marks.
  void expect_difference(std::string_view listed, const std::string& of_reference, const std::string& of_xsd,
                         const Observe& observe);

  Side& reference() noexcept { return reference_; }
  Side& xsd() noexcept { return xsd_; }

 private:
  bool is_listed(std::string_view heading) const;

  Reference kind_;
  OwnNetwork network_;
  Side reference_;
  Side xsd_{"xsd"};
};

// What clients see, as texts to compare.

std::string name_of(Ending ending);
/// What a client gets that says something, waits for the answer and ends its own direction: "answer|ending".
std::string talk(std::uint16_t port, const std::string& text, const std::string& source = "",
                 const std::string& host = "127.0.0.1");
/// "served" or "refused" by /bin/cat: whether what was sent meanwhile turns the end into a reset is a matter
/// of time.
std::string try_cat(std::uint16_t port, const std::string& source = "",
                    const std::string& host = "127.0.0.1");
/// What becomes of a client of /bin/cat at port 1 when the daemon is told to end: "alive", or how it is
/// closed.
std::string stop_beside_client(Side& side);
/// 9 for each digit, A for each capital letter, a for each small one.
std::string form_of(std::string text);

}  // namespace xsd::test
