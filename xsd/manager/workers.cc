// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/workers.h"

#include <algorithm>
#include <string>

#include "xsd/manager/sharded_service.h"

namespace xsd::manager {
namespace {

constexpr Duration kFenceLimit = std::chrono::seconds(2);

}  // namespace

Workers::Workers(service::ServiceContext& context, RequestHandler& requests,
                 std::optional<process::Credentials> credentials)
    : requests_(requests),
      setup_{context, std::move(credentials), {}, 0, 0, [this] { tidier_.arm(Duration::zero()); }},
      tidier_(context.loop, [this] { tidy(); }),
      fence_limit_(context.loop, [this] { end_fence(); }) {
  context.on_ban = [this](const policy::Ban& ban, const policy::BanChange& change) {
    for (const auto& host : hosts_)
      host->tell_ban(ban, change);
  };
}

Workers::~Workers() {
  setup_.context.on_ban = nullptr;
}

std::unique_ptr<service::ManagedService> Workers::create(service::Prepared prepared,
                                                         RemoteService::Events events) {
  if (prepared.definition->shards > 1 || prepared.definition->asks_about_clients()) {
    return std::make_unique<ShardedService>(setup_.context, requests_, make_shards(prepared), prepared,
                                            std::move(events));
  }
  WorkerHost& host = host_for(prepared);
  return std::make_unique<RemoteService>(setup_.context, requests_, host, std::move(prepared),
                                         std::move(events));
}

WorkerHost& Workers::host_for(const service::Prepared& prepared) {
  WorkerPurpose purpose = WorkerPurpose::of(prepared);
  const auto found = std::find_if(hosts_.begin(), hosts_.end(), [&](const auto& host) {
    return host->is_shared() && host->purpose() == purpose;
  });
  if (found != hosts_.end()) return **found;
  return *hosts_.emplace_back(std::make_unique<WorkerHost>(setup_, std::move(purpose)));
}

std::vector<WorkerHost*> Workers::make_shards(const service::Prepared& prepared) {
  const config::ServiceDefinition& definition = *prepared.definition;
  if (definition.shards == 1) return {&host_for(prepared)};
  std::vector<WorkerHost*> made;
  for (std::uint32_t i = 1; i <= definition.shards; ++i) {
    made.push_back(hosts_
                       .emplace_back(std::make_unique<WorkerHost>(setup_, WorkerPurpose::of(prepared),
                                                                  definition.id + "/" + std::to_string(i)))
                       .get());
  }
  return made;
}

void Workers::lend_file(const std::string& path) {
  for (const auto& host : hosts_)
    host->lend_file(path);
}

void Workers::set_log() {
  for (const auto& host : hosts_)
    host->set_log();
}

void Workers::set_udp_ports(std::vector<std::uint16_t> ports) {
  if (ports == setup_.udp_ports) return;
  setup_.udp_ports = std::move(ports);
  for (const auto& host : hosts_)
    host->set_udp_ports();
}

void Workers::flush() {
  for (const auto& host : hosts_)
    host->flush();
}

void Workers::tidy() {
  const auto empty =
      std::stable_partition(hosts_.begin(), hosts_.end(), [](const auto& host) { return !host->is_empty(); });
  for (auto host = empty; host != hosts_.end(); ++host) {
    (*host)->end();
    leaving_.push_back(std::move(*host));
  }
  hosts_.erase(empty, hosts_.end());
  std::erase_if(leaving_, [](const auto& host) { return host->is_empty() && host->pid() == 0; });
}

void Workers::end(Duration limit) {
  reactor::EventLoop& loop = setup_.context.loop;
  const MonotonicTime deadline = loop.clock().monotonic() + limit;
  const auto runs = [](const auto& host) { return host->pid() != 0; };
  for (auto& host : hosts_) {
    host->end();
    leaving_.push_back(std::move(host));
  }
  hosts_.clear();
  while (std::any_of(leaving_.begin(), leaving_.end(), runs) && loop.clock().monotonic() < deadline)
    (void)loop.run_once(deadline - loop.clock().monotonic());
  kill();
}

void Workers::kill() noexcept {
  for (const auto* const all : {&hosts_, &leaving_}) {
    for (const auto& host : *all)
      host->kill();
  }
}

void Workers::look_for_stop() {
  for (const auto& host : hosts_)
    host->look_for_stop();
}

void Workers::when_done(std::function<void()> done) {
  // One more than there are hosts, so that it is not over before all have been asked.
  const auto left = std::make_shared<std::size_t>(hosts_.size() + 1);
  const auto one = [left, done = std::move(done)] {
    if (--*left == 0) done();
  };
  for (const auto& host : hosts_)
    host->fence(one);
  one();
}

void Workers::fence(std::function<void()> done) {
  fenced_ = std::move(done);
  fence_limit_.arm(kFenceLimit);
  when_done([this, serial = ++fence_serial_] {
    if (serial == fence_serial_) end_fence();
  });
}

void Workers::end_fence() {
  fence_limit_.cancel();
  if (fenced_) std::exchange(fenced_, nullptr)();
}

}  // namespace xsd::manager
