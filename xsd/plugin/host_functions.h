// SPDX-License-Identifier: Apache-2.0
//
// The struct xsd_host that plugins call us through: one for the process. Its functions turn a handle of
// plugin.h into the object that it is and call that; nothing here holds state, and nothing throws.
#pragma once

#include <cstddef>

#include "xsd/plugin.h"

namespace xsd::plugin {

/// How much of a text of a plugin's, for the log or about its settings, is looked at.
inline constexpr std::size_t kMaxPluginText = 1024;

const xsd_host& host_functions() noexcept;

}  // namespace xsd::plugin
