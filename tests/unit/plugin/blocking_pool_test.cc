// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/blocking_pool.h"

#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "script_plugin.h"

namespace xsd::plugin {
namespace {

/// What a job waits for, and whether it ran.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  int inside = 0;

  void pass() {
    std::unique_lock lock(mutex);
    ++inside;
    changed.notify_all();
    changed.wait(lock, [this] { return open; });
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return inside >= count; });
  }
  void release() {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
};

void pass(void* gate) {
  static_cast<Gate*>(gate)->pass();
}

class PoolTest : public WithScript<PluginTest> {
 protected:
  void TearDown() override {
    gate.release();
    WithScript::TearDown();
    pool.reset();
  }
  /// As a callback of the plugin.
  int run_blocking(void (*work)(void*), void (*done)(void*), void* argument) {
    int result = 1;
    in_callback([&] { result = host().run_blocking(script.service, work, done, argument); });
    return result;
  }

  Gate gate;
  std::unique_ptr<BlockingPool> pool = std::make_unique<BlockingPool>(*loop);
};

TEST_F(PoolTest, works_on_a_thread_without_signals_and_is_done_on_the_loop) {
  struct Job {
    std::thread::id worked_on;
    std::thread::id done_on;
    sigset_t blocked;
  } job;
  options.pool = pool.get();
  start_script();
  EXPECT_EQ(
      run_blocking(
          [](void* argument) {
            auto* const own = static_cast<Job*>(argument);
            own->worked_on = std::this_thread::get_id();
            pthread_sigmask(SIG_BLOCK, nullptr, &own->blocked);
          },
          [](void* argument) { static_cast<Job*>(argument)->done_on = std::this_thread::get_id(); }, &job),
      0);
  ASSERT_TRUE(turn_until([&] { return job.done_on != std::thread::id(); }));
  EXPECT_EQ(job.done_on, std::this_thread::get_id());
  EXPECT_NE(job.worked_on, job.done_on);
  EXPECT_NE(job.worked_on, std::thread::id());
  for (const int number : {SIGTERM, SIGINT, SIGCHLD, SIGUSR1})
    EXPECT_EQ(sigismember(&job.blocked, number), 1);
  sigset_t ours;
  pthread_sigmask(SIG_BLOCK, nullptr, &ours);
  EXPECT_EQ(sigismember(&ours, SIGTERM), 0);
}

TEST_F(PoolTest, four_work_at_a_time_and_256_wait) {
  options.pool = pool.get();
  start_script();
  static int done;
  done = 0;
  const auto count = [](void*) { ++done; };
  for (int i = 0; i < static_cast<int>(BlockingPool::kMostThreads); ++i) {
    ASSERT_EQ(run_blocking(pass, count, &gate), 0);
    gate.wait_for(i + 1);
  }
  for (std::size_t i = 0; i < BlockingPool::kMostWaiting; ++i)
    ASSERT_EQ(run_blocking(pass, count, &gate), 0);
  EXPECT_EQ(run_blocking(pass, count, &gate), -EAGAIN);
  EXPECT_EQ(gate.inside, 4);
  gate.release();
  ASSERT_TRUE(turn_until([&] { return done == 260; }));
  EXPECT_EQ(run_blocking(pass, count, &gate), 0);
  ASSERT_TRUE(turn_until([&] { return done == 261; }));
}

TEST_F(PoolTest, what_done_asks_of_connections_is_done) {
  options.pool = pool.get();
  static xsd_connection* opened;
  script.on_open = [](xsd_connection* c) {
    opened = c;
    return 0;
  };
  start_script();
  const UniqueFd mine = client();
  EXPECT_EQ(run_blocking([](void*) {},
                         [](void*) {
                           (void)script.host->write(opened, "found", 5);
                           script.host->close(opened);
                         },
                         nullptr),
            0);
  EXPECT_EQ(receive_all(mine), "found");
  EXPECT_TRUE(ended(1));
}

TEST_F(PoolTest, stop_waits_for_what_is_done_and_the_loop_does_not) {
  options.pool = pool.get();
  static std::string record;
  record.clear();
  script.stop = [] { record += "stop "; };
  script.on_close = [](xsd_connection*, std::uint32_t) { record += "close "; };
  start_script();
  const UniqueFd mine = client();
  const auto done = [](void* argument) {
    record += "done ";
    script.host->log(script.service, XSD_LOG_INFO, "late", 4);
    EXPECT_EQ(script.host->run_blocking(script.service, pass, pass, argument), -ESHUTDOWN);
    EXPECT_EQ(script.host->metric(script.service, "new"), nullptr);
  };
  ASSERT_EQ(run_blocking(pass, done, &gate), 0);
  ASSERT_EQ(run_blocking(pass, done, &gate), 0);
  service.reset();
  EXPECT_EQ(record, "close ");
  EXPECT_EQ(receive_all(mine), "");
  gate.release();
  ASSERT_TRUE(turn_until([&] { return record == "close done done stop "; }));
  EXPECT_EQ(logged, "2:late\n2:late\n");
}

TEST_F(PoolTest, the_end_of_the_pool_does_all_that_is_left) {
  options.pool = pool.get();
  static std::string record;
  record.clear();
  script.stop = [] { record += "stop "; };
  start_script();
  for (int i = 0; i < 6; ++i)
    ASSERT_EQ(run_blocking(
                  pass, [](void*) { record += "done "; }, &gate),
              0);
  service.reset();
  gate.wait_for(4);
  gate.release();
  pool.reset();
  EXPECT_EQ(record, "done done done done done done stop ");
  EXPECT_EQ(gate.inside, 6);
  EXPECT_EQ(loop->watch_count(), 0U);
}

TEST_F(PoolTest, a_start_that_fails_still_has_its_work_done) {
  static int done;
  done = 0;
  script.start = [&] {
    EXPECT_EQ(host().run_blocking(
                  script.service, pass, [](void*) { ++done; }, &gate),
              0);
    return -EPERM;
  };
  script.stop = [] { ADD_FAILURE() << "it has not started"; };
  options.pool = pool.get();
  plugin = script_plugin();
  const PluginEntry entry{"script", "", &plugin};
  EXPECT_FALSE(HostedService::create(*loop, entry, std::move(options)));
  gate.release();
  EXPECT_TRUE(turn_until([&] { return done == 1; }));
}

TEST_F(PoolTest, without_a_pool_nothing_blocks) {
  start_script();
  EXPECT_EQ(run_blocking(pass, pass, &gate), -ENOSYS);
}

TEST_F(PoolTest, costs_nothing_until_it_is_used) {
  EXPECT_EQ(loop->watch_count(), 0U);
}

}  // namespace
}  // namespace xsd::plugin
