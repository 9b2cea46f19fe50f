// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/names.h"

#include "xsd/base/number.h"
#include "xsd/base/text.h"

#include <algorithm>
#include <iterator>

namespace xsd::config {
namespace {

constexpr const char* kUsualRoleUsers[] = {"xsd", "nobody"};

}  // namespace

std::string NameAnswer::remark() const {
  return state == State::Unknown && !why.empty() ? " (" + why + ")" : "";
}

NameAnswer NameAnswer::unknown(std::string why) {
  NameAnswer answer;
  answer.why = std::move(why);
  return answer;
}

NameAnswer NameAnswer::not_found() {
  NameAnswer answer;
  answer.state = State::NotFound;
  return answer;
}

std::optional<std::uint32_t> account_number(std::string_view account) noexcept {
  const auto number = parse_unsigned(account);
  if (!number || *number >= 0xFFFF'FFFFU) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

void add_role_user_questions(const std::string& written, NameAnswers& out) {
  if (!written.empty()) return out.add({NameQuestion::Kind::User, written});
  for (const char* const usual : kUsualRoleUsers)
    out.add({NameQuestion::Kind::User, usual});
}

Result<UserEntry> find_role_user(const std::string& written, const NameAnswers& answers) {
  std::vector<std::string> names(std::begin(kUsualRoleUsers), std::end(kUsualRoleUsers));
  if (!written.empty()) names = {written};
  std::string remark;
  for (const std::string& name : names) {
    NameAnswer answer = answers.find({NameQuestion::Kind::User, name});
    const auto number = account_number(name);
    if (number && answer.state == NameAnswer::State::NotFound) {  // as with a service's `user`
      answer.state = NameAnswer::State::Found;
      answer.user = UserEntry{"", *number, *number};
    }
    if (answer.found() && answer.user.uid == 0) return Error("user " + quoted(name) + " is root");
    if (answer.found()) return answer.user;
    if (remark.empty()) remark = answer.remark();
  }
  return Error("user " + quoted(names.back()) + " not found" + remark);
}

void NameAnswers::add(NameQuestion question) {
  const auto [place, is_new] = index_.try_emplace(question, questions_.size());
  if (!is_new) return;
  questions_.push_back(std::move(question));
  answers_.emplace_back();
}

void NameAnswers::sort() {
  std::stable_sort(questions_.begin(), questions_.end(),
                   [](const NameQuestion& a, const NameQuestion& b) { return a.kind < b.kind; });
  for (std::size_t i = 0; i < questions_.size(); ++i)
    index_[questions_[i]] = i;
}

void NameAnswers::give_up(const std::string& why) {
  for (NameAnswer& answer : answers_) {
    if (answer.state == NameAnswer::State::Unknown && answer.why.empty()) answer.why = why;
  }
}

const NameAnswer& NameAnswers::find(const NameQuestion& question) const {
  static const NameAnswer kNeverAsked = NameAnswer::unknown("not asked");
  const auto found = index_.find(question);
  return found != index_.end() ? answers_[found->second] : kNeverAsked;
}

}  // namespace xsd::config
