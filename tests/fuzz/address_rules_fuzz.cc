// SPDX-License-Identifier: Apache-2.0
//
// The input once as one entry of an address list and once as a file of them. What is accepted can be written
// and reads back to the same; what is not has a message on one line. A file holds what its lines do.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/config/address_rules.h"
#include "xsd/config/diagnostic.h"

using namespace xsd::config;

namespace {

void check_message(std::string_view message) {
  XSD_ASSERT(!message.empty() && message.find('\n') == std::string_view::npos);
}

void check_entry(std::string_view text) {
  const auto rule = parse_address_rule(text);
  if (!rule) return check_message(rule.error().text());
  const auto again = parse_address_rule(to_string(*rule));
  XSD_ASSERT(again.has_value());
  XSD_ASSERT(*again == *rule);
  XSD_ASSERT((rule->kind == AddressRule::Kind::Network) == rule->text.empty());
  XSD_ASSERT((rule->kind == AddressRule::Kind::Network) == !rule->prefixes.empty());
  XSD_ASSERT(std::is_sorted(rule->prefixes.begin(), rule->prefixes.end()));
}

void check_file(std::string_view text) {
  AddressSet set;
  DiagnosticSink sink("list", text);
  parse_address_file(text, 0, set, sink);
  for (const Diagnostic& diagnostic : sink.all())
    check_message(diagnostic.message);
  XSD_ASSERT(sink.error_count() <= kMaxAddressFileErrors + 1);
  if (sink.has_errors()) return;

  AddressSet expected;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (std::uint32_t line = 1; !text.empty(); ++line) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string entry(text.substr(0, std::min(text.find('#'), end)));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (entry.ends_with('\r')) entry.pop_back();
    std::erase_if(entry, [](char c) { return c == ' ' || c == '\t'; });  // none are inside, or it is an error
    if (entry.empty()) continue;
    const auto rule = parse_address_rule(entry);
    XSD_ASSERT(rule.has_value());
    add_rule(*rule, line, expected);
  }
  XSD_ASSERT(set == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_entry(text);
  check_file(text);
  return 0;
}
