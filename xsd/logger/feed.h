// SPDX-License-Identifier: Apache-2.0
//
// Feeds: what the logger reads, as the master holds it. The master keeps what each of them needs to be read
// by somebody else, so a logger that dies takes nothing with it but what it had read and not written: the
// next one goes on where it was.
//
//   - LineFeed: the pair by which a process sends finished lines (base/log_channel.h). While there is no
//   logger
//     its lines wait in the pair.
//   - PipeFeed: the pipe that is the standard error of a service's programs. While there is no logger, or
//     where there never is one, it is read here.
//
// Both are owned by whoever needs them and must not outlive the LoggerProcess.
#pragma once

#include <memory>
#include <string>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/logger/pipe_reader.h"
#include "xsd/logger/protocol.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::logger {

class LoggerProcess;

class Feed {
 public:
  virtual ~Feed() = default;
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

 protected:
  friend class LoggerProcess;
  Feed(LoggerProcess* logger, UniqueFd read_end) : logger_(logger), read_end_(std::move(read_end)) {}
  /// What a logger is told about it; from then on it reads.
  virtual Message hand_over() = 0;
  /// There is no logger any more.
  virtual void take_back() = 0;

  LoggerProcess* logger_;  ///< nullptr: there never is one
  UniqueFd read_end_;
  FeedId id_ = 0;  ///< given by the LoggerProcess
};

class LineFeed final : public Feed {
 public:
  static Result<std::unique_ptr<LineFeed>> create(LoggerProcess& logger);
  ~LineFeed() override;
  /// Of the sender, for log::open_channel there. Borrowed; any number of processes may have it, one after the
  /// other.
  int sending_end() const noexcept { return write_end_.get(); }
  int receiving_end() const noexcept { return read_end_.get(); }

 private:
  LineFeed(LoggerProcess* logger, UniqueFd read_end, UniqueFd write_end)
      : Feed(logger, std::move(read_end)), write_end_(std::move(write_end)) {}
  Message hand_over() override { return {.say = Say::AddLines, .id = id_}; }
  void take_back() override {}

  UniqueFd write_end_;
};

class PipeFeed final : public Feed {
 public:
  /// `logger`: nullptr if there never is one.
  static Result<std::unique_ptr<PipeFeed>> create(reactor::EventLoop& loop, LoggerProcess* logger,
                                                  std::string service, UniqueFd read_end);
  /// What is still there is logged.
  ~PipeFeed() override;

 private:
  PipeFeed(reactor::EventLoop& loop, LoggerProcess* logger, std::string service, UniqueFd read_end)
      : Feed(logger, std::move(read_end)), loop_(loop), service_(std::move(service)) {}
  Message hand_over() override;
  void take_back() override;
  Status read_here();

  reactor::EventLoop& loop_;
  std::string service_;
  std::unique_ptr<PipeReader> reader_;  ///< nullptr: the logger reads
};

}  // namespace xsd::logger
