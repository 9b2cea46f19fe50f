// SPDX-License-Identifier: Apache-2.0
//
// StreamSet: all stream connections of one service: its clients, those that its plugin has made outward, and
// those that lead to its programs. Owns them, and borrows the PluginInstance.
//
// What happens in which order. The loop (or `open`) enters the set; callbacks of the plugin run, and what
// they ask of a connection is done at once where bytes are concerned (write), but only noted where the
// connection's life is (finish, close, a failed send) or where it leads to another callback. Noted
// connections are in `touched_`. When the outermost entry is left, each touched connection is settled: it is
// told what there is to tell, shut down or ended, its timer re-armed, its interest brought up to date. So
// no callback runs inside another one. Ended connections wait in `ended_`, their sockets closed, until nobody
// is using them; then they are reported and destroyed. Those that end inside `open` are reported by work
// deferred to the end of the turn, so that the caller of `open` sees its answer first.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "xsd/plugin/stream_connection.h"

namespace xsd::plugin {

class StreamSet {
 public:
  explicit StreamSet(PluginInstance& instance);
  StreamSet(const StreamSet&) = delete;
  StreamSet& operator=(const StreamSet&) = delete;
  virtual ~StreamSet();

  OpenOutcome open(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                   const net::SocketAddress& local) noexcept;
  void close_all(EndCause cause) noexcept;
  /// Clients.
  std::size_t size() const noexcept { return live_.size() - others_; }

  // What the plugin can ask for (see plugin.h).
  int connect(const char* address, std::uint16_t port, StreamConnection*& connection) noexcept;
  int start_program(const char* program, const char* const* environment, std::size_t count,
                    const char* directory, StreamConnection*& connection) noexcept;

  /// See HostedService::program_ended.
  void program_ended(std::uint64_t id, const ProgramOutcome& outcome) noexcept;

  /// Around everything in which the plugin may be called: while one lives, the set and its connections are in
  /// use, and the plugin counts as being at work. The outermost one settles and reports when it
  /// ends; after that the set may be gone.
  class Entry {
   public:
    explicit Entry(StreamSet& set) noexcept : set_(set) { set_.enter(); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { set_.leave(); }

   private:
    StreamSet& set_;
  };

  /// Destroys `set` now, or when it is no longer in use further up the stack. It must be empty.
  static void retire(std::unique_ptr<StreamSet> set) noexcept;

 protected:
  /// Ends every connection at once and reports it, those still to be reported included.
  void end_all(EndCause cause) noexcept;
  /// Gives up every connection without a word to the plugin.
  void forget_all() noexcept;

 private:
  friend class StreamConnection;

  StreamConnection& add(StreamKind kind, UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                        const net::SocketAddress& local);
  void drop(StreamConnection& connection) noexcept;
  void enter() noexcept;
  void leave() noexcept;
  void settle_touched() noexcept;
  void report_first() noexcept;
  void defer_reports();

  PluginInstance& instance_;
  std::list<StreamConnection> live_;
  std::list<StreamConnection> ended_;
  std::vector<StreamConnection*> touched_;
  std::unordered_map<std::uint64_t, StreamConnection*> programs_;  ///< by the id of their ProgramStart
  std::uint64_t last_program_ = 0;
  std::size_t others_ = 0;            ///< of live_ that are no clients
  std::shared_ptr<StreamSet*> self_;  ///< for deferred work, which may outlive the set
  unsigned depth_ = 0;
  bool reports_deferred_ = false;
  bool retired_ = false;
};

}  // namespace xsd::plugin
