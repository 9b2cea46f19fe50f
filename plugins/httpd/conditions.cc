// SPDX-License-Identifier: Apache-2.0
#include "conditions.h"

#include <algorithm>

namespace httpd {
namespace {

using Outcome = Selection::Outcome;

enum class Comparison : std::uint8_t { Strong, Weak };

/// Takes an entity-tag off the front of a list; false at the end or at what is none.
bool next_tag(std::string_view& list, std::string_view& tag, bool& weak) noexcept {
  const std::size_t begin = list.find_first_not_of(", \t");
  if (begin == std::string_view::npos) return false;
  list.remove_prefix(begin);
  weak = list.substr(0, 2) == "W/";
  if (weak) list.remove_prefix(2);
  const std::size_t end = list.size() > 1 && list.front() == '"' ? list.find('"', 1) : std::string_view::npos;
  if (end == std::string_view::npos) return false;
  tag = list.substr(0, end + 1);
  list.remove_prefix(end + 1);
  return true;
}

/// Whether one of the tags of all fields of this name is that of the file.
bool any_matches(const Request& request, std::string_view name, const Validators& file,
                 Comparison comparison) noexcept {
  for (const Field& field : request.fields) {
    if (!same_word(field.name, name)) continue;
    if (field.value == "*") return true;
    std::string_view list = field.value;
    std::string_view tag;
    bool weak = false;
    while (next_tag(list, tag, weak)) {
      if (tag == file.etag && (comparison == Comparison::Weak || !weak)) return true;
    }
  }
  return false;
}

std::optional<std::int64_t> date_of(const Request& request, std::string_view name,
                                    std::int64_t now) noexcept {
  const Field* const field = request.find(name);
  return field != nullptr ? parse_http_date(field->value, now) : std::nullopt;
}

/// In the order of RFC 9110 13.2.2; Whole if the request goes on.
Outcome judge_conditions(const Request& request, const Validators& file, std::int64_t now) noexcept {
  if (request.find("If-Match") != nullptr) {
    if (!any_matches(request, "If-Match", file, Comparison::Strong)) return Outcome::PreconditionFailed;
  } else if (const auto date = date_of(request, "If-Unmodified-Since", now)) {
    if (file.modified > *date) return Outcome::PreconditionFailed;
  }
  if (request.find("If-None-Match") != nullptr) {
    if (any_matches(request, "If-None-Match", file, Comparison::Weak)) return Outcome::NotModified;
  } else if (const auto date = date_of(request, "If-Modified-Since", now)) {
    if (file.modified <= *date) return Outcome::NotModified;
  }
  return Outcome::Whole;
}

/// RFC 9110 13.1.5
bool may_use_range(const Request& request, const Validators& file, std::int64_t now) noexcept {
  const Field* const field = request.find("If-Range");
  if (field == nullptr) return true;
  if (const auto date = parse_http_date(field->value, now)) {
    // A date is strong enough only if the file cannot have changed again within the second that it names.
    return *date == file.modified && file.modified < now;
  }
  return field->value == file.etag;
}

const Field* only_range(const Request& request) noexcept {
  const Field* only = nullptr;
  for (const Field& field : request.fields) {
    if (!same_word(field.name, "Range")) continue;
    if (only != nullptr) return nullptr;
    only = &field;
  }
  return only;
}

Selection whole(const Validators& file) noexcept {
  return {Outcome::Whole, 0, file.size};
}

Selection select_range(std::string_view range, const Validators& file) noexcept {
  constexpr std::string_view kUnit = "bytes=";
  if (!same_word(range.substr(0, kUnit.size()), kUnit)) return whole(file);
  range = trimmed(range.substr(kUnit.size()));
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return whole(file);
  const std::string_view first_text = range.substr(0, dash);
  const std::string_view last_text = range.substr(dash + 1);
  if (first_text.empty()) {
    const auto suffix = parse_digits(last_text);
    if (!suffix) return whole(file);
    if (*suffix == 0) return {Outcome::Unsatisfiable, 0, 0};
    // No Content-Range can say "all of nothing".
    if (file.size == 0) return whole(file);
    const std::uint64_t length = std::min(*suffix, file.size);
    return {Outcome::Part, file.size - length, length};
  }
  const auto first = parse_digits(first_text);
  const auto last = last_text.empty() ? std::optional(UINT64_MAX) : parse_digits(last_text);
  if (!first || !last || *last < *first) return whole(file);
  if (*first >= file.size) return {Outcome::Unsatisfiable, 0, 0};
  return {Outcome::Part, *first, std::min(*last, file.size - 1) - *first + 1};
}

}  // namespace

Selection select(const Request& request, const Validators& file, std::int64_t now) noexcept {
  if (const Outcome outcome = judge_conditions(request, file, now); outcome != Outcome::Whole)
    return {outcome, 0, 0};
  const Field* const range = request.method == Method::Get ? only_range(request) : nullptr;
  if (range == nullptr || !may_use_range(request, file, now)) return whole(file);
  return select_range(range->value, file);
}

}  // namespace httpd
