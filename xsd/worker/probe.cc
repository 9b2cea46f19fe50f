// SPDX-License-Identifier: Apache-2.0
#include "xsd/worker/probe.h"

#include <exception>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include "xsd/base/clock.h"
#include "xsd/base/shared_memory.h"
#include "xsd/base/text.h"
#include "xsd/base/wire.h"
#include "xsd/config/settings_wire.h"
#include "xsd/plugin/library.h"
#include "xsd/plugin/plugin_struct.h"
#include "xsd/process/channel.h"
#include "xsd/process/sandbox.h"
#include "xsd/reactor/event_loop.h"
#include "xsd/worker/probe_wire.h"

namespace xsd::worker {
namespace {

constexpr int kFailed = 1;

std::string look_at_settings(const xsd_plugin& calls, const std::string& bytes) {
  WireReader reader(bytes);
  const config::SettingsNode settings = config::get_settings(reader);
  if (!reader.is_complete()) return encode(ProbeFault{"was asked about settings that make no sense"});
  ProbeSettings answer;
  const auto note = [&answer](const config::Position& where, std::string_view text) {
    answer.faults.push_back({where, std::string(text)});
  };
  try {
    plugin::check_settings(calls, settings, note);
  } catch (const std::exception& thrown) {  // by the library's own C++
    return encode(ProbeFault{"threw an exception when its settings were checked: " + quoted(thrown.what())});
  } catch (...) {
    return encode(ProbeFault{"threw an exception when its settings were checked"});
  }
  return encode(answer);
}

void look_at(const ProbeRequest& request, int library, process::Channel& channel) {
  const auto entry = plugin::load_library(request.name, request.path, library);
  if (!entry) return channel.send(encode(ProbeFault{entry.error().text()}));
  const xsd_plugin calls = plugin::known_part(*(*entry)->plugin);
  ProbeSelf self;
  self.api_version = calls.api_version;
  self.needs = calls.needs;
  self.streams = (*entry)->streams();
  self.datagrams = (*entry)->datagrams();
  self.version = (*entry)->version;
  self.description = (*entry)->description;
  channel.send(encode(self));
  for (const std::string& settings : request.settings)
    channel.send(look_at_settings(calls, settings));
}

/// Nothing that a library prints is anybody's business, and a crash of it leaves no file behind.
Status become_quiet() {
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || dup2(STDIN_FILENO, STDOUT_FILENO) < 0 ||
      dup2(STDIN_FILENO, STDERR_FILENO) < 0)
    return Error::from_errno(errno, "standard descriptors");
  return {};
}

}  // namespace

int run_probe(UniqueFd channel_fd) {
  Status safe = become_quiet();
  if (safe) safe = process::enter_sandbox({});
  SystemClock clock;
  auto loop = reactor::EventLoop::create(reactor::PollerKind::Poll, clock);
  if (!loop) return kFailed;
  std::unique_ptr<process::Channel> channel;
  const auto on_message = [&](std::string_view /*message*/, std::vector<UniqueFd> fds) {
    if (!safe) return channel->send(encode(ProbeFault{"cannot be loaded safely: " + safe.error().text()}));
    if (fds.size() != 2) return (*loop)->stop();
    const auto memory = read_sealed(fds[1].get(), kMaxProbeRequest);
    const auto request = memory ? decode_request(*memory) : std::nullopt;
    if (!request) return (*loop)->stop();
    look_at(*request, fds[0].get(), *channel);
  };
  // Whoever has asked closes the channel when there is nothing more to be learned.
  auto made = process::Channel::create(
      **loop, std::move(channel_fd),
      {.on_message = on_message, .on_end = [&](const std::string& /*why*/) { (*loop)->stop(); }});
  if (!made) return kFailed;
  channel = std::move(*made);
  (*loop)->run();
  // Without what the library has put up for the end of a process.
  _exit(0);
}

}  // namespace xsd::worker
