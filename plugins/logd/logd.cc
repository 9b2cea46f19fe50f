// SPDX-License-Identifier: Apache-2.0
//
// logd: collects syslog records of many clients in one file. One record a datagram, or framed in a stream
// (frame_splitter.h); both formats (syslog_parser.h); what a line looks like stands in log_line.h.
//
// Everything that touches the file may block, so it is run_blocking's. The lines of a turn of the loop, and
// those that come while a write is under way, are one write; at most one is under way. If the file does not
// keep up, 1 MiB of lines waits; beyond that streams are not read from until there is room, and datagrams are
// dropped and counted.
//
// While a write is under way, `file`, `written`, `now` and `outcome` of the Collector belong to the thread
// that writes. Everything else is the loop's. Callbacks are noexcept: want of memory ends the worker.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>

#include "logd/frame_splitter.h"
#include "logd/log_file.h"
#include "logd/log_line.h"
#include "logd/syslog_parser.h"
#include "xsd/plugin.h"

namespace {

using logd::FrameSplitter;
using logd::LogFile;

constexpr std::size_t kMostWaiting = std::size_t{1024} * 1024;
constexpr std::size_t kKeptCapacity = std::size_t{64} * 1024;  // of a buffer without work
constexpr std::int64_t kRetry = 100'000'000;                   // when no thread could be had
constexpr std::uint64_t kSmallestRecord = 480;                 // RFC 5424 6.1: shorter ones must be taken
constexpr std::uint64_t kLargestRecord = std::uint64_t{64} * 1024;
constexpr std::uint64_t kSmallestFile = 4096;
constexpr std::uint64_t kMostFiles = 1000;

const xsd_host* host = nullptr;

struct Metrics {
  xsd_metric* records;
  xsd_metric* dropped;
  xsd_metric* malformed;
  xsd_metric* rotations;
};

/// A stream connection.
struct Stream {
  Stream(std::size_t longest, std::string sender) : splitter(longest), peer(std::move(sender)) {}
  FrameSplitter splitter;
  std::string peer;
};

struct Collector {
  Collector(xsd_service* of, logd::LogFileOptions options) : service(of), file(std::move(options)) {}

  xsd_service* service;
  Metrics metrics{};
  std::size_t longest_record = 0;
  xsd_timer* timer = nullptr;
  std::string lines;  // that wait
  std::string time;   // of this callback
  bool writing = false;
  bool in_trouble = false;
  std::uint64_t lost_in_trouble = 0;
  std::vector<xsd_connection*> held_back;
  std::array<char, std::size_t{64} * 1024> input;

  LogFile file;
  std::string written;
  std::int64_t now = 0;
  LogFile::Outcome outcome;
};

std::string_view peer_of(const xsd_peer_info& info) {
  // A port of 0: a unix socket, whose name (if any) says nothing about a host.
  return info.remote_port == 0 ? std::string_view() : std::string_view(info.remote_address);
}

// --- writing ---

void tell(Collector& collector, std::uint32_t level, const std::string& text) {
  host->log(collector.service, level, text.data(), text.size());
}

std::string name_of(LogFile::Step step) {
  switch (step) {
    case LogFile::Step::Sync:
      return "sync";
    case LogFile::Step::Open:
      return "open";
    case LogFile::Step::Rotate:
      return "rename";
    case LogFile::Step::Write:
    case LogFile::Step::None:
      break;
  }
  return "write";
}

void take_outcome(Collector& collector) {
  const LogFile::Outcome outcome = collector.outcome;
  host->metric_add(collector.metrics.dropped, static_cast<std::int64_t>(outcome.lost));
  host->metric_add(collector.metrics.rotations, static_cast<std::int64_t>(outcome.rotations));
  const std::string& path = collector.file.path();
  if (outcome.step != LogFile::Step::None && !collector.in_trouble) {
    collector.in_trouble = true;
    collector.lost_in_trouble = 0;
    tell(collector, XSD_LOG_ERROR,
         "cannot " + name_of(outcome.step) + " " + path + ": " + std::strerror(outcome.error) +
             (outcome.step == LogFile::Step::Write ? "; records are dropped until it works"
                                                   : "; going on with the file that is open"));
  }
  collector.lost_in_trouble += outcome.lost;
  if (outcome.step == LogFile::Step::None && collector.in_trouble) {
    collector.in_trouble = false;
    tell(collector, XSD_LOG_INFO,
         path + " is written again; " + std::to_string(collector.lost_in_trouble) + " records were dropped");
  }
}

void work(void* argument) noexcept {
  auto& collector = *static_cast<Collector*>(argument);
  collector.outcome = collector.file.write(collector.written, collector.now);
}

void done(void* argument) noexcept;

void write_lines(Collector& collector) {
  if (collector.writing) return;
  collector.written.swap(collector.lines);
  collector.now = host->monotonic_clock(collector.service);
  if (host->run_blocking(collector.service, work, done, &collector) == 0) {
    collector.writing = true;
    return;
  }
  collector.written.swap(collector.lines);
  host->timer_set(collector.timer, kRetry);
}

void done(void* argument) noexcept {
  auto& collector = *static_cast<Collector*>(argument);
  collector.writing = false;
  take_outcome(collector);
  collector.written.clear();
  if (collector.written.capacity() > kKeptCapacity) collector.written = std::string();
  for (xsd_connection* const connection : collector.held_back)
    host->set_reading(connection, 1);
  collector.held_back.clear();
  if (!collector.lines.empty()) {
    write_lines(collector);
  } else if (const auto due = collector.file.sync_due()) {
    host->timer_set(collector.timer,
                    std::max<std::int64_t>(*due - host->monotonic_clock(collector.service), 0));
  }
}

void on_timer(void* argument) noexcept {
  auto& collector = *static_cast<Collector*>(argument);
  write_lines(collector);
}

/// The lines of this turn are written at its end.
void schedule(Collector& collector) {
  if (collector.writing || collector.lines.empty()) return;
  host->timer_set(collector.timer, 0);
}

// --- records ---

void take_time(Collector& collector) {
  std::int64_t seconds = 0;
  std::int32_t nanoseconds = 0;
  host->wall_clock(collector.service, &seconds, &nanoseconds);
  collector.time.clear();
  logd::append_time(collector.time, seconds, nanoseconds);
}

void take_record(Collector& collector, std::string_view bytes, bool cut, std::string_view peer) {
  const logd::SyslogRecord record = logd::parse_syslog(bytes);
  logd::append_line(collector.lines, collector.time, record, peer, cut);
  host->metric_add(collector.metrics.records, 1);
  if (record.malformed) host->metric_add(collector.metrics.malformed, 1);
}

FrameSplitter::Sink sink_of(Collector& collector, const Stream& stream) {
  return
      [&](const FrameSplitter::Frame& frame) { take_record(collector, frame.bytes, frame.cut, stream.peer); };
}

// --- callbacks ---

std::uint64_t size_of(const xsd_node* settings, const char* key) {
  std::uint64_t value = 0;
  (void)host->node_size(host->node_find(settings, key), &value);  // declared, with a fallback
  return value;
}

int start(const xsd_host* given, xsd_service* service, void** state) noexcept {
  if (!XSD_HOST_HAS(given, run_blocking)) return -ENOSYS;  // the last of its functions that is used here
  host = given;
  const xsd_node* const settings = host->settings(service);
  logd::LogFileOptions options;
  options.path = host->node_text(host->node_find(settings, "file"));
  options.rotate_size = size_of(settings, "rotate_size");
  (void)host->node_number(host->node_find(settings, "rotate_keep"), &options.rotate_keep);
  int sync = 0;
  (void)host->node_boolean(host->node_find(settings, "sync"), &sync);
  options.sync = sync != 0;

  auto collector = std::make_unique<Collector>(service, std::move(options));
  collector->longest_record = size_of(settings, "max_record");
  collector->metrics = {host->metric(service, "records"), host->metric(service, "dropped"),
                        host->metric(service, "malformed"), host->metric(service, "rotations")};
  collector->timer = host->timer_new(service, on_timer, collector.get());
  if (collector->timer == nullptr) return -ENOMEM;
  // Once, so that a file that cannot be had is a service that does not start. Later ones are opened by
  // `work`.
  if (const int error = collector->file.open(); error != 0) {
    tell(*collector, XSD_LOG_ERROR, "cannot open " + collector->file.path() + ": " + std::strerror(-error));
    host->timer_free(collector->timer);
    return error;
  }
  *state = collector.release();
  return 0;
}

void stop(void* state) noexcept {
  const std::unique_ptr<Collector> collector(static_cast<Collector*>(state));
  // `done` was called for all that was under way.
  if (!collector->lines.empty()) {
    collector->outcome = collector->file.write(collector->lines, host->monotonic_clock(collector->service));
    take_outcome(*collector);
  }
  collector->file.sync_rest();
  host->timer_free(collector->timer);
}

int on_open(void* state, xsd_connection* connection) noexcept {
  const auto& collector = *static_cast<Collector*>(state);
  const std::string_view peer = peer_of(*host->peer_info(connection));
  auto* const stream = new (std::nothrow) Stream(collector.longest_record, std::string(peer));
  if (stream == nullptr) return -ENOMEM;
  host->set_data(connection, stream);
  return 0;
}

void on_readable(void* state, xsd_connection* connection) noexcept {
  auto& collector = *static_cast<Collector*>(state);
  auto& stream = *static_cast<Stream*>(host->get_data(connection));
  if (collector.lines.size() > kMostWaiting) {
    host->set_reading(connection, 0);
    collector.held_back.push_back(connection);
    return;
  }
  const std::int64_t count = host->read(connection, collector.input.data(), collector.input.size());
  if (count == 0) host->finish(connection);  // on_close takes what the stream ended with
  if (count <= 0) return;
  take_time(collector);
  stream.splitter.feed({collector.input.data(), static_cast<std::size_t>(count)}, sink_of(collector, stream));
  schedule(collector);
}

void on_close(void* state, xsd_connection* connection, std::uint32_t /*reason*/) noexcept {
  auto& collector = *static_cast<Collector*>(state);
  const std::unique_ptr<Stream> stream(static_cast<Stream*>(host->get_data(connection)));
  std::erase(collector.held_back, connection);
  take_time(collector);
  stream->splitter.end(sink_of(collector, *stream));
  schedule(collector);
}

void on_datagrams(void* state, xsd_datagram* const* datagrams, std::size_t count) noexcept {
  auto& collector = *static_cast<Collector*>(state);
  take_time(collector);
  for (std::size_t i = 0; i < count; ++i) {
    if (collector.lines.size() > kMostWaiting) {
      host->metric_add(collector.metrics.dropped, static_cast<std::int64_t>(count - i));
      break;
    }
    std::size_t length = 0;
    const auto* const data = static_cast<const char*>(host->datagram_data(datagrams[i], &length));
    const std::string_view bytes(data, std::min(length, collector.longest_record));
    take_record(collector, bytes, bytes.size() < length, peer_of(*host->datagram_info(datagrams[i])));
  }
  schedule(collector);
}

// --- what the daemon is told ---

constexpr std::array<xsd_setting, 5> kSettings{{
    {"file", XSD_TYPE_PATH, 1, nullptr, "where the records go"},
    {"rotate_size", XSD_TYPE_SIZE, 0, "16M", "a file that would grow beyond this is renamed; 0: never"},
    {"rotate_keep", XSD_TYPE_NUMBER, 0, "5", "how many renamed files are kept: FILE.1 is the newest"},
    {"sync", XSD_TYPE_BOOLEAN, 0, "no", "have the disk confirm what is written, once a second"},
    {"max_record", XSD_TYPE_SIZE, 0, "8K", "longer records are cut"},
}};

void check_file(const xsd_host& given, const xsd_node* node, xsd_report* report) {
  const char* const text = given.node_text(node);
  if (text == nullptr) return;  // told by the host
  const std::string path(text);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return;
  struct stat status {};
  if (::stat(slash == 0 ? "/" : path.substr(0, slash).c_str(), &status) != 0) {
    given.report(report, node,
                 errno == ENOENT ? "its folder was not found"
                                 : (std::string("its folder: ") + std::strerror(errno)).c_str());
  } else if (!S_ISDIR(status.st_mode)) {
    given.report(report, node, "its folder is no folder");
  } else if (slash + 1 == path.size() || (::stat(text, &status) == 0 && !S_ISREG(status.st_mode))) {
    given.report(report, node, "not a regular file");
  }
}

void validate(const xsd_host* given, const xsd_node* settings, xsd_report* report) noexcept {
  check_file(*given, given->node_find(settings, "file"), report);
  std::uint64_t value = 0;
  const xsd_node* node = given->node_find(settings, "rotate_size");
  if (given->node_size(node, &value) == 0 && value != 0 && value < kSmallestFile)
    given->report(report, node, "rotate_size is 0 or at least 4K");
  node = given->node_find(settings, "rotate_keep");
  if (given->node_number(node, &value) == 0 && value > kMostFiles)
    given->report(report, node, "rotate_keep is at most 1000");
  node = given->node_find(settings, "max_record");
  if (given->node_size(node, &value) == 0 && (value < kSmallestRecord || value > kLargestRecord))
    given->report(report, node, "max_record is from 480 to 64K");
}

constexpr xsd_plugin make_plugin() {
  xsd_plugin made{};
  made.size = sizeof made;
  made.api_version = XSD_PLUGIN_API_VERSION;
  made.name = "logd";
  made.description = "collects syslog records in a file (RFC 3164, 5424, 6587)";
  made.version = "1.0.0";
  made.needs = XSD_NEEDS_FILES;
  made.setting_count = static_cast<std::uint32_t>(kSettings.size());
  made.setting_size = sizeof(xsd_setting);
  made.settings = kSettings.data();
  made.validate = validate;
  made.start = start;
  made.stop = stop;
  made.on_open = on_open;
  made.on_readable = on_readable;
  made.on_close = on_close;
  made.on_datagrams = on_datagrams;
  return made;
}

constexpr xsd_plugin kPlugin = make_plugin();

}  // namespace

extern "C" {
XSD_PLUGIN_REGISTER(logd, kPlugin)
}
