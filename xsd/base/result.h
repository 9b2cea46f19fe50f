// SPDX-License-Identifier: Apache-2.0
//
// Result<T>: a T or the Error that kept us from having one. Status: nothing or an Error. Both must be looked
// at. The one place that includes tl::expected.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "xsd/base/error.h"

namespace xsd {

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  // NOLINTNEXTLINE(google-explicit-constructor): `return Error(...)` is how a function fails.
  Result(Error error) : tl::expected<T, Error>(tl::unexpect, std::move(error)) {}
};

using Status = Result<void>;

}  // namespace xsd
