// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/twins.h"

#include <csignal>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/ignore_signal.h"

namespace xsd::test {
namespace {

constexpr const char* kList = XSD_TEST_DATA "/../packaging/doc/xinetd-differences.md";

bool is_listed(std::string_view heading) {
  for (const std::string& line : split_lines(read_file(kList))) {
    if (line == "### " + std::string(heading)) return true;
  }
  return false;
}

}  // namespace

std::string Side::fill_in(std::string text) const {
  const auto replace_all = [&](const std::string& mark, const std::string& value) {
    for (std::size_t at; (at = text.find(mark)) != std::string::npos;)
      text.replace(at, mark.size(), value);
  };
  for (int number = 1; number <= 9; ++number)
    replace_all("@" + std::to_string(number) + "@", std::to_string(port(number)));
  replace_all("@FOLDER@", folder_.path().string());
  return text;
}

pid_t Side::pid() const {
  return xinetd_ ? xinetd_->pid() : xsd_->pid();
}

void Side::terminate() {
  if (xsd_) {
    EXPECT_EQ(xsd_->stop(), 0);
    return;
  }
  EXPECT_TRUE(xinetd_->signal(SIGTERM));
  EXPECT_EQ(xinetd_->wait(), 0);
}

void Side::reload() {
  if (xsd_) {
    EXPECT_NE(xsd_->hup_and_wait(), "");
    return;
  }
  const std::size_t before = count_lines(folder_.read("xinetd.log"), "Reconfigured: ");
  ASSERT_TRUE(xinetd_->signal(SIGHUP));
  EXPECT_TRUE(eventually([&] { return count_lines(folder_.read("xinetd.log"), "Reconfigured: ") > before; }));
}

Twins::Twins() = default;

std::string Twins::why_not() const {
  if (geteuid() != 0) return "xinetd runs its programs as root only";
  if (access(XSD_XINETD, X_OK) != 0) return "no xinetd here (make deps unpacks it)";
  return network_.why_not();
}

void Twins::write(const std::string& text) {
  write_file("xinetd.conf", text);
}

void Twins::write_file(const std::string& name, const std::string& text) {
  for (Side* const side : {&xinetd_, &xsd_})
    side->folder_.write(name, side->fill_in(text));
}

void Twins::start() {
  // Whatever the tests' own caller ignores: both start with the same two, as under many a supervisor.
  const StartOptions signals{.in_child = [] {
    for (int number = 1; number < _NSIG; ++number)
      set_signal(number, 0);
    ignore_signal(32);
    ignore_signal(33);
  }};
  const std::string log = xinetd_.folder_.string("xinetd.log");
  xinetd_.xinetd_ = std::make_unique<Process>(
      std::vector<std::string>{XSD_XINETD, "-dontfork", "-f", xinetd_.folder_.string("xinetd.conf"),
                               "-pidfile", xinetd_.folder_.string("xinetd.pid"), "-filelog", log},
      signals);
  ASSERT_TRUE(eventually([&] { return contains(read_file(log), "Started working: "); })) << read_file(log);
  xsd_.xsd_ = std::make_unique<Daemon>(xsd_.folder_, DaemonOptions{.config = xsd_.folder_ / "xinetd.conf",
                                                                   .config_option = "--xinetd",
                                                                   .arguments = {},
                                                                   .start = signals});
}

void Twins::reload() {
  xinetd_.reload();
  xsd_.reload();
}

void Twins::expect_same(std::string_view what, const Observe& observe) {
  const std::string of_xinetd = observe(xinetd_);
  const std::string of_xsd = observe(xsd_);
  EXPECT_EQ(of_xinetd, of_xsd) << what << ": a difference that is not listed";
}

void Twins::expect_difference(std::string_view listed, const std::string& of_xinetd,
                              const std::string& of_xsd, const Observe& observe) {
  EXPECT_TRUE(is_listed(listed)) << "no heading '" << listed << "' in the list of differences";
  EXPECT_EQ(observe(xinetd_), of_xinetd) << listed << ", xinetd";
  EXPECT_EQ(observe(xsd_), of_xsd) << listed << ", xsd";
}

}  // namespace xsd::test
