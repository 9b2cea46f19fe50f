// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/neighbours.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xsd::test {
namespace {

constexpr Milliseconds kForever = std::chrono::hours(1);

}  // namespace

Neighbours::Neighbours(const TempFolder& folder) {
  folder.write("plugins/plugin_1_0.so", read_file(XSD_OLD_PLUGINS "/plugin_1_0.so"));
  folder.write("xsd.yaml",
               "daemon: {plugin_dirs: [plugins], stop_timeout: 500ms}\ninclude: [conf.d/*.yaml]\n");
  folder.write("conf.d/echo.yaml", echo_service("echo", echo_));
  folder.write("conf.d/other.yaml", plugin_service("other", "plugin_1_0", other_));
}

Neighbours::~Neighbours() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void Neighbours::begin(Daemon& daemon) {
  daemon_ = &daemon;
  held_echo_.emplace(echo_);
  held_other_.emplace(other_);
  ASSERT_TRUE(echoes(*held_echo_));
  ASSERT_EQ(held_other_->receive(6), "hello ");
  echo_worker_ = worker_of(daemon.pid(), "built-in");
  other_worker_ = worker_of(daemon.pid(), "plugin_1_0");
  ASSERT_GT(echo_worker_, 0);
  ASSERT_GT(other_worker_, 0);
  thread_ = std::thread([this] { work(); });
}

void Neighbours::work() {
  (void)eventually(
      [this] {
        ask_all();
        ++rounds_;
        return stopping_.load();
      },
      kForever);
}

void Neighbours::note(bool good, SteadyTime begin, const char* what) {
  const Milliseconds took = elapsed(begin);
  slowest_ = std::max(slowest_, took);
  if ((!good || took > longest_answer()) && first_fault_.empty())
    first_fault_ = std::string(what) + (good ? " answered late" : " gave no answer") + " in round " +
                   std::to_string(rounds_) + ", after " + std::to_string(took.count()) + " ms";
}

void Neighbours::ask_all() {
  const auto now = [] { return std::chrono::steady_clock::now(); };
  SteadyTime begin = now();
  note(echoes(*held_echo_), begin, "echo, held,");
  begin = now();
  note(echoes(*held_other_), begin, "the other plugin, held,");
  begin = now();
  note(echoes(echo_), begin, "echo");
  begin = now();
  note(ask(other_, "again\n") == "hello again\n", begin, "the other plugin");
}

void Neighbours::end() {
  stopping_ = true;
  thread_.join();
  EXPECT_EQ(first_fault_, "");
  EXPECT_GE(rounds_, 1U);
  testing::Test::RecordProperty("rounds", static_cast<int>(rounds_));
  testing::Test::RecordProperty("slowest_ms", static_cast<int>(slowest_.count()));
  EXPECT_EQ(worker_of(daemon_->pid(), "built-in"), echo_worker_);
  EXPECT_EQ(worker_of(daemon_->pid(), "plugin_1_0"), other_worker_);
  // One of them is the held one.
  const std::string counters = " active=1 started=" + std::to_string(rounds_ + 1) + " ";
  for (const char* const name : {"state: echo:", "state: other:"}) {
    std::vector<std::string> shown;
    EXPECT_TRUE(eventually([&] {
      shown = daemon_->state(name);
      return shown.size() == 1 && contains(shown[0], counters);
    })) << testing::PrintToString(shown)
        << " instead of" << counters;
  }
}

}  // namespace xsd::test
