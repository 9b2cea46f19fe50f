// SPDX-License-Identifier: Apache-2.0
#include "cgi_head.h"

#include <algorithm>

namespace httpd {
namespace {

// What the server says itself, or what concerns one hop only.
constexpr std::string_view kOurs[] = {
    "Status",  "Content-Length", "Transfer-Encoding",  "Connection",       "Keep-Alive", "Date",
    "Upgrade", "Trailer",        "Proxy-Authenticate", "Proxy-Connection", "TE"};

bool is_ours(std::string_view name) noexcept {
  return std::any_of(std::begin(kOurs), std::end(kOurs),
                     [name](std::string_view ours) { return same_word(ours, name); });
}

}  // namespace

CgiHead::Result CgiHead::feed(std::string_view& input) {
  while (!input.empty() && !done_ && !failed_) {
    const std::size_t end = input.find('\n');
    const std::size_t length = end == std::string_view::npos ? input.size() : end + 1;
    if (length > kMaxCgiHead - text_.size()) {
      failed_ = true;
      break;
    }
    text_.append(input.data(), length);
    input.remove_prefix(length);
    if (end == std::string_view::npos) break;
    std::string_view line = std::string_view(text_).substr(line_, text_.size() - line_ - 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const Result result = line.empty() ? complete() : take_line(line);
    line_ = text_.size();
    done_ = result == Result::Complete;
    failed_ = result == Result::Failed;
  }
  if (failed_) return Result::Failed;
  return done_ ? Result::Complete : Result::More;
}

CgiHead::Result CgiHead::take_line(std::string_view line) {
  const std::size_t name_length = run_of(kToken, line);
  if (name_length == 0 || name_length == line.size() || line[name_length] != ':') return Result::Failed;
  if (run_of(kValue, line) != line.size()) return Result::Failed;
  const std::string_view value = trimmed(line.substr(name_length + 1));
  const auto place = [this](std::string_view part) {
    return part.empty() ? line_ : static_cast<std::size_t>(part.data() - text_.data());
  };
  places_.push_back({line_, name_length, place(value), value.size()});
  return Result::More;
}

CgiHead::Result CgiHead::complete() {
  bool has_status = false;
  bool has_type = false;
  std::string_view location;
  const std::string_view text(text_);
  for (const Place& place : places_) {
    const Field field{text.substr(place.name, place.name_length),
                      text.substr(place.value, place.value_length)};
    if (same_word(field.name, "Status")) {
      if (has_status || !read_status(field.value)) return Result::Failed;
      has_status = true;
    } else if (same_word(field.name, "Location")) {
      if (!location.empty() || field.value.empty()) return Result::Failed;
      location = field.value;
    } else if (same_word(field.name, "Content-Type")) {
      if (has_type) return Result::Failed;
      has_type = true;
    }
    if (!is_ours(field.name)) fields_.push_back(field);
  }
  if (!has_status && !has_type && location.empty()) return Result::Failed;
  if (!has_status && !location.empty()) {
    if (location.front() == '/' && location.substr(0, 2) != "//") local_redirect_ = location;
    status_ = 302;
  }
  if (phrase_.empty()) phrase_ = phrase_of(status_);
  return Result::Complete;
}

bool CgiHead::read_status(std::string_view value) {
  const std::string_view code = value.substr(0, 3);
  const auto number = parse_digits(code);
  if (!number || *number < 200 || *number > 599) return false;
  if (value.size() > 3 && value[3] != ' ') return false;
  status_ = static_cast<unsigned>(*number);
  phrase_ = trimmed(value.substr(3));
  return true;
}

}  // namespace httpd
