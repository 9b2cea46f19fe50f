// SPDX-License-Identifier: Apache-2.0
//
// Service: what all connections of one service share: settings, the folder, counters, the date, and buffers
// that are free again when a callback returns. Made by the plugin's start, destroyed by its stop.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <xsd/plugin.h>

#include "file_store.h"

namespace httpd {

/// Files up to this size are sent with their head in one call; larger ones are never in our memory.
inline constexpr std::size_t kSmallFile = 65536;

/// A path and everything below it is answered by a program of the service's `programs`.
struct CgiMapping {
  std::string prefix;
  std::string program;
};

struct Settings {
  std::string root;
  std::string index;
  std::int64_t keep_alive = 0;  ///< times in nanoseconds
  std::int64_t header_timeout = 0;
  std::int64_t cgi_timeout = 0;
  std::uint64_t max_body = 0;
  std::vector<CgiMapping> cgi;
};

inline constexpr xsd_setting kSettings[] = {
    {"root", XSD_TYPE_PATH, 1, nullptr, "the folder whose files are served"},
    {"index", XSD_TYPE_TEXT, 0, "index.html", "the file that stands for a folder"},
    {"keep_alive", XSD_TYPE_DURATION, 0, "15s", "how long a connection waits for the next request"},
    {"header_timeout", XSD_TYPE_DURATION, 0, "10s", "for the head of a request, from its first byte"},
    {"max_body", XSD_TYPE_SIZE, 0, "1M", "the longest body of a request, for programs"},
    {"cgi", XSD_TYPE_MAP, 0, nullptr, "paths that programs answer: a path to a name in `programs`"},
    {"cgi_timeout", XSD_TYPE_DURATION, 0, "30s", "how long a program may be silent"},
};
/// The plugin's `validate`.
void validate_settings(const xsd_host* host, const xsd_node* settings, xsd_report* report) noexcept;

class Service {
 public:
  /// 0 or a negative errno.
  static int create(const xsd_host& host, xsd_service* handle, std::unique_ptr<Service>& service);

  const xsd_host& host;
  xsd_service* const handle;
  Settings settings;
  FileStore files;
  std::string head;                           ///< for the head of an answer
  std::array<char, kSmallFile> content = {};  ///< of a small file

  /// The wall clock, and the same for the field Date.
  std::int64_t now();
  std::string_view date();
  std::int64_t monotonic() const noexcept { return host.monotonic_clock(handle); }

  /// The program whose prefix covers the path, the longest; nullptr if there is none.
  const CgiMapping* program_for(std::string_view path) const noexcept;

  void count_request() const noexcept { add(requests_); }
  void count_answer(unsigned status) const noexcept;
  /// A warning that a client can cause: at most one a second.
  void warn(std::string_view text);

 private:
  Service(const xsd_host& api, xsd_service* service) : host(api), handle(service) {}
  void add(xsd_metric* metric) const noexcept {
    if (metric != nullptr) host.metric_add(metric, 1);
  }

  xsd_metric* requests_ = nullptr;
  xsd_metric* answers_2xx_ = nullptr;
  xsd_metric* answers_4xx_ = nullptr;
  xsd_metric* answers_5xx_ = nullptr;
  std::int64_t date_second_ = -1;
  std::string date_;
  std::int64_t warned_ = 0;
  std::uint64_t not_warned_ = 0;
};

}  // namespace httpd
