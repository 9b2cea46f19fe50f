// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/address_set.h"

#include "xsd/base/assert.h"

namespace xsd::config {

void AddressSet::add(NameKind kind, std::string_view name, std::uint32_t entry) {
  XSD_ASSERT(!name.empty() && name.size() <= kLongestName + 1);
  names_.push_back({text_.size(), entry, static_cast<std::uint8_t>(name.size()), kind});
  text_ += name;
}

}  // namespace xsd::config
