// SPDX-License-Identifier: Apache-2.0
//
// Decoders: one function for each kind of value, YamlNode to a field of a definition. The settings table
// names them. Strict: one grammar a kind (base/number.h), a wrong type or an empty value is an error at its
// place.
#pragma once

#include <concepts>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xsd/config/redirect_target.h"
#include "xsd/config/settings_table.h"

namespace xsd::config {

/// In a draft: hosts.allow is asked, by the name that xinetd would take. No name there has this form.
inline constexpr std::string_view kUsualLibwrapName = ":";

enum TypeWords : unsigned { kTypeInternal = 1, kTypeUnlisted = 2, kTypeMux = 4, kTypeMuxPlus = 8 };

/// A definition on its way: with what is said in xinetd's words and is turned into `listen` and `kind` at the
/// end.
struct Draft : ServiceDefinition {
  std::string port;
  std::string bind;
  std::optional<net::Transport> protocol;
  std::optional<net::Transport> socket_type;
  bool v6only = false;
  unsigned types = 0;
  std::optional<RedirectTarget> redirect;
  Position redirect_where;
};

struct ListedId {
  std::string id;
  Position where;
};

/// `defaults`, decoded: what every service of the same load starts from.
struct Defaults {
  Draft draft;  ///< its origins all say from_defaults
  std::optional<std::vector<ListedId>> enabled;
  std::vector<ListedId> disabled;
};

enum class ListEdit : std::uint8_t { Replace, Add, Remove };

struct DecodeInput {
  DiagnosticSink& sink;
  std::string_view key;  ///< without the + or -
  ListEdit edit = ListEdit::Replace;
  Position key_where;
  std::string_view base_folder;      ///< relative paths below `daemon` start here
  Draft* draft = nullptr;            ///< of the service or of `defaults`
  Defaults* defaults = nullptr;      ///< while `defaults` is decoded
  DaemonSettings* daemon = nullptr;  ///< while `daemon` is decoded
};

/// More entries are no list that a person wrote; reading one costs time that grows with its square.
inline constexpr std::size_t kMaxEntries = 4096;
inline constexpr std::size_t kMaxVariables = 1000;
/// Of one plugin service.
inline constexpr std::size_t kMaxPrograms = 64;
inline constexpr std::uint32_t kMaxShards = 64;

/// "'KEY' wants WANTED, not WHAT IS THERE"; `hint` follows after a colon.
void refuse_value(DecodeInput& in, const YamlNode& value, std::string_view wanted,
                  std::string_view hint = {});
/// The text of a scalar that is not empty and holds no NUL; nullopt after a complaint.
std::optional<std::string_view> scalar_of(DecodeInput& in, const YamlNode& value, std::string_view wanted);
/// The text of an entry of a list; the same.
std::optional<std::string_view> entry_of(DecodeInput& in, const YamlNode& entry);
/// The entries of a list, or the one scalar if `single` allows it; nullopt after a complaint.
std::optional<std::span<const YamlNode>> entries_of(DecodeInput& in, const YamlNode& value,
                                                    std::string_view wanted, bool single);

/// "'KEY' is not available yet in this version".
std::string not_available(std::string_view what);

/// A word that a key knows.
struct Word {
  std::string_view text;
  unsigned bits = 0;
  Availability availability = Availability::Now;
  std::string_view reason = {};  ///< of Never
};

/// The word of `known` that `text` is, compared without case; nullptr after a complaint (unknown, not
/// available).
const Word* known_word(DecodeInput& in, Position where, std::string_view text, std::span<const Word> known);

inline constexpr Word kFlagWords[] = {
    {"REUSE", kFlagReuse},
    {"NODELAY", kFlagNoDelay},
    {"KEEPALIVE", kFlagKeepAlive},
    {"IPv4", kFlagIPv4},
    {"IPv6", kFlagIPv6},
    {"NAMEINARGS", kFlagNameInArgs},
    {"NORETRY", kFlagNoRetry},
    {"SENSOR", kFlagSensor},
    {"NOLIBWRAP", kFlagNoLibwrap},
    {"IDONLY", kFlagIdOnly},
    {"INTERCEPT", 0, Availability::Never,
     "nothing can stand between clients and a program that takes them itself (with xinetd it never worked): "
     "take the flag away"},
    {"LABELED", 0, Availability::Never,
     "programs do not run in the SELinux context of their clients: take the flag away"},
};
inline constexpr Word kTypeWords[] = {
    {"INTERNAL", kTypeInternal},
    {"UNLISTED", kTypeUnlisted},
    {"TCPMUX", kTypeMux},
    {"TCPMUXPLUS", kTypeMuxPlus},
    {"RPC", 0, Availability::Never, "services of the RPC port mapper are not supported"},
};
inline constexpr Word kSuccessWords[] = {
    {"PID", kLogPid},           {"HOST", kLogHost},       {"USERID", kLogUserId}, {"EXIT", kLogExit},
    {"DURATION", kLogDuration}, {"TRAFFIC", kLogTraffic}, {"USAGE", kLogUsage},
};
inline constexpr Word kFailureWords[] = {
    {"HOST", kLogHost}, {"USERID", kLogUserId}, {"ATTEMPT", kLogAttempt}};

template <class T>
struct EnumWord {
  std::string_view text;
  T value;
  Availability availability = Availability::Now;
};
inline constexpr EnumWord<StderrTarget> kStderrWords[] = {
    {"socket", StderrTarget::Socket}, {"log", StderrTarget::Log}, {"null", StderrTarget::Null}};
inline constexpr EnumWord<OnRemove> kOnRemoveWords[] = {{"terminate", OnRemove::Terminate},
                                                        {"drain", OnRemove::Drain}};
inline constexpr EnumWord<OnStop> kOnStopWords[] = {{"terminate", OnStop::Terminate},
                                                    {"leave", OnStop::Leave}};
inline constexpr EnumWord<std::optional<net::Transport>> kProtocolWords[] = {
    {"tcp", net::Transport::Stream}, {"udp", net::Transport::Datagram}};

namespace decoders {

enum class LimitUnit : std::uint8_t { Number, Size, Seconds };

/// What keeps a text of digits from being a number here.
std::string_view number_hint(std::string_view text) noexcept;
/// The warning about a `key-` of something that is not there.
void not_inherited(DecodeInput& in, Position where, std::string_view what);

// What the templates below share.
void text(DecodeInput& in, const YamlNode& value, std::string& out);
void account(DecodeInput& in, const YamlNode& value, std::string& out);
void path(DecodeInput& in, const YamlNode& value, std::string& out);
void boolean(DecodeInput& in, const YamlNode& value, bool& out);
void duration(DecodeInput& in, const YamlNode& value, Duration& out);
void limit(DecodeInput& in, const YamlNode& value, Limit& out, std::uint64_t lowest, std::uint64_t highest);
void word_set(DecodeInput& in, const YamlNode& value, unsigned& out, std::span<const Word> known,
              bool single);
void resource_limit(DecodeInput& in, const YamlNode& value, int resource, LimitUnit unit);
std::optional<std::uint64_t> unsigned_number(DecodeInput& in, const YamlNode& value, std::uint64_t lowest,
                                             std::uint64_t highest);
/// The index of the word, or nullopt after a complaint.
std::optional<std::size_t> enum_index(DecodeInput& in, const YamlNode& value,
                                      std::span<const std::string_view> known);

template <class C>
C& target(DecodeInput& in) {
  if constexpr (std::same_as<C, DaemonSettings>) {
    return *in.daemon;
  } else {
    return *in.draft;
  }
}
template <class C, class T>
T& field(DecodeInput& in, T C::*member) {
  return target<C>(in).*member;
}

template <auto Field>
void text_field(DecodeInput& in, const YamlNode& value) {
  text(in, value, field(in, Field));
}
/// A user or group: a name or a number.
template <auto Field>
void account_field(DecodeInput& in, const YamlNode& value) {
  account(in, value, field(in, Field));
}
template <auto Field>
void path_field(DecodeInput& in, const YamlNode& value) {
  path(in, value, field(in, Field));
}
template <auto Field>
void boolean_field(DecodeInput& in, const YamlNode& value) {
  boolean(in, value, field(in, Field));
}
template <auto Field>
void duration_field(DecodeInput& in, const YamlNode& value) {
  duration(in, value, field(in, Field));
}
template <auto Field, std::uint64_t Lowest>
void limit_field(DecodeInput& in, const YamlNode& value) {
  limit(in, value, field(in, Field), Lowest, 1'000'000'000);
}
template <auto Field, const auto& Words>
void word_set_field(DecodeInput& in, const YamlNode& value) {
  word_set(in, value, field(in, Field), Words, false);
}
template <int Resource, LimitUnit Unit>
void resource_limit_field(DecodeInput& in, const YamlNode& value) {
  resource_limit(in, value, Resource, Unit);
}
template <auto Field, const auto& Words>
void enum_field(DecodeInput& in, const YamlNode& value) {
  std::string_view texts[std::size(Words)];
  for (std::size_t i = 0; i < std::size(Words); ++i)
    texts[i] = Words[i].text;
  if (const auto index = enum_index(in, value, texts)) field(in, Field) = Words[*index].value;
}

// One key each.
void service_name(DecodeInput& in, const YamlNode& value);
void service_id(DecodeInput& in, const YamlNode& value);
void type(DecodeInput& in, const YamlNode& value);
void socket_type(DecodeInput& in, const YamlNode& value);
void listen(DecodeInput& in, const YamlNode& value);
void port(DecodeInput& in, const YamlNode& value);
void bind(DecodeInput& in, const YamlNode& value);
void backlog(DecodeInput& in, const YamlNode& value);
void plugin(DecodeInput& in, const YamlNode& value);
void settings(DecodeInput& in, const YamlNode& value);
void programs(DecodeInput& in, const YamlNode& value);
void hand_over(DecodeInput& in, const YamlNode& value);
void shards(DecodeInput& in, const YamlNode& value);
void redirect(DecodeInput& in, const YamlNode& value);
void server_args(DecodeInput& in, const YamlNode& value);
void stderr_target(DecodeInput& in, const YamlNode& value);
void umask(DecodeInput& in, const YamlNode& value);
void nice(DecodeInput& in, const YamlNode& value);
void env(DecodeInput& in, const YamlNode& value);
void passenv(DecodeInput& in, const YamlNode& value);
void idle_timeout(DecodeInput& in, const YamlNode& value);
void max_duration(DecodeInput& in, const YamlNode& value);
void start_timeout(DecodeInput& in, const YamlNode& value);
void lingering(DecodeInput& in, const YamlNode& value);
void only_from(DecodeInput& in, const YamlNode& value);
void no_access(DecodeInput& in, const YamlNode& value);
void rate(DecodeInput& in, const YamlNode& value);
void cps(DecodeInput& in, const YamlNode& value);
void libwrap(DecodeInput& in, const YamlNode& value);
void source_prefix(DecodeInput& in, const YamlNode& value);
void source_rate(DecodeInput& in, const YamlNode& value);
void access_times(DecodeInput& in, const YamlNode& value);
void timezone(DecodeInput& in, const YamlNode& value);
void max_load(DecodeInput& in, const YamlNode& value);
void deny_time(DecodeInput& in, const YamlNode& value);
void banner_path(DecodeInput& in, const YamlNode& value, std::string Banners::*which);
template <std::string Banners::*Which>
void banner(DecodeInput& in, const YamlNode& value) {
  banner_path(in, value, Which);
}
void log_type(DecodeInput& in, const YamlNode& value);
void enabled(DecodeInput& in, const YamlNode& value);
void disabled(DecodeInput& in, const YamlNode& value);
void workers(DecodeInput& in, const YamlNode& value);
void plugin_dirs(DecodeInput& in, const YamlNode& value);
void daemon_path(DecodeInput& in, const YamlNode& value, std::string& out);
void log_target(DecodeInput& in, const YamlNode& value);
void log_level(DecodeInput& in, const YamlNode& value);
void log_format(DecodeInput& in, const YamlNode& value);

template <auto Field>
void daemon_path_field(DecodeInput& in, const YamlNode& value) {
  daemon_path(in, value, field(in, Field));
}

}  // namespace decoders

}  // namespace xsd::config
