// SPDX-License-Identifier: Apache-2.0
//
// XSD_ASSERT: for our own bugs only, always on, never looks at input. It ends the process.
#pragma once

namespace xsd {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;
}  // namespace xsd

#define XSD_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::xsd::assertion_failed(#condition, __FILE__, __LINE__))
