// SPDX-License-Identifier: Apache-2.0
#include "servers.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <poll.h>
#include <unistd.h>

namespace bench {
namespace {

constexpr auto kStartTimeout = std::chrono::seconds(10);
constexpr auto kStopGrace = std::chrono::milliseconds(3000);

// Programs and workers run as nobody, who may not be able to reach the folder of the build.
xsd::Status copy_built(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code failed;
  std::filesystem::copy_file(from, to, failed);
  if (!failed) std::filesystem::permissions(to, std::filesystem::perms(0755), failed);
  if (failed) return xsd::Error::from_errno(failed.value(), from.string());
  return {};
}

xsd::Status copy_tiny(const Options& options, const std::filesystem::path& folder) {
  return copy_built(options.references + "/bench_tiny", folder / "tiny");
}

xsd::Result<std::uint16_t> read_port(int fd, Deadline deadline) {
  constexpr std::string_view kWord = "port ";
  std::string text;
  while (text.find('\n') == std::string::npos) {
    pollfd waiting{fd, POLLIN, 0};
    if (poll(&waiting, 1, milliseconds_left(deadline)) != 1) return xsd::Error("not ready in time");
    std::array<char, 64> part{};
    const ssize_t got = read(fd, part.data(), part.size());
    if (got <= 0) return xsd::Error("ended at once");
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  if (!text.starts_with(kWord)) return xsd::Error("said: " + text);
  return static_cast<std::uint16_t>(std::atoi(text.c_str() + kWord.size()));
}

}  // namespace

xsd::Result<std::uint16_t> References::launch(const Options& options, CpuMeter& meter, int cpu,
                                              const std::string& program,
                                              std::vector<std::string> arguments) {
  Launch launch;
  launch.argv = {options.references + "/" + program};
  launch.argv.insert(launch.argv.end(), arguments.begin(), arguments.end());
  launch.cgroup_procs = meter.procs_file();
  launch.cpu = cpu;
  launch.capture_output = true;
  xsd::Result<Process> process = Process::start(launch);
  if (!process) return std::move(process.error()).within(program);
  xsd::Result<std::uint16_t> port = read_port(process->output(), Clock::now() + kStartTimeout);
  if (!port) return std::move(port.error()).within(program);
  meter.add(process->pid());
  processes_.push_back(std::move(*process));
  return port;
}

xsd::Result<References> References::start(const Options& options, CpuMeter& meter, int cpu, unsigned held) {
  References references;
  xsd::Result<TemporaryFolder> folder = TemporaryFolder::create(options.keep);
  if (!folder) return std::move(folder.error());
  references.folder_ = std::move(*folder);
  if (xsd::Status copied = copy_tiny(options, references.folder_.path()); !copied)
    return std::move(copied.error());
  const std::string tiny = (references.folder_.path() / "tiny").string();

  struct Item {
    std::uint16_t& port;
    std::string program;
    std::vector<std::string> arguments;
  };
  Ports& ports = references.ports_;
  const std::array<Item, 5> items = {{
      {ports.echo, "limit_echo", {}},
      {ports.daytime, "limit_daytime", {}},
      {ports.udp_echo, "limit_udp", {}},
      {ports.tiny, "limit_spawn", {tiny}},
      {ports.tiny_held, "limit_spawn", {"--hold", std::to_string(held), tiny}},
  }};
  for (const Item& item : items) {
    xsd::Result<std::uint16_t> port = references.launch(options, meter, cpu, item.program, item.arguments);
    if (!port) return std::move(port.error());
    item.port = *port;
  }
  return references;
}

xsd::Result<Daemon> Daemon::prepare(const Options& options) {
  Daemon daemon;
  daemon.options_ = &options;
  xsd::Result<TemporaryFolder> folder = TemporaryFolder::create(options.keep);
  if (!folder) return std::move(folder.error());
  daemon.folder_ = std::move(*folder);
  const std::filesystem::path& path = daemon.folder_.path();
  if (xsd::Status copied = copy_tiny(options, path); !copied) return std::move(copied.error());
  for (const char* const name : {"conf.d", "plugins"}) {
    std::error_code failed;
    std::filesystem::create_directory(path / name, failed);
    if (failed) return xsd::Error::from_errno(failed.value(), (path / name).string());
  }
  const std::string text =
      "daemon:\n  pid_file: " + (path / "xsd.pid").string() +
      "\n  control_socket: " + (path / "control.sock").string() +
      "\n  max_processes: unlimited\n  log: {target: {file: " + (path / "xsd.log").string() +
      "}}\n  plugin_dirs: [plugins]\ninclude: [conf.d/*.yaml]\n";
  if (xsd::Status written = write_file(path / "xsd.yaml", text); !written) return std::move(written.error());
  xsd::Result<ReadySocket> ready = ReadySocket::create(path / "ready");
  if (!ready) return std::move(ready.error());
  daemon.ready_ = std::move(*ready);
  return daemon;
}

xsd::Status Daemon::add_plugin(const std::filesystem::path& library) {
  return copy_built(library, folder_.path() / "plugins" / library.filename());
}

xsd::Status Daemon::plugin_service(const std::string& name, const std::string& plugin, std::uint16_t port,
                                   bool with_udp, const std::string& more) {
  const std::string place = "127.0.0.1:" + std::to_string(port);
  const std::string listen = "tcp://" + place + (with_udp ? ", udp://" + place : "");
  return replace_file(
      folder_.path() / "conf.d" / (name + ".yaml"),
      "service: " + name + "\nplugin: " + plugin + "\nlisten: [" + listen + "]\nidle_timeout: 1h\n" + more);
}

xsd::Status Daemon::program_service(const std::string& name, std::uint16_t port, const std::string& more) {
  return replace_file(folder_.path() / "conf.d" / (name + ".yaml"),
                      "service: " + name + "\nserver: " + (folder_.path() / "tiny").string() +
                          "\nlisten: [tcp://127.0.0.1:" + std::to_string(port) + "]\n" +
                          (geteuid() == 0 ? "user: nobody\n" : "") + "instances: unlimited\n" + more);
}

xsd::Status Daemon::start(CpuMeter* meter, int cpu, Deadline deadline) {
  const std::filesystem::path& path = folder_.path();
  ready_->drain();
  Launch launch;
  launch.argv = {options_->daemon, "-f", "-c", (path / "xsd.yaml").string()};
  launch.argv.insert(launch.argv.end(), options_->daemon_arguments.begin(), options_->daemon_arguments.end());
  if (options_->workers == Workers::None) launch.argv.insert(launch.argv.end(), {"--workers", "0"});
  launch.extra_environment = {"NOTIFY_SOCKET=" + (path / "ready").string()};
  launch.error_file = (path / "xsd.err").string();
  launch.cpu = cpu;
  if (meter != nullptr) launch.cgroup_procs = meter->procs_file();
  xsd::Result<Process> process = Process::start(launch);
  if (!process) return std::move(process.error()).within(options_->daemon);
  process_ = std::move(*process);
  if (meter != nullptr) meter->add(process_.pid());
  while (!ready_->wait_ready(std::min(deadline, Clock::now() + std::chrono::milliseconds(200)))) {
    if (!process_.is_running()) return explain(options_->daemon + " ended at once");
    if (Clock::now() >= deadline) return explain(options_->daemon + " not ready in time");
  }
  return {};
}

xsd::Status Daemon::hang_up() {
  ready_->drain();
  if (!process_.is_running()) return explain("xsd died");
  if (kill(process_.pid(), SIGHUP) != 0) return xsd::Error::from_errno(errno, "kill");
  return {};
}

xsd::Status Daemon::reload(Deadline deadline) {
  if (xsd::Status sent = hang_up(); !sent) return sent;
  if (!ready_->wait_ready(deadline)) return explain("no READY=1 after HUP");
  return {};
}

void Daemon::stop() {
  process_.stop(kStopGrace);
}

xsd::Error Daemon::explain(const std::string& error) const {
  const std::filesystem::path& path = folder_.path();
  return xsd::Error(error + "\n" + last_lines(path / "xsd.err") + last_lines(path / "xsd.log"));
}

}  // namespace bench
