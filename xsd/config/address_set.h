// SPDX-License-Identifier: Apache-2.0
//
// AddressSet: what the entries of a list of addresses mean (only_from, no_access), as a value that stays
// small when there are a million of them: networks side by side, and the names in one text. Each knows the
// number of the entry that it comes from; who fills the set gives the numbers, the lower one counting first
// where two entries mean the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/net/prefix_map.h"

namespace xsd::config {

class AddressSet {
 public:
  enum class NameKind : std::uint8_t {
    Host,           ///< host.example.org
    HostOrNetwork,  ///< no dot in it: a host, or a network of the networks database
    Domain,         ///< .example.org, with its dot
  };
  struct Name {
    std::size_t offset = 0;
    std::uint32_t entry = 0;
    std::uint8_t length = 0;
    NameKind kind = NameKind::Host;
    friend bool operator==(const Name&, const Name&) = default;
  };
  static constexpr std::size_t kLongestName = 253;  ///< RFC 1035; a domain with its dot has one more

  void add(const net::Prefix& prefix, std::uint32_t entry) { networks_.push_back({prefix, entry}); }
  /// `name`: lower case, no dot at the end, at most kLongestName + 1 bytes.
  void add(NameKind kind, std::string_view name, std::uint32_t entry);

  const std::vector<net::PrefixMap::Entry>& networks() const noexcept { return networks_; }
  const std::vector<Name>& names() const noexcept { return names_; }
  std::string_view text_of(const Name& name) const noexcept {
    return std::string_view(text_).substr(name.offset, name.length);
  }
  std::size_t size() const noexcept { return networks_.size() + names_.size(); }

  friend bool operator==(const AddressSet&, const AddressSet&) = default;

 private:
  std::vector<net::PrefixMap::Entry> networks_;
  std::vector<Name> names_;
  std::string text_;
};

}  // namespace xsd::config
