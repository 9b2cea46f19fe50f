// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/time_zone.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xsd/base/text.h"
#include "xsd/base/unique_fd.h"

namespace xsd {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr std::string_view kMagic = "TZif";
constexpr std::string_view kZoneFolder = "/usr/share/zoneinfo";
constexpr const char* kLocalZone = "/etc/localtime";
constexpr std::size_t kLongestName = 255;
/// RFC 8536 says that no zone is 26 hours ahead; a rule's may be, by POSIX, 24 and an hour of daylight time.
constexpr std::int64_t kMostOffset = 26L * 3600;

/// RFC 8536 section 3.1.
struct Header {
  char version = 0;
  std::uint32_t isutcnt = 0;
  std::uint32_t isstdcnt = 0;
  std::uint32_t leapcnt = 0;
  std::uint32_t timecnt = 0;
  std::uint32_t typecnt = 0;
  std::uint32_t charcnt = 0;
};
constexpr std::size_t kHeaderSize = 44;
constexpr std::size_t kTypeSize = 6;

std::uint64_t big_endian(std::string_view bytes, std::size_t at, std::size_t width) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}
std::int64_t signed_number(std::string_view bytes, std::size_t at, std::size_t width) noexcept {
  const std::uint64_t value = big_endian(bytes, at, width);
  return width == 4 ? std::int64_t{static_cast<std::int32_t>(static_cast<std::uint32_t>(value))}
                    : static_cast<std::int64_t>(value);
}

Result<Header> read_header(std::string_view bytes) {
  if (bytes.size() < kHeaderSize || !bytes.starts_with(kMagic)) return Error("not a TZif file");
  Header header;
  header.version = bytes[4];
  // Versions to come are bound to be readable as version 4 (RFC 9636 section 4).
  if (header.version != '\0' && (header.version < '2' || header.version > '9'))
    return Error("a TZif file of an unknown version");
  std::size_t at = 20;
  for (std::uint32_t* count : {&header.isutcnt, &header.isstdcnt, &header.leapcnt, &header.timecnt,
                               &header.typecnt, &header.charcnt}) {
    *count = static_cast<std::uint32_t>(big_endian(bytes, at, 4));
    at += 4;
  }
  return header;
}

/// Of the data behind the header; the counts are of 32 bits, so that this cannot overflow.
std::uint64_t block_size(const Header& header, std::uint64_t time_size) noexcept {
  return header.timecnt * (time_size + 1) + header.typecnt * std::uint64_t{kTypeSize} + header.charcnt +
         header.leapcnt * (time_size + 4) + header.isstdcnt + header.isutcnt;
}

Result<std::string> read_zone_file(const std::string& path) {
  // Without blocking: what is there may be a FIFO.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return Error::from_errno(errno, path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return Error::from_errno(errno, path);
  if (!S_ISREG(info.st_mode)) return Error(path + ": not a regular file");
  std::string bytes(kMaxZoneFile + 1, '\0');
  std::size_t length = 0;
  while (length < bytes.size()) {
    const ssize_t got = ::read(fd.get(), bytes.data() + length, bytes.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno(errno, path);
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  if (length > kMaxZoneFile) return Error(path + ": too large for a time zone");
  bytes.resize(length);
  return bytes;
}

/// The bytes of a file that is a time zone.
Result<std::string> read_zone(const std::string& path) {
  auto bytes = read_zone_file(path);
  if (!bytes) return bytes;
  if (auto zone = TimeZone::from_tzif(*bytes); !zone) return std::move(zone.error()).within(path);
  return bytes;
}

std::string in_zone_folder(std::string_view name) {
  const char* folder = std::getenv("TZDIR");
  std::string path(folder != nullptr && *folder != '\0' ? std::string_view(folder) : kZoneFolder);
  return path.append("/").append(name);
}

/// It stays inside the folder, and is fit to be shown.
bool is_zone_name(std::string_view name) noexcept {
  const auto is_bad = [](char c) { return c <= ' ' || c >= '\x7f'; };
  return !name.empty() && name.size() <= kLongestName && name.front() != '/' &&
         name.find("..") == std::string_view::npos && std::none_of(name.begin(), name.end(), is_bad);
}

}  // namespace

Result<TimeZone> TimeZone::from_tzif(std::string_view bytes) {
  if (bytes.size() > kMaxZoneFile) return Error("too large for a time zone");
  auto header = read_header(bytes);
  if (!header) return header.error();
  bytes.remove_prefix(kHeaderSize);
  std::size_t time_size = 4;
  if (header->version != '\0') {
    // The first block is for readers of version 1; all of it comes again with times of 64 bits.
    const std::uint64_t first = block_size(*header, time_size);
    if (first > bytes.size()) return Error("the TZif file is cut short");
    bytes.remove_prefix(first);
    header = read_header(bytes);
    if (!header) return Error("the TZif file has no second header");
    bytes.remove_prefix(kHeaderSize);
    time_size = 8;
  }
  if (header->leapcnt != 0) return Error("it counts leap seconds, which the clock of the system does not");
  if (header->timecnt > kMaxZoneChanges) return Error("it has more than 2000 changes");
  if (header->typecnt == 0 || header->typecnt > 256)
    return Error("it must have 1 to 256 kinds of local time");
  const std::uint64_t size = block_size(*header, time_size);
  if (size > bytes.size()) return Error("the TZif file is cut short");

  TimeZone zone;
  const std::size_t indices = header->timecnt * time_size;
  const std::size_t types = indices + header->timecnt;
  for (std::size_t i = 0; i < header->typecnt; ++i) {
    const std::int64_t offset = signed_number(bytes, types + i * kTypeSize, 4);
    if (offset <= -kMostOffset || offset >= kMostOffset) return Error("an offset is more than a day");
  }
  const auto offset_of = [&](std::size_t type) {
    return seconds(signed_number(bytes, types + type * kTypeSize, 4));
  };
  zone.first_offset_ = offset_of(0);
  zone.changes_.reserve(header->timecnt);
  for (std::size_t i = 0; i < header->timecnt; ++i) {
    const std::size_t type = static_cast<unsigned char>(bytes[indices + i]);
    if (type >= header->typecnt) return Error("a change leads to a kind of local time that is not there");
    const sys_seconds at(seconds(signed_number(bytes, i * time_size, time_size)));
    if (i > 0 && at <= zone.changes_.back().at) return Error("its changes are not in order");
    zone.changes_.push_back({at, offset_of(type)});
  }
  if (time_size == 4) return zone;

  bytes.remove_prefix(size);
  const std::size_t end = bytes.starts_with('\n') ? bytes.find('\n', 1) : std::string_view::npos;
  if (end == std::string_view::npos) return Error("the TZif file has no footer");
  const std::string_view footer = bytes.substr(1, end - 1);
  if (footer.empty()) return zone;
  zone.rule_ = ZoneRule::parse(footer);
  if (!zone.rule_) return Error("its footer " + quoted(footer) + " is no TZ string");
  return zone;
}

Result<TimeZone> TimeZone::from_rule(std::string_view text) {
  TimeZone zone;
  zone.rule_ = ZoneRule::parse(text);
  if (!zone.rule_) return Error(quoted(text) + " is no TZ string");
  return zone;
}

Result<TimeZone> TimeZone::from_text(std::string_view text) {
  if (text.empty()) return TimeZone{};
  return text.starts_with(kMagic) ? from_tzif(text) : from_rule(text);
}

Result<std::string> TimeZone::read(std::string_view name) {
  if (!is_zone_name(name)) return Error(quoted(name) + " cannot be the name of a time zone");
  return read_zone(in_zone_folder(name));
}

std::string TimeZone::read_local() {
  const char* variable = std::getenv("TZ");
  if (variable == nullptr) return read_zone(kLocalZone).value_or(std::string());
  std::string_view name(variable);
  if (name.starts_with(':')) name.remove_prefix(1);
  if (name.empty()) return {};
  // A file goes before a string, as in glibc: EST5EDT is both.
  if (auto text = name.starts_with('/') ? read_zone(std::string(name)) : read(name)) return std::move(*text);
  return from_rule(name) ? std::string(name) : std::string();
}

Result<TimeZone> TimeZone::load(std::string_view name) {
  const auto text = read(name);
  if (!text) return text.error();
  return from_text(*text);
}

TimeZone TimeZone::local() {
  return from_text(read_local()).value_or(TimeZone{});
}

ZoneOffset TimeZone::at(sys_seconds moment) const noexcept {
  const auto next = std::upper_bound(changes_.begin(), changes_.end(), moment,
                                     [](sys_seconds m, const Change& change) { return m < change.at; });
  if (next != changes_.end())
    return {next == changes_.begin() ? first_offset_ : std::prev(next)->offset, next->at};
  if (rule_) return rule_->at(moment);
  return {changes_.empty() ? first_offset_ : changes_.back().offset, std::nullopt};
}

}  // namespace xsd
