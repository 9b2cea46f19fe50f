// SPDX-License-Identifier: Apache-2.0
//
// EchoLoad: threads that connect, ask and compare, one connection after the other, until stopped; what went
// wrong is counted by kind.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace xsd::test {

class EchoLoad {
 public:
  struct Totals {
    std::uint64_t served = 0;
    std::uint64_t refused = 0;  ///< or any other failure to connect
    std::uint64_t wrong = 0;    ///< reset, short, late or other bytes
    std::string first_error;
  };

  /// `next_port` is asked before each connection, from the threads.
  EchoLoad(int threads, std::function<std::uint16_t()> next_port);
  ~EchoLoad();
  EchoLoad(const EchoLoad&) = delete;
  EchoLoad& operator=(const EchoLoad&) = delete;

  std::uint64_t served() const noexcept { return served_; }
  /// Ends the threads.
  Totals stop();

 private:
  void work(int thread);
  void note(std::atomic<std::uint64_t>& counter, const std::string& what);

  std::function<std::uint16_t()> next_port_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> served_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;
  std::atomic<std::uint64_t> wrong_ = 0;
  std::atomic_flag told_;
  std::string first_error_;
  std::vector<std::thread> threads_;
};

}  // namespace xsd::test
