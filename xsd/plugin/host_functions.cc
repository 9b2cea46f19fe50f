// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/host_functions.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>

#include "xsd/base/text.h"
#include "xsd/plugin/datagram.h"
#include "xsd/plugin/plugin_instance.h"
#include "xsd/plugin/stream_set.h"

namespace xsd::plugin {
namespace {

PluginInstance& instance_of(xsd_service* service) noexcept {
  return *static_cast<PluginInstance*>(service);
}

StreamConnection& stream_of(xsd_connection* connection) noexcept {
  return *static_cast<StreamConnection*>(connection);
}

Datagram& datagram_of(xsd_datagram* datagram) noexcept {
  return *static_cast<Datagram*>(datagram);
}

PluginTimer& timer_of(xsd_timer* timer) noexcept {
  return *static_cast<PluginTimer*>(timer);
}

// --- the service ---

void host_log(xsd_service* service, std::uint32_t level, const char* message, std::size_t length) noexcept {
  const HostedOptions& options = instance_of(service).options;
  if (!options.on_log) return;
  std::string text;
  append_escaped(text, std::string_view(message, std::min(length, kMaxPluginText)));
  options.on_log(std::min(level, XSD_LOG_DEBUG), text);
}

void host_wall_clock(xsd_service* service, std::int64_t* seconds, std::int32_t* nanoseconds) noexcept {
  const WallTime now = instance_of(service).loop.clock().wall();
  const auto whole = std::chrono::floor<std::chrono::seconds>(now);
  *seconds = whole.time_since_epoch().count();
  if (nanoseconds != nullptr) *nanoseconds = static_cast<std::int32_t>((now - whole).count());
}

const xsd_node* host_settings(xsd_service* service) noexcept {
  return as_node(instance_of(service).settings);
}

xsd_timer* host_timer_new(xsd_service* service, void (*fire)(void*), void* argument) noexcept {
  return &instance_of(service).timers.make(fire, argument);
}

void host_timer_set(xsd_timer* timer, std::int64_t delay) noexcept {
  timer_of(timer).set(Duration(delay));
}

void host_timer_cancel(xsd_timer* timer) noexcept {
  timer_of(timer).cancel();
}

void host_timer_free(xsd_timer* timer) noexcept {
  if (timer != nullptr) timer_of(timer).free();
}

std::int64_t host_monotonic_clock(xsd_service* service) noexcept {
  return instance_of(service).loop.now().time_since_epoch().count();
}

xsd_metric* host_metric(xsd_service* service, const char* name) noexcept {
  PluginInstance& instance = instance_of(service);
  return instance.ending ? nullptr : instance.metrics.find_or_make(name, instance.options.make_metric);
}

void host_metric_add(xsd_metric* metric, std::int64_t number) noexcept {
  if (metric != nullptr) static_cast<Metric*>(metric)->add(number);
}

int host_run_blocking(xsd_service* service, void (*work)(void*), void (*done)(void*),
                      void* argument) noexcept {
  return instance_of(service).run_blocking(work, done, argument);
}

// --- stream connections ---

void host_set_data(xsd_connection* connection, void* data) noexcept {
  stream_of(connection).set_data(data);
}

void* host_get_data(xsd_connection* connection) noexcept {
  return stream_of(connection).data();
}

const xsd_peer_info* host_peer_info(xsd_connection* connection) noexcept {
  return stream_of(connection).peer_info();
}

xsd_service* host_service_of(xsd_connection* connection) noexcept {
  return &stream_of(connection).instance();
}

int host_write(xsd_connection* connection, const void* data, std::size_t length) noexcept {
  return stream_of(connection).write(static_cast<const char*>(data), length);
}

std::int64_t host_try_write(xsd_connection* connection, const void* data, std::size_t length) noexcept {
  return stream_of(connection).try_write(static_cast<const char*>(data), length);
}

int host_write_pieces(xsd_connection* connection, const xsd_piece* pieces, std::size_t count,
                      std::uint32_t flags) noexcept {
  return stream_of(connection).write_pieces(pieces, count, flags);
}

int host_send_file(xsd_connection* connection, int fd, std::uint64_t offset, std::uint64_t length) noexcept {
  return stream_of(connection).send_file(UniqueFd(fd), offset, length);
}

std::uint64_t host_unsent(xsd_connection* connection) noexcept {
  return stream_of(connection).unsent();
}

void host_want_writable(xsd_connection* connection, int on) noexcept {
  stream_of(connection).want_writable(on != 0);
}

std::int64_t host_read(xsd_connection* connection, void* buffer, std::size_t length) noexcept {
  return stream_of(connection).read(static_cast<char*>(buffer), length, true);
}

std::int64_t host_peek(xsd_connection* connection, void* buffer, std::size_t length) noexcept {
  return stream_of(connection).read(static_cast<char*>(buffer), length, false);
}

void host_set_reading(xsd_connection* connection, int on) noexcept {
  stream_of(connection).set_reading(on != 0);
}

void host_discard_input(xsd_connection* connection) noexcept {
  stream_of(connection).discard_input();
}

void host_set_idle_timeout(xsd_connection* connection, std::int64_t timeout) noexcept {
  stream_of(connection).set_idle_timeout(Duration(timeout));
}

void host_finish(xsd_connection* connection) noexcept {
  stream_of(connection).finish();
}

void host_close(xsd_connection* connection) noexcept {
  stream_of(connection).close();
}

void host_abort(xsd_connection* connection) noexcept {
  stream_of(connection).abort();
}

int host_join(xsd_connection* a, xsd_connection* b) noexcept {
  return stream_of(a).join(stream_of(b));
}

int host_hand_over(xsd_connection* connection, const char* service) noexcept {
  return stream_of(connection).hand_over(service);
}

/// The functions that make a connection: what they answer, and where to.
template <class Make>
int make_connection(xsd_connection** connection, Make&& make) noexcept {
  StreamConnection* made = nullptr;
  const int result = make(made);
  *connection = made;
  return result;
}

int host_connect(xsd_service* service, const char* address, std::uint16_t port,
                 xsd_connection** connection) noexcept {
  return make_connection(connection, [&](StreamConnection*& made) {
    return instance_of(service).streams.connect(address, port, made);
  });
}

int host_start_program(xsd_service* service, const char* program, const char* const* environment,
                       std::size_t count, const char* directory, xsd_connection** connection) noexcept {
  return make_connection(connection, [&](StreamConnection*& made) {
    return instance_of(service).streams.start_program(program, environment, count, directory, made);
  });
}

// --- datagrams ---

const xsd_peer_info* host_datagram_info(xsd_datagram* datagram) noexcept {
  return datagram_of(datagram).info();
}

const void* host_datagram_data(xsd_datagram* datagram, std::size_t* length) noexcept {
  const std::string_view data = datagram_of(datagram).data();
  *length = data.size();
  return data.data();
}

int host_reply(xsd_datagram* datagram, const void* data, std::size_t length) noexcept {
  return datagram_of(datagram).reply(static_cast<const char*>(data), length);
}

constexpr xsd_host kHost{
    .size = sizeof(xsd_host),
    .api_version = XSD_PLUGIN_API_VERSION,
    .log = host_log,
    .wall_clock = host_wall_clock,
    .set_data = host_set_data,
    .get_data = host_get_data,
    .peer_info = host_peer_info,
    .write = host_write,
    .try_write = host_try_write,
    .want_writable = host_want_writable,
    .discard_input = host_discard_input,
    .finish = host_finish,
    .close = host_close,
    .datagram_info = host_datagram_info,
    .reply = host_reply,
    .settings = host_settings,
    .node_kind = node_kind,
    .node_text = node_text,
    .node_count = node_count,
    .node_at = node_at,
    .node_find = node_find,
    .node_number = node_number,
    .node_boolean = node_boolean,
    .node_duration = node_duration,
    .node_size = node_size,
    .report = report_problem,
    .timer_new = host_timer_new,
    .timer_set = host_timer_set,
    .timer_cancel = host_timer_cancel,
    .timer_free = host_timer_free,
    .monotonic_clock = host_monotonic_clock,
    .metric = host_metric,
    .metric_add = host_metric_add,
    .service_of = host_service_of,
    .read = host_read,
    .peek = host_peek,
    .set_reading = host_set_reading,
    .write_pieces = host_write_pieces,
    .send_file = host_send_file,
    .unsent = host_unsent,
    .set_idle_timeout = host_set_idle_timeout,
    .abort = host_abort,
    .connect = host_connect,
    .join = host_join,
    .hand_over = host_hand_over,
    .start_program = host_start_program,
    .datagram_data = host_datagram_data,
    .run_blocking = host_run_blocking,
};

}  // namespace

const xsd_host& host_functions() noexcept {
  return kHost;
}

}  // namespace xsd::plugin
