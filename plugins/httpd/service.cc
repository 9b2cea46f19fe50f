// SPDX-License-Identifier: Apache-2.0
#include "service.h"

#include <cerrno>
#include <cstring>
#include <optional>

#include <sys/stat.h>

#include "http_text.h"
#include "uri.h"

namespace httpd {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::string text_of(const xsd_host& host, const xsd_node* node) {
  const char* const text = host.node_text(node);
  return text != nullptr ? text : "";
}

std::int64_t duration_of(const xsd_host& host, const xsd_node* settings, const char* key) {
  std::int64_t value = 0;
  (void)host.node_duration(host.node_find(settings, key), &value);  // the host has checked the type
  return value;
}

Settings read_settings(const xsd_host& host, const xsd_node* node) {
  Settings settings;
  settings.root = text_of(host, host.node_find(node, "root"));
  settings.index = text_of(host, host.node_find(node, "index"));
  settings.keep_alive = duration_of(host, node, "keep_alive");
  settings.header_timeout = duration_of(host, node, "header_timeout");
  settings.cgi_timeout = duration_of(host, node, "cgi_timeout");
  (void)host.node_size(host.node_find(node, "max_body"), &settings.max_body);  // as above
  const xsd_node* const cgi = host.node_find(node, "cgi");
  for (std::size_t i = 0; i < host.node_count(cgi); ++i) {
    const char* prefix = nullptr;
    const xsd_node* const program = host.node_at(cgi, i, &prefix);
    settings.cgi.push_back({prefix, text_of(host, program)});
  }
  return settings;
}

const char* fault_of_root(const std::string& root) noexcept {
  struct stat status = {};
  if (stat(root.c_str(), &status) != 0) return std::strerror(errno);
  return S_ISDIR(status.st_mode) ? nullptr : std::strerror(ENOTDIR);
}

/// Whether paths, which are made regular before they are compared, can begin with it.
bool is_prefix(std::string_view prefix) {
  Target target;
  const bool plain = !prefix.empty() && prefix.front() == '/' && prefix.find('?') == std::string_view::npos;
  return plain && parse_target(encoded_path(prefix), target) == 0 && target.path == prefix &&
         prefix.back() != '/';
}

}  // namespace

void validate_settings(const xsd_host* host, const xsd_node* node, xsd_report* report) noexcept {
  const Settings settings = read_settings(*host, node);
  const xsd_node* const root = host->node_find(node, "root");
  if (const char* const fault = fault_of_root(settings.root); root != nullptr && fault != nullptr)
    host->report(report, root, ("cannot be served: " + std::string(fault)).c_str());
  const std::string& index = settings.index;
  if (index.empty() || index.front() == '.' || index.find('/') != std::string::npos)
    host->report(report, host->node_find(node, "index"), "is no name of a file, or begins with a dot");
  for (const char* const key : {"keep_alive", "header_timeout", "cgi_timeout"}) {
    const xsd_node* const time = host->node_find(node, key);
    if (duration_of(*host, node, key) <= 0) host->report(report, time, "must be longer than nothing");
  }
  const xsd_node* const cgi = host->node_find(node, "cgi");
  for (std::size_t i = 0; i < settings.cgi.size(); ++i) {
    if (is_prefix(settings.cgi[i].prefix)) continue;
    const std::string text = "'" + settings.cgi[i].prefix +
                             "' is no path here: it begins with '/', does not end with it, and has no empty "
                             "part, '.' or '..' in it";
    host->report(report, host->node_at(cgi, i, nullptr), text.c_str());
  }
}

int Service::create(const xsd_host& host, xsd_service* handle, std::unique_ptr<Service>& service) {
  std::unique_ptr<Service> made(new Service(host, handle));
  made->settings = read_settings(host, host.settings(handle));
  if (const int result = made->files.open_root(made->settings.root); result != 0) {
    const std::string text = "cannot open " + made->settings.root + ": " + std::strerror(-result);
    host.log(handle, XSD_LOG_ERROR, text.data(), text.size());
    return result;
  }
  made->requests_ = host.metric(handle, "requests");
  made->answers_2xx_ = host.metric(handle, "responses_2xx");
  made->answers_4xx_ = host.metric(handle, "responses_4xx");
  made->answers_5xx_ = host.metric(handle, "responses_5xx");
  made->warned_ = made->monotonic() - kSecond;
  service = std::move(made);
  return 0;
}

std::int64_t Service::now() {
  std::int64_t seconds = 0;
  std::int32_t nanoseconds = 0;
  host.wall_clock(handle, &seconds, &nanoseconds);
  return seconds;
}

std::string_view Service::date() {
  const std::int64_t seconds = now();
  if (seconds != date_second_) {
    date_ = http_date(seconds);
    date_second_ = seconds;
  }
  return date_;
}

const CgiMapping* Service::program_for(std::string_view path) const noexcept {
  const CgiMapping* longest = nullptr;
  for (const CgiMapping& mapping : settings.cgi) {
    const std::string& prefix = mapping.prefix;
    if (path.substr(0, prefix.size()) != prefix) continue;
    if (path.size() > prefix.size() && path[prefix.size()] != '/') continue;
    if (longest == nullptr || longest->prefix.size() < prefix.size()) longest = &mapping;
  }
  return longest;
}

void Service::count_answer(unsigned status) const noexcept {
  if (status < 300) {
    add(answers_2xx_);
  } else if (status >= 500) {
    add(answers_5xx_);
  } else if (status >= 400) {
    add(answers_4xx_);
  }
}

void Service::warn(std::string_view text) {
  const std::int64_t time = monotonic();
  if (time - warned_ < kSecond) {
    ++not_warned_;
    return;
  }
  std::string line(text);
  if (not_warned_ > 0) line += "; before this " + std::to_string(not_warned_) + " warnings were left out";
  host.log(handle, XSD_LOG_WARNING, line.data(), line.size());
  warned_ = time;
  not_warned_ = 0;
}

}  // namespace httpd
