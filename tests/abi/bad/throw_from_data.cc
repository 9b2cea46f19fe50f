// SPDX-License-Identifier: Apache-2.0
//
// Echoes, and throws when what arrives begins with '!'. C++ exceptions must not leave a plugin; where one
// does, its process ends.
#include <stdexcept>

#include "bad.h"

namespace {

void on_data(void* state, xsd_connection* connection, const void* data, std::size_t length) {
  if (*static_cast<const char*>(data) == '!') throw std::runtime_error("from on_data");
  bad_echo(state, connection, data, length);
}

xsd_plugin make_plugin() {
  xsd_plugin made{};
  made.size = sizeof made;
  made.api_version = XSD_PLUGIN_API_VERSION;
  made.name = "throw_from_data";
  made.description = "a bad plugin";
  made.start = bad_start;
  made.on_data = on_data;
  return made;
}

const xsd_plugin plugin = make_plugin();

}  // namespace

extern "C" {
XSD_PLUGIN_REGISTER(throw_from_data, plugin)
}
