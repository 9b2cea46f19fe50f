// SPDX-License-Identifier: Apache-2.0
//
// Throws from start. C++ exceptions must not leave a plugin; where one does, its process ends.
#include <stdexcept>

#include "bad.h"

namespace {

int start(const xsd_host* given, xsd_service* service, void** state) {
  (void)bad_start(given, service, state);
  throw std::runtime_error("from start");
}

xsd_plugin make_plugin() {
  xsd_plugin made{};
  made.size = sizeof made;
  made.api_version = XSD_PLUGIN_API_VERSION;
  made.name = "throw_from_start";
  made.description = "a bad plugin";
  made.start = start;
  made.on_data = bad_echo;
  return made;
}

const xsd_plugin plugin = make_plugin();

}  // namespace

extern "C" {
XSD_PLUGIN_REGISTER(throw_from_start, plugin)
}
