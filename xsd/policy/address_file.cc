// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/address_file.h"

#include <utility>

#include "xsd/base/wire.h"

namespace xsd::policy {

using config::AddressSet;

// How long the networks are, the networks (aligned), then the names.
std::string AddressFileRules::encode(const AddressSet& set) {
  std::string out(sizeof(std::uint64_t), '\0');
  net::PrefixMap(set.networks()).append_to(out);
  const std::uint64_t length = out.size() - sizeof length;
  std::memcpy(out.data(), &length, sizeof length);
  put_number(out, static_cast<std::uint32_t>(set.names().size()));
  for (const AddressSet::Name& name : set.names()) {
    put_number(out, name.kind);
    put_number(out, name.entry);
    put_text(out, set.text_of(name));
  }
  return out;
}

std::shared_ptr<const AddressFileRules> AddressFileRules::view(std::string_view bytes,
                                                               std::shared_ptr<const void> keep) {
  WireReader reader(bytes);
  const auto length = reader.get<std::uint64_t>();
  auto networks = net::PrefixMap::view(reader.take(static_cast<std::size_t>(length)), std::move(keep));
  AddressSet names;
  for (std::size_t left = reader.count(sizeof(std::uint32_t)); left > 0; --left) {
    const auto kind = reader.choice(AddressSet::NameKind::Domain);
    const auto entry = reader.get<std::uint32_t>();
    const std::string_view text = reader.text(AddressSet::kLongestName + 1);
    if (reader.failed() || text.empty()) return nullptr;
    names.add(kind, text, entry);
  }
  if (!networks || !reader.is_complete()) return nullptr;
  return std::shared_ptr<const AddressFileRules>(new AddressFileRules(std::move(*networks), names));
}

}  // namespace xsd::policy
