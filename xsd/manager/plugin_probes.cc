// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/plugin_probes.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "xsd/base/number.h"
#include "xsd/base/shared_memory.h"
#include "xsd/base/wire.h"
#include "xsd/config/settings_wire.h"
#include "xsd/plugin/library.h"
#include "xsd/plugin/plugin_struct.h"
#include "xsd/process/channel.h"
#include "xsd/process/helper.h"
#include "xsd/worker/probe_wire.h"

namespace xsd::manager {
namespace {

using config::PluginAnswer;

// So that a machine with few processors does not make them late.
constexpr std::size_t kMostProbes = 4;
constexpr std::uint32_t kKnownNeeds = XSD_NEEDS_FILES | XSD_NEEDS_NETWORK;
constexpr const char* kNonsense = "gave an answer that makes no sense when it was looked at";

PluginAnswer ask_builtin(const plugin::PluginEntry& entry, const config::PluginQuestion& question) {
  const xsd_plugin calls = plugin::known_part(*entry.plugin);
  PluginAnswer answer;
  for (const std::string& bytes : question.settings) {
    WireReader reader(bytes);
    auto& faults = answer.settings.emplace_back();
    plugin::check_settings(calls, config::get_settings(reader),
                           [&faults](const config::Position& where, std::string_view text) {
                             faults.push_back({where, std::string(text)});
                           });
  }
  return answer;
}

std::string text_of_end(const reactor::ChildExit& exit, bool was_loaded) {
  const std::string when = was_loaded ? "when its settings were checked" : "when it was loaded";
  const std::string number = std::to_string(exit.code);
  if (!exit.signalled) return "ended its process " + when + " (exit status " + number + ")";
  if (exit.code == SIGSYS) return "did what plugins may not do " + when + " (signal " + number + ")";
  return "crashed " + when + " (signal " + number + ")";
}

}  // namespace

std::shared_ptr<const config::PluginImage> PluginCache::find(const config::PluginQuestion& question,
                                                             const config::FileStamp& stamp) const {
  const auto found = known_.find(question.plugin);
  if (found == known_.end() || !(found->second.image->stamp == stamp)) return nullptr;
  const auto& good = found->second.settings;
  const bool are_good = std::all_of(question.settings.begin(), question.settings.end(),
                                    [&](const std::string& settings) { return good.contains(settings); });
  return are_good ? found->second.image : nullptr;
}

void PluginCache::keep(const config::PluginQuestion& question,
                       std::shared_ptr<const config::PluginImage> image) {
  // What nobody asks any more is forgotten with it.
  known_[question.plugin] = {std::move(image), {question.settings.begin(), question.settings.end()}};
}

/// One library that is looked at.
struct PluginProbes::Probe {
  Probe(std::size_t number, plugin::FoundLibrary found, reactor::EventLoop& loop,
        std::function<void()> on_late)
      : question(number), library(std::move(found)), deadline(loop, std::move(on_late)) {}

  std::size_t question;
  plugin::FoundLibrary library;
  std::optional<worker::ProbeSelf> self;
  std::vector<std::vector<config::SettingsFault>> settings;
  std::optional<reactor::ChildExit> exit;
  bool is_channel_over = false;
  reactor::ChildWatch child;
  std::unique_ptr<process::Channel> channel;
  reactor::Timer deadline;
};

PluginProbes::PluginProbes(reactor::EventLoop& loop, reactor::ChildWatcher& children,
                           process::RoleStarter& starter, PluginCache& cache)
    : loop_(loop), children_(children), starter_(starter), cache_(cache), stepper_(loop, [this] {
        go_on();
      }) {}

PluginProbes::~PluginProbes() {
  cancel();
}

void PluginProbes::ask(config::PluginAnswers answers, const Result<config::UserEntry>& user, Done done) {
  cancel();
  answers_ = std::move(answers);
  done_ = std::move(done);
  credentials_.reset();
  no_user_.clear();
  if (answers_.rules.as_root && user) {
    credentials_ = process::Credentials{user->uid, user->gid, {}};
  } else if (answers_.rules.as_root) {
    no_user_ = user.error().text();
  }
  for (std::size_t i = 0; i < answers_.questions().size(); ++i)
    answer_or_queue(i);
  stepper_.arm(Duration::zero());
}

void PluginProbes::cancel() noexcept {
  stepper_.cancel();
  waiting_.clear();
  for (const auto& probe : running_)
    (void)probe->child.signal(SIGKILL);  // one that has ended needs none
  running_.clear();
  done_ = nullptr;
}

void PluginProbes::answer_or_queue(std::size_t question) {
  const config::PluginQuestion& asked = answers_.questions()[question];
  if (const auto* const builtin = plugin::find_plugin(asked.plugin))
    return answers_.set(question, ask_builtin(*builtin, asked));
  auto library = plugin::find_library(asked.plugin, answers_.rules);
  if (!library) {
    PluginAnswer missing;
    missing.is_missing = true;
    if (answers_.libraries.empty()) answers_.libraries = plugin::list_libraries(answers_.rules);
    return answers_.set(question, std::move(missing));
  }
  if (!library->fault.empty()) {
    PluginAnswer faulty = PluginAnswer::faulty(library->fault);
    faulty.path = library->path;
    return answers_.set(question, std::move(faulty));
  }
  if (auto image = cache_.find(asked, library->stamp)) {
    PluginAnswer good;
    good.path = image->path;
    good.image = std::move(image);
    good.settings.resize(asked.settings.size());
    return answers_.set(question, std::move(good));
  }
  if (!no_user_.empty())
    return answers_.set(question, PluginAnswer::faulty("is not loaded as root: " + no_user_));
  auto probe = std::make_unique<Probe>(question, std::move(*library), loop_, nullptr);
  probe->deadline = reactor::Timer(loop_, [this, raw = probe.get()] {
    finish(*raw, PluginAnswer::faulty("did not answer within " + format_duration(kTimeLimit)));
  });
  waiting_.push_back(std::move(probe));
}

void PluginProbes::go_on() {
  while (!waiting_.empty() && running_.size() < kMostProbes) {
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    Probe& probe = *running_.back();
    if (Status status = start(probe); !status)
      finish(probe, PluginAnswer::faulty("cannot be looked at: " + status.error().text()));
  }
  if (!running_.empty() || !waiting_.empty()) return;
  config::PluginAnswers answers = std::exchange(answers_, {});
  std::exchange(done_, nullptr)(std::move(answers));
}

Status PluginProbes::start(Probe& probe) {
  const config::PluginQuestion& asked = answers_.questions()[probe.question];
  auto memory = seal_bytes(
      "xsd-probe", worker::encode(worker::ProbeRequest{asked.plugin, probe.library.path, asked.settings}));
  if (!memory) return std::move(memory.error());
  auto started =
      starter_.start({.role = "probe", .title = "xsd: probe " + asked.plugin, .credentials = credentials_});
  if (!started) return std::move(started.error());
  auto child = children_.watch(started->pid, std::move(started->pidfd), [this, &probe](const auto& exit) {
    probe.exit = exit;
    on_over(probe);
  });
  if (!child) {
    process::end_unwatched(started->pid);
    return std::move(child.error());
  }
  probe.child = std::move(*child);
  auto channel = process::Channel::create(
      loop_, std::move(started->channel),
      {.on_message = [this, &probe](
                         std::string_view message,
                         const std::vector<UniqueFd>& fds) { on_message(probe, message, !fds.empty()); },
       .on_end =
           [this, &probe](const std::string& /*why*/) {
             probe.is_channel_over = true;
             on_over(probe);
           }});
  if (!channel) return std::move(channel.error());
  probe.channel = std::move(*channel);
  const std::array<int, 2> fds{probe.library.fd.get(), memory->get()};
  probe.channel->send("look", fds);
  probe.deadline.arm(kTimeLimit);
  return {};
}

void PluginProbes::on_message(Probe& probe, std::string_view message, bool has_fds) {
  auto decoded = worker::decode_probe_message(message);
  if (!decoded || has_fds) return finish(probe, PluginAnswer::faulty(kNonsense));
  if (const auto* const fault = std::get_if<worker::ProbeFault>(&*decoded))
    return finish(probe, PluginAnswer::faulty(fault->text));
  const config::PluginQuestion& asked = answers_.questions()[probe.question];
  if (auto* const self = std::get_if<worker::ProbeSelf>(&*decoded)) {
    if (probe.self || (self->needs & ~kKnownNeeds) != 0)
      return finish(probe, PluginAnswer::faulty(kNonsense));
    probe.self = std::move(*self);
  } else if (auto* const settings = std::get_if<worker::ProbeSettings>(&*decoded)) {
    if (!probe.self) return finish(probe, PluginAnswer::faulty(kNonsense));
    probe.settings.push_back(std::move(settings->faults));
  }
  if (probe.settings.size() < asked.settings.size()) return;
  auto image = std::make_shared<config::PluginImage>();
  image->name = asked.plugin;
  image->path = probe.library.path;
  image->fd = std::move(probe.library.fd);
  image->stamp = probe.library.stamp;
  image->version = probe.self->version;
  image->description = probe.self->description;
  image->api_version = probe.self->api_version;
  image->needs = probe.self->needs;
  image->streams = probe.self->streams;
  image->datagrams = probe.self->datagrams;
  PluginAnswer answer;
  answer.image = std::move(image);
  answer.settings = std::move(probe.settings);
  const bool is_good = std::all_of(answer.settings.begin(), answer.settings.end(),
                                   [](const auto& faults) { return faults.empty(); });
  if (is_good) cache_.keep(asked, answer.image);
  finish(probe, std::move(answer));
}

// What it has said before it ended is read first, so that the text tells how far it came.
void PluginProbes::on_over(Probe& probe) {
  if (!probe.exit || !probe.is_channel_over) return;
  finish(probe, PluginAnswer::faulty(text_of_end(*probe.exit, probe.self.has_value())));
}

void PluginProbes::finish(Probe& probe, PluginAnswer answer) {
  answer.path = probe.library.path;
  answers_.set(probe.question, std::move(answer));
  (void)probe.child.signal(SIGKILL);  // it has nothing more to say
  const auto place = std::find_if(running_.begin(), running_.end(),
                                  [&](const auto& candidate) { return candidate.get() == &probe; });
  // This runs in a handler of its own.
  loop_.defer([gone = std::shared_ptr<Probe>(std::move(*place))] {});
  probe.deadline.cancel();
  running_.erase(place);
  stepper_.arm(Duration::zero());
}

}  // namespace xsd::manager
