// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "tests/unit/reactor/reactor_test.h"

namespace xsd::reactor {
namespace {

// Removal moves the last entry into the gap; so does every order of adding, silencing and removing keep the
// table right?
TEST(PollPoller, keeps_its_table_over_changes_in_any_order) {
  auto poller = std::move(Poller::create(PollerKind::Poll).value());
  std::vector<FdPair> pairs(50);
  std::vector<Events> interest(pairs.size(), kNone);
  std::vector<bool> present(pairs.size(), false);
  for (FdPair& pair : pairs) {
    pair = make_socketpair();
    put(pair.second);
  }
  std::mt19937 random(3);
  for (int step = 0; step < 3000; ++step) {
    const std::size_t i = random() % pairs.size();
    const int fd = pairs[i].first.get();
    if (!present[i]) {
      interest[i] = random() % 4;
      ASSERT_TRUE(poller->add(fd, interest[i], i));
      present[i] = true;
    } else if (random() % 2 == 0) {
      interest[i] = random() % 4;
      poller->modify(fd, interest[i], i);
    } else {
      poller->remove(fd);
      present[i] = false;
    }
    std::vector<Events> seen(pairs.size(), kNone);
    for (const ReadyEntry& entry : poller->wait(Duration::zero()))
      seen[entry.token] = entry.events;
    for (std::size_t k = 0; k < pairs.size(); ++k) {
      ASSERT_EQ(seen[k], present[k] ? interest[k] : kNone) << "step " << step << ", entry " << k;
    }
  }
}

}  // namespace
}  // namespace xsd::reactor
