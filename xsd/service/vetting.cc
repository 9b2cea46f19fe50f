// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/vetting.h"

#include <utility>

namespace xsd::service {

using inquirer::Answer;
using inquirer::Question;

Vetting::Vetting(ServiceContext& context, std::shared_ptr<const config::ServiceDefinition> definition,
                 std::shared_ptr<const policy::AccessList> access, const Client& client)
    : context_(context), definition_(std::move(definition)), access_(std::move(access)), client_(client) {}

std::optional<Vetting::Outcome> Vetting::begin(Done done) {
  std::optional<Outcome> outcome = go_on();
  if (!outcome) done_ = std::move(done);
  return outcome;
}

std::optional<Vetting::Outcome> Vetting::begin_with_user(Done done) {
  step_ = Step::Ident;
  wants_user_ = true;
  return begin(std::move(done));
}

std::optional<Vetting::Outcome> Vetting::go_on() {
  std::optional<Outcome> outcome;
  while (!outcome && !is_asking_) {
    const Step step = step_;
    step_ = step == Step::Names ? Step::Libwrap : step == Step::Libwrap ? Step::Ident : Step::Over;
    switch (step) {
      case Step::Names:
        outcome = look_at_names();
        break;
      case Step::Libwrap:
        outcome = ask_libwrap();
        break;
      case Step::Ident:
        outcome = ask_user();
        break;
      case Step::Over:
        return std::move(outcome_);
    }
  }
  return outcome;
}

void Vetting::ask(Question::Kind kind, Take take) {
  const auto tell = [this, take = std::move(take)](const Answer& answer) {
    is_asking_ = false;
    std::optional<Outcome> outcome = take(answer);
    if (!outcome) outcome = go_on();
    if (!outcome) return;
    const Done done = std::move(done_);  // it may destroy us
    done(std::move(*outcome));
  };
  is_asking_ = true;
  asked_ = context_.inquirer->ask(
      {.kind = kind, .peer = client_.remote, .local = client_.local, .daemon = definition_->clients->libwrap},
      kind == Question::Kind::Libwrap ? client_.socket : -1, tell);
}

std::optional<Vetting::Outcome> Vetting::look_at_names() {
  if (!access_ || access_->decide(client_.remote).access != policy::Access::AskName) return std::nullopt;
  if (context_.inquirer == nullptr) return take_names(false, {});
  if (const auto* const known = context_.inquirer->known_names(client_.remote))
    return take_names(known->are_known, known->names);
  ask(Question::Kind::Names, [this](const Answer& answer) {
    return take_names(answer.state != Answer::State::Unknown, answer.texts);
  });
  return std::nullopt;
}

std::optional<Vetting::Outcome> Vetting::take_names(bool are_known, const std::vector<std::string>& names) {
  const policy::PeerNames peer{are_known, names};
  if (access_->decide(client_.remote, peer).access == policy::Access::Allow) return std::nullopt;
  return refuse(policy::Reason::Address);
}

std::optional<Vetting::Outcome> Vetting::ask_libwrap() {
  if (definition_->clients->libwrap.empty() || !client_.remote.is_ip()) return std::nullopt;
  if (!context_.hosts_files.have_rules()) return std::nullopt;
  if (context_.inquirer == nullptr) return refuse(policy::Reason::Libwrap);
  ask(Question::Kind::Libwrap, [this](const Answer& answer) -> std::optional<Outcome> {
    if (answer.state == Answer::State::Yes) return std::nullopt;
    return refuse(policy::Reason::Libwrap);
  });
  return std::nullopt;
}

std::optional<Vetting::Outcome> Vetting::ask_user() {
  const bool is_needed = !wants_user_ && (definition_->flags & config::kFlagIdOnly) != 0;
  const bool is_wanted = wants_user_ || is_needed || (definition_->log_on_success & config::kLogUserId) != 0;
  if (!is_wanted || client_.socket < 0) return std::nullopt;
  const auto without = [this, is_needed]() -> std::optional<Outcome> {
    if (!is_needed) return std::nullopt;
    return refuse(policy::Reason::Ident);
  };
  if (!client_.remote.is_ip() || context_.inquirer == nullptr) return without();
  ask(Question::Kind::Ident, [this, without](const Answer& answer) -> std::optional<Outcome> {
    if (answer.state != Answer::State::Yes || answer.texts.empty()) return without();
    outcome_.user = answer.texts.front();
    return std::nullopt;
  });
  return std::nullopt;
}

}  // namespace xsd::service
