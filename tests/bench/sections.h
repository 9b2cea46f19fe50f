// SPDX-License-Identifier: Apache-2.0
//
// What is measured of xsd alone: start with 1 000 services, reload, held connections, growth, reload under
// load.
#pragma once

#include <array>

#include "options.h"
#include "report.h"

namespace bench {

struct Section {
  const char* name;
  void (*run)(const Options& options, Report& report);
};

extern const std::array<Section, 5> kSections;

}  // namespace bench
