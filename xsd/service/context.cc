// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/context.h"

#include <algorithm>
#include <ctime>

#include <sys/random.h>
#include <unistd.h>

#include "xsd/net/socket.h"
#include "xsd/service/listener.h"

namespace xsd::service {
namespace {

// Four tries a second at most; a client waits in the backlog no longer than this once descriptors are free
// again.
constexpr Duration kGatePause = std::chrono::milliseconds(250);
constexpr std::size_t kFullBuffer = 32768;
constexpr Duration kCollecting = std::chrono::milliseconds(1);
// At the limit a descriptor comes free and is taken again all the time; that is one trouble, told of once.
constexpr Duration kTroubleOver = std::chrono::seconds(2);
constexpr Duration kAddressesGetOld = std::chrono::seconds(5);

}  // namespace

policy::HashSeed draw_hash_seed() noexcept {
  policy::HashSeed seed;
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == static_cast<ssize_t>(sizeof seed)) return seed;
  // Early in the boot of a machine. Nobody outside knows the process to the nanosecond.
  timespec now{};
  (void)clock_gettime(CLOCK_REALTIME, &now);
  return {static_cast<std::uint64_t>(now.tv_nsec) * 0x9E3779B97F4A7C15U,
          static_cast<std::uint64_t>(getpid())};
}

void RecordLog::flush_later(std::size_t size) {
  if (size >= kFullBuffer) return log::flush();
  if (!flusher_.armed()) flusher_.arm(kCollecting);
}

template <class Append>
void RecordLog::add(const config::ServiceDefinition& definition, const Append& append) {
  using Target = config::ServiceLog::Target;
  policy::RecordStyle style{.json = log::is_json(), .now = loop_.clock().wall()};
  const Target target = definition.log->target;
  if (target != Target::Syslog)
    style.prefix = target == Target::File ? &log::begin_dated_record : &log::begin_text_record;
  std::string& out = target == Target::Daemon ? log::records() : log::records(definition.log->place());
  append(out, style);
  flush_later(out.size());
}

void RecordLog::start(const config::ServiceDefinition& definition, const policy::RecordSubject& subject) {
  add(definition, [&](std::string& out, const policy::RecordStyle& style) {
    policy::append_start(out, style, definition.log_on_success, subject);
  });
}

void RecordLog::end(const config::ServiceDefinition& definition, const policy::RecordSubject& subject,
                    const policy::RecordOutcome& outcome) {
  add(definition, [&](std::string& out, const policy::RecordStyle& style) {
    policy::append_end(out, style, definition.log_on_success, subject, outcome);
  });
}

void RecordLog::refuse(const config::ServiceDefinition& definition, const policy::RecordSubject& subject,
                       policy::Reason reason) {
  add(definition, [&](std::string& out, const policy::RecordStyle& style) {
    policy::append_refuse(out, style, definition.log_on_failure, subject, reason);
  });
}

AcceptGate::AcceptGate(reactor::EventLoop& loop) : loop_(loop), timer_(loop, [this] { open(); }) {}

void AcceptGate::shut(const std::string& service, int error) {
  if (!troubled_)
    log::error("{}: accept: {}; accepting pauses until there is room", service, errno_text(error));
  troubled_ = true;
  shut_ = true;
  last_shut_ = loop_.now();
  timer_.arm(kGatePause);
}

void AcceptGate::wait(Listener& listener) {
  waiting_.push_back(&listener);
}

void AcceptGate::forget(Listener& listener) noexcept {
  std::erase(waiting_, &listener);
}

void AcceptGate::passed() {
  if (!troubled_ || shut_ || loop_.now() - last_shut_ < kTroubleOver) return;
  troubled_ = false;
  log::info("accepting again");
}

void AcceptGate::open() {
  shut_ = false;
  // Whoever finds the fault still there shuts the gate before the others have tried.
  for (Listener* const listener : std::exchange(waiting_, {}))
    listener->on_gate_open();
}

void OwnAddresses::refresh() {
  refreshed_ = clock_.monotonic();
  addresses_ = net::interface_addresses();
}

bool OwnAddresses::is_own_udp(const net::SocketAddress& sender) {
  if (!udp_ports_.contains(sender.port())) return false;
  if (sender.is_loopback()) return true;
  if (clock_.monotonic() - refreshed_ >= kAddressesGetOld) refresh();
  return std::any_of(addresses_.begin(), addresses_.end(),
                     [&](const auto& own) { return own.same_host(sender); });
}

}  // namespace xsd::service
