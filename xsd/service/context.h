// SPDX-License-Identifier: Apache-2.0
//
// ServiceContext: what all services of a process share: loop, children, spawner, records, and the few numbers
// that count across services. Made by the daemon (and later by a worker), borrowed by every service, outlives
// them all.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_set>
#include <vector>

#include "xsd/base/log.h"
#include "xsd/config/definitions.h"
#include "xsd/net/address.h"
#include "xsd/net/endpoint.h"
#include "xsd/plugin/blocking_pool.h"
#include "xsd/policy/access_log.h"
#include "xsd/policy/ban_list.h"
#include "xsd/policy/source_key.h"
#include "xsd/process/exec_plan.h"
#include "xsd/process/process_group.h"
#include "xsd/process/role.h"
#include "xsd/process/spawner.h"
#include "xsd/reactor/child_watcher.h"
#include "xsd/reactor/event_loop.h"
#include "xsd/service/drained_close.h"
#include "xsd/service/hosts_files.h"
#include "xsd/service/load_meter.h"

namespace xsd::logger {
class LoggerProcess;
}
namespace xsd::inquirer {
class InquirerProcess;
}

namespace xsd::service {

class AddressFileSource;
class Listener;
class PluginRequests;
class SenderNames;

/// Sends records to the log, or where the service has them go (`log_type`). A write costs as much as half a
/// short connection, so those of a millisecond or two leave in one.
class RecordLog {
 public:
  explicit RecordLog(reactor::EventLoop& loop) : loop_(loop), flusher_(loop, [] { log::flush(); }) {}
  void start(const config::ServiceDefinition& definition, const policy::RecordSubject& subject);
  void end(const config::ServiceDefinition& definition, const policy::RecordSubject& subject,
           const policy::RecordOutcome& outcome);
  void refuse(const config::ServiceDefinition& definition, const policy::RecordSubject& subject,
              policy::Reason reason);

 private:
  /// `append` writes the record.
  template <class Append>
  void add(const config::ServiceDefinition& definition, const Append& append);
  void flush_later(std::size_t size);

  reactor::EventLoop& loop_;
  reactor::Timer flusher_;
};

/// Shut while the process has no descriptors (or memory for sockets) to spare: then nobody tries to accept,
/// and one listener at a time finds out whether it is over. So the tries are few however many services there
/// are, and one line tells of it.
class AcceptGate {
 public:
  explicit AcceptGate(reactor::EventLoop& loop);
  bool is_shut() const noexcept { return shut_; }
  /// Shuts the gate for a moment; `error` is what accept said.
  void shut(const std::string& service, int error);
  /// The listener is told with `Listener::on_gate_open`.
  void wait(Listener& listener);
  void forget(Listener& listener) noexcept;
  /// A connection could be accepted; when that has gone well for a while the fault is over, and a line says
  /// so.
  void passed();

 private:
  void open();

  reactor::EventLoop& loop_;
  reactor::Timer timer_;
  MonotonicTime last_shut_{};
  std::vector<Listener*> waiting_;
  bool shut_ = false;
  bool troubled_ = false;
};

/// Children of all services together.
struct ProcessBudget {
  std::uint64_t running = 0;
  config::Limit limit{4096};
};

/// Our own UDP ports and addresses, so that two of our services can never be made to talk to each other for
/// ever. Addresses come and go; the list is read anew when it is asked about a sender that may be one of
/// ours, at most every five seconds.
class OwnAddresses {
 public:
  explicit OwnAddresses(const Clock& clock) : clock_(clock) {}
  void set_udp_ports(std::unordered_set<std::uint16_t> ports) { udp_ports_ = std::move(ports); }
  /// Reads the interfaces anew.
  void refresh();
  bool is_own_udp(const net::SocketAddress& sender);

 private:
  const Clock& clock_;
  std::unordered_set<std::uint16_t> udp_ports_;
  std::vector<net::SocketAddress> addresses_;
  MonotonicTime refreshed_{};
};

/// From the kernel; where that fails, from the time.
policy::HashSeed draw_hash_seed() noexcept;

struct ServiceContext {
  explicit ServiceContext(reactor::EventLoop& event_loop, process::Inheritance inherited)
      : loop(event_loop),
        inheritance(std::move(inherited)),
        children(loop),
        roles(spawner, inheritance),
        groups(loop),
        records(loop),
        gate(loop),
        drained_close(loop),
        own_addresses(loop.clock()),
        load(loop),
        blocking_pool(loop) {}

  reactor::EventLoop& loop;
  const process::Inheritance inheritance;
  reactor::ChildWatcher children;
  process::Spawner spawner;
  process::RoleStarter roles;
  process::GroupSweeper groups;
  RecordLog records;
  AcceptGate gate;
  DrainedClose drained_close;
  ProcessBudget processes;
  OwnAddresses own_addresses;
  LoadMeter load;
  HostsFiles hosts_files;
  plugin::BlockingPool blocking_pool;
  std::uint64_t last_connection = 0;
  const policy::HashSeed hash_seed = draw_hash_seed();
  /// Asked first about everybody who comes to any service. Over a reload they stay.
  policy::BanList bans{hash_seed};
  /// Tells other processes of what was added to it here; nothing: nobody else is there.
  std::function<void(const policy::Ban& ban, const policy::BanChange& change)> on_ban{};
  /// A listening socket was made anew; nothing: nobody has to know.
  std::function<void(const net::Endpoint& endpoint)> on_reopened{};
  /// A `wait` server has it now; it is ours alone again.
  std::function<void(const net::Endpoint& endpoint)> on_lent{};
  std::function<void(const net::Endpoint& endpoint)> on_returned{};
  bool sockets_come_prepared = false;         ///< the master has set their options (in a worker)
  bool plugins_work_elsewhere = false;        ///< in workers (in their master)
  PluginRequests* plugin_requests = nullptr;  ///< nullptr: plugins can ask for nothing
  std::uint64_t* busy_with = nullptr;         ///< set to the number of the service whose plugin is at work
  /// Writes the log and reads the programs' standard errors; nullptr where this process does that itself.
  logger::LoggerProcess* logger = nullptr;
  /// Asks others about clients; nullptr: nobody can be asked, and who would have to be is taken to have said
  /// no.
  inquirer::InquirerProcess* inquirer = nullptr;
  /// nullptr: files of addresses cannot be read here.
  AddressFileSource* address_files = nullptr;
  /// The names of senders of datagrams; nullptr: they cannot be found out.
  SenderNames* sender_names = nullptr;
};

}  // namespace xsd::service
