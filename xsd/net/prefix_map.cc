// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/prefix_map.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <endian.h>

#include "xsd/base/assert.h"

namespace xsd::net {
namespace {

constexpr std::size_t kMaxEntries = std::size_t{1} << 31;
// An array of nodes is made when at least one in so many of its places leads to leaves of its own.
constexpr std::size_t kPlacesPerChild = 2;

}  // namespace

struct PrefixMap::Builder {
  Node add_family(std::span<Entry> entries);
  void fill(std::size_t node, std::uint32_t begin, std::uint32_t end, unsigned position);
  std::uint8_t choose_branch(std::uint32_t begin, std::uint32_t end, unsigned position) const noexcept;

  std::vector<Leaf> leaves_{};
  std::vector<Cover> covers_{};
  std::vector<Node> nodes_{};
};

/// In front of the three arrays, which follow in the order of their alignment.
struct PrefixMap::Head {
  std::uint64_t leaves = 0;
  std::uint64_t covers = 0;
  std::uint64_t nodes = 0;
  Node v4{};
  Node v6{};
};

PrefixMap::Key::Key(const Prefix& prefix) noexcept {
  std::memcpy(&high, prefix.bytes().data(), sizeof high);
  std::memcpy(&low, prefix.bytes().data() + sizeof high, sizeof low);
  high = be64toh(high);
  low = be64toh(low);
}

unsigned PrefixMap::Key::bits_in_common(const Key& other) const noexcept {
  const std::uint64_t high_difference = high ^ other.high;
  if (high_difference != 0) return static_cast<unsigned>(std::countl_zero(high_difference));
  return 64U + static_cast<unsigned>(std::countl_zero(low ^ other.low));
}

// `count` bits from `position` on, 1 to 63 of them, all within the 128.
std::size_t PrefixMap::Key::slice(unsigned position, unsigned count) const noexcept {
  std::uint64_t aligned = high;
  if (position >= 64)
    aligned = low << (position - 64);
  else if (position > 0)
    aligned = high << position | low >> (64 - position);
  return static_cast<std::size_t>(aligned >> (64 - count));
}

PrefixMap::PrefixMap(std::vector<Entry> entries) {
  XSD_ASSERT(entries.size() <= kMaxEntries);
  const auto first_v6 =
      std::partition(entries.begin(), entries.end(), [](const Entry& entry) { return entry.prefix.is_v4(); });
  const auto made = std::make_shared<Builder>();
  v4_ = made->add_family({entries.begin(), first_v6});
  v6_ = made->add_family({first_v6, entries.end()});
  made->leaves_.shrink_to_fit();
  made->covers_.shrink_to_fit();
  made->nodes_.shrink_to_fit();
  leaves_ = made->leaves_;
  covers_ = made->covers_;
  nodes_ = made->nodes_;
  keep_ = made;
}

PrefixMap::Node PrefixMap::Builder::add_family(std::span<Entry> entries) {
  if (entries.empty()) return {};
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.prefix == b.prefix ? a.value < b.value : a.prefix < b.prefix;
  });
  const auto last = std::unique(entries.begin(), entries.end(),
                                [](const Entry& a, const Entry& b) { return a.prefix == b.prefix; });
  entries = {entries.begin(), last};
  const auto first_leaf = static_cast<std::uint32_t>(leaves_.size());
  // In their order a network stands directly in front of what it holds: the covers of an entry are a stack.
  std::vector<std::uint32_t> open;
  std::vector<const Prefix*> open_prefixes;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& [prefix, value] = entries[i];
    while (!open.empty() && !open_prefixes.back()->contains(prefix)) {
      open.pop_back();
      open_prefixes.pop_back();
    }
    const std::uint32_t cover = open.empty() ? kNone : open.back();
    const auto bits = static_cast<std::uint8_t>(prefix.bits());
    if (i + 1 < entries.size() && prefix.contains(entries[i + 1].prefix)) {
      open.push_back(static_cast<std::uint32_t>(covers_.size()));
      open_prefixes.push_back(&prefix);
      covers_.push_back({value, cover, bits});
    } else {
      leaves_.push_back({Key(prefix), value, cover, bits});
    }
  }
  // The root is made in the array like any node, and taken out of it.
  const std::size_t root = nodes_.size();
  nodes_.emplace_back();
  fill(root, first_leaf, static_cast<std::uint32_t>(leaves_.size()), 0);
  return nodes_[root];
}

// How many of the bits from `position` on, where the first and the last of these leaves differ, index an
// array that is used enough. More bits that tell no more leaves apart are not worth their places. An array
// that is not used enough stays so when it is made wider.
std::uint8_t PrefixMap::Builder::choose_branch(std::uint32_t begin, std::uint32_t end,
                                               unsigned position) const noexcept {
  std::uint8_t branch = 1;
  std::size_t told_apart = 2;
  for (std::uint8_t wider = 2; position + wider <= Prefix::kV6Bits; ++wider) {
    const std::size_t wanted = (std::size_t{1} << wider) / kPlacesPerChild;
    if (wanted > end - begin) break;
    std::size_t children = 1;
    for (std::uint32_t leaf = begin + 1; leaf < end; ++leaf) {
      children +=
          leaves_[leaf].key.slice(position, wider) != leaves_[leaf - 1].key.slice(position, wider) ? 1U : 0U;
    }
    if (children < wanted) break;
    if (children > told_apart) branch = wider;
    told_apart = children;
  }
  return branch;
}

// Makes the node for the leaves from `begin` to `end`, which agree in the bits before `position`. It ends:
// two leaves differ within the bits of both, since neither holds the other, and so no child gets all of them.
// For the same reason bits behind a leaf's own length, which are zero, tell nothing wrong apart: no other
// leaf has its bits in front of them.
void PrefixMap::Builder::fill(std::size_t node, std::uint32_t begin, std::uint32_t end, unsigned position) {
  if (end - begin == 1) {
    nodes_[node] = {begin, 0, 0};
    return;
  }
  const unsigned common = leaves_[begin].key.bits_in_common(leaves_[end - 1].key);
  const std::uint8_t branch = choose_branch(begin, end, common);
  const std::size_t first = nodes_.size();
  const std::size_t places = std::size_t{1} << branch;
  nodes_[node] = {static_cast<std::uint32_t>(first), branch, static_cast<std::uint8_t>(common - position)};
  nodes_.resize(first + places);
  std::uint32_t leaf = begin;
  for (std::size_t place = 0; place < places; ++place) {
    const std::uint32_t from = leaf;
    while (leaf < end && leaves_[leaf].key.slice(common, branch) == place)
      ++leaf;
    if (from != leaf) {
      fill(first + place, from, leaf, common + branch);
      continue;
    }
    // Nobody's: the leaf before or the leaf behind, whichever agrees with it further. One that is shorter
    // than this array's bits and holds the place is the leaf before, and agrees furthest.
    const auto differing_bits = [&](std::uint32_t neighbour) {
      return std::bit_width(leaves_[neighbour].key.slice(common, branch) ^ place);
    };
    const bool has_before = from > begin;
    const bool has_behind = from < end;
    const bool takes_before = has_before && (!has_behind || differing_bits(from - 1) <= differing_bits(from));
    nodes_[first + place] = {takes_before ? from - 1 : from, 0, 0};
  }
}

std::optional<PrefixMap::Match> PrefixMap::find(const Prefix& address) const noexcept {
  const Key key(address);
  Node node = address.is_v4() ? v4_ : v6_;
  if (node.first == kNone) return std::nullopt;
  for (unsigned position = 0; node.branch != 0;) {
    position += node.skip;
    const std::size_t place = key.slice(position, node.branch);
    position += node.branch;
    node = nodes_[node.first + place];
  }
  const Leaf& leaf = leaves_[node.first];
  const unsigned common = key.bits_in_common(leaf.key);
  if (leaf.bits <= common) return Match{leaf.value, leaf.bits};
  for (std::uint32_t i = leaf.cover; i != kNone; i = covers_[i].cover) {
    if (covers_[i].bits <= common) return Match{covers_[i].value, covers_[i].bits};
  }
  return std::nullopt;
}

std::size_t PrefixMap::bytes() const noexcept {
  return sizeof *this + leaves_.size_bytes() + covers_.size_bytes() + nodes_.size_bytes();
}

void PrefixMap::append_to(std::string& out) const {
  static_assert(sizeof(Head) % alignof(Leaf) == 0 && sizeof(Leaf) % alignof(Cover) == 0 &&
                sizeof(Cover) % alignof(Node) == 0);
  const auto append = [&out](const void* data, std::size_t size) {
    out.append(static_cast<const char*>(data), size);
  };
  const Head head{leaves_.size(), covers_.size(), nodes_.size(), v4_, v6_};
  append(&head, sizeof head);
  append(leaves_.data(), leaves_.size_bytes());
  append(covers_.data(), covers_.size_bytes());
  append(nodes_.data(), nodes_.size_bytes());
}

std::optional<PrefixMap> PrefixMap::view(std::string_view bytes, std::shared_ptr<const void> keep) {
  Head head;
  if (bytes.size() < sizeof head || reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(Leaf) != 0)
    return std::nullopt;
  std::memcpy(&head, bytes.data(), sizeof head);
  bytes.remove_prefix(sizeof head);
  if (head.leaves > kMaxEntries || head.covers > kMaxEntries || head.nodes > 4 * kMaxEntries ||
      bytes.size() != head.leaves * sizeof(Leaf) + head.covers * sizeof(Cover) + head.nodes * sizeof(Node)) {
    return std::nullopt;
  }
  PrefixMap map;
  const char* at = bytes.data();
  map.leaves_ = {reinterpret_cast<const Leaf*>(at), static_cast<std::size_t>(head.leaves)};
  at += map.leaves_.size_bytes();
  map.covers_ = {reinterpret_cast<const Cover*>(at), static_cast<std::size_t>(head.covers)};
  at += map.covers_.size_bytes();
  map.nodes_ = {reinterpret_cast<const Node*>(at), static_cast<std::size_t>(head.nodes)};
  map.v4_ = head.v4;
  map.v6_ = head.v6;
  map.keep_ = std::move(keep);
  return map;
}

}  // namespace xsd::net
