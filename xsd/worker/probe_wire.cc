// SPDX-License-Identifier: Apache-2.0
#include "xsd/worker/probe_wire.h"

#include <algorithm>

#include "xsd/base/text.h"
#include "xsd/base/wire.h"
#include "xsd/process/channel.h"

namespace xsd::worker {
namespace {

enum class Kind : std::uint8_t { Fault, Self, Settings };

constexpr std::size_t kLongestText = 1024;
constexpr std::size_t kLongestPath = 4096;
constexpr std::size_t kMostFaults = 32;
constexpr std::size_t kSmallestFault = 3 * sizeof(std::uint32_t);
static_assert(kMostFaults * (kSmallestFault + kLongestText) + 64 < process::kMaxMessage);

/// Nothing in it that append_escaped would change, but for the backslashes of what was escaped before.
bool is_clean(std::string_view text) {
  std::string rest(text);
  std::erase(rest, '\\');
  std::string escaped;
  append_escaped(escaped, rest);
  return escaped == rest;
}

void put_clean(std::string& out, std::string_view text) {
  std::string clean;
  if (is_clean(text)) {
    clean = text;
  } else {
    append_escaped(clean, text);
  }
  if (clean.size() > kLongestText) {
    clean.resize(kLongestText - 3);
    // Not in the middle of a character.
    while (!clean.empty() && !is_clean(clean))
      clean.pop_back();
    clean += "...";
  }
  put_text(out, clean);
}

std::string get_clean(WireReader& reader) {
  std::string text(reader.text(kLongestText));
  if (!is_clean(text)) reader.fail();
  return text;
}

}  // namespace

std::string encode(const ProbeRequest& request) {
  std::string out;
  put_text(out, request.name);
  put_text(out, request.path);
  put_number(out, static_cast<std::uint32_t>(request.settings.size()));
  for (const std::string& settings : request.settings)
    put_text(out, settings);
  return out;
}

std::optional<ProbeRequest> decode_request(std::string_view memory) {
  WireReader reader(memory);
  ProbeRequest request;
  request.name = reader.text(kLongestPath);
  request.path = reader.text(kLongestPath);
  for (std::size_t left = reader.count(sizeof(std::uint32_t)); left > 0; --left)
    request.settings.emplace_back(reader.text(kMaxProbeRequest));
  if (!reader.is_complete()) return std::nullopt;
  return request;
}

std::string encode(const ProbeMessage& message) {
  std::string out;
  if (const auto* const fault = std::get_if<ProbeFault>(&message)) {
    put_number(out, Kind::Fault);
    put_clean(out, fault->text);
  } else if (const auto* const self = std::get_if<ProbeSelf>(&message)) {
    put_number(out, Kind::Self);
    put_number(out, self->api_version);
    put_number(out, self->needs);
    put_number(out, self->streams);
    put_number(out, self->datagrams);
    put_clean(out, self->version);
    put_clean(out, self->description);
  } else if (const auto* const settings = std::get_if<ProbeSettings>(&message)) {
    const std::size_t count = std::min(settings->faults.size(), kMostFaults);
    put_number(out, Kind::Settings);
    put_number(out, static_cast<std::uint32_t>(count));
    for (std::size_t i = 0; i < count; ++i) {
      put_number(out, settings->faults[i].where.line);
      put_number(out, settings->faults[i].where.column);
      put_clean(out, settings->faults[i].text);
    }
  }
  return out;
}

std::optional<ProbeMessage> decode_probe_message(std::string_view message) {
  WireReader reader(message);
  ProbeMessage decoded;
  switch (reader.choice(Kind::Settings)) {
    case Kind::Fault:
      decoded = ProbeFault{get_clean(reader)};
      break;
    case Kind::Self: {
      ProbeSelf self;
      self.api_version = reader.get<std::uint32_t>();
      self.needs = reader.get<std::uint32_t>();
      self.streams = reader.flag();
      self.datagrams = reader.flag();
      self.version = get_clean(reader);
      self.description = get_clean(reader);
      decoded = std::move(self);
      break;
    }
    case Kind::Settings: {
      ProbeSettings settings;
      for (std::size_t left = reader.count(kSmallestFault); left > 0; --left) {
        config::SettingsFault fault;
        fault.where.line = reader.get<std::uint32_t>();
        fault.where.column = reader.get<std::uint32_t>();
        fault.text = get_clean(reader);
        settings.faults.push_back(std::move(fault));
      }
      if (settings.faults.size() > kMostFaults) reader.fail();
      decoded = std::move(settings);
      break;
    }
  }
  if (!reader.is_complete()) return std::nullopt;
  return decoded;
}

}  // namespace xsd::worker
