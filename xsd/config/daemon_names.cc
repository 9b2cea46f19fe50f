// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/daemon_names.h"

#include "xsd/base/text.h"
#include "xsd/config/settings_table.h"

#include <utility>

namespace xsd::config {
namespace {

constexpr const char* kOwnUser = "xsd";
constexpr const char* kNobody = "nobody";

NameQuestion user_question(std::string name) {
  return {NameQuestion::Kind::User, std::move(name)};
}

NameQuestion host_question(const LogSettings& log) {
  return {NameQuestion::Kind::Host, log.host};
}

bool is_name(const LogSettings& log) {
  return log.target == LogSettings::Target::Udp && !net::SocketAddress::parse(log.host, log.port);
}

Position place_of(const DaemonSettings& settings, std::string_view key) {
  const ValueOrigin* const origin = origin_of(settings.origins, key);
  return origin != nullptr ? origin->where : Position{};
}

}  // namespace

bool DaemonNames::wants_default_user(const DaemonSettings& settings) const {
  return settings.user.empty() && as_root_ && !only_checks_;
}

void DaemonNames::add_questions(const DaemonSettings& settings, NameAnswers& out) const {
  if (!settings.user.empty()) {
    out.add(user_question(settings.user));
  } else if (wants_default_user(settings) && !default_user_) {
    out.add(user_question(kOwnUser));
    out.add(user_question(kNobody));
  }
  if (is_name(settings.log)) out.add(host_question(settings.log));
}

void DaemonNames::resolve(DaemonSettings& settings, NameService& names, std::vector<Fault>& faults) {
  if (!settings.user.empty()) {
    resolve_user(settings, names, faults);
  } else if (wants_default_user(settings)) {
    find_default_user(settings, names);
  }
  resolve_log_host(settings, names, faults);
}

void DaemonNames::resolve_user(DaemonSettings& settings, NameService& names,
                               std::vector<Fault>& faults) const {
  const NameAnswer answer = names.ask(user_question(settings.user));
  const Position where = place_of(settings, "user");
  if (!answer.found()) {
    // That nobody could say is no reason to refuse everything else.
    faults.push_back({where, "user " + quoted(settings.user) + " not found" + answer.remark(),
                      answer.state == NameAnswer::State::NotFound});
  } else if (as_root_ && answer.user.uid == 0) {
    faults.push_back(
        {where, "user " + quoted(settings.user) + " is root: what runs as this user needs no privileges",
         true});
  } else if (as_root_) {
    settings.role_user = RoleUser{answer.user.uid, answer.user.gid};
  }
}

void DaemonNames::find_default_user(DaemonSettings& settings, NameService& names) {
  if (!default_user_) {
    for (const char* const name : {kOwnUser, kNobody}) {
      const NameAnswer answer = names.ask(user_question(name));
      if (!answer.found() || answer.user.uid == 0) continue;
      default_user_ = DefaultUser{{answer.user.uid, answer.user.gid}, name == kNobody};
      break;
    }
  }
  if (!default_user_) return;
  settings.role_user = default_user_->user;
  settings.role_user_is_nobody = default_user_->is_nobody;
}

void DaemonNames::resolve_log_host(DaemonSettings& settings, NameService& names, std::vector<Fault>& faults) {
  LogSettings& log = settings.log;
  if (log.target != LogSettings::Target::Udp) return;
  if (const auto literal = net::SocketAddress::parse(log.host, log.port)) {
    log.address = *literal;
    return;
  }
  const NameAnswer answer = names.ask(host_question(log));
  if (answer.found()) {
    log_host_ = log.host;
    log_address_ = answer.addresses.front();
  } else {
    const bool is_known = log_host_ == log.host;
    faults.push_back({place_of(settings, "log.target"),
                      "host " + quoted(log.host) + " not found" + answer.remark() +
                          (is_known ? "; its last address is used"
                                    : "; the log goes to the standard error until a reload finds it"),
                      false});
    if (!is_known) return;
  }
  log.address = log_address_;
  log.address.set_port(log.port);
}

}  // namespace xsd::config
