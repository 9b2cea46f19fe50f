// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/twins.h"

#include <algorithm>
#include <csignal>

#include <gtest/gtest.h>

#include "tests/ignore_signal.h"

namespace xsd::test {
namespace {

constexpr const char* kConfig = "xsd.conf";
constexpr std::uint16_t kPortOffset = 1000;

}  // namespace

std::string Side::fill_in(std::string text) const {
  const auto replace_all = [&](const std::string& mark, const std::string& value) {
    for (std::size_t at; (at = text.find(mark)) != std::string::npos;)
      text.replace(at, mark.size(), value);
  };
  for (int number = 1; number <= 9; ++number)
    replace_all("@" + std::to_string(number) + "@",
                std::to_string(ports_.at(static_cast<std::size_t>(number) - 1)));
  replace_all("@FOLDER@", folder_.path().string());
  return text;
}

pid_t Side::pid() const {
  return reference_ ? reference_->pid() : xsd_->pid();
}

void Side::terminate() {
  if (reference_) return reference_->terminate();
  EXPECT_EQ(xsd_->stop(), 0);
}

void Side::reload() {
  if (reference_) return reference_->reload();
  EXPECT_NE(xsd_->hup_and_wait(), "");
}

Twins::Twins(Reference reference) : kind_(reference), reference_(test::name_of(reference)) {
  reference_.reference_ = std::make_unique<ReferenceDaemon>(kind_, reference_.folder_);
  if (!is_inetd(kind_)) return;
  xsd_.ports_ = reference_.ports_;
  xsd_.port_offset_ = kPortOffset;
}

std::string Twins::why_not() const {
  const std::string why = test::why_not(kind_);
  return why.empty() ? network_.why_not() : why;
}

void Twins::write(const std::string& text) {
  reference_.reference_->write(reference_.fill_in(text));
  xsd_.folder_.write(kConfig, xsd_.fill_in(text));
}

void Twins::write_file(const std::string& name, const std::string& text) {
  for (Side* const side : {&reference_, &xsd_})
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
  reference_.reference_->start(signals);
  xsd_.xsd_ = std::make_unique<Daemon>(
      xsd_.folder_, DaemonOptions{.config = xsd_.folder_ / kConfig,
                                  .config_option = is_inetd(kind_) ? "--inetd" : "--xinetd",
                                  .arguments = {"--port-offset", std::to_string(xsd_.port_offset_)},
                                  .start = signals});
}

void Twins::reload() {
  reference_.reload();
  xsd_.reload();
}

bool Twins::is_listed(std::string_view heading) const {
  const std::string list = std::string(XSD_TEST_DATA "/../packaging/doc/") +
                           (is_inetd(kind_) ? "inetd" : "xinetd") + "-differences.md";
  const std::vector<std::string> lines = split_lines(read_file(list));
  return std::find(lines.begin(), lines.end(), "### " + std::string(heading)) != lines.end();
}

void Twins::expect_same(std::string_view what, const Observe& observe) {
  const std::string of_reference = observe(reference_);
  const std::string of_xsd = observe(xsd_);
  EXPECT_EQ(of_reference, of_xsd) << what << ", " << reference_.name()
                                  << " and xsd: a difference that is not listed";
}

void Twins::expect_difference(std::string_view listed, const std::string& of_reference,
                              const std::string& of_xsd, const Observe& observe) {
  EXPECT_TRUE(is_listed(listed)) << "no heading '" << listed << "' in the list of differences";
  EXPECT_EQ(observe(reference_), of_reference) << listed << ", " << reference_.name();
  EXPECT_EQ(observe(xsd_), of_xsd) << listed << ", xsd";
}

std::string name_of(Ending ending) {
  return ending == Ending::Open ? "open" : ending == Ending::Closed ? "closed" : "reset";
}

std::string talk(std::uint16_t port, const std::string& text, const std::string& source,
                 const std::string& host) {
  Client client(port, {.host = host, .source = source});
  if (!client.connected()) return "not connected";
  if (!text.empty() && !client.send(text)) return "not sent";
  client.half_close();
  const std::string answer = client.receive_until_eof();
  return answer + "|" + name_of(client.ending());
}

std::string try_cat(std::uint16_t port, const std::string& source, const std::string& host) {
  Client client(port, {.host = host, .source = source});
  if (!client.connected()) return "not connected";
  if (client.send("x\n") && client.receive(2) == "x\n") return "served";
  return client.wait_end() == Ending::Open ? "kept waiting" : "refused";
}

std::string stop_beside_client(Side& side) {
  Client client(side.port(1));
  EXPECT_TRUE(client.send("x\n"));
  EXPECT_EQ(client.receive(2), "x\n");
  side.terminate();
  EXPECT_TRUE(eventually([&] { return is_refused(side.port(1)); }));
  return client.send("y\n") && client.receive(2, Milliseconds(2000)) == "y\n" ? std::string("alive")
                                                                              : name_of(client.wait_end());
}

std::string form_of(std::string text) {
  for (char& c : text)
    c = c >= '0' && c <= '9' ? '9' : c >= 'A' && c <= 'Z' ? 'A' : c >= 'a' && c <= 'z' ? 'a' : c;
  return text;
}

}  // namespace xsd::test
