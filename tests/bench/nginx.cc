// SPDX-License-Identifier: Apache-2.0
#include "nginx.h"

#include <csignal>
#include <string>

#include <unistd.h>

#include "client.h"

namespace bench {
namespace {

constexpr const char* kNginx = "/usr/sbin/nginx";
constexpr auto kStartTimeout = std::chrono::seconds(10);
constexpr auto kStopGrace = std::chrono::milliseconds(3000);

// What is not said here is nginx's default: no cache of open files, a line in the access log for each
// request.
std::string configuration(const std::string& folder, const std::string& root, std::uint16_t port) {
  std::string text = "daemon off;\nworker_processes 1;\npid " + folder + "/pid;\nerror_log " + folder +
                     "/error.log;\n" + (geteuid() == 0 ? "user nobody nogroup;\n" : "") +
                     "events {}\nhttp {\n  access_log " + folder + "/access.log;\n";
  for (const char* const kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    text += "  " + std::string(kind) + "_temp_path " + folder + "/" + kind + ";\n";
  return text +
         "  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 1000000;\n  server {\n    listen "
         "127.0.0.1:" +
         std::to_string(port) + ";\n    root " + root + ";\n  }\n}\n";
}

}  // namespace

// The worker process would outlive a master that is killed.
Nginx::~Nginx() {
  process_.stop(kStopGrace);
}

bool Nginx::is_installed() {
  return access(kNginx, X_OK) == 0;
}

xsd::Result<Nginx> Nginx::start(const Options& options, CpuMeter& meter, int cpu,
                                const std::filesystem::path& root) {
  Nginx nginx;
  xsd::Result<TemporaryFolder> folder = TemporaryFolder::create(options.keep);
  if (!folder) return std::move(folder.error());
  nginx.folder_ = std::move(*folder);
  xsd::Result<std::vector<std::uint16_t>> ports = free_ports(1);
  if (!ports) return std::move(ports.error());
  nginx.port_ = ports->front();
  const std::string path = nginx.folder_.path().string();
  const std::string text = configuration(path, root.string(), nginx.port_);
  if (xsd::Status written = write_file(path + "/nginx.conf", text); !written)
    return std::move(written.error());

  Launch launch;
  launch.argv = {kNginx, "-p", path, "-c", path + "/nginx.conf", "-e", path + "/error.log"};
  launch.cgroup_procs = meter.procs_file();
  launch.cpu = cpu;
  launch.error_file = path + "/nginx.err";
  launch.orphan_signal = SIGTERM;
  xsd::Result<Process> process = Process::start(launch);
  if (!process) return std::move(process.error()).within(kNginx);
  nginx.process_ = std::move(*process);
  meter.add(nginx.process_.pid());
  const Deadline deadline = Clock::now() + kStartTimeout;
  while (!xsd::UniqueFd(connect_from_next_source(nginx.port_, kStopGrace))) {
    if (!nginx.process_.is_running()) return nginx.explain("ended at once");
    if (Clock::now() >= deadline) return nginx.explain("does not listen");
    pause_for(std::chrono::milliseconds(2));
  }
  return nginx;
}

xsd::Error Nginx::explain(const std::string& error) const {
  const std::filesystem::path& path = folder_.path();
  return xsd::Error("nginx: " + error + "\n" + last_lines(path / "nginx.err") +
                    last_lines(path / "error.log"));
}

}  // namespace bench
