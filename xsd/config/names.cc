// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/names.h"

#include "xsd/base/number.h"

#include <algorithm>

namespace xsd::config {

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
