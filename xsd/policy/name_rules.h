// SPDX-License-Identifier: Apache-2.0
//
// NameRules: the hosts and domains of only_from and no_access, to be asked for a peer's name. `.example.org`
// holds every name that ends in it and has something in front, so neither example.org nor badexample.org.
// Case and a dot at the end of the name mean nothing. Built once; asking neither allocates nor fails.
//
// One table of hashes for both kinds and both lists: a name is hashed once, from its end, so that on the way
// to its front the hash of each domain that it belongs to comes by. What only_from has and no_access holds
// all of is not in it: it lets nobody in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/config/address_set.h"

namespace xsd::policy {

class NameRules {
 public:
  struct Match {
    std::uint32_t entry = 0;
    bool is_host = false;  ///< else a domain
    friend bool operator==(const Match&, const Match&) = default;
  };
  /// Of each list the host, or else the longest domain. The same name twice in a list: the lower entry.
  struct Matches {
    std::optional<Match> only_from;
    std::optional<Match> no_access;
  };

  NameRules() = default;
  /// Names that may be a network count as hosts. `only_from` may be nullptr.
  NameRules(const config::AddressSet* only_from, const config::AddressSet& no_access);

  bool has_only_from() const noexcept { return only_from_hosts_ + only_from_domains_ > 0; }
  bool has_only_from_hosts() const noexcept { return only_from_hosts_ > 0; }
  bool has_no_access() const noexcept { return no_access_ > 0; }
  Matches find(std::string_view name) const noexcept;

 private:
  struct Rule {
    std::size_t offset;
    std::uint32_t entry;
    std::uint8_t length;
    bool is_no_access;
  };
  /// The hash stands here, so that what is not there is mostly found out by one access.
  struct Place {
    std::uint32_t hash = 0;
    std::uint32_t rule = 0;  ///< 1 + its index, 0: free
  };

  std::string_view text_of(const Rule& rule) const noexcept {
    return std::string_view(text_).substr(rule.offset, rule.length);
  }
  void add(std::string_view text, std::uint32_t entry, bool is_no_access);
  const Rule* rule_at(std::string_view text, std::uint32_t hash) const noexcept;
  struct Rules {
    const Rule* only_from = nullptr;
    const Rule* no_access = nullptr;
  };
  /// `name` may be a domain with its dot, which is held by itself and those above it.
  Rules search(std::string_view name) const noexcept;

  std::string text_;
  std::vector<Rule> rules_;
  std::vector<Place> places_;  ///< a power of two, at least half of them free
  std::size_t only_from_hosts_ = 0;
  std::size_t only_from_domains_ = 0;
  std::size_t no_access_ = 0;
};

}  // namespace xsd::policy
