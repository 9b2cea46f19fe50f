// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/workers.h"

#include <algorithm>

namespace xsd::manager {
namespace {

// Two missed pings are a hang: it is noticed within nine seconds.
constexpr Duration kPingInterval = std::chrono::seconds(3);
constexpr Duration kFenceLimit = std::chrono::seconds(2);

}  // namespace

Workers::Workers(service::ServiceContext& context, RequestHandler& requests,
                 std::optional<process::Credentials> credentials)
    : requests_(requests),
      setup_{context,
             std::move(credentials),
             {},
             0,
             0,
             [this] {
               if (!ticker_.armed()) ticker_.arm(kPingInterval);
             }},
      ticker_(context.loop, [this] { on_tick(); }),
      fence_limit_(context.loop, [this] { end_fence(); }) {}

std::unique_ptr<service::ManagedService> Workers::create(service::Prepared prepared,
                                                         RemoteService::Events events) {
  WorkerHost& host = host_for(prepared);
  return std::make_unique<RemoteService>(setup_.context, requests_, host, std::move(prepared),
                                         std::move(events));
}

WorkerHost& Workers::host_for(const service::Prepared& prepared) {
  const auto& image = prepared.resolution->plugin_image;
  const auto found = std::find_if(hosts_.begin(), hosts_.end(), [&](const auto& host) {
    return config::is_same_image(host->image(), image.get());
  });
  if (found != hosts_.end()) return **found;
  return *hosts_.emplace_back(std::make_unique<WorkerHost>(setup_, image));
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
  std::erase_if(hosts_, [](const auto& host) { return host->is_empty(); });
}

void Workers::kill() noexcept {
  for (const auto& host : hosts_)
    host->kill();
}

void Workers::look_for_stop() {
  for (const auto& host : hosts_)
    host->look_for_stop();
}

void Workers::fence(std::function<void()> done) {
  fenced_ = std::move(done);
  fences_left_ = hosts_.size() + 1;
  fence_limit_.arm(kFenceLimit);
  for (const auto& host : hosts_)
    host->fence([this] { end_one_fence(); });
  end_one_fence();
}

void Workers::end_one_fence() {
  if (fences_left_ > 0 && --fences_left_ == 0) end_fence();
}

void Workers::end_fence() {
  fence_limit_.cancel();
  fences_left_ = 0;
  if (fenced_) std::exchange(fenced_, nullptr)();
}

void Workers::on_tick() {
  tidy();
  bool again = false;
  for (const auto& host : hosts_)
    again = host->check() || again;
  if (again) ticker_.arm(kPingInterval);
}

}  // namespace xsd::manager
