// SPDX-License-Identifier: Apache-2.0
//
// Rare: a part of a value that few have. As long as it is the default one it takes a pointer and no more;
// there are thousands of definitions, in several processes. A value: it is copied and compared by what it
// holds.
#pragma once

#include <memory>

namespace xsd::config {

template <class T>
class Rare {
 public:
  Rare() noexcept = default;
  Rare(const Rare& other) : value_(other.value_ ? std::make_unique<T>(*other.value_) : nullptr) {}
  Rare(Rare&&) noexcept = default;
  Rare& operator=(const Rare& other) {
    if (this != &other) *this = Rare(other);
    return *this;
  }
  Rare& operator=(Rare&&) noexcept = default;
  ~Rare() = default;

  const T& operator*() const noexcept { return value_ ? *value_ : common(); }
  const T* operator->() const noexcept { return &**this; }
  /// nullptr as long as it has no room of its own.
  const T* find() const noexcept { return value_.get(); }
  /// To be changed; it takes its room from then on.
  T& edit() {
    if (!value_) value_ = std::make_unique<T>();
    return *value_;
  }

  friend bool operator==(const Rare& a, const Rare& b) { return *a == *b; }

 private:
  static const T& common() noexcept {
    static const T kCommon{};
    return kCommon;
  }

  std::unique_ptr<T> value_;
};

}  // namespace xsd::config
