// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/hosted_service.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "xsd/base/text.h"
#include "xsd/plugin/datagram.h"
#include "xsd/plugin/plugin_instance.h"
#include "xsd/plugin/stream_connection.h"

namespace xsd::plugin {
namespace {

// The functions of xsd_host: from a handle of plugin.h to the object that it is.

constexpr std::size_t kMaxLogMessage = 1024;

PluginInstance& instance_of(xsd_service* service) noexcept {
  return *static_cast<PluginInstance*>(service);
}

StreamConnection& stream_of(xsd_connection* connection) noexcept {
  return *static_cast<StreamConnection*>(connection);
}

Datagram& datagram_of(xsd_datagram* datagram) noexcept {
  return *static_cast<Datagram*>(datagram);
}

void host_log(xsd_service* service, std::uint32_t level, const char* message, std::size_t length) noexcept {
  const HostedOptions& options = instance_of(service).options;
  if (!options.on_log) return;
  std::string text;
  append_escaped(text, std::string_view(message, std::min(length, kMaxLogMessage)));
  options.on_log(std::min(level, XSD_LOG_DEBUG), text);
}

void host_wall_clock(xsd_service* service, std::int64_t* seconds, std::int32_t* nanoseconds) noexcept {
  const WallTime now = instance_of(service).loop.clock().wall();
  const auto whole = std::chrono::floor<std::chrono::seconds>(now);
  *seconds = whole.time_since_epoch().count();
  if (nanoseconds != nullptr) *nanoseconds = static_cast<std::int32_t>((now - whole).count());
}

void host_set_data(xsd_connection* connection, void* data) noexcept {
  stream_of(connection).set_data(data);
}

void* host_get_data(xsd_connection* connection) noexcept {
  return stream_of(connection).data();
}

const xsd_peer_info* host_peer_info(xsd_connection* connection) noexcept {
  return stream_of(connection).peer_info();
}

int host_write(xsd_connection* connection, const void* data, std::size_t length) noexcept {
  return stream_of(connection).write(static_cast<const char*>(data), length);
}

std::int64_t host_try_write(xsd_connection* connection, const void* data, std::size_t length) noexcept {
  return stream_of(connection).try_write(static_cast<const char*>(data), length);
}

void host_want_writable(xsd_connection* connection, int on) noexcept {
  stream_of(connection).want_writable(on != 0);
}

void host_discard_input(xsd_connection* connection) noexcept {
  stream_of(connection).discard_input();
}

void host_finish(xsd_connection* connection) noexcept {
  stream_of(connection).finish();
}

void host_close(xsd_connection* connection) noexcept {
  stream_of(connection).close();
}

const xsd_peer_info* host_datagram_info(xsd_datagram* datagram) noexcept {
  return datagram_of(datagram).info();
}

int host_reply(xsd_datagram* datagram, const void* data, std::size_t length) noexcept {
  return datagram_of(datagram).reply(static_cast<const char*>(data), length);
}

constexpr xsd_host kHost{
    XSD_PLUGIN_HEADER(xsd_host),
    host_log,
    host_wall_clock,
    host_set_data,
    host_get_data,
    host_peer_info,
    host_write,
    host_try_write,
    host_want_writable,
    host_discard_input,
    host_finish,
    host_close,
    host_datagram_info,
    host_reply,
};

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
      : StreamSet(instance), instance(loop, calls, std::move(options)), datagrams(instance) {}

  void shut_down() noexcept {
    end_all(EndCause::Drain);
    if (instance.calls.stop != nullptr) instance.calls.stop(instance.state);
  }

  PluginInstance instance;
  DatagramReader datagrams;
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
  auto impl = std::make_unique<Impl>(loop, calls, std::move(options));
  PluginInstance& instance = impl->instance;
  if (calls.start != nullptr) {
    const int result = calls.start(&kHost, &instance, &instance.state);
    if (result != 0) {
      return Error::from_errno(result < 0 ? -result : EIO, "plugin '" + std::string(entry.name) + "'");
    }
  }
  return std::unique_ptr<HostedService>(new HostedService(std::move(impl)));
}

HostedService::~HostedService() {
  impl_->shut_down();
  StreamSet::retire(std::move(impl_));
}

OpenOutcome HostedService::open(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                                const net::SocketAddress& local) noexcept {
  return impl_->open(std::move(socket), id, remote, local);
}

void HostedService::set_idle_timeout(std::optional<Duration> idle_timeout) noexcept {
  impl_->instance.options.idle_timeout = idle_timeout;
}

int HostedService::read_datagrams(int fd, const net::SocketAddress& bound, bool wildcard) noexcept {
  // A datagram's handler may use the service's connections too.
  const StreamSet::Entry in_use(*impl_);
  return impl_->datagrams.read(fd, bound, wildcard);
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
