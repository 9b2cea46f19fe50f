// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/references.h"

#include <csignal>
#include <stdexcept>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace xsd::test {
namespace {

constexpr const char* kConfig = "reference.conf";
constexpr const char* kLog = "reference.log";
constexpr int kSignalled = 128;
constexpr const char* kReloaded = "Reconfigured: ";  // xinetd's

std::string path_of(Reference reference) {
  const std::string program = reference == Reference::Xinetd         ? "xinetd"
                              : reference == Reference::OpenbsdInetd ? "inetd"
                                                                     : "inetutils-inetd";
  return std::string(XSD_REFERENCES) + "/" + name_of(reference) + "/usr/sbin/" + program;
}

// What being a daemon does elsewhere. Debian's inetd writes /run/inetd.pid whatever it is told, and GNU's
// hands on what it was given.
void become_daemon() {
  if (chdir("/") != 0 || unshare(CLONE_NEWNS) != 0 ||
      mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("none", "/run", "tmpfs", MS_NOSUID, nullptr) != 0 ||
      close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
    _exit(1);
  }
}

}  // namespace

const char* name_of(Reference reference) {
  switch (reference) {
    case Reference::Xinetd:
      return "xinetd";
    case Reference::OpenbsdInetd:
      return "openbsd-inetd";
    case Reference::GnuInetd:
      return "inetutils-inetd";
  }
  throw std::logic_error("no such reference");
}

bool is_inetd(Reference reference) {
  return reference != Reference::Xinetd;
}

std::string why_not(Reference reference) {
  const std::string name = name_of(reference);
  if (geteuid() != 0) return name + " runs its programs as root only";
  if (access(path_of(reference).c_str(), X_OK) != 0) return "no " + name + " here (make deps unpacks it)";
  return {};
}

ReferenceDaemon::ReferenceDaemon(Reference reference, const TempFolder& folder)
    : reference_(reference), folder_(folder) {}

void ReferenceDaemon::write_file() {
  ++version_;
  const std::string sign = std::to_string(sign_port()) + " stream tcp4 nowait root /bin/echo echo ready\n";
  folder_.write(kConfig, (is_inetd(reference_) ? sign : "") + text_);
}

void ReferenceDaemon::start(const StartOptions& options) {
  write_file();
  const std::string program = path_of(reference_);
  const std::string config = folder_.string(kConfig);
  const std::string log = folder_.string(kLog);
  StartOptions all = options;
  std::vector<std::string> argv;
  if (is_inetd(reference_)) {
    argv = reference_ == Reference::OpenbsdInetd ? std::vector<std::string>{program, "-i", config}
                                                 : std::vector<std::string>{program, "-d", "-p", config};
    all.error = log;
    all.in_child = [&options] {
      if (options.in_child) options.in_child();
      become_daemon();
    };
  } else {
    argv = {program, "-dontfork", "-f", config, "-pidfile", folder_.string("reference.pid"), "-filelog", log};
  }
  process_ = std::make_unique<Process>(argv, all);
  ASSERT_TRUE(eventually([&] { return serves_the_file(0) || !process_->running(); })) << this->log();
  ASSERT_TRUE(process_->running()) << name_of(reference_) << " has ended: " << this->log();
}

void ReferenceDaemon::reload() {
  const std::size_t before = reloads();
  write_file();
  ASSERT_TRUE(process_->signal(SIGHUP));
  EXPECT_TRUE(eventually([&] { return serves_the_file(before + 1); })) << log();
}

void ReferenceDaemon::terminate() {
  EXPECT_TRUE(process_->signal(SIGTERM));
  EXPECT_EQ(process_->wait(), reference_ == Reference::GnuInetd ? kSignalled + SIGTERM : 0);
}

std::string ReferenceDaemon::log() const {
  return folder_.read(kLog);
}

std::size_t ReferenceDaemon::reloads() const {
  return count_lines(log(), kReloaded);
}

bool ReferenceDaemon::serves_the_file(std::size_t reloads_wanted) const {
  if (is_inetd(reference_)) return ask(sign_port()) == "ready\n";
  return contains(log(), "Started working: ") && reloads() >= reloads_wanted;
}

}  // namespace xsd::test
