// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/load.h"

#include <cstring>

#include "tests/integration/harness/client.h"

namespace xsd::test {
namespace {

constexpr std::size_t kRequest = 3000;
// A connection is a local port for a minute (TIME_WAIT) on the side that closes first: these many are far
// from all of them.
constexpr std::uint64_t kMost = 12000;

}  // namespace

EchoLoad::EchoLoad(int threads, std::function<std::uint16_t()> next_port) : next_port_(std::move(next_port)) {
  for (int i = 0; i < threads; ++i)
    threads_.emplace_back([this, i] { work(i); });
}

EchoLoad::~EchoLoad() {
  (void)stop();
}

void EchoLoad::note(std::atomic<std::uint64_t>& counter, const std::string& what) {
  ++counter;
  if (!told_.test_and_set()) first_error_ = what;
}

void EchoLoad::work(int thread) {
  for (std::uint64_t number = 0; !stopping_ && served_ < kMost; ++number) {
    const std::uint16_t port = next_port_();
    const std::string where =
        " (port " + std::to_string(port) + ", connection " + std::to_string(number) + ")";
    Client client(port);
    if (!client.connected()) {
      note(refused_, std::strerror(client.error()) + where);
      continue;
    }
    std::string request(kRequest, static_cast<char>('a' + number % 26));
    request += std::to_string(thread) + "." + std::to_string(number);
    const bool sent = client.send(request);
    client.half_close();
    const std::string answer = client.receive_until_eof();
    if (sent && answer == request && client.ending() == Ending::Closed) {
      ++served_;
    } else {
      note(wrong_, "sent " + std::to_string(sent ? request.size() : 0) + ", got " +
                       std::to_string(answer.size()) + " bytes, ending " +
                       std::to_string(static_cast<int>(client.ending())) + where);
    }
  }
}

EchoLoad::Totals EchoLoad::stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  return {served_, refused_, wrong_, first_error_};
}

}  // namespace xsd::test
