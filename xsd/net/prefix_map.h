// SPDX-License-Identifier: Apache-2.0
//
// PrefixMap: from the networks of both families to numbers; asked for an address it answers with the longest
// network that holds it. Built once, then it does not change; asking neither allocates nor fails.
//
// It is a level-compressed trie (Nilsson and Karlsson, 1999) for each family. Chosen since it needs neither a
// stride to tune nor one layout for IPv4 and another for IPv6: a node skips the bits that all below it share
// and then tells apart by as many bits as are at least half used, so a dense /8 is one array access and a
// lonely /128 is no chain of nodes. Nodes are 8 bytes.
//
//   leaves  the networks that hold no other one, sorted, with their bits
//   covers  the others. Each leaf and cover names the longest cover that holds it.
//   nodes   branch = 0: a leaf. Otherwise 2^branch nodes stand side by side from `first`, one for each value
//           of the `branch` bits behind the `skip` bits that are not looked at.
//
// What is skipped is made good at the leaf: as far as the address and the leaf agree (say n bits), every
// network that holds the address holds the leaf as well, so the answer is the first of leaf, cover, its
// cover ... of at most n bits. A place of an array that no leaf belongs to refers to the neighbour that
// agrees with it furthest, for which the same is true.
//
// Cost: 32 bytes a leaf, 12 a cover, 8 a node of which there are at most four a leaf: at most 64 bytes a
// network, 41 to 46 for a million random ones (44 MiB). A question takes one access for each level (three or
// four for a million random networks; never more than there are bits), one for the leaf, and one for each
// cover that is longer than the answer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/net/prefix.h"

namespace xsd::net {

class PrefixMap {
 public:
  struct Entry {
    Prefix prefix;
    std::uint32_t value = 0;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  struct Match {
    std::uint32_t value = 0;
    unsigned bits = 0;  ///< Prefix::bits() of the network that it is
    friend bool operator==(const Match&, const Match&) = default;
  };

  /// Holds nothing.
  PrefixMap() = default;
  /// In any order. Of several entries for the same network the one with the lowest value counts: who numbers
  /// entries by their precedence has it kept. At most 2^31 entries.
  explicit PrefixMap(std::vector<Entry> entries);

  /// The longest network that holds `address`, which is asked for whole: its length does not matter.
  std::optional<Match> find(const Prefix& address) const noexcept;

  std::size_t size() const noexcept { return leaves_.size() + covers_.size(); }  ///< different networks
  std::size_t bytes() const noexcept;                                            ///< of memory

  /// All of it, for another process of this program, which can use it where it lies: a million networks take
  /// half a second to be made and none to be taken over.
  void append_to(std::string& out) const;
  /// A map of what append_to has written, at an address that is a multiple of 8. `keep` holds the bytes,
  /// which do not change. Nothing if they are not as many as they say; what they say is trusted otherwise.
  static std::optional<PrefixMap> view(std::string_view bytes, std::shared_ptr<const void> keep);

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Key {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    explicit Key(const Prefix& prefix) noexcept;
    unsigned bits_in_common(const Key& other) const noexcept;
    std::size_t slice(unsigned position, unsigned count) const noexcept;
  };
  struct Leaf {
    Key key;
    std::uint32_t value;
    std::uint32_t cover;
    std::uint8_t bits;
  };
  struct Cover {
    std::uint32_t value;
    std::uint32_t cover;
    std::uint8_t bits;
  };
  struct Node {
    std::uint32_t first = kNone;
    std::uint8_t branch = 0;
    std::uint8_t skip = 0;
  };

  struct Builder;
  struct Head;

  std::span<const Leaf> leaves_;
  std::span<const Cover> covers_;
  std::span<const Node> nodes_;
  Node v4_;  ///< the roots; first = kNone: nothing there
  Node v6_;
  std::shared_ptr<const void> keep_;  ///< what the spans are of
};

}  // namespace xsd::net
