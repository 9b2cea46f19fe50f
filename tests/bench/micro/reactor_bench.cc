// SPDX-License-Identifier: Apache-2.0
//
// Why the reactor is built as it is:
//   rearm     the timing wheel against what else could hold timers
//   messages  level-triggered against edge-triggered epoll
//   turn      the three pollers, one ready descriptor among many idle ones
//   register  what a connection pays for being watched
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsd/base/unique_fd.h"
#include "xsd/reactor/event_loop.h"
#include "xsd/reactor/timing_wheel.h"

namespace xsd::reactor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// ---- Timers
// -------------------------------------------------------------------------------------------------------- Of
// `count` clients one speaks, its timer is armed anew, a little time passes, and those that are due fire (and
// are armed again). Each client speaks about every ten seconds.

enum class Delays {
  Idle,  // idle timeouts, one a service: a minute, five, ten. They almost never fire. This is what the daemon
         // does.
  Mixed,  // anything from 1 s to 2 min, another each time; one in ten fires. This is hard on a wheel.
};

/// What speaks. Its memory is touched whenever it does, so a timer that lives in it is warm; a heap's or a
/// list's own memory is not.
struct alignas(64) Client {
  std::uint64_t messages = 0;
  TimerNode node;  // the wheel's
  std::array<char, 192> rest{};
};

/// Each of these holds one timer a client: `arm` replaces its deadline, `expire` takes one that is due out,
/// or says kNobody.
constexpr std::uint32_t kNobody = UINT32_MAX;

class Wheel {
 public:
  Wheel(std::vector<Client>& clients, MonotonicTime start) : wheel_(start), clients_(clients) {
    for (Client& client : clients)
      client.node.owner = &client;
  }
  ~Wheel() {
    for (Client& client : clients_)
      wheel_.cancel(client.node);
  }
  Wheel(const Wheel&) = delete;
  Wheel& operator=(const Wheel&) = delete;
  void arm(std::uint32_t client, MonotonicTime deadline) { wheel_.arm(clients_[client].node, deadline); }
  std::uint32_t expire(MonotonicTime now) {
    const TimerNode* node = wheel_.expire_one(now);
    if (node == nullptr) return kNobody;
    return static_cast<std::uint32_t>(static_cast<const Client*>(node->owner) - clients_.data());
  }

 private:
  TimingWheel wheel_;
  std::vector<Client>& clients_;
};

/// A binary heap that leaves replaced entries in until they come up.
class LazyHeap {
 public:
  LazyHeap(const std::vector<Client>& clients, MonotonicTime) : versions_(clients.size(), 0) {}
  void arm(std::uint32_t client, MonotonicTime deadline) {
    heap_.push({deadline, client, ++versions_[client]});
  }
  std::uint32_t expire(MonotonicTime now) {
    while (!heap_.empty() && heap_.top().deadline <= now) {
      const Entry entry = heap_.top();
      heap_.pop();
      if (versions_[entry.client] == entry.version) return entry.client;
    }
    return kNobody;
  }

 private:
  struct Entry {
    MonotonicTime deadline;
    std::uint32_t client;
    std::uint32_t version;
    bool operator<(const Entry& other) const { return deadline > other.deadline; }
  };
  std::priority_queue<Entry> heap_;
  std::vector<std::uint32_t> versions_;
};

/// A binary heap that knows where each client's entry is and moves it.
class IndexedHeap {
 public:
  IndexedHeap(const std::vector<Client>& clients, MonotonicTime) : places_(clients.size(), kNobody) {
    heap_.reserve(clients.size());
  }
  void arm(std::uint32_t client, MonotonicTime deadline) {
    std::uint32_t place = places_[client];
    if (place == kNobody) {
      place = static_cast<std::uint32_t>(heap_.size());
      heap_.push_back({});
    }
    settle(place, {deadline, client});
  }
  std::uint32_t expire(MonotonicTime now) {
    if (heap_.empty() || heap_[0].deadline > now) return kNobody;
    const std::uint32_t client = heap_[0].client;
    const Entry last = heap_.back();
    heap_.pop_back();
    places_[client] = kNobody;
    if (!heap_.empty()) settle(0, last);
    return client;
  }

 private:
  struct Entry {
    MonotonicTime deadline;
    std::uint32_t client;
  };
  // Puts `entry` where `place` is free, and that up or down to where it belongs.
  void settle(std::uint32_t place, Entry entry) {
    while (place > 0 && entry.deadline < heap_[(place - 1) / 2].deadline) {
      put(place, heap_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    const auto size = static_cast<std::uint32_t>(heap_.size());
    for (;;) {
      std::uint32_t child = 2 * place + 1;
      if (child >= size) break;
      if (child + 1 < size && heap_[child + 1].deadline < heap_[child].deadline) ++child;
      if (entry.deadline <= heap_[child].deadline) break;
      put(place, heap_[child]);
      place = child;
    }
    put(place, entry);
  }
  void put(std::uint32_t place, Entry entry) {
    heap_[place] = entry;
    places_[entry.client] = place;
  }
  std::vector<Entry> heap_;
  std::vector<std::uint32_t> places_;
};

/// A list in the order of deadlines, searched from the back, where new deadlines mostly belong.
class SortedList {
 public:
  SortedList(const std::vector<Client>& clients, MonotonicTime) : places_(clients.size(), list_.end()) {}
  void arm(std::uint32_t client, MonotonicTime deadline) {
    auto& place = places_[client];
    if (place == list_.end()) place = list_.insert(list_.end(), Entry{});
    auto before = list_.end();
    while (before != list_.begin() &&
           (std::prev(before) == place || std::prev(before)->deadline > deadline)) {
      --before;
    }
    *place = {deadline, client};
    list_.splice(before, list_, place);
  }
  std::uint32_t expire(MonotonicTime now) {
    if (list_.empty() || list_.front().deadline > now) return kNobody;
    const std::uint32_t client = list_.front().client;
    list_.pop_front();
    places_[client] = list_.end();
    return client;
  }

 private:
  struct Entry {
    MonotonicTime deadline;
    std::uint32_t client = kNobody;
  };
  std::list<Entry> list_;
  std::vector<std::list<Entry>::iterator> places_;
};

Duration random_delay(Delays delays, std::uint32_t client, std::mt19937& random) {
  constexpr std::array kIdle = {seconds(60), seconds(300), seconds(600)};
  if (delays == Delays::Idle) return kIdle[client % kIdle.size()];
  return milliseconds(1000 + random() % 119000);
}

template <class Timers, Delays kDelays>
void rearm(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  std::mt19937 random(1);
  struct Step {
    std::uint32_t client;
    Duration delay;
  };
  std::vector<Step> steps(1U << 18);
  for (Step& step : steps) {
    step.client = static_cast<std::uint32_t>(random() % count);
    step.delay = random_delay(kDelays, step.client, random);
  }
  // First in the order of their deadlines, or the sorted list would take a minute to fill.
  std::vector<Step> first(count);
  for (std::uint32_t client = 0; client < count; ++client) {
    first[client] = {client, random_delay(kDelays, client, random) - milliseconds(random() % 1000)};
  }
  std::sort(first.begin(), first.end(), [](const Step& a, const Step& b) { return a.delay < b.delay; });

  MonotonicTime now{seconds(1)};
  std::vector<Client> clients(count);
  Timers timers(clients, now);
  for (const Step& step : first)
    timers.arm(step.client, now + step.delay);
  const Duration pace = Duration(seconds(10)) / count;
  std::size_t next = 0;
  std::size_t fired = 0;
  for (auto _ : state) {
    const Step& step = steps[next++ % steps.size()];
    ++clients[step.client].messages;
    timers.arm(step.client, now + step.delay);
    now += pace;
    for (;;) {
      const std::uint32_t due = timers.expire(now);
      if (due == kNobody) break;
      timers.arm(due, now + step.delay);
      ++fired;
    }
  }
  state.counters["fired_per_1000"] =
      1000 * static_cast<double>(fired) / static_cast<double>(state.iterations());
}

#define XSD_TIMER_COUNTS ArgName("timers")->Arg(10)->Arg(1000)->Arg(10'000)->Arg(100'000)
BENCHMARK_TEMPLATE(rearm, Wheel, Delays::Idle)->XSD_TIMER_COUNTS;
BENCHMARK_TEMPLATE(rearm, LazyHeap, Delays::Idle)->XSD_TIMER_COUNTS;
BENCHMARK_TEMPLATE(rearm, IndexedHeap, Delays::Idle)->XSD_TIMER_COUNTS;
BENCHMARK_TEMPLATE(rearm, SortedList, Delays::Idle)->ArgName("timers")->Arg(10)->Arg(1000);
BENCHMARK_TEMPLATE(rearm, SortedList, Delays::Idle)->ArgName("timers")->Arg(100'000)->Iterations(1000);
BENCHMARK_TEMPLATE(rearm, Wheel, Delays::Mixed)->XSD_TIMER_COUNTS;
BENCHMARK_TEMPLATE(rearm, LazyHeap, Delays::Mixed)->XSD_TIMER_COUNTS;
BENCHMARK_TEMPLATE(rearm, IndexedHeap, Delays::Mixed)->XSD_TIMER_COUNTS;
BENCHMARK_TEMPLATE(rearm, SortedList, Delays::Mixed)->ArgName("timers")->Arg(10)->Arg(1000);
BENCHMARK_TEMPLATE(rearm, SortedList, Delays::Mixed)->ArgName("timers")->Arg(100'000)->Iterations(1000);
#undef XSD_TIMER_COUNTS

// ---- Level and edge
// ------------------------------------------------------------------------------------------------ A message
// goes into each of `sockets` socketpairs, then all are read with a buffer of 4 KiB until nothing is left.

struct Pairs {
  explicit Pairs(std::size_t count) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 2 * count + 100);
    setrlimit(RLIMIT_NOFILE, &limit);
    for (std::size_t i = 0; i < count; ++i) {
      int fds[2] = {-1, -1};
      if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) return;
      readers.emplace_back(fds[0]);
      writers.emplace_back(fds[1]);
    }
  }
  std::vector<UniqueFd> readers;
  std::vector<UniqueFd> writers;
};

enum class Reading {
  LevelOnce,       // one read an event; epoll reports again what is left
  EdgeUntilEmpty,  // until EAGAIN, as edge-triggered epoll demands
  EdgeUntilShort,  // until a read fills less than the buffer, which epoll(7) allows for streams
};

template <Reading kReading>
void messages(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::vector<char> message(static_cast<std::size_t>(state.range(1)), 'm');
  const Pairs pairs(count);
  const UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  for (const UniqueFd& reader : pairs.readers) {
    epoll_event event{};
    event.events = kReading == Reading::LevelOnce ? EPOLLIN : EPOLLIN | EPOLLET;
    event.data.fd = reader.get();
    epoll_ctl(epoll.get(), EPOLL_CTL_ADD, reader.get(), &event);
  }
  std::array<epoll_event, 256> events;
  std::array<char, 4096> buffer;
  std::size_t calls = 0;
  for (auto _ : state) {
    for (const UniqueFd& writer : pairs.writers) {
      if (write(writer.get(), message.data(), message.size()) != static_cast<ssize_t>(message.size())) {
        state.SkipWithError("a message did not fit");
        return;
      }
    }
    std::size_t left = count * message.size();
    while (left > 0) {
      const int ready = epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), -1);
      ++calls;
      for (std::size_t i = 0; ready > 0 && i < static_cast<std::size_t>(ready); ++i) {
        for (;;) {
          const ssize_t length = read(events[i].data.fd, buffer.data(), buffer.size());
          ++calls;
          if (length <= 0) break;
          left -= static_cast<std::size_t>(length);
          if (kReading == Reading::LevelOnce) break;
          if (kReading == Reading::EdgeUntilShort && static_cast<std::size_t>(length) < buffer.size()) break;
        }
      }
    }
  }
  const auto handled = static_cast<double>(state.iterations()) * static_cast<double>(count);
  state.SetItemsProcessed(static_cast<std::int64_t>(handled));
  state.counters["calls_per_message"] = static_cast<double>(calls) / handled;
}

#define XSD_MESSAGE_SIZES ArgNames({"sockets", "bytes"})->ArgsProduct({{1, 100, 1000}, {64, 16384}})
BENCHMARK_TEMPLATE(messages, Reading::LevelOnce)->XSD_MESSAGE_SIZES;
BENCHMARK_TEMPLATE(messages, Reading::EdgeUntilEmpty)->XSD_MESSAGE_SIZES;
BENCHMARK_TEMPLATE(messages, Reading::EdgeUntilShort)->XSD_MESSAGE_SIZES;
#undef XSD_MESSAGE_SIZES

// ---- The pollers
// ---------------------------------------------------------------------------------------------------

void turn(benchmark::State& state) {
  const SystemClock clock;
  auto loop = std::move(EventLoop::create(static_cast<PollerKind>(state.range(0)), clock).value());
  state.SetLabel(std::string(poller_name(loop->poller_kind())));
  const Pairs pairs(static_cast<std::size_t>(state.range(1)));
  std::vector<Watch> watches;
  std::array<char, 64> buffer;
  for (const UniqueFd& reader : pairs.readers) {
    auto watched = loop->watch(reader.get(), kReadable, [fd = reader.get(), &buffer](Events) {
      (void)!read(fd, buffer.data(), buffer.size());
    });
    if (!watched) {
      state.SkipWithError("this poller cannot hold so many");
      return;
    }
    watches.push_back(std::move(*watched));
  }
  std::size_t next = 0;
  for (auto _ : state) {
    (void)!write(pairs.writers[next++ % pairs.writers.size()].get(), "x", 1);
    benchmark::DoNotOptimize(loop->run_once());
  }
}
BENCHMARK(turn)->ArgNames({"poller", "watched"})->ArgsProduct({{0, 1, 2}, {1, 100, 400, 4000}});

void register_connection(benchmark::State& state) {
  const SystemClock clock;
  auto loop = std::move(EventLoop::create(static_cast<PollerKind>(state.range(0)), clock).value());
  state.SetLabel(std::string(poller_name(loop->poller_kind())));
  const Pairs pairs(1);
  std::size_t calls = 0;
  for (auto _ : state) {
    auto watched = loop->watch(pairs.readers[0].get(), kReadable, [&calls](Events) { ++calls; });
    benchmark::DoNotOptimize(watched);
  }
}
BENCHMARK(register_connection)->ArgName("poller")->DenseRange(0, 2);

}  // namespace
}  // namespace xsd::reactor
