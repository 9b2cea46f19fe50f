// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/name_rules.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace xsd::policy {
namespace {

using Kind = config::AddressSet::NameKind;
using Match = NameRules::Match;

config::AddressSet make_set(const std::vector<std::string>& names) {
  config::AddressSet set;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Kind kind = names[i].starts_with('.')                 ? Kind::Domain
                      : names[i].find('.') == std::string::npos ? Kind::HostOrNetwork
                                                                : Kind::Host;
    set.add(kind, names[i], static_cast<std::uint32_t>(i));
  }
  return set;
}

/// Of only_from; those of no_access behave alike.
NameRules make(const std::vector<std::string>& names) {
  const config::AddressSet set = make_set(names);
  return {&set, {}};
}

std::optional<Match> find(const NameRules& rules, std::string_view name) {
  return rules.find(name).only_from;
}

TEST(NameRules, holds_nothing_at_first) {
  for (const NameRules& rules : {NameRules(), NameRules(nullptr, {}), make({})}) {
    EXPECT_FALSE(rules.has_only_from() || rules.has_no_access());
    EXPECT_FALSE(find(rules, "host.example.org"));
    EXPECT_FALSE(find(rules, ""));
  }
}

TEST(NameRules, finds_hosts) {
  const NameRules rules = make({"host.example.org", "localhost"});
  EXPECT_TRUE(rules.has_only_from());
  EXPECT_TRUE(rules.has_only_from_hosts());
  EXPECT_FALSE(rules.has_no_access());
  for (const std::string_view name : {"host.example.org", "HOST.Example.org", "host.example.org."})
    EXPECT_EQ(find(rules, name), (Match{0, true})) << name;
  EXPECT_EQ(find(rules, "localhost"), (Match{1, true}));
  for (const std::string_view name :
       {"", ".", "..", "example.org", "a.host.example.org", "host.example.org..", "host.example",
        ".host.example.org", "localhost.localdomain"}) {
    EXPECT_FALSE(find(rules, name)) << name;
  }
}

TEST(NameRules, finds_what_is_in_a_domain) {
  const NameRules rules = make({".example.org"});
  EXPECT_TRUE(rules.has_only_from());
  EXPECT_FALSE(rules.has_only_from_hosts());
  for (const std::string_view name : {"a.example.org", "a.b.example.org", "A.EXAMPLE.ORG."})
    EXPECT_EQ(find(rules, name), (Match{0, false})) << name;
  for (const std::string_view name :
       {"example.org", ".example.org", "..example.org", "badexample.org", "a.example.org.uk", "org"})
    EXPECT_FALSE(find(rules, name)) << name;
  EXPECT_EQ(find(rules, std::string(100'000, 'x') + ".example.org"), (Match{0, false}));
}

TEST(NameRules, prefers_the_host_then_the_longest_domain_then_the_first) {
  const NameRules rules =
      make({".org", ".example.org", "a.example.org", ".example.org", "a.example.org", ".b.example.org"});
  EXPECT_EQ(find(rules, "a.example.org"), (Match{2, true}));
  EXPECT_EQ(find(rules, "c.example.org"), (Match{1, false}));
  EXPECT_EQ(find(rules, "c.b.example.org"), (Match{5, false}));
  EXPECT_EQ(find(rules, "example.org"), (Match{0, false}));
}

TEST(NameRules, leaves_out_what_the_other_list_holds) {
  const config::AddressSet only_from =
      make_set({".example.org", ".b.example.org", "a.example.org", "host.example.com", "example.org",
                ".host.example.com", ".org"});
  const NameRules rules(&only_from, make_set({".example.org", "host.example.com"}));
  EXPECT_EQ(find(rules, "example.org"), (Match{4, true}));
  EXPECT_EQ(find(rules, "x.host.example.com"), (Match{5, false}));
  EXPECT_EQ(find(rules, "a.example.org"), (Match{6, false}));
  EXPECT_EQ(find(rules, "x.b.example.org"), (Match{6, false}));
  EXPECT_FALSE(find(rules, "host.example.com"));
  EXPECT_EQ(rules.find("x.b.example.org").no_access, (Match{0, false}));
  EXPECT_EQ(rules.find("host.example.com").no_access, (Match{1, true}));
  EXPECT_FALSE(rules.find("x.host.example.com").no_access);
  EXPECT_TRUE(rules.has_no_access());

  const config::AddressSet held = make_set({"a.b", ".b"});
  EXPECT_FALSE(NameRules(&held, make_set({".b"})).has_only_from());
  EXPECT_FALSE(NameRules(&held, make_set({"a.b", "x"})).has_only_from_hosts());
}

TEST(NameRules, tells_many_apart) {
  std::vector<std::string> names;
  for (unsigned i = 0; i < 20'000; ++i)
    names.push_back((i % 2 == 0 ? "host" : ".net") + std::to_string(i) + ".example.org");
  const NameRules rules = make(names);
  for (unsigned i = 0; i < names.size(); ++i) {
    const bool is_host = i % 2 == 0;
    EXPECT_EQ(find(rules, is_host ? names[i] : "x" + names[i]), (Match{i, is_host}));
    EXPECT_FALSE(find(rules, "y" + names[i].substr(is_host ? 0 : 1)));
  }
}

}  // namespace
}  // namespace xsd::policy
