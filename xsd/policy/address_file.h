// SPDX-License-Identifier: Apache-2.0
//
// AddressFileRules: what a file of addresses means, made once and then only asked. It can be made by another
// process and used where it lies: the networks are taken over as they are, and of names there are few.
//
// AddressFile: one file in use. Its rules are exchanged when it has been read anew, for all services that
// name it at once; who asks looks at them anew each time. The memory that they lie in can be lent to other
// processes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "xsd/base/unique_fd.h"
#include "xsd/config/address_set.h"
#include "xsd/net/prefix_map.h"
#include "xsd/policy/name_rules.h"

namespace xsd::policy {

class AddressFileRules {
 public:
  explicit AddressFileRules(const config::AddressSet& set)
      : networks_(set.networks()), names_(nullptr, set) {}

  std::optional<net::PrefixMap::Match> find(const net::Prefix& address) const noexcept {
    return networks_.find(address);
  }
  std::optional<NameRules::Match> find_name(std::string_view name) const noexcept {
    return names_.find(name).no_access;
  }
  bool has_names() const noexcept { return names_.has_no_access(); }
  std::size_t networks() const noexcept { return networks_.size(); }

  /// A set, for `view` in another process of this program.
  static std::string encode(const config::AddressSet& set);
  /// `bytes` lie at an address that is a multiple of 8, held by `keep`. nullptr if they make no sense.
  static std::shared_ptr<const AddressFileRules> view(std::string_view bytes,
                                                      std::shared_ptr<const void> keep);

 private:
  AddressFileRules(net::PrefixMap networks, const config::AddressSet& names)
      : networks_(std::move(networks)), names_(nullptr, names) {}

  net::PrefixMap networks_;
  NameRules names_;
};

struct AddressFile {
  std::string path;
  std::shared_ptr<const AddressFileRules> rules{};  ///< nullptr: it was never read
  std::shared_ptr<const UniqueFd> memory{};         ///< sealed; nullptr: it is not to be lent
  std::uint64_t version = 0;                        ///< of the rules
};

}  // namespace xsd::policy
