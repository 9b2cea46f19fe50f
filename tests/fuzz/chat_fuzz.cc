// SPDX-License-Identifier: Apache-2.0
//
// What one user of the plugin chat sends, as another one sees it: lines of a bounded length of well-formed
// UTF-8 without controls, which do not depend on how the bytes come.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/base/text.h"
#include "xsd/plugin.h"

extern "C" const xsd_plugin* xsd_builtin_chat(void);

/// A user, and what he was sent.
struct xsd_connection {
  void* data = nullptr;
  std::string got{};
  bool has_finished = false;
};

namespace {

constexpr std::size_t kLongestLine = 1024;

const xsd_host& host() {
  static const xsd_host kHost = [] {
    xsd_host made{};
    made.size = sizeof made;
    made.settings = [](xsd_service*) -> const xsd_node* { return nullptr; };
    made.node_find = [](const xsd_node*, const char*) -> const xsd_node* { return nullptr; };
    made.node_text = [](const xsd_node*) -> const char* { return nullptr; };
    made.node_number = [](const xsd_node*, std::uint64_t* value) {
      *value = 2;
      return 0;
    };
    made.node_boolean = [](const xsd_node*, int* value) {
      *value = 0;
      return 0;
    };
    made.metric = [](xsd_service*, const char*) -> xsd_metric* { return nullptr; };
    made.metric_add = [](xsd_metric*, std::int64_t) {};
    made.set_data = [](xsd_connection* c, void* data) { c->data = data; };
    made.get_data = [](xsd_connection* c) { return c->data; };
    made.write = [](xsd_connection* c, const void* data, std::size_t length) {
      c->got.append(static_cast<const char*>(data), length);
      return 0;
    };
    made.unsent = [](xsd_connection*) { return std::uint64_t{0}; };
    made.finish = [](xsd_connection* c) { c->has_finished = true; };
    made.abort = [](xsd_connection*) { XSD_ASSERT(false); };  // nobody is slow
    return made;
  }();
  return kHost;
}

/// What the other one sees of bytes that come in pieces of `step`.
std::string heard(std::string_view bytes, std::size_t step) {
  const xsd_plugin& plugin = *xsd_builtin_chat();
  void* room = nullptr;
  XSD_ASSERT(plugin.start(&host(), nullptr, &room) == 0);
  xsd_connection writer;
  xsd_connection reader;
  XSD_ASSERT(plugin.on_open(room, &writer) == 0 && plugin.on_open(room, &reader) == 0);
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size())))
    plugin.on_data(room, &writer, bytes.data(), std::min(step, bytes.size()));
  plugin.on_end(room, &writer);
  XSD_ASSERT(writer.has_finished && writer.got.empty());
  plugin.on_close(room, &writer, XSD_CLOSE_FINISHED);
  plugin.on_close(room, &reader, XSD_CLOSE_FINISHED);
  plugin.stop(room);
  return reader.got;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string got = heard(bytes, size + 1);
  XSD_ASSERT(heard(bytes, 1) == got);
  XSD_ASSERT(heard(bytes, 2 + size % 13) == got);
  XSD_ASSERT(got.empty() || got.ends_with('\n'));
  std::string_view rest = got;
  while (!rest.empty()) {
    std::string_view line = xsd::next_line(rest);
    XSD_ASSERT(line.size() <= kLongestLine);
    for (std::size_t length = 0; !line.empty(); line.remove_prefix(length)) {
      length = xsd::utf8_sequence_length(line);
      XSD_ASSERT(length > 0 && line.front() != '\x7f');
      XSD_ASSERT(static_cast<unsigned char>(line.front()) >= ' ' || line.front() == '\t');
      XSD_ASSERT(!line.starts_with('\xC2') || static_cast<unsigned char>(line[1]) >= 0xA0);
    }
  }
  return 0;
}
