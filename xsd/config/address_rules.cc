// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/address_rules.h"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cstring>
#include <optional>

#include <arpa/inet.h>

#include "xsd/base/assert.h"
#include "xsd/base/number.h"
#include "xsd/base/text.h"
#include "xsd/config/diagnostic.h"

namespace xsd::config {
namespace {

using Kind = AddressRule::Kind;
using net::Prefix;

constexpr std::string_view kFile = "file:";
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kBlanks = " \t";
constexpr std::size_t kLongestLabel = 63;
constexpr unsigned kPartBits = 8;

bool has(std::string_view text, char c) noexcept {
  return text.find(c) != std::string_view::npos;
}

// ---- IPv4

using Parts = std::array<std::uint8_t, 4>;

Prefix to_prefix(const Parts& parts, unsigned length) noexcept {
  in_addr address;
  std::memcpy(&address, parts.data(), sizeof address);
  return Prefix::v4(address, length);
}

Result<std::uint8_t> parse_part(std::string_view part, std::string_view whole) {
  const auto value = parse_unsigned(part);
  if (value && *value <= 255) return static_cast<std::uint8_t>(*value);
  if (!value && part.starts_with('0') && is_digits(part))
    return Error(quoted(part) + " in " + quoted(whole) + " has a leading zero");
  return Error(quoted(part) + " in " + quoted(whole) + " is not a number from 0 to 255");
}

/// The numbers that `text` begins with, up to where only dots and '*' follow, which is left in `rest`.
Result<unsigned> parse_parts(std::string_view text, std::string_view whole, Parts& parts,
                             std::string_view& rest) {
  unsigned count = 0;
  while (text.find_first_not_of(".*") != std::string_view::npos) {
    if (count == parts.size())
      return Error(quoted(whole) + " has more than the four parts of an IPv4 address");
    const auto dot = text.find('.');
    const auto part = parse_part(text.substr(0, dot), whole);
    if (!part) return part.error();
    parts[count++] = *part;
    text.remove_prefix(dot == std::string_view::npos ? text.size() : dot);
    rest = text;
    if (!text.empty()) text.remove_prefix(1);
  }
  return count;
}

/// Meant as an IPv4 address, if perhaps with a slip in it.
bool looks_like_v4(std::string_view text) noexcept {
  if (text.empty() || !has(kDigits, text.front())) return false;
  if (text.find_first_not_of("0123456789.*") == std::string_view::npos) return true;
  if (text.ends_with('.')) text.remove_suffix(1);
  unsigned numbers = 0;  // 192.168.1.x, but 1.2.3.example.org is a host
  for (; has(text, '.'); ++numbers) {
    if (!is_digits(text.substr(0, text.find('.')))) return false;
    text.remove_prefix(text.find('.') + 1);
  }
  return numbers == 3;
}

std::string length_of_netmask(std::string_view text) {
  in_addr address{};
  if (text.find_first_not_of("0123456789.") != std::string_view::npos ||
      inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) {
    return {};
  }
  const std::uint32_t mask = ntohl(address.s_addr);
  const int ones = std::countl_one(mask);
  return std::popcount(mask) == ones ? std::to_string(ones) : std::string();
}

Result<unsigned> parse_length(std::string_view text, unsigned limit, std::string_view whole) {
  if (text.empty()) return Error("the length is missing behind '/' in " + quoted(whole));
  const auto value = parse_unsigned(text);
  if (value && *value <= limit) return static_cast<unsigned>(*value);
  if (!value && text.starts_with('0') && is_digits(text))
    return Error("the length " + quoted(text) + " in " + quoted(whole) + " has a leading zero");
  if (const std::string length = length_of_netmask(text); limit == Prefix::kV4Bits && !length.empty()) {
    return Error(quoted(text) + " is a netmask, not a length: write " +
                 quoted(std::string(whole.substr(0, whole.find('/') + 1)) + length));
  }
  return Error("the length " + quoted(text) + " in " + quoted(whole) + " is not a number from 0 to " +
               std::to_string(limit));
}

/// `address` is what stands in front of the length, if there is one.
Status read_v4(std::string_view text, std::string_view address, std::optional<std::string_view> length,
               AddressRule& rule) {
  Parts parts{};
  std::string_view rest;
  const auto count = parse_parts(address, text, parts, rest);
  if (!count) return count.error();
  if (*count < parts.size() || !rest.empty()) {
    std::string guess;
    for (const std::uint8_t part : parts)
      guess += (guess.empty() ? "" : ".") + std::to_string(part);
    const auto given = length ? parse_unsigned(*length) : std::nullopt;
    guess += "/" + std::to_string(given && *given <= Prefix::kV4Bits ? *given : *count * kPartBits);
    return Error(quoted(text) + " is not a whole IPv4 address: write " + quoted(guess));
  }
  unsigned bits = Prefix::kV4Bits;
  if (length) {
    const auto given = parse_length(*length, Prefix::kV4Bits, text);
    if (!given) return given.error();
    bits = *given;
  } else {
    for (std::size_t i = parts.size(); i > 0 && parts[i - 1] == 0; --i)
      bits -= kPartBits;
  }
  rule.prefixes.push_back(to_prefix(parts, bits));
  return {};
}

Status read_braces(std::string_view text, AddressRule& rule) {
  const auto open = text.find('{');
  const auto close = text.find('}');
  if (open == close)  // neither is there
    return Error("the comma in " + quoted(text) + " may stand in braces only, as in '10.1.{2,3}'");
  if (has(text, ':')) return Error("the braces in " + quoted(text) + " are for IPv4 addresses only");
  if (open > close) return Error("'{' is missing in front of '}' in " + quoted(text));
  if (close == std::string_view::npos) return Error("'}' is missing in " + quoted(text));
  if (close + 1 != text.size())
    return Error(quoted(text.substr(close + 1)) + " in " + quoted(text) +
                 " makes no sense behind the braces, which end the address");
  std::string_view head = text.substr(0, open);
  Parts parts{};
  unsigned count = 0;
  for (; !head.empty(); ++count) {
    const auto dot = head.find('.');
    if (dot == std::string_view::npos)
      return Error("the dot in front of the braces is missing in " + quoted(text));
    if (count + 1 == parts.size())
      return Error(quoted(text) + " has more than the four parts of an IPv4 address");
    const auto part = parse_part(head.substr(0, dot), text);
    if (!part) return part.error();
    parts[count] = *part;
    head.remove_prefix(dot + 1);
  }
  std::bitset<256> numbers;
  for (std::string_view inside = text.substr(open + 1, close - open - 1);;) {
    const auto comma = inside.find(',');
    const auto part = parse_part(inside.substr(0, comma), text);
    if (!part) return part.error();
    numbers.set(*part);
    if (comma == std::string_view::npos) break;
    inside.remove_prefix(comma + 1);
  }
  for (std::size_t number = 0; number < numbers.size(); ++number) {
    if (!numbers[number]) continue;
    parts[count] = static_cast<std::uint8_t>(number);
    rule.prefixes.push_back(to_prefix(parts, (count + 1) * kPartBits));
  }
  return {};
}

// ---- IPv6

Status read_v6(std::string_view text, std::string_view address, std::optional<std::string_view> length,
               AddressRule& rule) {
  if (const auto percent = address.find('%'); percent != std::string_view::npos) {
    return Error("the zone " + quoted(address.substr(percent)) + " in " + quoted(text) +
                 " has no meaning here: leave it out");
  }
  char literal[INET6_ADDRSTRLEN] = "";
  in6_addr parsed{};
  if (address.size() < sizeof literal) address.copy(literal, address.size());
  if (address.size() >= sizeof literal || has(address, '\0') || inet_pton(AF_INET6, literal, &parsed) != 1)
    return Error(quoted(address) + " is no IPv6 address");
  unsigned bits = Prefix::kV6Bits;
  if (length) {
    const auto given = parse_length(*length, Prefix::kV6Bits, text);
    if (!given) return given.error();
    bits = *given;
  }
  rule.prefixes.push_back(Prefix::v6(parsed, bits));
  return {};
}

// ---- Names

bool is_of_names(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

Status check_label(std::string_view label, std::string_view whole) {
  const auto* const bad = std::find_if_not(label.begin(), label.end(), is_of_names);
  if (bad != label.end()) {
    const std::string_view from = label.substr(static_cast<std::size_t>(bad - label.begin()));
    const std::size_t length = std::max<std::size_t>(utf8_sequence_length(from), 1);
    return Error(quoted(whole) + " is neither an address nor a name: " + quoted(from.substr(0, length)) +
                 " is in none");
  }
  if (label.empty()) return Error("a part of the name " + quoted(whole) + " is empty");
  if (label.size() > kLongestLabel)
    return Error(quoted(label) + " is longer than the 63 bytes of a part of a name");
  if (label.front() == '-' || label.back() == '-')
    return Error(quoted(label) + " in " + quoted(whole) +
                 " begins or ends with '-', as no part of a name does");
  return {};
}

Status read_name(std::string_view text, AddressRule& rule) {
  if (text == "*") return Error("'*' is no address: write '0.0.0.0/0' and '::/0' for everybody");
  if (text.starts_with("*."))
    return Error(quoted(text) + " is no name: write " + quoted(text.substr(1)) + " for all of that domain");
  std::string_view name = text;
  if (name.size() > 1 && name.ends_with('.')) name.remove_suffix(1);
  const bool is_domain = name.starts_with('.');
  std::string_view left = is_domain ? name.substr(1) : name;
  if (left.empty()) return Error(quoted(text) + " names no domain");
  if (left.size() > AddressSet::kLongestName)
    return Error(quoted(text) + " is longer than the 253 bytes of a name");
  for (;;) {
    const auto dot = left.find('.');
    const std::string_view label = left.substr(0, dot);
    if (auto status = check_label(label, text); !status) return status;
    if (dot == std::string_view::npos) {
      if (is_digits(label))
        return Error(quoted(text) + " is neither an address nor a name: " + quoted(label) +
                     " at its end is a number");
      break;
    }
    left.remove_prefix(dot + 1);
  }
  rule.text = to_lower(name);
  rule.kind = is_domain ? Kind::Domain : has(name, '.') ? Kind::Host : Kind::HostOrNetwork;
  return {};
}

Status read_file_name(std::string_view path, AddressRule& rule) {
  if (path.empty()) return Error("the path is missing behind 'file:'");
  if (!path.starts_with('/')) return Error("a file of addresses wants an absolute path, not " + quoted(path));
  if (path.ends_with('/')) return Error(quoted(path) + " names a folder, not a file");
  if (has(path, '\0')) return Error("the path " + quoted(path) + " has a zero byte in it");
  rule.kind = Kind::File;
  rule.text = path;
  return {};
}

/// Into `rule`, whose memory is used again.
Status read_rule(std::string_view text, AddressRule& rule) {
  rule.kind = Kind::Network;
  rule.prefixes.clear();
  rule.text.clear();
  if (text.empty()) return Error("the entry is empty");
  if (equals_ignoring_case(text.substr(0, kFile.size()), kFile))
    return read_file_name(text.substr(kFile.size()), rule);
  if (text.find_first_of(kBlanks) != std::string_view::npos)
    return Error(quoted(text) + " has a blank in it: each address is an entry of its own");
  if (text.starts_with('/'))
    return Error(quoted(text) + " is no address: write " + quoted("file:" + std::string(text)));
  if (text.starts_with('[')) {
    std::string guess(text.substr(1));
    std::erase(guess, ']');
    return Error(quoted(text) + " is no address: write " + quoted(guess));
  }
  if (text.find_first_of("{},") != std::string_view::npos) return read_braces(text, rule);
  const auto slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  std::optional<std::string_view> length;
  if (slash != std::string_view::npos) length = text.substr(slash + 1);
  if (has(address, ':')) return read_v6(text, address, length, rule);
  if (looks_like_v4(address)) return read_v4(text, address, length, rule);
  if (length)
    return Error(quoted("/" + std::string(*length)) + " may stand behind an address only, not behind " +
                 quoted(address));
  return read_name(text, rule);
}

std::string written(const Prefix& prefix) {
  std::string text = prefix.to_string();
  // Without a length, zeros at the end of an IPv4 address would be wildcards.
  const bool needs_length = !prefix.is_address() || (prefix.is_v4() && prefix.bytes().back() == 0);
  if (!needs_length) text.resize(text.rfind('/'));
  return text;
}

}  // namespace

Result<AddressRule> parse_address_rule(std::string_view text) {
  AddressRule rule;
  if (auto status = read_rule(text, rule); !status) return std::move(status).error();
  return rule;
}

std::string to_string(const AddressRule& rule) {
  if (rule.kind == Kind::File) return std::string(kFile) + rule.text;
  if (rule.kind != Kind::Network) return rule.text;
  if (rule.prefixes.size() == 1) return written(rule.prefixes.front());
  std::string out;
  const std::size_t last = Prefix::Bytes().size() - 4 + rule.prefixes.front().length() / kPartBits - 1;
  for (std::size_t i = Prefix::Bytes().size() - 4; i < last; ++i)
    out += std::to_string(rule.prefixes.front().bytes()[i]) + ".";
  for (const Prefix& prefix : rule.prefixes) {
    out += &prefix == rule.prefixes.data() ? '{' : ',';
    out += std::to_string(prefix.bytes()[last]);
  }
  return out + "}";
}

std::string doubt_about(const AddressRule& rule, std::string_view text) {
  if (rule.kind != Kind::Network || rule.prefixes.size() != 1) return {};
  const Prefix& prefix = rule.prefixes.front();
  if (prefix == Prefix::v6(in6addr_any, Prefix::kV6Bits))
    return "'::' is one address, which no peer has: write '::/0' for every IPv6 address";
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  const std::string address(text.substr(0, slash));
  in_addr v4{};
  in6_addr v6{};
  const bool is_v4 = inet_pton(AF_INET, address.c_str(), &v4) == 1;
  if (!is_v4 && inet_pton(AF_INET6, address.c_str(), &v6) != 1) return {};
  const Prefix host = is_v4 ? Prefix::v4(v4, Prefix::kV4Bits) : Prefix::v6(v6, Prefix::kV6Bits);
  if (host.bytes() == prefix.bytes()) return {};
  return quoted(text) + " is all of " + quoted(prefix.to_string()) + ": write that, or " + quoted(address) +
         " for the one address";
}

void add_rule(const AddressRule& rule, std::uint32_t entry, AddressSet& set) {
  using Name = AddressSet::NameKind;
  XSD_ASSERT(rule.kind != Kind::File);
  for (const Prefix& prefix : rule.prefixes)
    set.add(prefix, entry);
  if (rule.kind == Kind::Network) return;
  set.add(rule.kind == Kind::Host     ? Name::Host
          : rule.kind == Kind::Domain ? Name::Domain
                                      : Name::HostOrNetwork,
          rule.text, entry);
}

void parse_address_file(std::string_view text, std::uint32_t base, AddressSet& set, DiagnosticSink& sink) {
  if (text.size() > kMaxAddressFileSize) {
    sink.error({}, "a file of addresses has at most " + format_size(kMaxAddressFileSize) + " bytes");
    return;
  }
  skip_byte_order_mark(text);
  AddressRule rule;
  std::size_t doubts = 0;
  const std::size_t had = set.size();
  const std::size_t had_names = set.names().size();
  for (std::uint32_t line = 1; !text.empty(); ++line) {
    std::string_view rest = next_line(text);
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    const std::string_view whole = rest.substr(0, rest.find('#'));
    const auto begin = whole.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) continue;
    const auto blank = std::min(whole.find_first_of(kBlanks, begin), whole.size());
    const auto behind = whole.find_first_not_of(kBlanks, blank);
    const Position where{line, static_cast<std::uint32_t>(begin + 1)};
    if (auto status = read_rule(whole.substr(begin, blank - begin), rule); !status) {
      sink.error(where, status.error().text());
    } else if (behind != std::string_view::npos) {
      sink.error({line, static_cast<std::uint32_t>(behind + 1)},
                 quoted(trim(whole.substr(behind))) +
                     " stands behind the entry of this line: a comment begins with '#'");
    } else if (rule.kind == Kind::File) {
      sink.error(where, "a file of addresses cannot name another one");
    } else if (set.size() - had + std::max<std::size_t>(rule.prefixes.size(), 1) > kMaxAddressFileEntries) {
      sink.error(where,
                 "a file of addresses has at most " + std::to_string(kMaxAddressFileEntries) + " entries");
      return;
    } else if (rule.kind != Kind::Network && set.names().size() - had_names == kMaxAddressFileNames) {
      sink.error(where, "a file of addresses has at most " + std::to_string(kMaxAddressFileNames) + " names");
      return;
    } else {
      add_rule(rule, base + line, set);
      if (const auto doubt = doubt_about(rule, whole.substr(begin, blank - begin));
          !doubt.empty() && doubts++ < kMaxAddressFileErrors)
        sink.warning(where, std::string(doubt));
    }
    if (sink.error_count() == kMaxAddressFileErrors) {
      sink.error({}, "too many errors; the rest of the file is not looked at");
      return;
    }
  }
}

}  // namespace xsd::config
