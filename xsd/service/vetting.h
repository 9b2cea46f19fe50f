// SPDX-License-Identifier: Apache-2.0
//
// Vetting: what others are asked about one client before it is let in, one after the other, and the first who
// says no ends it: its names, where only_from or no_access have names that decide; hosts.allow and hosts.deny
// (`libwrap`); the user of the connection (the flag IDONLY, USERID in the records). Who does not answer in
// time has said no, except about a user that is only wanted for the records.
//
// Nobody is asked about clients of unix sockets; where the user must be known they are refused. It borrows
// the context, and keeps the lists and the definition that were in force when the client came. Destroying it
// ends it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "xsd/config/definitions.h"
#include "xsd/inquirer/inquirer_process.h"
#include "xsd/net/address.h"
#include "xsd/policy/access_list.h"
#include "xsd/policy/verdict.h"
#include "xsd/service/context.h"

namespace xsd::service {

class Vetting {
 public:
  struct Client {
    net::SocketAddress remote;
    net::SocketAddress local;
    int socket = -1;  ///< of the connection, borrowed as long as this lives; -1: it is a datagram
  };
  struct Outcome {
    std::optional<policy::Reason> refusal{};  ///< nothing: it may in
    std::string user{};                       ///< that its machine told; empty: none, or not asked
  };
  using Done = std::function<void(Outcome outcome)>;

  /// `access` may be nullptr: everybody may in.
  Vetting(ServiceContext& context, std::shared_ptr<const config::ServiceDefinition> definition,
          std::shared_ptr<const policy::AccessList> access, const Client& client);
  Vetting(const Vetting&) = delete;
  Vetting& operator=(const Vetting&) = delete;

  /// Once. The outcome, if nobody needs to be asked for it; otherwise `done` is called with it, once, from
  /// the loop, and may destroy this.
  std::optional<Outcome> begin(Done done);
  /// The same, but asks for the user only; the outcome refuses nobody.
  std::optional<Outcome> begin_with_user(Done done);

 private:
  enum class Step : std::uint8_t { Names, Libwrap, Ident, Over };

  /// Goes on until somebody has to be asked, or it is over.
  std::optional<Outcome> go_on();
  std::optional<Outcome> look_at_names();
  std::optional<Outcome> ask_libwrap();
  std::optional<Outcome> ask_user();
  std::optional<Outcome> take_names(bool are_known, const std::vector<std::string>& names);
  /// What an answer means: nothing, if it goes on.
  using Take = std::function<std::optional<Outcome>(const inquirer::Answer& answer)>;
  void ask(inquirer::Question::Kind kind, Take take);
  Outcome refuse(policy::Reason reason) { return {reason, std::move(outcome_.user)}; }

  ServiceContext& context_;
  const std::shared_ptr<const config::ServiceDefinition> definition_;
  const std::shared_ptr<const policy::AccessList> access_;
  const Client client_;
  Step step_ = Step::Names;
  bool wants_user_ = false;
  Outcome outcome_;
  Done done_;
  bool is_asking_ = false;
  inquirer::Asked asked_;
};

}  // namespace xsd::service
