// SPDX-License-Identifier: Apache-2.0
//
// The language of a probe (probe.h) and of whoever has started it, on their Channel:
//   to the probe     one message, empty, with two descriptors: the library, and a sealed memory with a
//                    ProbeRequest
//   from the probe   a ProbeFault, and that is all; or ProbeSelf, then for each settings of the request, in
//                    their order, ProbeSettings
// A probe has run the library's code, so the reader believes nothing; texts are fit to be shown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "xsd/config/plugins.h"

namespace xsd::worker {

inline constexpr std::size_t kMaxProbeRequest = std::size_t{256} * 1024 * 1024;

struct ProbeRequest {
  std::string name;
  std::string path;                   ///< for messages
  std::vector<std::string> settings;  ///< settings_wire.h
};
std::string encode(const ProbeRequest& request);
std::optional<ProbeRequest> decode_request(std::string_view memory);

/// The library cannot be used; the text is to follow the plugin's name.
struct ProbeFault {
  std::string text;
};
struct ProbeSelf {
  std::uint32_t api_version = 0;
  std::uint32_t needs = 0;
  bool streams = false;
  bool datagrams = false;
  std::string version;
  std::string description;
};
struct ProbeSettings {
  std::vector<config::SettingsFault> faults;
};
using ProbeMessage = std::variant<ProbeFault, ProbeSelf, ProbeSettings>;

/// Texts are escaped and cut where that is necessary, and faults beyond the 32nd are left out.
std::string encode(const ProbeMessage& message);
std::optional<ProbeMessage> decode_probe_message(std::string_view message);

}  // namespace xsd::worker
