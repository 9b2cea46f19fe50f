// SPDX-License-Identifier: Apache-2.0
//
// Throws from its entry. C++ exceptions must not leave a plugin; where one does, its process ends.
#include <stdexcept>

#include "xsd/plugin.h"

extern "C" __attribute__((visibility("default"))) const xsd_plugin* xsd_plugin_entry_v1(void) {
  throw std::runtime_error("from the entry");
}
