// SPDX-License-Identifier: Apache-2.0
//
// Text to what it means and back: the entries of only_from and no_access, and the files that they may name.
// Nothing is looked up here.
//
//   192.0.2.7                        that address
//   10.1.0.0                         zeros at the end are wildcards: 10.1.0.0/16; 0.0.0.0 is every IPv4
//   address 10.1.{2,3}, 10.1.2.{3,4}         one for each number in the braces, which end it; parts that are
//   not written
//                                    are wildcards, a zero in the braces is a zero. IPv4 only
//   10.0.0.0/8, 2001:db8::/32        a network; bits behind the length are ignored, as xinetd does
//   2001:db8::1                      that address; :: is that one only
//   ::ffff:192.0.2.7                 the IPv4 address
//   host.example.org, .example.org   a host; all hosts of a domain
//   localnet                         a host, or a network of the networks database
//   file:/abs/path                   the entries of that file
//
// A dot at the end of a name, and the case of its letters, mean nothing. Less than four parts of an IPv4
// address are an error, also in front of a length: `10.1` is 10.0.0.1 to the resolver that xinetd asks, and
// 10.1.0.0/16 to everybody else.
//
// A file of addresses is lines: blanks, an entry, blanks, a comment from `#` on; each may be missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/base/result.h"
#include "xsd/config/address_set.h"
#include "xsd/net/prefix.h"

namespace xsd::config {

class DiagnosticSink;

struct AddressRule {
  enum class Kind : std::uint8_t { Network, Host, HostOrNetwork, Domain, File };
  Kind kind = Kind::Network;
  std::vector<net::Prefix> prefixes;  ///< Network: one, or several in ascending order from braces
  std::string text;  ///< the name, lower case, without a dot at its end (Domain: with the one at its start);
                     ///< File: the path
  friend bool operator==(const AddressRule&, const AddressRule&) = default;
};

/// One entry, without blanks around it. The error is the whole message.
Result<AddressRule> parse_address_rule(std::string_view text);

/// The text that parse_address_rule reads back to the same.
std::string to_string(const AddressRule& rule);

/// What is most likely meant otherwise, as the message of a warning; empty if nothing is. `text` is what the
/// rule was read from.
std::string doubt_about(const AddressRule& rule, std::string_view text);

/// Into `set` with the number `entry`; not for a File.
void add_rule(const AddressRule& rule, std::uint32_t entry, AddressSet& set);

inline constexpr std::size_t kMaxAddressFileSize = std::size_t{1} << 28;
inline constexpr std::size_t kMaxAddressFileEntries = 4'000'000;  ///< networks (braces: each) and names
inline constexpr std::size_t kMaxAddressFileNames = 10'000;       ///< of these
inline constexpr std::size_t kMaxAddressFileErrors = 20;          ///< more are not looked for

/// The text of an address file into `set`; the entry of line N gets the number `base` + N, so 2^28 numbers
/// may be used. `sink` is one for this file; if it has errors afterwards, what the set got is incomplete.
void parse_address_file(std::string_view text, std::uint32_t base, AddressSet& set, DiagnosticSink& sink);

}  // namespace xsd::config
