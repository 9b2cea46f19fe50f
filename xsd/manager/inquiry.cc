// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/inquiry.h"

#include <utility>

#include "xsd/base/clock.h"

namespace xsd::manager {
namespace {

Result<config::UserEntry> user_of_probes(const config::Answers& answers) {
  if (!answers.plugins.rules.as_root) return config::UserEntry{};  // who we are
  return config::find_role_user(answers.plugins.rules.user, answers.names);
}

}  // namespace

Inquiry::Inquiry(reactor::EventLoop& loop, reactor::ChildWatcher& children, process::RoleStarter& roles,
                 PluginCache& cache)
    : names_(loop, children), probes_(loop, children, roles, cache) {}

void Inquiry::ask(config::Answers answers, Done done) {
  cancel();
  answers_ = std::move(answers);
  done_ = std::move(done);
  if (answers_.names.questions().empty()) return ask_plugins();
  names_.ask(std::move(answers_.names), [this](config::NameAnswers names) {
    answers_.names = std::move(names);
    if (answers_.plugins.questions().empty()) return finish();
    ask_plugins();
  });
}

void Inquiry::ask_plugins() {
  const Result<config::UserEntry> user = user_of_probes(answers_);
  probes_.ask(std::move(answers_.plugins), user, [this](config::PluginAnswers plugins) {
    answers_.plugins = std::move(plugins);
    finish();
  });
}

void Inquiry::cancel() noexcept {
  names_.cancel();
  probes_.cancel();
  done_ = nullptr;
}

void Inquiry::finish() {
  config::Answers answers = std::exchange(answers_, {});
  std::exchange(done_, nullptr)(std::move(answers));
}

void ask_plugins_now(config::Answers& answers, const process::Inheritance& inheritance, PluginCache& cache) {
  SystemClock clock;
  auto loop = reactor::EventLoop::create(reactor::PollerKind::Poll, clock);
  if (!loop) return answers.plugins.give_up("cannot be looked at: " + loop.error().text());
  reactor::ChildWatcher children(**loop);
  process::Spawner spawner;
  process::RoleStarter starter(spawner, inheritance);
  PluginProbes probes(**loop, children, starter, cache);
  const Result<config::UserEntry> user = user_of_probes(answers);
  probes.ask(std::move(answers.plugins), user,
             [&answers](config::PluginAnswers learned) { answers.plugins = std::move(learned); });
  while (probes.busy() || children.size() > 0)  // those that are left were killed
    (void)(*loop)->run_once();
}

}  // namespace xsd::manager
