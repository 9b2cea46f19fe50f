// SPDX-License-Identifier: Apache-2.0
//
// What a client of tcpmux says: nothing behind its first line is taken, it is given to a service only by that
// service's name, an answer is one line of ours, and none of it depends on how the bytes come.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>

#include "xsd/base/assert.h"
#include "xsd/base/text.h"
#include "xsd/plugin/host_functions.h"
#include "xsd/plugin/plugin_instance.h"
#include "xsd/plugin/settings_nodes.h"

extern "C" const xsd_plugin* xsd_builtin_tcpmux(void);

namespace {

using xsd::config::SettingsNode;

constexpr std::string_view kNames = "plain\r\ngreeted\r\n";

/// A client, and what has become of it.
struct Peer : xsd_connection {
  std::string_view arrived;
  bool has_ended = false;
  void* data = nullptr;
  std::size_t taken = 0;
  std::string answer{};
  std::string given{};
  bool is_over = false;
};

struct Outcome {
  std::size_t taken;
  std::string answer;
  std::string given;
  bool operator==(const Outcome&) const = default;
};

Peer& peer_of(xsd_connection* connection) {
  return *static_cast<Peer*>(connection);
}

SettingsNode map_of(std::string key, SettingsNode value) {
  SettingsNode map;
  map.kind = SettingsNode::Kind::Map;
  map.members.emplace_back(std::move(key), std::move(value));
  return map;
}

const SettingsNode& settings() {
  static const SettingsNode kSettings = [] {
    SettingsNode id;
    id.kind = SettingsNode::Kind::Scalar;
    id.scalar = "one";
    SettingsNode all = map_of("plain", map_of("plain", id));
    id.scalar = "two";
    all.members.emplace_back("greeted", map_of("greeted", id));
    return all;
  }();
  return kSettings;
}

std::int64_t look(xsd_connection* connection, void* buffer, std::size_t length, bool takes) {
  Peer& peer = peer_of(connection);
  const std::string_view rest = peer.arrived.substr(peer.taken);
  if (rest.empty()) return peer.has_ended ? 0 : -EAGAIN;
  const std::size_t count = rest.copy(static_cast<char*>(buffer), length);
  if (takes) peer.taken += count;
  return static_cast<std::int64_t>(count);
}

const xsd_host& host() {
  static const xsd_host kHost = [] {
    xsd_host made = xsd::plugin::host_functions();  // its nodes
    made.settings = [](xsd_service*) { return xsd::plugin::as_node(settings()); };
    made.metric = [](xsd_service*, const char*) -> xsd_metric* { return nullptr; };
    made.metric_add = [](xsd_metric*, std::int64_t) {};
    made.timer_new = [](xsd_service*, void (*)(void*), void*) -> xsd_timer* { return nullptr; };
    made.timer_set = [](xsd_timer*, std::int64_t) {};
    made.timer_cancel = [](xsd_timer*) {};
    made.timer_free = [](xsd_timer*) {};
    made.set_data = [](xsd_connection* c, void* data) { peer_of(c).data = data; };
    made.get_data = [](xsd_connection* c) { return peer_of(c).data; };
    made.peek = [](xsd_connection* c, void* buffer, std::size_t length) {
      return look(c, buffer, length, false);
    };
    made.read = [](xsd_connection* c, void* buffer, std::size_t length) {
      return look(c, buffer, length, true);
    };
    made.write = [](xsd_connection* c, const void* data, std::size_t length) {
      peer_of(c).answer.append(static_cast<const char*>(data), length);
      return 0;
    };
    made.try_write = [](xsd_connection* c, const void* data, std::size_t length) {
      peer_of(c).answer.append(static_cast<const char*>(data), length);
      return static_cast<std::int64_t>(length);
    };
    made.close = [](xsd_connection* c) { peer_of(c).is_over = true; };
    made.abort = [](xsd_connection* c) { peer_of(c).is_over = true; };
    made.hand_over = [](xsd_connection* c, const char* service) {
      peer_of(c).given = service;
      peer_of(c).is_over = true;
      return 0;
    };
    return made;
  }();
  return kHost;
}

/// Everything comes in pieces of `step` bytes.
Outcome serve(std::string_view text, std::size_t step) {
  const xsd_plugin& plugin = *xsd_builtin_tcpmux();
  static void* const kState = [&plugin] {
    void* state = nullptr;
    XSD_ASSERT(plugin.start(&host(), nullptr, &state) == 0);
    return state;
  }();
  Peer peer;
  XSD_ASSERT(plugin.on_open(kState, &peer) == 0);
  while (!peer.is_over) {
    if (peer.taken < peer.arrived.size()) {
      const std::size_t before = peer.taken;
      plugin.on_readable(kState, &peer);
      XSD_ASSERT(peer.taken > before);  // or it would be told of the same without end
    } else if (peer.arrived.size() < text.size()) {
      peer.arrived = text.substr(0, peer.arrived.size() + step);
    } else {
      XSD_ASSERT(!peer.has_ended);
      peer.has_ended = true;
      plugin.on_readable(kState, &peer);
    }
  }
  plugin.on_close(kState, &peer, XSD_CLOSE_FINISHED);
  return {peer.taken, peer.answer, peer.given};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Outcome outcome = serve(text, std::max<std::size_t>(text.size(), 1));
  XSD_ASSERT(serve(text, 1) == outcome);
  XSD_ASSERT(serve(text, 7) == outcome);

  const std::size_t end = text.find('\n');
  XSD_ASSERT(outcome.taken <= (end == std::string_view::npos ? text.size() : end + 1));
  if (!outcome.given.empty()) {
    XSD_ASSERT(end != std::string_view::npos && outcome.taken == end + 1);
    std::string_view name = text.substr(0, end);
    if (name.ends_with('\r')) name.remove_suffix(1);
    const bool is_plain = outcome.given == "one" && outcome.answer.empty();
    const bool is_greeted = outcome.given == "two" && outcome.answer == "+Go\r\n";
    XSD_ASSERT(is_plain || is_greeted);
    XSD_ASSERT(xsd::equals_ignoring_case(name, is_plain ? "plain" : "greeted"));
  } else if (outcome.answer != kNames && !text.empty()) {
    XSD_ASSERT(outcome.answer.starts_with('-') && outcome.answer.ends_with("\r\n"));
    XSD_ASSERT(outcome.answer.find('\n') == outcome.answer.size() - 1);
    XSD_ASSERT(outcome.answer.find('\0') == std::string::npos);
  }
  return 0;
}
