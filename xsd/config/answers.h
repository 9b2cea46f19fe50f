// SPDX-License-Identifier: Apache-2.0
//
// Answers: all that a load wants to know of the world outside its files: what names mean, and what the
// plugins say. Filled with questions first, then by somebody who may wait (manager/inquiry.h).
#pragma once

#include "xsd/config/names.h"
#include "xsd/config/plugins.h"

namespace xsd::config {

struct Answers {
  NameAnswers names;
  PluginAnswers plugins;
  /// There is nothing to ask.
  bool empty() const noexcept { return names.questions().empty() && plugins.questions().empty(); }
};

}  // namespace xsd::config
