// SPDX-License-Identifier: Apache-2.0
//
// Service: one configured entry at work: its listeners, its admission, its connections or instances. Three
// kinds: ProgramService starts programs, PluginService hands connections to a plugin, SensorService bans
// those who come. The same code runs in the master and in a worker; it knows nothing of files, plans or other
// services. What it does when is said in managed_service.h.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "xsd/config/definitions.h"
#include "xsd/plugin/hosted_service.h"
#include "xsd/plugin/registry.h"
#include "xsd/policy/access_list.h"
#include "xsd/policy/cps_watch.h"
#include "xsd/policy/open_hours.h"
#include "xsd/policy/source_table.h"
#include "xsd/policy/token_bucket.h"
#include "xsd/policy/verdict.h"
#include "xsd/process/exec_plan.h"
#include "xsd/service/context.h"
#include "xsd/service/listener.h"
#include "xsd/service/managed_service.h"
#include "xsd/service/vetting.h"

namespace xsd::service {

/// Makes the parts that depend on this process: the exec plans or the plugin. The error says what is wrong
/// with the definition here.
Result<Prepared> prepare(std::shared_ptr<const config::ServiceDefinition> definition,
                         std::shared_ptr<const config::Resolution> resolution, const ServiceContext& context);

class Service : public ManagedService, public ListenerOwner {
 public:
  /// Makes the service of the definition's kind; nothing is accepted yet.
  static Result<std::unique_ptr<Service>> create(ServiceContext& context, Prepared prepared);

  const std::string& name() const noexcept final { return ManagedService::name(); }
  Counters counters() const noexcept override { return *counters_; }
  /// Counts in `cell` from now on, which outlives the service, as if it had done so from the beginning.
  void count_in(Counters& cell) noexcept;
  std::string pause_reason() const override;

  /// While a file of addresses that it names was never read.
  bool is_making() const noexcept override;
  std::string failure() const override;
  bool can_become(const Prepared& next) const noexcept override;
  void apply(Prepared next) override;
  Status listen_on(const std::vector<net::BoundSocket*>& sockets) override;
  bool listens_on(const net::BoundSocket& socket) const noexcept;
  bool has_listeners() const noexcept { return !listeners_.empty(); }
  void drain() final;
  void on_idle(std::function<void()> handler) final;

 protected:
  Service(ServiceContext& context, Prepared prepared);

  virtual Listener::Mode listener_mode(const net::Endpoint& endpoint) const noexcept = 0;
  virtual Status prepare_socket(net::BoundSocket& socket);
  /// A listener is new.
  virtual void adopt_listener(Listener& /*listener*/) {}
  /// A listener is about to go; its socket may be closed right after.
  virtual void release_listener(Listener& /*listener*/) {}

  /// The limit that is reached, if there is one. A line tells of it, once for as long as it lasts, with what
  /// follows for clients.
  std::optional<policy::Reason> find_limit(bool starts_process, std::string_view consequence);
  /// A line for each time that this reason applies; what applies again and again is one time.
  void warn_once(policy::Reason reason, std::string_view text);
  /// For everybody who connects, before anything else is done: false if this one is banned, and refused
  /// already; otherwise it is sent what all are sent.
  bool greet(UniqueFd& socket, std::uint64_t id, const net::SocketAddress* remote,
             const net::SocketAddress* local);
  /// True if the connection may come in. Otherwise it is refused already, or somebody is asked about it first
  /// (newcomers.cc): then its socket is taken over, and `on_let_in` follows if it may. One that came in is
  /// given back with `release` when it is over.
  bool admit(UniqueFd& socket, std::uint64_t id, const net::SocketAddress& remote,
             const net::SocketAddress& local, bool starts_process);
  /// A connection that somebody was asked about may come in, as if `admit` had said so.
  virtual void on_let_in(UniqueFd socket, std::uint64_t id, const net::SocketAddress& remote,
                         const net::SocketAddress& local) = 0;
  /// Others are asked about clients: the definition says so. (To ask it is to look at all of its lists.)
  bool asks() const noexcept { return asks_; }
  /// Connections that somebody is asked about; they are active.
  std::size_t newcomers() const noexcept { return asking_ ? asking_->newcomers.size() : 0; }
  /// Refuses those.
  void give_up_newcomers();
  /// The user that a connection's machine told; empty if none. Until its `release`.
  std::string_view user_of(std::uint64_t id) const noexcept;
  void set_user(std::uint64_t id, std::string user);
  /// What only_from and no_access say of the address.
  policy::Access look_at(const net::SocketAddress& peer) const noexcept;
  /// Asks the others about it that the definition names.
  std::unique_ptr<Vetting> make_vetting(const Vetting::Client& client);
  /// Why this sender is kept out, whoever else is there; nothing: it is not.
  std::optional<policy::Reason> find_datagram_bar(const net::SocketAddress& sender) {
    return is_banned(sender) ? policy::Reason::Banned : find_bar(sender);
  }
  /// At these hours, for a `wait` service whose clients nobody can be asked about: they wait until it opens.
  bool wait_until_open();
  /// The load of the machine is too high; a line tells of it, with what follows for clients.
  bool is_overloaded(std::string_view consequence);
  /// `admit` for a datagram, which is over at once: where the sender's name decides and is not known yet
  /// (sender_names.h), it is refused.
  bool admit_datagram(const net::SocketAddress& sender);
  /// Counts one that came in for `rate` and `cps`: the listeners may be held then. `waits`: the next one is
  /// to wait until the rate allows it.
  void count_pace(bool waits);
  /// What is counted of the connection's source; without effect if nothing is.
  void release(std::uint64_t id) noexcept;
  void count_refusal(policy::Reason reason) noexcept {
    ++counters_->refused[static_cast<std::size_t>(reason)];
  }
  /// Records and counts; releases. The socket, if there is one, is told and closed.
  void refuse(policy::Reason reason, std::uint64_t id, const net::SocketAddress* remote,
              const net::SocketAddress* local, UniqueFd socket = {});
  /// With select a connection needs a descriptor that select can hold. False if there is none: it is refused
  /// already.
  bool find_room(UniqueFd& socket, std::uint64_t id, const net::SocketAddress* remote,
                 const net::SocketAddress* local);
  /// True unless the next descriptor that is made while `fd` is open is one that select cannot hold.
  bool can_watch_another(int fd) const noexcept;
  void check_idle();

  ServiceContext& context_;
  Counters* counters_ = &own_counters_;
  std::string pause_reason_;
  std::vector<std::unique_ptr<Listener>> listeners_;

 private:
  /// Of all clients together.
  struct Pace {
    policy::TokenBucket bucket{};
    std::optional<policy::CpsWatch> cps{};
    std::string reason{};  ///< of a pause for `cps`
    MonotonicTime until{};
    reactor::Timer over;  ///< armed: the listeners are held
  };
  struct Hours {
    policy::OpenHours open;
    reactor::Timer look_again;  ///< armed: the listeners are held
  };
  /// A connection that somebody is asked about.
  struct Newcomer {
    UniqueFd socket;
    std::uint64_t id = 0;
    net::SocketAddress remote;
    net::SocketAddress local;
    bool starts_process = false;
    std::optional<policy::Reason> refusal{};  ///< it is refused, and its user is asked for the record
    std::unique_ptr<Vetting> vetting{};
  };
  using NewcomerRef = std::list<Newcomer>::iterator;
  struct Asking {
    std::list<Newcomer> newcomers{};
    std::list<Newcomer> turned_away{};                       ///< those with a refusal
    std::unordered_map<std::uint64_t, std::string> users{};  ///< by connection, of those that have one
  };
  struct Sources {
    policy::SourceTable table;
    std::unordered_map<std::uint64_t, policy::SourceTicket> tickets{};  ///< by connection
  };

  /// The limit of all clients together that another one would break.
  std::optional<policy::Reason> find_full(bool starts_process);
  /// The last step before a connection comes in: it counts, and is told.
  void welcome(const UniqueFd& socket);
  bool ask_about(UniqueFd& socket, std::uint64_t id, const net::SocketAddress& remote,
                 const net::SocketAddress& local, bool starts_process);
  Asking& asking();
  void on_vetted(NewcomerRef newcomer, const Vetting::Outcome& outcome);
  /// `refuse`, once its user is known if the record is to say it.
  void turn_away(UniqueFd socket, policy::Reason reason, std::uint64_t id, const net::SocketAddress& remote,
                 const net::SocketAddress& local);
  void take_address_lists();
  /// What the lists say of a sender that nobody waits for.
  policy::Access look_at_sender(const net::SocketAddress& sender) const;
  bool is_banned(const net::SocketAddress& peer) noexcept {
    return context_.bans.size() > 0 && context_.bans.is_banned(peer, context_.loop.now());
  }
  /// By the lists, the time and the load.
  std::optional<policy::Reason> find_bar(const net::SocketAddress& peer);
  void send_banner(const UniqueFd& socket, const config::ClientFiles::Text& text);
  void take_hours();
  void set_closed(bool closed);
  void take_pace();
  /// The rate does not allow another one yet; a line tells of it. Counts nothing.
  bool is_too_early();
  void set_paced(Duration time);
  void go_on();
  void take_source_limits();
  /// The limit of the source that is reached; otherwise it is counted in `ticket`.
  std::optional<policy::Reason> begin_source(const net::SocketAddress& remote, policy::SourceTicket& ticket);

  bool asks_;
  Counters own_counters_;
  std::shared_ptr<const policy::AccessList> access_;  ///< nothing: everybody may in
  std::unique_ptr<Hours> hours_;
  std::unique_ptr<Asking> asking_;  ///< nothing until somebody was asked about a client
  std::unique_ptr<Pace> pace_;
  std::unique_ptr<Sources> sources_;  ///< nothing while no key has asked for it
  bool is_banner_cut_ = false;        ///< a line has told of it
  unsigned told_ = 0;                 ///< a bit for each reason that a line has told of
  MonotonicTime last_told_{};
  std::function<void()> on_idle_;
  reactor::Timer idle_timer_;
};

/// `flags` of the definition, on a listening TCP socket; accepted ones inherit them.
void set_stream_flags(const net::BoundSocket& socket, unsigned flags) noexcept;

}  // namespace xsd::service
