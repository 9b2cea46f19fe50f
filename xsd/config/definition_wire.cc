// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/definition_wire.h"

#include <algorithm>

#include "xsd/base/time_zone.h"
#include "xsd/base/wire.h"
#include "xsd/config/client_files.h"
#include "xsd/config/settings_wire.h"
#include "xsd/net/address_wire.h"

namespace xsd::config {
namespace {

constexpr std::size_t kLongestName = 256;
constexpr std::size_t kLongestRule = 4096;
constexpr std::size_t kLongestPath = 4096;
constexpr std::size_t kSmallestEndpoint = 9;
constexpr std::size_t kSmallestMuxTarget = 2 * sizeof(std::uint32_t) + 1;

/// Words that are networks on this machine go as such: the receiver asks nobody.
void put_rules(std::string& out, const std::vector<AddressRule>& rules, const Resolution& resolution) {
  const auto& networks = resolution.networks;
  put_number(out, static_cast<std::uint32_t>(rules.size()));
  for (const AddressRule& rule : rules) {
    const auto network = std::find_if(networks.begin(), networks.end(),
                                      [&](const auto& known) { return known.first == rule.text; });
    put_text(out, network != networks.end() ? network->second.to_string() : to_string(rule));
  }
}

bool takes_datagrams(const Resolution& resolution) {
  return std::any_of(resolution.endpoints.begin(), resolution.endpoints.end(),
                     [](const auto& endpoint) { return endpoint.transport == net::Transport::Datagram; });
}

/// False if one makes no sense: nobody is to be let in by a list that was misunderstood.
bool get_rules(WireReader& in, std::vector<AddressRule>& rules) {
  rules.resize(in.count(sizeof(std::uint32_t)));
  for (AddressRule& rule : rules) {
    auto parsed = parse_address_rule(in.text(kLongestRule));
    if (!parsed) return false;
    rule = std::move(*parsed);
  }
  return true;
}

// A burst of 0 is no limit.
void put_rate_limit(std::string& out, const std::optional<RateLimit>& limit) {
  const RateLimit value = limit.value_or(RateLimit{{}, 0});
  put_number(out, value.rate.count);
  put_number(out, static_cast<std::int64_t>(value.rate.period.count()));
  put_number(out, value.burst);
}

std::optional<RateLimit> get_rate_limit(WireReader& in) {
  RateLimit limit;
  limit.rate.count = in.get<std::uint32_t>();
  limit.rate.period = Duration(in.get<std::int64_t>());
  limit.burst = in.get<std::uint32_t>();
  const bool makes_sense = limit.burst > 0 && limit.rate.count > 0 && limit.rate.period > Duration::zero();
  return makes_sense ? std::optional(limit) : std::nullopt;
}

void put_times(std::string& out, const std::optional<std::vector<AccessWindow>>& times) {
  put_number(out, static_cast<std::uint8_t>(times ? 1 : 0));
  if (!times) return;
  put_number(out, static_cast<std::uint32_t>(times->size()));
  for (const AccessWindow& window : *times) {
    put_number(out, window.days);
    put_number(out, window.begin);
    put_number(out, window.end);
  }
}

std::optional<std::vector<AccessWindow>> get_times(WireReader& in) {
  constexpr std::size_t kSize = 5;
  if (!in.flag()) return std::nullopt;
  std::vector<AccessWindow> times(in.count(kSize));
  for (AccessWindow& window : times) {
    window.days = in.get<std::uint8_t>();
    window.begin = in.get<std::uint16_t>();
    window.end = in.get<std::uint16_t>();
    const bool makes_sense = window.days <= kEveryDay && window.begin < kMinutesOfDay &&
                             window.end <= kMinutesOfDay && window.begin != window.end;
    if (!makes_sense) in.fail();
  }
  return times;
}

void put_file(std::string& out, const ClientFiles::Text& text) {
  put_number(out, static_cast<std::uint8_t>(text != nullptr ? 1 : 0));
  if (text != nullptr) put_text(out, *text);
}

/// `known` is taken if it is the same.
ClientFiles::Text get_file(WireReader& in, std::size_t longest, const ClientFiles::Text& known) {
  if (!in.flag()) return nullptr;
  const std::string_view text = in.text(longest);
  return known != nullptr && *known == text ? known : std::make_shared<const std::string>(text);
}

// Where the records go; how long a file may get is not the worker's business.
void put_log(std::string& out, const ServiceLog& log) {
  put_number(out, log.target);
  put_number(out, static_cast<std::int32_t>(log.facility));
  put_number(out, static_cast<std::int32_t>(log.level));
  put_text(out, log.path);
}

void get_log(WireReader& in, Rare<ServiceLog>& out) {
  ServiceLog log;
  log.target = in.choice(ServiceLog::Target::File);
  log.facility = in.get<std::int32_t>();
  log.level = in.get<std::int32_t>();
  log.path = in.text(kLongestPath);
  if (log != ServiceLog()) out.edit() = std::move(log);
}

}  // namespace

std::string encode_definition(const ServiceDefinition& definition, const Resolution& resolution) {
  const ClientRules& clients = *definition.clients;
  std::string out;
  put_text(out, definition.id);
  put_text(out, definition.service);
  put_text(out, definition.plugin);
  put_number(out, definition.flags);
  put_number(out, definition.backlog);
  put_number(out, definition.instances.value);
  // Where somebody is asked about clients the master lets in those who connect (manager::ShardedService).
  const bool has_lists = !definition.asks_about_clients() || takes_datagrams(resolution);
  put_number(out, static_cast<std::uint8_t>(has_lists && clients.only_from ? 1 : 0));
  put_rules(out,
            has_lists ? clients.only_from.value_or(std::vector<AddressRule>()) : std::vector<AddressRule>(),
            resolution);
  put_rules(out, has_lists ? clients.no_access : std::vector<AddressRule>(), resolution);
  put_number(out, definition.per_source.value);
  put_number(out, clients.source_prefix.v4);
  put_number(out, clients.source_prefix.v6);
  put_rate_limit(out, clients.source_rate);
  put_rate_limit(out, clients.rate ? std::optional(clients.rate->limit) : std::nullopt);
  put_number(out, static_cast<std::uint8_t>(clients.rate && clients.rate->refuses ? 1 : 0));
  put_number(out, clients.cps ? clients.cps->connections : 0U);
  put_number(out, static_cast<std::int64_t>(clients.cps ? clients.cps->wait.count() : 0));
  put_times(out, clients.access_times);
  put_file(out, resolution.files->zone);
  put_number(out, clients.max_load.value_or(0));
  put_file(out, resolution.files->banner);
  put_file(out, resolution.files->banner_success);
  put_file(out, resolution.files->banner_fail);
  put_number(out, static_cast<std::uint8_t>(definition.idle_timeout ? 1 : 0));
  put_number(out, static_cast<std::int64_t>(definition.idle_timeout.value_or(Duration::zero()).count()));
  put_number(out, static_cast<std::int64_t>(definition.stop_timeout.count()));
  put_number(out, definition.log_on_success);
  put_number(out, definition.log_on_failure);
  put_log(out, *definition.log);
  put_settings(out, definition.settings);
  put_number(out, static_cast<std::uint32_t>(definition.programs.size()));
  for (const DeclaredProgram& program : definition.programs)
    put_text(out, program.name);
  put_number(out, static_cast<std::uint32_t>(definition.hand_over.size()));
  for (const std::string& target : definition.hand_over)
    put_text(out, target);
  put_number(out, static_cast<std::uint32_t>(definition.mux_targets->size()));
  for (const MuxTarget& target : *definition.mux_targets) {
    put_text(out, target.name);
    put_text(out, target.id);
    put_number(out, static_cast<std::uint8_t>(target.kind == MuxKind::MuxPlus ? 1 : 0));
  }
  put_number(out, static_cast<std::uint32_t>(resolution.endpoints.size()));
  for (const net::Endpoint& endpoint : resolution.endpoints)
    net::put_endpoint(out, endpoint);
  return out;
}

std::optional<WiredDefinition> decode_definition(std::string_view bytes, const ClientFiles& known) {
  WireReader in(bytes);
  auto definition = std::make_shared<ServiceDefinition>();
  definition->kind = ServiceKind::Plugin;
  definition->id = in.text(kLongestName);
  definition->service = in.text(kLongestName);
  definition->plugin = in.text(kLongestName);
  definition->flags = in.get<unsigned>();
  definition->backlog = in.get<std::uint32_t>();
  definition->instances.value = in.get<std::uint64_t>();
  ClientRules clients;
  const bool has_only_from = in.flag();
  const bool makes_sense = get_rules(in, clients.only_from.emplace()) && get_rules(in, clients.no_access);
  if (!has_only_from) clients.only_from.reset();
  definition->per_source.value = in.get<std::uint64_t>();
  clients.source_prefix.v4 = std::min(in.get<std::uint8_t>(), std::uint8_t{32});
  clients.source_prefix.v6 = std::min(in.get<std::uint8_t>(), std::uint8_t{128});
  clients.source_rate = get_rate_limit(in);
  const std::optional<RateLimit> rate = get_rate_limit(in);
  const bool refuses = in.flag();
  if (rate) clients.rate = ServiceRate{*rate, refuses};
  CpsLimit cps;
  cps.connections = std::min(in.get<std::uint32_t>(), kMaxCps);
  cps.wait = Duration(in.get<std::int64_t>());
  if (cps.connections > 0) clients.cps = cps;
  ClientFiles files;
  clients.access_times = get_times(in);
  files.zone = get_file(in, kMaxZoneFile, known.zone);
  if (const auto load = in.get<double>(); load > 0) clients.max_load = load;
  files.banner = get_file(in, kMaxBanner, known.banner);
  files.banner_success = get_file(in, kMaxBanner, known.banner_success);
  files.banner_fail = get_file(in, kMaxBanner, known.banner_fail);
  if (clients != ClientRules()) definition->clients.edit() = std::move(clients);
  const bool has_idle_timeout = in.flag();
  const Duration idle_timeout(in.get<std::int64_t>());
  if (has_idle_timeout) definition->idle_timeout = idle_timeout;
  definition->stop_timeout = Duration(in.get<std::int64_t>());
  definition->log_on_success = in.get<unsigned>();
  definition->log_on_failure = in.get<unsigned>();
  get_log(in, definition->log);
  definition->settings = get_settings(in);
  definition->programs.resize(in.count(sizeof(std::uint32_t)));
  for (DeclaredProgram& program : definition->programs)
    program.name = in.text(kLongestName);
  definition->hand_over.resize(in.count(sizeof(std::uint32_t)));
  for (std::string& target : definition->hand_over)
    target = in.text(kLongestName);
  std::vector<MuxTarget> mux_targets(in.count(kSmallestMuxTarget));
  for (MuxTarget& target : mux_targets) {
    target.name = in.text(kLongestName);
    target.id = in.text(kLongestName);
    target.kind = in.flag() ? MuxKind::MuxPlus : MuxKind::Mux;
  }
  if (!mux_targets.empty()) definition->mux_targets.edit() = std::move(mux_targets);
  auto resolution = std::make_shared<Resolution>();
  resolution->endpoints.resize(in.count(kSmallestEndpoint));
  for (net::Endpoint& endpoint : resolution->endpoints)
    endpoint = net::get_endpoint(in);
  if (files != ClientFiles()) resolution->files.edit() = std::move(files);
  if (!makes_sense || !in.is_complete()) return std::nullopt;
  return WiredDefinition{std::move(definition), std::move(resolution)};
}

}  // namespace xsd::config
