// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/value_decoders.h"

#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/config/listen_spec.h"

#include <algorithm>
#include <utility>

namespace xsd::config {
namespace {

constexpr std::string_view kWantsDuration = "a duration such as 250ms, 10s, 5m, 1h or 1d";

std::string duration_hint(std::string_view text) {
  if (is_digits(text)) return "the unit is missing";
  const auto unit = text.find_first_not_of("0123456789");
  if (unit == 0 || unit == std::string_view::npos || text.front() == '0') return {};
  // Behind a smaller number the unit would do.
  if (!parse_duration("1" + std::string(text.substr(unit)))) return {};
  return format_duration(kLongestDuration) + " is the longest";
}

std::string listed(std::span<const std::string_view> words, std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " " + std::string(last) + " " : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace

std::string not_available(std::string_view what) {
  return quoted(what) + " is not available yet in this version";
}

void refuse_value(DecodeInput& in, const YamlNode& value, std::string_view wanted, std::string_view hint) {
  std::string message = quoted(in.key);
  if (value.is_null()) {
    message.append(" has no value, it wants ").append(wanted);
  } else {
    message.append(" wants ").append(wanted).append(", not ").append(describe(value));
  }
  if (!hint.empty()) message.append(": ").append(hint);
  in.sink.error(value.where, std::move(message));
}

std::optional<std::string_view> scalar_of(DecodeInput& in, const YamlNode& value, std::string_view wanted) {
  if (!value.is_scalar() || value.scalar.empty()) {
    refuse_value(in, value, wanted);
    return std::nullopt;
  }
  if (value.scalar.find('\0') != std::string::npos) {
    in.sink.error(value.where, quoted(in.key) + " holds a NUL character");
    return std::nullopt;
  }
  return value.scalar;
}

std::optional<std::string_view> entry_of(DecodeInput& in, const YamlNode& entry) {
  if (entry.is_scalar() && !entry.scalar.empty()) return scalar_of(in, entry, {});
  const bool is_empty = entry.is_null() || entry.is_scalar();
  in.sink.error(entry.where, is_empty
                                 ? "an entry of " + quoted(in.key) + " is empty"
                                 : "an entry of " + quoted(in.key) + " wants a text, not " + describe(entry));
  return std::nullopt;
}

std::optional<std::span<const YamlNode>> entries_of(DecodeInput& in, const YamlNode& value,
                                                    std::string_view wanted, bool single) {
  if (value.is_list() && value.items.size() > kMaxEntries) {
    in.sink.error(value.where, quoted(in.key) + " has more than " + std::to_string(kMaxEntries) + " entries");
    return std::nullopt;
  }
  if (value.is_list()) return std::span(value.items);
  if (value.is_scalar() && single) return std::span(&value, 1);
  const bool plain =
      value.is_scalar() && !value.scalar.empty() && value.scalar.find_first_of(",'\"\n") == std::string::npos;
  if (!plain) {
    refuse_value(in, value, wanted);
    return std::nullopt;
  }
  std::string hint = "write [";
  for (std::string_view rest = trim(value.scalar); !rest.empty();) {
    const auto end = rest.find_first_of(" \t");
    hint.append(hint.ends_with('[') ? "" : ", ").append(rest.substr(0, end));
    rest = trim(end == std::string_view::npos ? std::string_view{} : rest.substr(end));
  }
  refuse_value(in, value, wanted, hint + "]");
  return std::nullopt;
}

const Word* known_word(DecodeInput& in, Position where, std::string_view text, std::span<const Word> known) {
  const auto word = std::find_if(known.begin(), known.end(),
                                 [&](const Word& w) { return equals_ignoring_case(w.text, text); });
  if (word == known.end()) {
    std::vector<std::string_view> texts;
    std::vector<std::string_view> usable;
    for (const Word& w : known) {
      if (w.availability != Availability::Never) texts.push_back(w.text);
      if (w.availability == Availability::Now) usable.push_back(w.text);
    }
    const auto nearest = nearest_word(text, texts);
    in.sink.error(where, "unknown word " + quoted(text) + " in " + quoted(in.key) +
                             (nearest.empty() ? ", known are " + listed(usable, "and")
                                              : ", did you mean " + quoted(nearest) + "?"));
    return nullptr;
  }
  if (word->availability == Availability::Later) {
    in.sink.error(where, not_available(word->text));
    return nullptr;
  }
  if (word->availability == Availability::Never) {
    in.sink.error(where, quoted(word->text) + ": " + std::string(word->reason));
    return nullptr;
  }
  return &*word;
}

namespace decoders {

std::string_view number_hint(std::string_view text) noexcept {
  if (is_digits(text) && text.size() > 1 && text.front() == '0') return "numbers have no leading zeros";
  return {};
}

void not_inherited(DecodeInput& in, Position where, std::string_view what) {
  in.sink.warning(where, quoted(what) + " is not in the inherited " + quoted(in.key) + ", nothing to remove");
}

void text(DecodeInput& in, const YamlNode& value, std::string& out) {
  if (value.is_scalar() && value.scalar.empty()) {
    out.clear();
  } else if (const auto scalar = scalar_of(in, value, "a text")) {
    out = *scalar;
  }
}

void account(DecodeInput& in, const YamlNode& value, std::string& out) {
  const auto scalar = scalar_of(in, value, "a name or a number");
  if (!scalar) return;
  const auto is_bad = [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == ':' || c == '/' || c == ',';
  };
  if (std::any_of(scalar->begin(), scalar->end(), is_bad))
    return refuse_value(in, value, "a name or a number");
  if (scalar->find_first_not_of("-0123456789") == std::string_view::npos) {
    const auto number = parse_unsigned(*scalar);
    if (!number || *number >= 0xFFFF'FFFFU)
      return refuse_value(in, value, "a name or a number", number_hint(*scalar));
  }
  out = *scalar;
}

void path(DecodeInput& in, const YamlNode& value, std::string& out) {
  const auto scalar = scalar_of(in, value, "an absolute path");
  if (!scalar) return;
  if (!scalar->starts_with('/')) return refuse_value(in, value, "an absolute path");
  if (scalar->size() >= 4096)
    return in.sink.error(value.where, "the path in " + quoted(in.key) + " is too long");
  out = *scalar;
}

void boolean(DecodeInput& in, const YamlNode& value, bool& out) {
  const auto scalar = scalar_of(in, value, "true or false (or yes, no)");
  if (!scalar) return;
  const auto parsed = parse_boolean(*scalar);
  if (!parsed) return refuse_value(in, value, "true or false (or yes, no)");
  out = *parsed;
}

void duration(DecodeInput& in, const YamlNode& value, Duration& out) {
  const auto scalar = scalar_of(in, value, kWantsDuration);
  if (!scalar) return;
  const auto parsed = parse_duration(*scalar);
  if (!parsed) return refuse_value(in, value, kWantsDuration, duration_hint(*scalar));
  out = *parsed;
}

std::optional<std::uint64_t> unsigned_number(DecodeInput& in, const YamlNode& value, std::uint64_t lowest,
                                             std::uint64_t highest) {
  const std::string wanted = "a number from " + std::to_string(lowest) + " to " + std::to_string(highest);
  const auto scalar = scalar_of(in, value, wanted);
  if (!scalar) return std::nullopt;
  const auto parsed = parse_unsigned(*scalar);
  if (!parsed || *parsed < lowest || *parsed > highest) {
    refuse_value(in, value, wanted, number_hint(*scalar));
    return std::nullopt;
  }
  return parsed;
}

void limit(DecodeInput& in, const YamlNode& value, Limit& out, std::uint64_t lowest, std::uint64_t highest) {
  const std::string wanted =
      "a number from " + std::to_string(lowest) + " to " + std::to_string(highest) + ", or unlimited";
  const auto scalar = scalar_of(in, value, wanted);
  if (!scalar) return;
  if (equals_ignoring_case(*scalar, "unlimited")) {
    out = Limit{};
    return;
  }
  const auto parsed = parse_unsigned(*scalar);
  if (!parsed || *parsed < lowest || *parsed > highest)
    return refuse_value(in, value, wanted, number_hint(*scalar));
  out = Limit{*parsed};
}

void word_set(DecodeInput& in, const YamlNode& value, unsigned& out, std::span<const Word> known,
              bool single) {
  const auto entries = entries_of(in, value, "a list of words", single);
  if (!entries) return;
  unsigned bits = 0;
  for (const YamlNode& entry : *entries) {
    const auto scalar = entry_of(in, entry);
    if (!scalar) continue;
    const Word* const word = known_word(in, entry.where, *scalar, known);
    if (word == nullptr) continue;
    if (in.edit == ListEdit::Remove && (out & word->bits) == 0) not_inherited(in, entry.where, word->text);
    bits |= word->bits;
  }
  if (in.edit == ListEdit::Replace) {
    out = bits;
  } else if (in.edit == ListEdit::Add) {
    out |= bits;
  } else {
    out &= ~bits;
  }
}

std::optional<std::size_t> enum_index(DecodeInput& in, const YamlNode& value,
                                      std::span<const std::string_view> known) {
  const std::string wanted = listed(known, "or");
  const auto scalar = scalar_of(in, value, wanted);
  if (!scalar) return std::nullopt;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (equals_ignoring_case(known[i], *scalar)) return i;
  }
  const auto nearest = nearest_word(*scalar, known);
  refuse_value(in, value, wanted, nearest.empty() ? "" : "did you mean " + quoted(nearest) + "?");
  return std::nullopt;
}

void resource_limit(DecodeInput& in, const YamlNode& value, int resource, LimitUnit unit) {
  std::string_view wanted = "a number, SOFT:HARD or unlimited";
  if (unit == LimitUnit::Size) wanted = "a size such as 64M, SOFT:HARD or unlimited";
  if (unit == LimitUnit::Seconds) wanted = "a number of seconds, a duration, SOFT:HARD or unlimited";
  const auto scalar = scalar_of(in, value, wanted);
  if (!scalar) return;
  const auto one = [&](std::string_view part) -> std::optional<rlim_t> {
    if (equals_ignoring_case(part, "unlimited")) return RLIM_INFINITY;
    if (equals_ignoring_case(part, "hard") && part.size() == scalar->size()) return kHardLimit;
    auto number = unit == LimitUnit::Size ? parse_size(part) : parse_unsigned(part);
    if (!number && unit == LimitUnit::Seconds) {
      const auto parsed = parse_duration(part);
      if (parsed && *parsed % std::chrono::seconds(1) == Duration::zero()) {
        number =
            static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(*parsed).count());
      }
    }
    if (!number || *number >= kHardLimit) return std::nullopt;
    return *number;
  };
  const auto colon = scalar->find(':');
  const auto soft = one(scalar->substr(0, colon));
  const auto hard = colon == std::string_view::npos ? soft : one(scalar->substr(colon + 1));
  if (!soft || !hard) return refuse_value(in, value, wanted, number_hint(*scalar));
  if (*soft > *hard)
    return in.sink.error(value.where, quoted(in.key) + ": the soft limit is above the hard one");
  auto& limits = in.draft->rlimits;
  const auto same =
      std::find_if(limits.begin(), limits.end(), [&](const auto& l) { return l.resource == resource; });
  ResourceLimit entry{resource, std::string(in.key), *soft, *hard, value.where};
  if (same == limits.end()) {
    limits.push_back(std::move(entry));
    return;
  }
  const ValueOrigin* const origin = origin_of(in.draft->origins, same->key);
  if (same->key != in.key && origin != nullptr && origin->from_defaults == (in.defaults != nullptr)) {
    return in.sink.error(in.key_where, quoted(in.key) + " means the same as " + quoted(same->key) +
                                           " in line " + std::to_string(origin->where.line) +
                                           ": write one of them");
  }
  *same = std::move(entry);
}

}  // namespace decoders
}  // namespace xsd::config
