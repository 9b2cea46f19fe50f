// SPDX-License-Identifier: Apache-2.0
//
// The language of master and worker on their Channel. A message holds one or more commands, back to back,
// each a byte that says which and then its fields; descriptors of a message belong to its commands in their
// order. A message that does not decode is an error of the sender: the master ends such a worker, a worker
// that cannot understand its master ends itself.
//
// Services have numbers that the master gives; none is used twice in the life of a worker.
//
// master -> worker
//   Hello         first, once: how to be; [page, log?, library?]
//   Definitions   services to be made, or to become what is said here; [sealed memory]. Each is answered.
//   Deal          a connection that was let in; [it]. Answered: DealTaken before a plugin sees it, DealEnded
//   Sockets       bound sockets of a service, by the index of their endpoint in its definition; [one each]
//   ListenOn      the service listens on exactly these of them from now on; others are closed
//   Drain, Terminate, Kill   as service::Service has them; Ended follows when nothing is left
//   ProgramEnded  about a program that the service had asked for
//   Fence         answered when everything before it has been done
//   UdpPorts      the daemon's own, which are not answered
//   LogSettings   have changed
//   Banned        a source that no service is there for; at the start of a worker all of them
//   Unbanned      one that has made room for another
//   LentFile      a file of addresses that services with datagrams name; [sealed memory]
//   NamesOf       the answer to each AskNames
// worker -> master
//   Up            it has made itself safe and loaded its plugin; or why not
//   Answer        about a definition: it is at work, or why not
//   Ended         the service is gone, or could not be made
//   Fenced        about a Fence
//   HandOver      a connection for another service; [it]
//   StartProgram  a program that the service declares; [its socket]
//   DropProgram   nobody waits for it any more
//   DealTaken     a connection that was dealt has come, and the master need not keep it
//   DealEnded     it is over
//   AskNames      of the sender of a datagram, who goes by his names
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "xsd/base/clock.h"
#include "xsd/net/address.h"
#include "xsd/policy/ban_list.h"

namespace xsd::worker {

using ServiceNumber = std::uint64_t;

struct Hello {
  std::string title;  ///< "echo", for the log
  std::uint8_t poller = 0;
  std::string log_settings;  ///< log::put_settings
  bool has_log = false;      ///< a descriptor to log into; else the standard error
  std::string plugin;        ///< that a library is of; empty: the built-in ones are hosted
  std::string library_path;  ///< for messages
  bool needs_files = false;
  bool needs_network = false;
  std::uint64_t first_connection = 0;  ///< ids of connections count from here
};
struct Definitions {};
struct Sockets {
  ServiceNumber service = 0;
  std::vector<std::uint32_t> endpoints;
};
struct ListenOn {
  ServiceNumber service = 0;
  std::vector<std::uint32_t> endpoints;
};
struct Drain {
  ServiceNumber service = 0;
};
struct Terminate {
  ServiceNumber service = 0;
  Duration grace{};
  bool close_connections = false;
};
struct Kill {
  ServiceNumber service = 0;
};
struct ProgramEnded {
  ServiceNumber service = 0;
  std::uint64_t connection = 0;
  std::int32_t error = 0;
  std::int32_t exit = 0;
  std::int32_t signal = 0;
};
struct Fence {
  std::uint64_t serial = 0;
};
struct UdpPorts {
  std::vector<std::uint16_t> ports;
};
struct LogSettings {
  std::string log_settings;
};
struct Deal {
  ServiceNumber service = 0;
  std::uint64_t connection = 0;  ///< of the master's own ids: below first_connection
  net::SocketAddress remote;
  net::SocketAddress local;
  std::string user{};  ///< that the client's machine told; empty: none
};
struct Banned {
  policy::Ban ban{};
};
struct Unbanned {
  policy::SourceKey source{};
};
struct LentFile {
  std::string path;
  std::uint64_t version = 0;  ///< of what is in it: no two of a path have the same
};
struct NamesOf {
  net::SocketAddress peer;
  bool are_known = false;  ///< if not, it could not be found out whether there are any
  std::vector<std::string> names{};
};
using ToWorker = std::variant<Hello, Definitions, Sockets, ListenOn, Drain, Terminate, Kill, ProgramEnded,
                              Fence, UdpPorts, LogSettings, Deal, Banned, Unbanned, LentFile, NamesOf>;

struct Up {
  std::string error;  ///< empty: all is well
};
struct Answer {
  ServiceNumber service = 0;
  std::string error;  ///< empty: it is at work
};
struct Ended {
  ServiceNumber service = 0;
};
struct Fenced {
  std::uint64_t serial = 0;
};
struct HandOver {
  ServiceNumber service = 0;
  std::uint64_t connection = 0;
  net::SocketAddress remote;
  net::SocketAddress local;
  std::string target;
};
struct StartProgram {
  ServiceNumber service = 0;
  std::uint64_t connection = 0;
  std::string program;
  std::vector<std::string> environment;
  std::string directory;
};
struct DropProgram {
  ServiceNumber service = 0;
  std::uint64_t connection = 0;
};
struct DealTaken {
  ServiceNumber service = 0;
  std::uint64_t connection = 0;
};
struct DealEnded {
  ServiceNumber service = 0;
  std::uint64_t connection = 0;
};
struct AskNames {
  net::SocketAddress peer;
};
using FromWorker = std::variant<Up, Answer, Ended, Fenced, HandOver, StartProgram, DropProgram, DealTaken,
                                DealEnded, AskNames>;

/// How many descriptors go with a command.
std::size_t descriptors_of(const ToWorker& command) noexcept;
std::size_t descriptors_of(const FromWorker& command) noexcept;

/// Appends a command to a message.
void append(std::string& message, const ToWorker& command);
void append(std::string& message, const FromWorker& command);

/// The commands of a message; nothing if it makes no sense.
std::optional<std::vector<ToWorker>> decode_to_worker(std::string_view message);
std::optional<std::vector<FromWorker>> decode_from_worker(std::string_view message);

/// What the memory of Definitions holds.
struct DefinitionEntry {
  ServiceNumber service = 0;
  std::uint32_t cell = 0;
  std::string_view definition;  ///< config/definition_wire.h
};
void append_definition(std::string& memory, const DefinitionEntry& entry);
std::optional<std::vector<DefinitionEntry>> decode_definitions(std::string_view memory);

}  // namespace xsd::worker
