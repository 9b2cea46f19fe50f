// SPDX-License-Identifier: Apache-2.0
#include "xsd/worker/protocol.h"

#include <type_traits>
#include <utility>

#include "xsd/base/wire.h"
#include "xsd/inquirer/question.h"
#include "xsd/net/address_wire.h"

namespace xsd::worker {
namespace {

constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kLongestPath = 4096;
constexpr std::size_t kLongestUser = 512;
constexpr std::size_t kLongestName = 256;
constexpr std::size_t kLongestVariable = std::size_t{32} * 1024;
constexpr std::size_t kLargestDefinition = std::size_t{4} * 1024 * 1024;

// Each struct is described once, by the order of its fields; Out and In walk through the same description.
struct Out {
  std::string& bytes;
  template <class Number>
  void number(const Number& value) {
    put_number(bytes, value);
  }
  void flag(const bool& value) { put_number(bytes, static_cast<std::uint8_t>(value ? 1 : 0)); }
  void duration(const Duration& value) { put_number(bytes, static_cast<std::int64_t>(value.count())); }
  void text(const std::string& value, std::size_t longest) {
    put_text(bytes, std::string_view(value).substr(0, longest));
  }
  void address(const net::SocketAddress& value) { net::put_address(bytes, value); }
  void time(const MonotonicTime& value) { duration(value.time_since_epoch()); }
  void source(const policy::SourceKey& value) {
    number(value.high);
    number(value.low);
    number(value.bits);
    flag(value.v4);
  }
  template <class Number>
  void numbers(const std::vector<Number>& values) {
    put_number(bytes, static_cast<std::uint32_t>(values.size()));
    for (const Number value : values)
      put_number(bytes, value);
  }
  void texts(const std::vector<std::string>& values, std::size_t longest) {
    put_number(bytes, static_cast<std::uint32_t>(values.size()));
    for (const std::string& value : values)
      text(value, longest);
  }
};

struct In {
  WireReader& reader;
  template <class Number>
  void number(Number& value) {
    value = reader.get<Number>();
  }
  void flag(bool& value) { value = reader.flag(); }
  void duration(Duration& value) { value = Duration(reader.get<std::int64_t>()); }
  void text(std::string& value, std::size_t longest) { value = reader.text(longest); }
  void address(net::SocketAddress& value) { value = net::get_address(reader); }
  void time(MonotonicTime& value) { value = MonotonicTime(Duration(reader.get<std::int64_t>())); }
  void source(policy::SourceKey& value) {
    number(value.high);
    number(value.low);
    number(value.bits);
    flag(value.v4);
    if (value.bits > (value.v4 ? 32 : 128)) reader.fail();
  }
  template <class Number>
  void numbers(std::vector<Number>& values) {
    values.resize(reader.count(sizeof(Number)));
    for (Number& value : values)
      value = reader.get<Number>();
  }
  void texts(std::vector<std::string>& values, std::size_t longest) {
    values.resize(reader.count(sizeof(std::uint32_t)));
    for (std::string& value : values)
      text(value, longest);
  }
};

template <class Struct, class Other>
constexpr bool kIs = std::is_same_v<std::remove_const_t<Struct>, Other>;

/// The fields of every command; `walk` is Out or In.
template <class Walk, class Command>
void fields(Walk& walk, Command& c) {
  if constexpr (kIs<Command, Hello>) {
    walk.text(c.title, kLongestName);
    walk.number(c.poller);
    walk.text(c.log_settings, kLongestText);
    walk.flag(c.has_log);
    walk.text(c.plugin, kLongestName);
    walk.text(c.library_path, kLongestPath);
    walk.flag(c.needs_files);
    walk.flag(c.needs_network);
    walk.number(c.first_connection);
  } else if constexpr (kIs<Command, Definitions>) {
    (void)walk;
  } else if constexpr (kIs<Command, Sockets> || kIs<Command, ListenOn>) {
    walk.number(c.service);
    walk.numbers(c.endpoints);
  } else if constexpr (kIs<Command, Drain> || kIs<Command, Kill> || kIs<Command, Ended>) {
    walk.number(c.service);
  } else if constexpr (kIs<Command, Terminate>) {
    walk.number(c.service);
    walk.duration(c.grace);
    walk.flag(c.close_connections);
  } else if constexpr (kIs<Command, ProgramEnded>) {
    walk.number(c.service);
    walk.number(c.connection);
    walk.number(c.error);
    walk.number(c.exit);
    walk.number(c.signal);
  } else if constexpr (kIs<Command, Fence> || kIs<Command, Fenced>) {
    walk.number(c.serial);
  } else if constexpr (kIs<Command, UdpPorts>) {
    walk.numbers(c.ports);
  } else if constexpr (kIs<Command, LogSettings>) {
    walk.text(c.log_settings, kLongestText);
  } else if constexpr (kIs<Command, Banned>) {
    walk.source(c.ban.source);
    walk.time(c.ban.until);
  } else if constexpr (kIs<Command, Unbanned>) {
    walk.source(c.source);
  } else if constexpr (kIs<Command, LentFile>) {
    walk.text(c.path, kLongestPath);
    walk.number(c.version);
  } else if constexpr (kIs<Command, NamesOf>) {
    walk.address(c.peer);
    walk.flag(c.are_known);
    walk.texts(c.names, inquirer::kLongestText);
  } else if constexpr (kIs<Command, AskNames>) {
    walk.address(c.peer);
  } else if constexpr (kIs<Command, Up>) {
    walk.text(c.error, kLongestText);
  } else if constexpr (kIs<Command, Answer>) {
    walk.number(c.service);
    walk.text(c.error, kLongestText);
  } else if constexpr (kIs<Command, HandOver>) {
    walk.number(c.service);
    walk.number(c.connection);
    walk.address(c.remote);
    walk.address(c.local);
    walk.text(c.target, kLongestName);
  } else if constexpr (kIs<Command, Deal>) {
    walk.number(c.service);
    walk.number(c.connection);
    walk.address(c.remote);
    walk.address(c.local);
    walk.text(c.user, kLongestUser);
  } else if constexpr (kIs<Command, StartProgram>) {
    walk.number(c.service);
    walk.number(c.connection);
    walk.text(c.program, kLongestName);
    walk.texts(c.environment, kLongestVariable);
    walk.text(c.directory, kLongestPath);
  } else {
    static_assert(kIs<Command, DropProgram> || kIs<Command, DealTaken> || kIs<Command, DealEnded>);
    walk.number(c.service);
    walk.number(c.connection);
  }
}

template <class Variant>
void append_any(std::string& message, const Variant& command) {
  put_number(message, static_cast<std::uint8_t>(command.index()));
  Out out{message};
  std::visit([&](const auto& one) { fields(out, one); }, command);
}

template <class Variant, std::size_t... Index>
Variant make_alternative(std::size_t index, std::index_sequence<Index...> /*all*/) {
  Variant made;
  (void)((index == Index && (made.template emplace<Index>(), true)) || ...);
  return made;
}

template <class Variant>
std::optional<std::vector<Variant>> decode_any(std::string_view message) {
  constexpr std::size_t kKinds = std::variant_size_v<Variant>;
  std::vector<Variant> commands;
  WireReader reader(message);
  In in{reader};
  while (reader.left() > 0) {
    const auto kind = reader.get<std::uint8_t>();
    if (kind >= kKinds) return std::nullopt;
    commands.push_back(make_alternative<Variant>(kind, std::make_index_sequence<kKinds>()));
    std::visit([&](auto& one) { fields(in, one); }, commands.back());
    if (reader.failed()) return std::nullopt;
  }
  return commands;
}

}  // namespace

std::size_t descriptors_of(const ToWorker& command) noexcept {
  if (const auto* const hello = std::get_if<Hello>(&command))
    return 1U + (hello->has_log ? 1U : 0U) + (hello->plugin.empty() ? 0U : 1U);
  if (const auto* const sockets = std::get_if<Sockets>(&command)) return sockets->endpoints.size();
  return std::holds_alternative<Definitions>(command) || std::holds_alternative<Deal>(command) ||
                 std::holds_alternative<LentFile>(command)
             ? 1
             : 0;
}

std::size_t descriptors_of(const FromWorker& command) noexcept {
  return std::holds_alternative<HandOver>(command) || std::holds_alternative<StartProgram>(command) ? 1 : 0;
}

void append(std::string& message, const ToWorker& command) {
  append_any(message, command);
}

void append(std::string& message, const FromWorker& command) {
  append_any(message, command);
}

std::optional<std::vector<ToWorker>> decode_to_worker(std::string_view message) {
  return decode_any<ToWorker>(message);
}

std::optional<std::vector<FromWorker>> decode_from_worker(std::string_view message) {
  return decode_any<FromWorker>(message);
}

void append_definition(std::string& memory, const DefinitionEntry& entry) {
  put_number(memory, entry.service);
  put_number(memory, entry.cell);
  put_text(memory, entry.definition);
}

std::optional<std::vector<DefinitionEntry>> decode_definitions(std::string_view memory) {
  std::vector<DefinitionEntry> entries;
  WireReader reader(memory);
  while (reader.left() > 0) {
    DefinitionEntry entry;
    entry.service = reader.get<std::uint64_t>();
    entry.cell = reader.get<std::uint32_t>();
    entry.definition = reader.text(kLargestDefinition);
    if (reader.failed()) return std::nullopt;
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace xsd::worker
