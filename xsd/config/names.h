// SPDX-License-Identifier: Apache-2.0
//
// NameQuestion, NameAnswer, NameAnswers: what a configuration wants to know of the databases of users,
// groups, services and hosts, as values. Who answers may block for seconds (NSS modules, name servers), so
// the questions of a whole load are collected first, each once; then somebody who may wait asks them all, and
// the services are resolved by what was learned.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "xsd/base/result.h"
#include "xsd/net/address.h"
#include "xsd/net/prefix.h"

namespace xsd::config {

struct NameQuestion {
  /// In the order in which they are asked: what is usually quick first, so that a dead name server keeps
  /// nobody from learning who `nobody` is.
  enum class Kind : std::uint8_t {
    User,           ///< a name or a decimal uid
    UserAndGroups,  ///< the same, with the supplementary groups
    Group,          ///< a name
    TcpPort,        ///< by the services database
    UdpPort,
    Network,  ///< a name of the networks database
    Host,
  };
  Kind kind = Kind::User;
  std::string text;
  friend bool operator==(const NameQuestion&, const NameQuestion&) = default;
};

struct UserEntry {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  friend bool operator==(const UserEntry&, const UserEntry&) = default;
};

struct NameAnswer {
  enum class State : std::uint8_t {
    Unknown,  ///< nobody could say: not the same as no
    NotFound,
    Found,
  };
  State state = State::Unknown;
  std::string why;            ///< of Unknown, for the message
  UserEntry user;             ///< of User, UserAndGroups
  std::vector<gid_t> groups;  ///< of UserAndGroups: those that list the user, whatever its primary one
  gid_t gid = 0;              ///< of Group
  std::uint16_t port = 0;     ///< of TcpPort, UdpPort
  net::Prefix network;        ///< of Network
  std::vector<net::SocketAddress> addresses;  ///< of Host: without ports, each once

  bool found() const noexcept { return state == State::Found; }
  /// ` (no answer within 5s)` if nobody could say, to be put behind "not found"; else nothing.
  std::string remark() const;

  static NameAnswer unknown(std::string why);
  static NameAnswer not_found();
};

/// An account that is written as a number; as xinetd has it, numbers are never names.
std::optional<std::uint32_t> account_number(std::string_view account) noexcept;

class NameAnswers;

/// Who worker processes and their like are if the daemon is root: `written` (of `daemon: user`), or if that
/// is empty `xsd`, else `nobody`.
void add_role_user_questions(const std::string& written, NameAnswers& out);
/// The error says that there is none, or why nobody could say; root is none either.
Result<UserEntry> find_role_user(const std::string& written, const NameAnswers& answers);

/// The questions of a load, each once, and what was learned about them.
class NameAnswers {
 public:
  void add(NameQuestion question);
  /// Puts them into the order in which they are to be asked. No more are added afterwards.
  void sort();

  const std::vector<NameQuestion>& questions() const noexcept { return questions_; }
  /// `index` is that of the question.
  void set(std::size_t index, NameAnswer answer) { answers_[index] = std::move(answer); }
  /// Says of all that have no answer why.
  void give_up(const std::string& why);
  /// An Unknown answer for a question that was never asked.
  const NameAnswer& find(const NameQuestion& question) const;

 private:
  struct Hash {
    std::size_t operator()(const NameQuestion& question) const noexcept {
      return std::hash<std::string>()(question.text) * 8 + static_cast<std::size_t>(question.kind);
    }
  };
  std::vector<NameQuestion> questions_;
  std::vector<NameAnswer> answers_;
  std::unordered_map<NameQuestion, std::size_t, Hash> index_;
};

}  // namespace xsd::config
