// SPDX-License-Identifier: Apache-2.0
//
// Lines: the entries of only_from, a line `--`, those of no_access, a line `--`, then peers with their names
// (or
// `?`, not known) behind them. A line `-` in front of the entries of only_from: there is no only_from. What
// is no entry or no address is left out. AccessList decides as a look at every entry does.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/policy/slow_access.h"
#include "xsd/base/assert.h"
#include "xsd/policy/access_list.h"

using namespace xsd;
using namespace xsd::policy;

namespace {

constexpr std::size_t kMaxEntries = 60;
constexpr std::size_t kMaxPeers = 20;
constexpr std::size_t kMaxNames = 4;

std::string_view take(std::string_view& text, char separator) {
  const auto end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

void check_peer(const slow::Lists& lists, const AccessList& list, std::string_view line) {
  const auto peer = net::SocketAddress::parse(take(line, ' '), 7);
  if (!peer) return;
  bool are_known = true;
  std::vector<std::string> names;
  while (!line.empty() && names.size() < kMaxNames) {
    const std::string_view name = take(line, ' ');
    if (name == "?") are_known = false;
    names.emplace_back(name);
  }
  const auto address = *net::Prefix::of(*peer);
  XSD_ASSERT(list.decide(*peer) == slow::decide(lists, address));
  const AccessDecision decision = list.decide(*peer, {are_known, names});
  XSD_ASSERT(decision == slow::decide(lists, address, are_known, names));
  XSD_ASSERT(decision.access != Access::AskName);
  XSD_ASSERT(!are_known || decision.access == slow::outcome(lists, address, names));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  slow::Lists lists;
  lists.only_from.emplace();
  for (slow::Rules* rules : {&*lists.only_from, &lists.no_access}) {
    while (!text.empty()) {
      const std::string_view line = take(text, '\n');
      if (line == "--") break;
      auto rule = config::parse_address_rule(line);
      if (rule && rule->kind != config::AddressRule::Kind::File && rules->size() < kMaxEntries)
        rules->push_back(std::move(*rule));
    }
  }
  if (size > 1 && data[0] == '-' && data[1] == '\n') lists.only_from.reset();
  const AccessList list = lists.build();
  for (std::size_t i = 0; i < kMaxPeers && !text.empty(); ++i)
    check_peer(lists, list, take(text, '\n'));
  return 0;
}
