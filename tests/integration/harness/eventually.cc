// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/eventually.h"

#include <algorithm>

#include <poll.h>

namespace xsd::test {
namespace {

constexpr int kPollMilliseconds = 3;

void pause_a_little() {
  (void)poll(nullptr, 0, kPollMilliseconds);
}

}  // namespace

bool eventually(const std::function<bool()>& predicate, Milliseconds deadline) {
  const SteadyTime end = std::chrono::steady_clock::now() + deadline;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() >= end) return predicate();
    pause_a_little();
  }
  return true;
}

bool holds_for(Milliseconds duration, const std::function<bool()>& predicate) {
  const SteadyTime end = std::chrono::steady_clock::now() + duration;
  while (predicate()) {
    if (std::chrono::steady_clock::now() >= end) return true;
    pause_a_little();
  }
  return false;
}

int milliseconds_until(SteadyTime end) {
  const auto left = std::chrono::ceil<Milliseconds>(end - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<Milliseconds::rep>(left.count(), 0));
}

Milliseconds elapsed(SteadyTime begin) {
  return std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin);
}

}  // namespace xsd::test
