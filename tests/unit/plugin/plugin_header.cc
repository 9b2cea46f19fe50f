// SPDX-License-Identifier: Apache-2.0
//
// The same in C++17. Linked beside the C one, so its entry gets another name.
#define XSD_PLUGIN_BUILTIN
#include "xsd/plugin.h"

static_assert(__cplusplus == 201703L, "this is about C++17");

namespace {

int on_open(void*, xsd_connection*) {
  return 0;
}

const xsd_plugin* make_plugin() {
  static xsd_plugin made{};
  made.size = sizeof made;
  made.api_version = XSD_PLUGIN_API_VERSION;
  made.name = "in_cpp";
  made.on_open = on_open;
  return &made;
}

const xsd_plugin plugin = *make_plugin();

}  // namespace

extern "C" {
XSD_PLUGIN_REGISTER(in_cpp, plugin)
}
