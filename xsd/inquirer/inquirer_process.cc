// SPDX-License-Identifier: Apache-2.0
#include "xsd/inquirer/inquirer_process.h"

#include <algorithm>
#include <csignal>
#include <span>
#include <utility>
#include <vector>

#include "xsd/base/log.h"
#include "xsd/process/helper.h"

namespace xsd::inquirer {
namespace {

constexpr Duration kLongEnough = std::chrono::milliseconds(500);
constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(30);
// The inquirer says itself that the time is up. If it does not, it is stuck.
constexpr Duration kSlack = std::chrono::seconds(1);

}  // namespace

// ---- Asked

Asked::Asked(Asked&& other) noexcept
    : process_(std::exchange(other.process_, nullptr)), question_(other.question_), asker_(other.asker_) {}

Asked& Asked::operator=(Asked&& other) noexcept {
  if (this == &other) return *this;
  reset();
  process_ = std::exchange(other.process_, nullptr);
  question_ = other.question_;
  asker_ = other.asker_;
  return *this;
}

void Asked::reset() noexcept {
  if (process_ != nullptr) std::exchange(process_, nullptr)->forget(question_, asker_);
}

// ---- questions

InquirerProcess::InquirerProcess(reactor::EventLoop& loop, reactor::ChildWatcher& children,
                                 process::RoleStarter& roles, std::optional<process::Credentials> user,
                                 policy::HashSeed seed)
    : loop_(loop), children_(children), roles_(roles), user_(std::move(user)), names_(seed) {}

InquirerProcess::~InquirerProcess() {
  (void)child_.signal(SIGKILL);  // it has ended: then there is nothing to end
}

Asked InquirerProcess::ask(Question question, int socket, Done done) {
  const std::uint64_t asker = ++last_asker_;
  if (const std::uint64_t same = find_same(question); same != 0) {
    open_.at(same).askers.push_back({asker, std::move(done)});
    return {*this, same, asker};
  }
  const std::uint64_t number = ++last_number_;
  const bool is_asked = open_.size() < kMostQuestions && is_there();
  if (is_asked) channel_->send(encode(number, question), std::span(&socket, socket < 0 ? 0U : 1U));
  const Duration limit = is_asked ? limit_of(question.kind) + kSlack : Duration::zero();
  if (question.kind == Question::Kind::Names) about_names_.emplace(question.peer.host(), number);
  Open& open = open_.emplace(number, Open{std::move(question)}).first->second;
  open.askers.push_back({asker, std::move(done)});
  open.deadline = std::make_unique<reactor::Timer>(loop_, [this, number, is_asked] {
    if (is_asked) (void)child_.signal(SIGKILL);
    finish(number, {});
  });
  open.deadline->arm(limit);
  return {*this, number, asker};
}

std::uint64_t InquirerProcess::find_same(const Question& question) const {
  if (question.kind != Question::Kind::Names) return 0;
  const auto found = about_names_.find(question.peer.host());
  return found == about_names_.end() ? 0 : found->second;
}

// The question stays open: the inquirer works on it, and that counts.
void InquirerProcess::forget(std::uint64_t question, std::uint64_t asker) noexcept {
  const auto found = open_.find(question);
  if (found == open_.end()) return;
  found->second.askers.remove_if([asker](const Asker& one) { return one.id == asker; });
}

void InquirerProcess::finish(std::uint64_t number, const Answer& answer) {
  const auto found = open_.find(number);
  if (found == open_.end()) return;  // it came too late
  Open& open = found->second;
  open.deadline->cancel();
  if (open.question.kind == Question::Kind::Names) {
    about_names_.erase(open.question.peer.host());
    names_.put(open.question.peer, {answer.state != Answer::State::Unknown, answer.texts}, loop_.now());
  }
  while (!open.askers.empty()) {
    const Done done = std::move(open.askers.front().done);
    open.askers.pop_front();
    done(answer);  // who is told may forget the others
  }
  open_.erase(number);
}

void InquirerProcess::give_up_all() {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, open] : open_)
    numbers.push_back(number);
  for (const std::uint64_t number : numbers)
    finish(number, {});
}

// ---- the process

bool InquirerProcess::is_there() {
  if (channel_ != nullptr && !channel_->is_over()) return true;
  if (child_.active() || loop_.now() < not_before_) return false;
  const Status status = launch();
  if (status) return true;
  rest();
  if (!std::exchange(is_missed_, true)) {
    log::error(
        "inquirer: {}; clients about whom somebody has to be asked are refused until it can be started",
        status.error().text());
  }
  return false;
}

Status InquirerProcess::launch() {
  auto process = roles_.start({.role = "inquirer", .title = "xsd: inquirer", .credentials = user_});
  if (!process) return std::move(process.error());
  const auto give_up = [&](Error error) {
    process::end_unwatched(process->pid);
    return error;
  };
  auto channel = process::Channel::create(
      loop_, std::move(process->channel),
      {.on_message = [this](std::string_view bytes, const std::vector<UniqueFd>&) { on_message(bytes); },
       .on_end = [this](const std::string&) { (void)child_.signal(SIGKILL); }});
  if (!channel) return give_up(std::move(channel.error()));
  auto child = children_.watch(process->pid, std::move(process->pidfd),
                               [this](const reactor::ChildExit& exit) { on_exit(exit); });
  if (!child) return give_up(std::move(child.error()));
  child_ = std::move(*child);
  channel_ = std::move(*channel);
  started_ = loop_.now();
  return {};
}

void InquirerProcess::rest() {
  not_before_ = loop_.now() + pause_;
  pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
}

void InquirerProcess::on_message(std::string_view bytes) {
  const auto read = decode_answer(bytes);
  if (!read) {
    (void)child_.signal(SIGKILL);
    return;
  }
  if (std::exchange(is_missed_, false)) log::info("inquirer: it answers again");
  finish(read->number, read->answer);
}

void InquirerProcess::on_exit(const reactor::ChildExit& exit) {
  channel_.reset();
  if (loop_.now() - started_ >= kLongEnough) pause_ = Duration::zero();
  rest();
  if (!std::exchange(is_missed_, true))
    log::warning("inquirer: {}; clients whom it was asked about are refused", exit.text());
  give_up_all();
}

}  // namespace xsd::inquirer
