// SPDX-License-Identifier: Apache-2.0
//
// The part of ServiceManager that tries failed services again, and hears of those that are being made or have
// failed in their worker.
#include <algorithm>

#include "xsd/base/log.h"
#include "xsd/base/number.h"
#include "xsd/manager/service_manager.h"

namespace xsd::manager {
namespace {

constexpr Duration kFirstRetry = std::chrono::seconds(1);
constexpr Duration kLongestRetry = std::chrono::seconds(60);

}  // namespace

void ServiceManager::schedule_retry(Entry& entry) {
  entry.retry_delay =
      entry.retry_delay == Duration::zero() ? kFirstRetry : std::min(entry.retry_delay * 2, kLongestRetry);
  if (!entry.retry) {
    entry.retry = std::make_unique<reactor::Timer>(context_.loop, [this, id = entry.id] {
      due_.push_back(id);
      retrier_.arm(Duration::zero());
    });
  }
  entry.retry->arm(entry.retry_delay);
}

ServiceManager::Entry* ServiceManager::find_to_retry(const std::string& id) {
  const auto found = entries_.find(id);
  return found != entries_.end() && found->second.wanted && found->second.retry ? &found->second : nullptr;
}

void ServiceManager::go_on_retrying() {
  if (phase_ != Phase::Quiet) return put_off_retries();
  if (inquiry_.busy()) return;  // the others first; then it goes on
  asked_.empty() ? ask_for_retries() : retry_some();
}

void ServiceManager::ask_for_retries() {
  config::Answers questions;
  for (const std::string& id : std::exchange(due_, {})) {
    const Entry* const entry = find_to_retry(id);
    if (entry == nullptr) continue;
    loader_.add_questions(*entry->wanted, questions);
    asked_.push_back(id);
  }
  questions.names.sort();
  if (questions.empty()) return retry_some();
  inquiry_.ask(std::move(questions), [this](config::Answers answers) {
    retry_answers_ = std::move(answers);
    retry_some();
  });
}

void ServiceManager::retry_some() {
  const MonotonicTime end = context_.loop.clock().monotonic() + kStepBudget;
  while (!asked_.empty()) {
    const std::string id = std::move(asked_.front());
    asked_.pop_front();
    if (Entry* const entry = find_to_retry(id)) retry(*entry);
    if (context_.loop.clock().monotonic() >= end) break;
  }
  if (asked_.empty()) retry_answers_ = {};
  if (!asked_.empty() || !due_.empty()) retrier_.arm(Duration::zero());
}

void ServiceManager::put_off_retries() {
  retrier_.cancel();
  retry_answers_ = {};
  for (const std::string& id : due_)
    asked_.push_back(id);
  due_.clear();
  for (const std::string& id : std::exchange(asked_, {})) {
    if (Entry* const entry = find_to_retry(id)) entry->retry->arm(kFirstRetry);
  }
}

void ServiceManager::retry(Entry& entry) {
  std::vector<config::Diagnostic> diagnostics;
  auto resolution = loader_.resolve(*entry.wanted, retry_answers_, diagnostics);
  if (resolution == nullptr) {
    const std::string why =
        diagnostics.empty() ? "not possible on this machine" : config::one_line(diagnostics.front());
    return end_retry(entry, tl::unexpected(Obstacle{why, entry.bind_failed, {}, {}, entry.blocker}));
  }
  auto ready = get_ready(entry, entry.wanted, std::move(resolution));
  if (ready && ready->fresh && ready->fresh->is_making()) {
    entry.coming = std::move(*ready);
    return;
  }
  end_retry(entry, std::move(ready));
}

void ServiceManager::end_retry(Entry& entry, tl::expected<Ready, Obstacle> outcome) {
  if (outcome) {
    take_ports_over();  // before anybody answers at one that is new
    const Status status = commit(entry, std::move(*outcome));
    if (status) {
      log::info("{}: works again", entry.id);
      entry.error.clear();
      entry.bind_failed = false;
      entry.wanted = nullptr;
      entry.retry_delay = {};
      entry.retry.reset();
      take_ports_over();
      // What it has let go of is closed in its worker, too, before others try to have it.
      const auto try_others = [this, id = entry.id] {
        for (auto& [other_id, other] : entries_) {
          if (other.retry && other.blocker == id) other.retry->arm(Duration::zero());
        }
      };
      return workers_ ? workers_->when_done(try_others) : try_others();
    }
    outcome = tl::unexpected(Obstacle{status.error().text(), false, {}, {}, {}});
  }
  const Obstacle& obstacle = outcome.error();
  entry.blocker = obstacle.blocker;
  if (obstacle.error != entry.cause) {
    log::error("{}: failed: {}", entry.id, obstacle.error);
    entry.error = entry.cause = obstacle.error;
  }
  schedule_retry(entry);
}

void ServiceManager::drop_coming(Entry& entry) {
  if (!entry.coming) return;
  entry.coming.reset();
  sockets_.give_back(entry.id, entry.endpoints);
}

void ServiceManager::on_made(const std::string& id) {
  if (phase_ == Phase::Preparing && !starting_) step_later();
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (!entry.coming || entry.coming->fresh->is_making()) return;
  Ready ready = std::move(*entry.coming);
  entry.coming.reset();
  const std::string why = ready.fresh->failure();
  if (why.empty()) return end_retry(entry, std::move(ready));
  sockets_.give_back(entry.id, entry.endpoints);
  end_retry(entry, tl::unexpected(Obstacle{why, false, {}, {}, {}}));
}

void ServiceManager::on_addresses_read(const std::string& path) {
  if (workers_) workers_->lend_file(path);
  if (phase_ == Phase::Preparing && !starting_) step_later();
  std::vector<std::string> coming;
  for (const auto& [id, entry] : entries_) {
    if (entry.coming) coming.push_back(id);
  }
  for (const std::string& id : coming)
    on_made(id);
}

void ServiceManager::on_failed(service::ManagedService& service, const std::string& why) {
  const auto found = entries_.find(service.name());
  if (stopping_ || found == entries_.end() || found->second.service.get() != &service) return;
  Entry& entry = found->second;
  auto definition = service.prepared().definition;
  retire(entry);
  // Its fault takes time to be found; what it could be replaced by is in the files.
  entry.retry_delay = kLongestRetry;
  fail(entry, std::move(definition), {why, false, {}, {}, {}});
}

}  // namespace xsd::manager
