// SPDX-License-Identifier: Apache-2.0
//
// `log_type`: where the records of a service go. See value_decoders.h and encoders.h.
#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <syslog.h>

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/config/encoders.h"
#include "xsd/config/value_decoders.h"

namespace xsd::config {
namespace {

struct SyslogWord {
  std::string_view text;
  int value;
};

constexpr SyslogWord kFacilities[] = {
    {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},     {"daemon", LOG_DAEMON},
    {"ftp", LOG_FTP},       {"lpr", LOG_LPR},           {"mail", LOG_MAIL},     {"news", LOG_NEWS},
    {"syslog", LOG_SYSLOG}, {"user", LOG_USER},         {"uucp", LOG_UUCP},     {"local0", LOG_LOCAL0},
    {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},     {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},
    {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},     {"local7", LOG_LOCAL7},
};
constexpr SyslogWord kLevels[] = {
    {"emerg", LOG_EMERG},     {"alert", LOG_ALERT},   {"crit", LOG_CRIT}, {"err", LOG_ERR},
    {"warning", LOG_WARNING}, {"notice", LOG_NOTICE}, {"info", LOG_INFO}, {"debug", LOG_DEBUG},
};
constexpr std::string_view kWanted =
    "daemon, {syslog: FACILITY, level: LEVEL} or {file: PATH, soft_limit: SIZE, hard_limit: SIZE}";
// What names it, with the ending of the file before it, has room in a file system and in a message.
constexpr std::size_t kLongestPath = 1024;

std::string_view word_of(std::span<const SyslogWord> words, int value) noexcept {
  const auto found =
      std::find_if(words.begin(), words.end(), [&](const auto& w) { return w.value == value; });
  return found == words.end() ? std::string_view() : found->text;
}

/// `what`: "a facility", for the complaint.
std::optional<int> syslog_word(DecodeInput& in, const YamlNode& value, std::span<const SyslogWord> words,
                               std::string_view what) {
  if (value.is_scalar()) {
    for (const SyslogWord& word : words) {
      if (equals_ignoring_case(word.text, value.scalar)) return word.value;
    }
  }
  std::string known;
  for (const SyslogWord& word : words)
    known.append(known.empty() ? " " : ", ").append(word.text);
  in.sink.error(value.where, quoted(in.key) + " wants " + std::string(what) + " of syslog, not " +
                                 describe(value) + ": known are" + known);
  return std::nullopt;
}

void file_path(DecodeInput& in, const YamlNode& value, ServiceLog& out) {
  constexpr std::string_view kPath = "the absolute path of a file";
  const auto path = scalar_of(in, value, kPath);
  if (!path) return;
  if (!path->starts_with('/') || path->ends_with('/') || path->size() > kLongestPath)
    return refuse_value(in, value, kPath);
  out.path = *path;
}

void size_limit(DecodeInput& in, const YamlNode& value, std::uint64_t& out) {
  const auto size = value.is_scalar() ? parse_size(value.scalar) : std::nullopt;
  if (!size || *size == 0) {
    in.sink.error(value.where,
                  quoted(in.key) + " wants a size such as 5M for a limit, not " + describe(value));
    return;
  }
  out = *size;
}

void check_limits(DecodeInput& in, const YamlNode& value, const ServiceLog& log) {
  if (log.hard_limit == 0 || log.hard_limit >= log.soft_limit) return;
  in.sink.error(value.where, "the hard limit in " + quoted(in.key) + " is below the soft one");
}

ServiceLog from_map(DecodeInput& in, const YamlNode& value) {
  ServiceLog log;
  const bool is_file = value.find("file") != nullptr;
  if (is_file == (value.find("syslog") != nullptr)) {
    in.sink.error(value.where, "a map in " + quoted(in.key) + " has either 'file' or 'syslog'");
    return log;
  }
  log.target = is_file ? ServiceLog::Target::File : ServiceLog::Target::Syslog;
  if (!is_file) log.level = LOG_INFO;
  for (const YamlNode::Member& member : value.members) {
    if (member.key == "file") {
      file_path(in, member.value, log);
    } else if (member.key == "syslog") {
      log.facility = syslog_word(in, member.value, kFacilities, "a facility").value_or(0);
    } else if (!is_file && member.key == "level") {
      log.level = syslog_word(in, member.value, kLevels, "a level").value_or(LOG_INFO);
    } else if (is_file && (member.key == "soft_limit" || member.key == "hard_limit")) {
      size_limit(in, member.value, member.key == "soft_limit" ? log.soft_limit : log.hard_limit);
    } else {
      in.sink.error(member.where, "unknown key " + quoted(member.key) + " in " + quoted(in.key) +
                                      ", known are " +
                                      (is_file ? "file, soft_limit and hard_limit" : "syslog and level"));
    }
  }
  return log;
}

// As xinetd has it: SYSLOG FACILITY [LEVEL], FILE PATH [SOFT [HARD]].
ServiceLog from_list(DecodeInput& in, const YamlNode& value) {
  ServiceLog log;
  const auto& items = value.items;
  const bool has_kind = !items.empty() && items.front().is_scalar();
  const bool is_file = has_kind && equals_ignoring_case(items.front().scalar, "FILE");
  const bool is_syslog = has_kind && equals_ignoring_case(items.front().scalar, "SYSLOG");
  if (items.size() < 2 || items.size() > (is_file ? 4U : 3U) || (!is_file && !is_syslog)) {
    in.sink.error(value.where, "a list in " + quoted(in.key) +
                                   " is [SYSLOG, FACILITY, LEVEL] or [FILE, PATH, SOFT_LIMIT, HARD_LIMIT]");
    return log;
  }
  log.target = is_file ? ServiceLog::Target::File : ServiceLog::Target::Syslog;
  if (is_syslog) {
    log.facility = syslog_word(in, items[1], kFacilities, "a facility").value_or(0);
    log.level = LOG_INFO;
    if (items.size() > 2) log.level = syslog_word(in, items[2], kLevels, "a level").value_or(LOG_INFO);
    return log;
  }
  file_path(in, items[1], log);
  if (items.size() > 2) size_limit(in, items[2], log.soft_limit);
  if (items.size() > 3) size_limit(in, items[3], log.hard_limit);
  return log;
}

}  // namespace

void decoders::log_type(DecodeInput& in, const YamlNode& value) {
  ServiceLog log;
  if (value.is_map()) {
    log = from_map(in, value);
  } else if (value.is_list()) {
    log = from_list(in, value);
  } else if (!value.is_scalar() || !equals_ignoring_case(value.scalar, "daemon")) {
    return refuse_value(in, value, kWanted);
  }
  check_limits(in, value, log);
  if (log == *in.draft->log) return;
  in.draft->log = {};
  if (log != ServiceLog()) in.draft->log.edit() = std::move(log);
}

encoders::Encoded encoders::log_type(const ServiceDefinition& definition) {
  const ServiceLog& log = *definition.log;
  std::string out;
  switch (log.target) {
    case ServiceLog::Target::Daemon:
      return "daemon";
    case ServiceLog::Target::Syslog:
      out.append("{syslog: ").append(word_of(kFacilities, log.facility));
      out.append(", level: ").append(word_of(kLevels, log.level));
      break;
    case ServiceLog::Target::File:
      out = "{file: " + yaml_scalar(log.path);
      if (log.soft_limit > 0) out += ", soft_limit: " + format_size(log.soft_limit);
      if (log.hard_limit > 0) out += ", hard_limit: " + format_size(log.hard_limit);
      break;
  }
  return out + "}";
}

}  // namespace xsd::config
