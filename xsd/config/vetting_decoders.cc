// SPDX-License-Identifier: Apache-2.0
//
// The key about who else is asked before a client is let in. See value_decoders.h.
#include <algorithm>
#include <string>
#include <string_view>

#include "xsd/base/text.h"
#include "xsd/config/value_decoders.h"

namespace xsd::config::decoders {
namespace {

constexpr std::size_t kLongestName = 255;

/// What hosts_access(5) takes for a part of the name, not for something of its grammar.
bool is_of_names(char c) noexcept {
  constexpr std::string_view kGrammar = ":,@\\#";
  return c > ' ' && c < '\x7F' && kGrammar.find(c) == std::string_view::npos;
}

}  // namespace

void libwrap(DecodeInput& in, const YamlNode& value) {
  constexpr std::string_view kWanted = "true, false or the name in hosts.allow";
  const auto text = scalar_of(in, value, kWanted);
  if (!text) return;
  for (const std::string_view word : {"true", "yes"}) {
    if (!equals_ignoring_case(*text, word)) continue;
    in.draft->clients.edit().libwrap = std::string(kUsualLibwrapName);
    return;
  }
  for (const std::string_view word : {"false", "no"}) {
    if (!equals_ignoring_case(*text, word)) continue;
    in.draft->clients.edit().libwrap.clear();
    return;
  }
  if (text->size() > kLongestName || !std::all_of(text->begin(), text->end(), is_of_names))
    return refuse_value(in, value, kWanted, "a name has no blanks, ':', ',', '@', '#' or '\\'");
  in.draft->clients.edit().libwrap = *text;
}

}  // namespace xsd::config::decoders
