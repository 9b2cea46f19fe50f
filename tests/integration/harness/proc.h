// SPDX-License-Identifier: Apache-2.0
//
// What /proc says of a process. A process that is gone has nothing: zeros and empty containers.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace xsd::test {

/// Descriptor -> what it is (`socket:[123]`, `/dev/null`, `anon_inode:[eventpoll]`).
std::map<int, std::string> open_fds(pid_t pid);
std::size_t fd_count(pid_t pid);
/// Children that are not zombies, or with `zombies` all; without the daemon's own roles (logger).
std::vector<pid_t> children_of(pid_t pid, bool zombies = false);
/// The daemon's own child with this task ("logger"), 0 if there is none.
pid_t role_of(pid_t daemon, std::string_view role);
/// The worker of this plugin ("built-in": that of all built-in ones), 0 if there is none.
pid_t worker_of(pid_t daemon, std::string_view plugin);
/// All of them.
std::vector<pid_t> roles_of(pid_t daemon, std::string_view role);
/// Who serves its plugins: its worker, or itself if there is none.
pid_t server_of(pid_t daemon);
std::size_t zombie_count(pid_t parent);
/// A field of /proc/PID/status, e.g. "Uid", "VmRSS", "Threads", "SigIgn"; trimmed.
std::string status_field(pid_t pid, const std::string& name);
std::size_t rss_kib(pid_t pid);
/// How many descriptors we and what we start may have, after that limit was raised as far as it goes.
std::size_t raise_descriptor_limit();
/// User and system time; in ticks of 10 ms.
std::chrono::milliseconds cpu_time(pid_t pid);
std::size_t thread_count(pid_t pid);
/// It exists and is no zombie.
bool is_alive(pid_t pid);
/// 'R', 'S', 'T', 'Z', ...; 0 if it is gone.
char process_state(pid_t pid);

}  // namespace xsd::test
