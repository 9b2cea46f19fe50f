// SPDX-License-Identifier: Apache-2.0
//
// Plan: the difference between what runs and what a snapshot asks for, one action for each service. Pure: it
// looks at values only and changes nothing, so that reload, dry run and tests share it.
//
// Actions are ordered so that what gives up an endpoint comes before what may want it: stop and disable, then
// change, then start, then what stays.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "xsd/config/loader.h"
#include "xsd/net/endpoint.h"
#include "xsd/service/managed_service.h"

namespace xsd::manager {

enum class ActionKind : std::uint8_t {
  Stop,     ///< gone from the configuration
  Disable,  ///< `disable: yes`
  Fault,    ///< faulty or impossible here now; what runs of it goes on
  Change,   ///< goes on with a new definition, or was stopped and is started as another kind
  Start,
  Keep,  ///< the same as before; last, so that what somebody waits for does not wait for it
};

struct Action {
  ActionKind kind;
  std::string id;
  const config::LoadedService* loaded = nullptr;  ///< of the snapshot; nullptr for Stop
};

/// What the plan needs to know of a running (or failed, or disabled) entry.
struct RunningEntry {
  std::string file;
  bool serving = false;  ///< it has a service at work
  std::shared_ptr<const config::ServiceDefinition>
      definition;  ///< that it works with; nullptr if not serving
  std::shared_ptr<const config::Resolution> resolution;
  const std::vector<net::Endpoint>* endpoints = nullptr;  ///< that it has; borrowed
  const service::ManagedService* service = nullptr;       ///< that is at work, if it serves; borrowed
  std::uint64_t named_in = 0;                             ///< the generation that has named it last
  std::optional<std::uint64_t> faulty_since{};            ///< the generation that found its text at fault
};

/// The files of a snapshot with faults in them. While there is one nobody knows what else its author meant to
/// change: a service that is no longer named in the file may be the faulty one under another name, and goes
/// on. Not so if the fault is older than that, such as a service that is not supported: then the two were
/// named beside each other. Borrows from the snapshot.
class FaultyFiles {
 public:
  FaultyFiles(const std::map<std::string, RunningEntry>& running, const config::Snapshot& snapshot);
  /// For one that the snapshot does not name.
  bool keep(const RunningEntry& entry) const noexcept;

 private:
  std::unordered_map<std::string_view, std::uint64_t> latest_;  ///< when the latest fault of a file came
};

/// `running` by id. The actions point into `snapshot`.
std::vector<Action> make_plan(const std::map<std::string, RunningEntry>& running,
                              const config::Snapshot& snapshot);

/// True if nothing about how the service runs would change.
bool is_unchanged(const RunningEntry& running, const config::LoadedService& loaded) noexcept;

}  // namespace xsd::manager
