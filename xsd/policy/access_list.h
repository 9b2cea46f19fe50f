// SPDX-License-Identifier: Apache-2.0
//
// AccessList: whether a peer may connect, by only_from and no_access. A value, built once from what the lists
// mean; deciding is pure, allocates nothing and takes less than a microsecond.
//
// By address: the longest network of both lists that holds the peer decides, no_access where both have it. In
// none: without only_from it may, with only_from (also an empty one) it may not.
//
// By name, where a list has names. A peer's names are those that lead back to its address; who asks for them
// sees to that.
//
//   no_access has it, as a host or in a domain   refused, whatever else there is
//   only_from has it as a host                   as if only_from had the address alone
//   only_from has it in a domain                 counts less than any network of no_access
//   there is none                                names in the lists do not match
//   it could not be found out                    names in only_from do not match, names in no_access might:
//                                                refused where no_access has any
//
// AskName is answered only where a name would lead to another answer than no name: nobody is looked up
// without need. A name in only_from that no_access refuses anyway is no such reason.
//
// A file may stand for any number of entries of a list. The files are looked at one after the other, so they
// should be few.
//
// Peers of unix sockets are let in always: who may connect there is the permissions of the file. A peer whose
// address is not known is refused where there is any list.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/config/address_set.h"
#include "xsd/net/address.h"
#include "xsd/net/prefix_map.h"
#include "xsd/policy/address_file.h"
#include "xsd/policy/name_rules.h"

namespace xsd::policy {

enum class Access : std::uint8_t { Allow, Refuse, AskName };

/// What an answer comes from.
enum class AccessBasis : std::uint8_t {
  Unlisted,  ///< no entry: what holds for everybody else
  Network,   ///< an entry of a list, of these three kinds
  Host,
  Domain,
  NameUnknown,  ///< a name decides, and it could not be found out
  NoAddress,    ///< neither of IP nor of a unix socket
  FileUnread,   ///< a file of the lists was never read
  UnixSocket,
};

enum class AccessListKind : std::uint8_t { OnlyFrom, NoAccess };

struct AccessDecision {
  Access access = Access::Allow;
  AccessBasis basis = AccessBasis::Unlisted;       ///< AskName: of what the address alone says
  AccessListKind list = AccessListKind::OnlyFrom;  ///< this and `entry` are of an entry only
  std::uint32_t entry = 0;                         ///< its number in the AddressSet
  friend bool operator==(const AccessDecision&, const AccessDecision&) = default;
};

/// What was learned about a peer's names.
struct PeerNames {
  bool are_known = false;              ///< if not, it could not be found out whether there are any
  std::span<const std::string> names;  ///< borrowed; empty if there are none
};

class AccessList {
 public:
  static constexpr std::uint32_t kMaxEntry = 0x7FFFFFFF;

  /// Lets everybody in.
  AccessList() = default;
  /// Without only_from everybody may whom no_access does not name. Entries have numbers up to kMaxEntry.
  AccessList(const std::optional<config::AddressSet>& only_from, const config::AddressSet& no_access);

  /// The entries of a file besides; one that was never read is as if it decided against everybody.
  void add_file(AccessListKind list, std::shared_ptr<const AddressFile> file);

  AccessDecision decide(const net::SocketAddress& peer) const noexcept;
  /// Never AskName.
  AccessDecision decide(const net::SocketAddress& peer, const PeerNames& names) const noexcept;

  std::size_t bytes() const noexcept { return networks_.bytes(); }  ///< of memory, without names

 private:
  struct ByAddress {
    AccessDecision decision;
    bool can_be_let_in = false;   ///< by the right name
    bool can_be_refused = false;  ///< by one
    bool needs_host = false;      ///< a domain is not enough to be let in
  };
  ByAddress by_address(const net::SocketAddress& peer) const noexcept;
  struct File {
    AccessListKind list;
    std::shared_ptr<const AddressFile> file;
  };
  /// The longest network of all.
  struct Longest {
    AccessDecision decision;
    unsigned bits = 0;
    bool is_any = false;
  };
  Longest find_longest(const net::Prefix& address) const noexcept;
  bool has_names(AccessListKind list, bool hosts_only) const noexcept;
  /// The entry of a file of this list that holds the name.
  std::optional<NameRules::Match> find_in_files(AccessListKind list, std::string_view name) const noexcept;

  net::PrefixMap networks_;  ///< of both lists; what the numbers mean: access_list.cc
  NameRules names_;
  std::vector<File> files_;
  bool has_only_from_ = false;
  bool has_no_access_ = false;
};

}  // namespace xsd::policy
