/* SPDX-License-Identifier: Apache-2.0
 *
 * told: a plugin that says what its settings tell it, and closes. Built twice, with different versions.
 * Its `validate` knows rude greetings, and ends its process when it is asked to.
 */
#include <stdlib.h>
#include <string.h>

#include "xsd/plugin.h"

static const struct xsd_host* host;

static const struct xsd_setting settings[] = {
    {"greeting", XSD_TYPE_TEXT, 1, NULL, "what is said"},
    {"times", XSD_TYPE_NUMBER, 0, "1", "how often"},
    {"polite", XSD_TYPE_BOOLEAN, 0, NULL, "not looked at"},
    {"pause", XSD_TYPE_DURATION, 0, NULL, "not looked at"},
    {"room", XSD_TYPE_SIZE, 0, NULL, "not looked at"},
    {"root", XSD_TYPE_PATH, 0, NULL, "not looked at"},
    {"words", XSD_TYPE_TEXTS, 0, NULL, "not looked at"},
    {"names", XSD_TYPE_MAP, 0, NULL, "not looked at"},
    {"rest", XSD_TYPE_ANY, 0, NULL, "not looked at"},
};

static int start(const struct xsd_host* given, struct xsd_service* service, void** state) {
  host = given;
  *state = service;
  return 0;
}

static int on_open(void* state, struct xsd_connection* connection) {
  const struct xsd_node* const map = host->settings(state);
  const char* const greeting = host->node_text(host->node_find(map, "greeting"));
  uint64_t times = 0;
  (void)host->node_number(host->node_find(map, "times"), &times);
  for (; times > 0; --times)
    (void)host->write(connection, greeting, strlen(greeting));
  (void)host->write(connection, " " TOLD_VERSION "\n", strlen(TOLD_VERSION) + 2);
  host->close(connection);
  return 0;
}

static void validate(const struct xsd_host* given, const struct xsd_node* map, struct xsd_report* report) {
  const struct xsd_node* const node = given->node_find(map, "greeting");
  const char* const greeting = given->node_text(node);
  if (strcmp(greeting, "abort") == 0) abort();
  if (strcmp(greeting, "oi") == 0) {
    given->report(report, node, "that is rude");
    given->report(report, NULL, "try again");
  }
}

static const struct xsd_plugin plugin = {
    XSD_PLUGIN_HEADER(xsd_plugin), .name = "told",         .description = "says what it is told",
    .version = TOLD_VERSION,       .start = start,         .on_open = on_open,
    .validate = validate,          XSD_SETTINGS(settings),
};

XSD_PLUGIN_REGISTER(told, plugin)
