// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/role.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsd/process/channel.h"

namespace xsd::process {
namespace {

/// Variables that a role needs to run as the daemon does: language and time, the loader's, and those of the
/// sanitizers and of coverage, where it was built with them. Nothing else of the daemon's environment is a
/// plugin's business.
bool is_for_roles(std::string_view variable) noexcept {
  const std::string_view name = variable.substr(0, variable.find('='));
  constexpr std::array<std::string_view, 11> kNames = {
      "PATH",         "LANG",         "TZ",           "TZDIR",         "LD_PRELOAD",       "LD_LIBRARY_PATH",
      "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LLVM_PROFILE_FILE"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() || name.starts_with("LC_") ||
         name.starts_with("GCOV_");
}

}  // namespace

RoleStarter::RoleStarter(Spawner& spawner, const Inheritance& inheritance)
    : spawner_(spawner), whole_environment_(inheritance.environment) {
  std::copy_if(inheritance.environment.begin(), inheritance.environment.end(),
               std::back_inserter(environment_), is_for_roles);
}

Result<RoleProcess> RoleStarter::start(const RoleRequest& request) {
  auto pair = make_channel_pair();
  if (!pair) return std::move(pair.error());
  ExecPlan plan;
  plan.service = request.title;
  plan.program = "/proc/self/exe";
  plan.arguments = {"xsd", kRoleOption, request.role, request.title};
  plan.environment = request.whole_environment ? whole_environment_ : environment_;
  plan.credentials = request.credentials;
  // As many descriptors as we have.
  LimitSetting files{RLIMIT_NOFILE, {}};
  if (getrlimit(RLIMIT_NOFILE, &files.value) != 0) return Error::from_errno(errno, "getrlimit");
  plan.limits = {files};
  auto spawned = spawner_.spawn(plan, {.socket = pair->second.get(),
                                       .standard_error = standard_error_,
                                       .transport = net::Transport::SeqPacket,
                                       .remote = {},
                                       .local = {},
                                       .connection_id = "0"});
  if (!spawned) return Error(spawned.error().text(plan));
  return RoleProcess{spawned->pid, std::move(spawned->pidfd), std::move(pair->first)};
}

Result<std::optional<Credentials>> role_credentials(const config::DaemonSettings& settings) {
  std::optional<Credentials> credentials;
  if (geteuid() != 0) return credentials;
  if (!settings.role_user) return Error("there is neither a user 'xsd' nor 'nobody'");
  credentials = Credentials{settings.role_user->uid, settings.role_user->gid, {}};
  return credentials;
}

Result<UniqueFd> enter_role(const char* title) {
  int type = 0;
  socklen_t length = sizeof type;
  if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_SEQPACKET)
    return Error("a role is started by the daemon only");
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);  // a master that went before has closed the channel
  (void)prctl(PR_SET_NAME, title);
  auto channel = duplicate_fd(STDIN_FILENO);
  if (!channel) return channel;
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null || dup2(null.get(), STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
    return Error::from_errno(errno, "standard descriptors");
  return channel;
}

void block_ending_signals() noexcept {
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int number : {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE})
    sigaddset(&blocked, number);
  (void)sigprocmask(SIG_BLOCK, &blocked, nullptr);
}

}  // namespace xsd::process
