// SPDX-License-Identifier: Apache-2.0
#include "xsd/policy/access_list.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/policy/slow_access.h"

namespace xsd::policy {
namespace {

using net::SocketAddress;
using Strings = std::vector<std::string>;
using Basis = AccessBasis;
constexpr AccessListKind kOnlyFrom = AccessListKind::OnlyFrom;
constexpr AccessListKind kNoAccess = AccessListKind::NoAccess;

slow::Rules rules(const Strings& entries) {
  slow::Rules out;
  for (const std::string& entry : entries) {
    auto rule = config::parse_address_rule(entry);
    EXPECT_TRUE(rule) << entry;
    if (rule) out.push_back(*rule);
  }
  return out;
}

AccessList make(const std::optional<Strings>& only_from, const Strings& no_access = {}) {
  slow::Lists lists;
  if (only_from) lists.only_from = rules(*only_from);
  lists.no_access = rules(no_access);
  return lists.build();
}

SocketAddress peer(std::string_view address) {
  const auto parsed = SocketAddress::parse(address, 4711);
  EXPECT_TRUE(parsed) << address;
  return *parsed;
}

AccessDecision ask(const AccessList& list, std::string_view address) {
  return list.decide(peer(address));
}
AccessDecision ask(const AccessList& list, std::string_view address, const Strings& names) {
  return list.decide(peer(address), {true, names});
}
AccessDecision ask_unknown(const AccessList& list, std::string_view address) {
  return list.decide(peer(address), {});
}

constexpr AccessDecision allowed(Basis basis = Basis::Unlisted, std::uint32_t entry = 0) {
  return {Access::Allow, basis, kOnlyFrom, entry};
}
constexpr AccessDecision refused(Basis basis = Basis::Unlisted, AccessListKind list = kOnlyFrom,
                                 std::uint32_t entry = 0) {
  return {Access::Refuse, basis, list, entry};
}

TEST(AccessList, lets_everybody_in_without_lists) {
  EXPECT_EQ(ask(AccessList(), "10.0.0.1"), allowed());
  EXPECT_EQ(ask(make(std::nullopt), "2001:db8::1"), allowed());
  EXPECT_EQ(AccessList().decide(SocketAddress()), allowed(Basis::NoAddress));
}

TEST(AccessList, lets_nobody_in_by_an_empty_only_from) {
  EXPECT_EQ(ask(make(Strings{}), "10.0.0.1"), refused());
  EXPECT_EQ(ask(make(Strings{}), "::1"), refused());
}

TEST(AccessList, decides_by_the_longest_network) {
  const AccessList list = make(Strings{"10.0.0.0/8", "10.1.2.0/24"}, {"10.1.0.0/16", "10.1.2.3"});
  EXPECT_EQ(ask(list, "10.2.0.1"), allowed(Basis::Network, 0));
  EXPECT_EQ(ask(list, "10.1.0.1"), refused(Basis::Network, kNoAccess, 0));
  EXPECT_EQ(ask(list, "10.1.2.4"), allowed(Basis::Network, 1));
  EXPECT_EQ(ask(list, "10.1.2.3"), refused(Basis::Network, kNoAccess, 1));
  EXPECT_EQ(ask(list, "::ffff:10.1.2.3"), refused(Basis::Network, kNoAccess, 1));
  EXPECT_EQ(ask(list, "11.0.0.1"), refused());
  EXPECT_EQ(ask(list, "::1"), refused());
}

TEST(AccessList, refuses_on_a_tie) {
  const AccessList list = make(Strings{"10.0.0.0/8", "::1"}, {"192.0.2.0", "10.0.0.0", "::1"});
  EXPECT_EQ(ask(list, "10.0.0.1"), refused(Basis::Network, kNoAccess, 1));
  EXPECT_EQ(ask(list, "::1"), refused(Basis::Network, kNoAccess, 2));
}

TEST(AccessList, names_the_first_of_equal_entries) {
  EXPECT_EQ(ask(make(Strings{"10.1.2.3", "10.0.0.0/8", "10.0.0.0"}), "10.0.0.1"), allowed(Basis::Network, 1));
}

TEST(AccessList, allows_whom_no_access_does_not_name) {
  const AccessList list = make(std::nullopt, {"10.0.0.0"});
  EXPECT_EQ(ask(list, "10.0.0.1"), refused(Basis::Network, kNoAccess, 0));
  EXPECT_EQ(ask(list, "11.0.0.1"), allowed());
  EXPECT_EQ(ask(list, "2001:db8::1"), allowed());
}

TEST(AccessList, takes_each_family_for_itself) {
  EXPECT_EQ(ask(make(Strings{"0.0.0.0"}), "::1"), refused());
  EXPECT_EQ(ask(make(Strings{"::/0"}), "10.0.0.1"), refused());
  EXPECT_EQ(ask(make(Strings{"::/0"}), "::1"), allowed(Basis::Network, 0));
  EXPECT_EQ(ask(make(Strings{"0.0.0.0/0", "::/0"}), "::1"), allowed(Basis::Network, 1));
}

TEST(AccessList, lets_unix_peers_in) {
  for (const AccessList& list : {make(Strings{}), make(std::nullopt, {"0.0.0.0", "::/0", ".org"})}) {
    EXPECT_EQ(list.decide(*SocketAddress::unix_path("/run/x")), allowed(Basis::UnixSocket));
    EXPECT_EQ(list.decide(*SocketAddress::unix_path("@x"), {}), allowed(Basis::UnixSocket));
  }
}

TEST(AccessList, refuses_a_peer_without_address_where_there_is_a_list) {
  for (const AccessList& list :
       {make(Strings{}), make(Strings{"0.0.0.0", ".org"}), make(std::nullopt, {".org"})}) {
    EXPECT_EQ(list.decide(SocketAddress()), refused(Basis::NoAddress));
    EXPECT_EQ(list.decide(SocketAddress(), {}), refused(Basis::NoAddress));
  }
}

// ---- Names

TEST(AccessList, lets_a_host_in_like_its_address) {
  const AccessList list = make(Strings{"a.example.org", "localhost"}, {"10.0.0.0/8", "10.0.0.7"});
  EXPECT_EQ(ask(list, "192.0.2.1").access, Access::AskName);
  EXPECT_EQ(ask(list, "192.0.2.1", {"b.example.org"}), refused());
  EXPECT_EQ(ask(list, "192.0.2.1", {"b.example.org", "A.example.org."}), allowed(Basis::Host, 0));
  EXPECT_EQ(ask(list, "127.0.0.1", {"localhost"}), allowed(Basis::Host, 1));
  // longer than a network, not than the address
  EXPECT_EQ(ask(list, "10.0.0.1").access, Access::AskName);
  EXPECT_EQ(ask(list, "10.0.0.1", {"a.example.org"}), allowed(Basis::Host, 0));
  EXPECT_EQ(ask(list, "10.0.0.1", {}), refused(Basis::Network, kNoAccess, 0));
  EXPECT_EQ(ask(list, "10.0.0.7"), refused(Basis::Network, kNoAccess, 1));
  EXPECT_EQ(ask(list, "10.0.0.7", {"a.example.org"}), refused(Basis::Network, kNoAccess, 1));
}

TEST(AccessList, takes_a_domain_for_less_than_a_network) {
  const AccessList list = make(Strings{".example.org", "10.1.0.0"}, {"10.0.0.0", "::/0"});
  EXPECT_EQ(ask(list, "192.0.2.1").access, Access::AskName);
  EXPECT_EQ(ask(list, "192.0.2.1", {"a.example.org"}), allowed(Basis::Domain, 0));
  EXPECT_EQ(ask(list, "192.0.2.1", {"example.org"}), refused());
  EXPECT_EQ(ask(list, "10.0.0.1"), refused(Basis::Network, kNoAccess, 0));
  EXPECT_EQ(ask(list, "10.0.0.1", {"a.example.org"}), refused(Basis::Network, kNoAccess, 0));
  EXPECT_EQ(ask(list, "10.1.0.1"), allowed(Basis::Network, 1));
  EXPECT_EQ(ask(list, "::1"), refused(Basis::Network, kNoAccess, 1));
}

TEST(AccessList, refuses_by_name_whatever_else_there_is) {
  const AccessList list = make(Strings{"10.0.0.1", "a.example.org"}, {"b.example.org", ".bad.example"});
  EXPECT_EQ(ask(list, "10.0.0.1").access, Access::AskName);
  EXPECT_EQ(ask(list, "10.0.0.1", {}), allowed(Basis::Network, 0));
  EXPECT_EQ(ask(list, "10.0.0.1", {"b.example.org"}), refused(Basis::Host, kNoAccess, 0));
  EXPECT_EQ(ask(list, "10.0.0.1", {"a.example.org", "x.bad.example"}), refused(Basis::Domain, kNoAccess, 1));
  EXPECT_EQ(ask(make(std::nullopt, {".bad.example"}), "::1", {"x.bad.example"}),
            refused(Basis::Domain, kNoAccess, 0));
}

TEST(AccessList, refuses_where_a_name_in_no_access_might_match) {
  const AccessList list = make(Strings{"10.0.0.0", "a.example.org"}, {".bad.example", "10.1.0.0"});
  EXPECT_EQ(ask_unknown(list, "10.0.0.1"), refused(Basis::NameUnknown));
  EXPECT_EQ(ask_unknown(list, "192.0.2.1"), refused(Basis::NameUnknown));
  EXPECT_EQ(ask_unknown(list, "10.1.0.1"), refused(Basis::Network, kNoAccess, 1));
  EXPECT_EQ(ask_unknown(make(std::nullopt, {"b"}), "10.1.0.1"), refused(Basis::NameUnknown));
}

TEST(AccessList, does_not_let_in_by_a_name_that_is_not_known) {
  const AccessList list = make(Strings{"10.0.0.0", ".example.org"});
  EXPECT_EQ(ask_unknown(list, "10.0.0.1"), allowed(Basis::Network, 0));
  EXPECT_EQ(ask_unknown(list, "192.0.2.1"), refused(Basis::NameUnknown));
}

TEST(AccessList, asks_for_no_name_that_cannot_matter) {
  // Whom a name could let in, and no name could keep out.
  EXPECT_EQ(ask(make(Strings{"10.0.0.0", "a.example.org"}), "10.0.0.1"), allowed(Basis::Network, 0));
  // Whom a name could keep out who is kept out anyway.
  EXPECT_EQ(ask(make(Strings{"10.0.0.0"}, {".bad.example"}), "192.0.2.1"), refused());
  EXPECT_EQ(ask(make(std::nullopt, {".bad.example", "10.0.0.0"}), "10.0.0.1"),
            refused(Basis::Network, kNoAccess, 1));
  // A name that is refused by name can let nobody in.
  const AccessList list =
      make(Strings{"a.bad.example", ".bad.example", ".b.bad.example", "c"}, {".bad.example", "c"});
  EXPECT_EQ(ask(list, "192.0.2.1"), refused());
  EXPECT_EQ(ask(list, "192.0.2.1", {"c"}), refused());
  EXPECT_EQ(ask_unknown(list, "192.0.2.1"), refused());
}

// ---- Against a look at every entry

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : engine_(seed) {}
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(engine_()) % limit; }

  std::string address() {
    const auto octet = [&] { return std::to_string(below(3)); };
    switch (below(5)) {
      case 0:
        return "2001:db8::" + octet() + ":" + std::to_string(below(4));
      case 1:
        return "::ffff:10." + octet() + "." + octet() + "." + octet();
      case 2:
        return "::" + octet();
      default:
        return "10." + octet() + "." + octet() + "." + octet();
    }
  }
  std::string name() {
    static constexpr const char* kNames[] = {"a.example.org",   "b.example.org", "example.org",
                                             "c.a.example.org", "localhost",     "badexample.org",
                                             "A.Example.ORG.",  "x.org"};
    return kNames[below(std::size(kNames))];
  }
  std::string entry() {
    static constexpr const char* kDomains[] = {".org", ".example.org", ".a.example.org", ".com"};
    switch (below(12)) {
      case 0:
        return name();
      case 1:
        return kDomains[below(std::size(kDomains))];
      case 2:
        return "10." + std::to_string(below(3)) + ".{0,2}";
      case 3:
        return "10.0." + std::to_string(below(3)) + ".{1,2}";
      case 4:
        return below(2) == 0 ? "0.0.0.0" : "::/0";
      case 5:
      case 6:
        return address();
      default: {
        const std::string text = address();
        const bool v6 = text.find(':') != std::string::npos;
        return text + "/" + std::to_string(v6 ? 92 + below(37) : 4 + below(29));
      }
    }
  }
  slow::Rules list() {
    Strings entries;
    for (std::uint32_t i = below(below(6) == 0 ? 40 : 7); i > 0; --i)
      entries.push_back(entry());
    return rules(entries);
  }

 private:
  std::mt19937 engine_;
};

TEST(AccessList, agrees_with_a_look_at_every_entry) {
  Generator random(20261129);
  std::size_t counts[3] = {};
  for (unsigned round = 0; round < 4000; ++round) {
    slow::Lists lists;
    if (random.below(4) != 0) lists.only_from = random.list();
    lists.no_access = random.list();
    const AccessList list = lists.build();
    for (unsigned i = 0; i < 12; ++i) {
      const std::string text = random.address();
      const SocketAddress from = peer(text);
      const auto address = *net::Prefix::of(from);
      const AccessDecision first = list.decide(from);
      ASSERT_EQ(first, slow::decide(lists, address)) << round << " " << text;
      ++counts[static_cast<std::size_t>(first.access)];
      Strings names;
      for (std::uint32_t n = random.below(3); n > 0; --n)
        names.push_back(random.name());
      const AccessDecision known = list.decide(from, {true, names});
      const AccessDecision unknown = list.decide(from, {false, names});
      ASSERT_EQ(known, slow::decide(lists, address, true, names)) << round << " " << text;
      ASSERT_EQ(unknown, slow::decide(lists, address, false, names)) << round << " " << text;
      ASSERT_EQ(known.access, slow::outcome(lists, address, names)) << round << " " << text;
      ASSERT_NE(known.access, Access::AskName);
      ASSERT_NE(unknown.access, Access::AskName);
    }
  }
  for (const std::size_t count : counts)
    EXPECT_GT(count, 2000U);
}

std::shared_ptr<const AddressFile> file(const Strings& entries) {
  config::AddressSet set;
  std::uint32_t line = 0;
  for (const config::AddressRule& rule : rules(entries))
    config::add_rule(rule, ++line, set);
  // As it comes from the process that reads it.
  const std::string bytes = AddressFileRules::encode(set);
  auto keep = std::make_shared<std::vector<std::uint64_t>>(bytes.size() / sizeof(std::uint64_t) + 1);
  std::memcpy(keep->data(), bytes.data(), bytes.size());
  const std::string_view view(reinterpret_cast<const char*>(keep->data()), bytes.size());
  return std::make_shared<const AddressFile>(AddressFile{"/f", AddressFileRules::view(view, keep)});
}

TEST(AccessListFiles, count_as_entries_of_their_list) {
  AccessList list = make(Strings{"10.0.0.0/8"}, {"10.1.0.0/16"});
  list.add_file(kOnlyFrom, file({"10.1.2.0/24", "192.0.2.7"}));
  list.add_file(kNoAccess, file({"10.1.2.3", "192.0.2.0/24", "192.0.2.7"}));
  EXPECT_EQ(ask(list, "10.2.0.1").access, Access::Allow);
  EXPECT_EQ(ask(list, "10.1.0.1").access, Access::Refuse);
  EXPECT_EQ(ask(list, "10.1.2.1"), (AccessDecision{Access::Allow, Basis::Network, kOnlyFrom, 1}));
  EXPECT_EQ(ask(list, "10.1.2.3"), (AccessDecision{Access::Refuse, Basis::Network, kNoAccess, 1}));
  EXPECT_EQ(ask(list, "192.0.2.7"), (AccessDecision{Access::Refuse, Basis::Network, kNoAccess, 3}));
  EXPECT_EQ(ask(list, "198.51.100.1").access, Access::Refuse);
}

TEST(AccessListFiles, may_be_all_of_a_list) {
  AccessList only = make(std::nullopt);
  only.add_file(kOnlyFrom, file({}));
  EXPECT_EQ(ask(only, "192.0.2.7").access, Access::Refuse) << "it is empty";
  AccessList none = make(std::nullopt);
  none.add_file(kNoAccess, file({}));
  EXPECT_EQ(ask(none, "192.0.2.7").access, Access::Allow);
}

TEST(AccessListFiles, may_hold_names) {
  AccessList list = make(Strings{}, {});
  list.add_file(kOnlyFrom, file({".example.org", "friend.example.net"}));
  list.add_file(kNoAccess, file({"bad.example.org"}));
  EXPECT_EQ(ask(list, "192.0.2.7").access, Access::AskName);
  const auto named = [&list](const std::string& name) {
    const Strings names{name};
    return list.decide(peer("192.0.2.7"), {true, names}).access;
  };
  EXPECT_EQ(named("a.example.org"), Access::Allow);
  EXPECT_EQ(named("friend.example.net"), Access::Allow);
  EXPECT_EQ(named("bad.example.org"), Access::Refuse);
  EXPECT_EQ(named("other.example.net"), Access::Refuse);
  EXPECT_EQ(list.decide(peer("192.0.2.7"), {}).access, Access::Refuse);
}

TEST(AccessListFiles, that_were_never_read_let_nobody_in) {
  AccessList list = make(std::nullopt);
  list.add_file(kNoAccess, std::make_shared<const AddressFile>(AddressFile{"/f"}));
  EXPECT_EQ(ask(list, "192.0.2.7"), (AccessDecision{Access::Refuse, Basis::FileUnread, kNoAccess, 0}));
}

TEST(AddressFileRules, are_not_made_of_bytes_that_make_no_sense) {
  config::AddressSet set;
  for (const config::AddressRule& rule : rules({"10.0.0.0/8", "a.example.org"}))
    config::add_rule(rule, 1, set);
  const std::string bytes = AddressFileRules::encode(set);
  auto keep = std::make_shared<std::vector<std::uint64_t>>(bytes.size() / sizeof(std::uint64_t) + 1);
  std::memcpy(keep->data(), bytes.data(), bytes.size());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string_view cut(reinterpret_cast<const char*>(keep->data()), size);
    EXPECT_EQ(AddressFileRules::view(cut, keep), nullptr) << size;
  }
}

}  // namespace
}  // namespace xsd::policy
