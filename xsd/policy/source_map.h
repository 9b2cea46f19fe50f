// SPDX-License-Identifier: Apache-2.0
//
// SourceMap: a hash table from sources to values, each at a slot that stays the same until it is erased, so
// that slots can be linked, put in a heap, or handed out. Nothing moves but while it grows (a power of two at
// a time), and what it has is given back once it is empty. How many it may hold is its owner's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "xsd/policy/source_key.h"

namespace xsd::policy {

template <class T>
class SourceMap {
 public:
  using Slot = std::uint32_t;
  static constexpr Slot kNone = ~Slot{0};

  explicit SourceMap(HashSeed seed) : seed_(seed), heads_(kLeastHeads, kNone) {}

  /// kNone if it is not there.
  Slot find(const SourceKey& key) const noexcept {
    Slot slot = heads_[place_of(key)];
    while (slot != kNone && !(nodes_[slot].key == key))
      slot = nodes_[slot].next;
    return slot;
  }

  /// One that is not there yet.
  Slot insert(const SourceKey& key, T value) {
    if (size_ == heads_.size()) grow();
    Slot slot = free_;
    if (slot == kNone) {
      slot = static_cast<Slot>(nodes_.size());
      nodes_.push_back({key, std::move(value), kNone});
    } else {
      free_ = nodes_[slot].next;
      nodes_[slot].key = key;
      nodes_[slot].value = std::move(value);
    }
    link(slot);
    ++size_;
    return slot;
  }

  void erase(Slot slot) noexcept {
    Slot* at = &heads_[place_of(nodes_[slot].key)];
    while (*at != slot)
      at = &nodes_[*at].next;
    *at = nodes_[slot].next;
    nodes_[slot].next = free_;
    free_ = slot;
    if (--size_ == 0) clear();
  }

  const SourceKey& key(Slot slot) const noexcept { return nodes_[slot].key; }
  T& operator[](Slot slot) noexcept { return nodes_[slot].value; }
  const T& operator[](Slot slot) const noexcept { return nodes_[slot].value; }
  std::size_t size() const noexcept { return size_; }

 private:
  struct Node {
    SourceKey key;
    T value;
    Slot next;  ///< of the same place, or free
  };
  static constexpr std::size_t kLeastHeads = 16;

  std::size_t place_of(const SourceKey& key) const noexcept {
    return static_cast<std::size_t>(key.hash(seed_)) & (heads_.size() - 1);
  }
  void link(Slot slot) noexcept {
    Slot& head = heads_[place_of(nodes_[slot].key)];
    nodes_[slot].next = head;
    head = slot;
  }
  void grow() {
    std::vector<Slot> before(heads_.size() * 2, kNone);
    before.swap(heads_);
    for (const Slot head : before) {
      for (Slot slot = head; slot != kNone;) {
        const Slot next = nodes_[slot].next;
        link(slot);
        slot = next;
      }
    }
  }
  void clear() noexcept {
    free_ = kNone;
    nodes_.clear();
    if (heads_.size() == kLeastHeads) return;
    nodes_.shrink_to_fit();
    heads_.assign(kLeastHeads, kNone);
    heads_.shrink_to_fit();
  }

  HashSeed seed_;
  std::vector<Slot> heads_;
  std::vector<Node> nodes_;
  Slot free_ = kNone;
  std::size_t size_ = 0;
};

}  // namespace xsd::policy
