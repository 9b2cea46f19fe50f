// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/hosted_service.h"

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "xsd/plugin/datagram.h"
#include "xsd/plugin/host_functions.h"
#include "xsd/plugin/plugin_instance.h"
#include "xsd/plugin/stream_set.h"

namespace xsd::plugin {
namespace {

Status set_option(int fd, int level, int name, std::string_view text) {
  const int on = 1;
  if (setsockopt(fd, level, name, &on, sizeof on) == 0) return {};
  return Error::from_errno(errno, text);
}

}  // namespace

/// The set of the service's connections is its base so that both are given up together, by whoever leaves the
/// set last.
class HostedService::Impl final : public StreamSet {
 public:
  Impl(reactor::EventLoop& loop, const xsd_plugin& calls, HostedOptions options)
      : StreamSet(instance), instance(loop, calls, std::move(options), *this), datagrams(instance) {}

  /// 0 or what the plugin has answered.
  int start() noexcept {
    int result = 0;
    const Entry entry(*this);
    if (instance.calls.start != nullptr)
      result = instance.calls.start(&host_functions(), &instance, &instance.state);
    started_ = result == 0;
    if (!started_) forget_all();
    return result;
  }

  void end_connections() noexcept {
    instance.end();
    end_all(EndCause::Drain);
  }

  /// Ends the plugin now, or when the last work is done.
  static void end(std::unique_ptr<Impl> impl) noexcept {
    Impl& self = *impl;
    if (self.instance.works == 0) return stop(std::move(impl));
    self.instance.on_last_work = [owned = impl.release()] { stop(std::unique_ptr<Impl>(owned)); };
  }

  PluginInstance instance;
  DatagramReader datagrams;

 private:
  static void stop(std::unique_ptr<Impl> impl) noexcept {
    const xsd_plugin& calls = impl->instance.calls;
    if (impl->started_ && calls.stop != nullptr) {
      const Entry entry(*impl);
      calls.stop(impl->instance.state);
    }
    retire(std::move(impl));
  }

  bool started_ = false;
};

HostedService::HostedService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HostedService>> HostedService::create(reactor::EventLoop& loop,
                                                             const PluginEntry& entry,
                                                             HostedOptions options) {
  const xsd_plugin calls = known_part(*entry.plugin);
  if (calls.api_version >> 16 != XSD_PLUGIN_API_MAJOR) {
    return Error("plugin '" + std::string(entry.name) + "' was built for interface version " +
                 std::to_string(calls.api_version >> 16) + ", this is " +
                 std::to_string(XSD_PLUGIN_API_MAJOR));
  }
  std::unique_ptr<HostedService> made(
      new HostedService(std::make_unique<Impl>(loop, calls, std::move(options))));
  if (const int result = made->impl_->start(); result != 0)
    return Error::from_errno(result < 0 ? -result : EIO, "plugin '" + std::string(entry.name) + "'");
  return made;
}

HostedService::~HostedService() {
  impl_->end_connections();  // whoever is told of it may ask us
  Impl::end(std::move(impl_));
}

OpenOutcome HostedService::open(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                                const net::SocketAddress& local) noexcept {
  return impl_->open(std::move(socket), id, remote, local);
}

void HostedService::set_idle_timeout(std::optional<Duration> idle_timeout) noexcept {
  impl_->instance.options.idle_timeout = idle_timeout;
}

void HostedService::set_keep_alive(bool keep_alive) noexcept {
  impl_->instance.options.keep_alive = keep_alive;
}

int HostedService::read_datagrams(int fd, const net::SocketAddress& bound, bool wildcard) noexcept {
  // A datagram's handler may use the service's connections too.
  const StreamSet::Entry in_use(*impl_);
  return impl_->datagrams.read(fd, bound, wildcard);
}

void HostedService::program_ended(std::uint64_t id, int error, int exit_status, int signal) noexcept {
  impl_->program_ended(id, {error, exit_status, signal});
}

std::vector<std::pair<std::string_view, std::uint64_t>> HostedService::metrics() const {
  return impl_->instance.metrics.values();
}

void HostedService::close_all(EndCause cause) noexcept {
  impl_->close_all(cause);
}

std::size_t HostedService::connections() const noexcept {
  return impl_->size();
}

const DatagramCounters& HostedService::datagrams() const noexcept {
  return impl_->datagrams.counters();
}

Status prepare_stream_listener(int fd, const net::SocketAddress& bound) {
  if (!bound.is_ip()) return {};
  if (Status done = set_option(fd, IPPROTO_TCP, TCP_NODELAY, "set TCP_NODELAY"); !done) return done;
  return set_option(fd, SOL_SOCKET, SO_OOBINLINE, "set SO_OOBINLINE");
}

Status prepare_datagram_socket(int fd, const net::SocketAddress& bound) {
  if (!bound.is_ip()) return set_option(fd, SOL_SOCKET, SO_PASSCRED, "set SO_PASSCRED");
  // Room for a burst that comes while the loop is busy; the kernel charges 768 bytes for the smallest
  // datagram. Without privileges the system's own limit holds (socket(7), rmem_max).
  const int room = 1024 * 1024;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0) {
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);  // it works with less
  }
  if (bound.family() == AF_INET) return set_option(fd, IPPROTO_IP, IP_PKTINFO, "set IP_PKTINFO");
  if (!bound.is_any()) return {};
  return set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, "set IPV6_RECVPKTINFO");
}

}  // namespace xsd::plugin
