// SPDX-License-Identifier: Apache-2.0
#include "cpu_meter.h"

#include <cstdlib>
#include <sstream>
#include <system_error>

#include <unistd.h>

#include "memory.h"
#include "process.h"

namespace bench {
namespace {

constexpr const char* kCpuacct = "/sys/fs/cgroup/cpuacct";
constexpr int kRestTries = 200;

std::chrono::nanoseconds time_of(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  // Fields 16 and 17 of stat are cutime and cstime; the name in field 2 may hold anything, so count from its
  // end.
  const std::string text = read_file(folder + "/stat");
  const std::size_t end = text.rfind(')');
  long long waited_ticks = 0;
  if (end != std::string::npos) {
    std::istringstream fields(text.substr(end + 1));
    std::string skipped;
    for (int field = 3; field <= 15; ++field)
      fields >> skipped;
    long long user = 0;
    long long system = 0;
    fields >> user >> system;
    waited_ticks = user + system;
  }
  long long own = 0;
  std::istringstream(read_file(folder + "/schedstat")) >> own;
  return std::chrono::nanoseconds(own + waited_ticks * (1'000'000'000LL / sysconf(_SC_CLK_TCK)));
}

}  // namespace

CpuMeter::CpuMeter(const std::string& name) {
  std::error_code failed;
  if (!std::filesystem::exists(std::string(kCpuacct) + "/cpuacct.usage", failed)) return;
  remove_stale(kCpuacct);
  const std::filesystem::path group =
      std::filesystem::path(kCpuacct) / ("xsd-bench-" + std::to_string(getpid()) + "-" + name);
  if (!std::filesystem::create_directory(group, failed)) return;
  if (access((group / "cgroup.procs").c_str(), W_OK) != 0) {
    std::filesystem::remove(group, failed);
    return;
  }
  group_ = group;
}

CpuMeter::~CpuMeter() {
  std::error_code busy;
  for (int i = 0; !group_.empty() && i < kRestTries; ++i) {
    if (rmdir(group_.c_str()) == 0) return;
    pause_for(std::chrono::milliseconds(5));
  }
}

std::string CpuMeter::procs_file() const {
  return group_.empty() ? std::string() : (group_ / "cgroup.procs").string();
}

std::chrono::nanoseconds CpuMeter::read() const {
  if (!group_.empty()) {
    return std::chrono::nanoseconds(std::atoll(read_file(group_ / "cpuacct.usage").c_str()));
  }
  std::chrono::nanoseconds sum{0};
  for (const pid_t pid : process_trees(roots_))
    sum += time_of(pid);
  return sum;
}

std::chrono::nanoseconds CpuMeter::read_at_rest() const {
  std::chrono::nanoseconds last = read();
  for (int tries = 0, same = 0; tries < kRestTries && same < 3; ++tries) {
    pause_for(std::chrono::milliseconds(3));
    const std::chrono::nanoseconds now = read();
    same = now == last ? same + 1 : 0;
    last = now;
  }
  return last;
}

}  // namespace bench
