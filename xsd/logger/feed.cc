// SPDX-License-Identifier: Apache-2.0
#include "xsd/logger/feed.h"

#include <cerrno>

#include <fcntl.h>

#include "xsd/base/log.h"
#include "xsd/logger/logger_process.h"
#include "xsd/process/channel.h"

namespace xsd::logger {

Result<std::unique_ptr<LineFeed>> LineFeed::create(LoggerProcess& logger) {
  auto pair = process::make_channel_pair();
  if (!pair) return std::move(pair.error());
  UniqueFd read_end = raise_fd(std::move(pair->first));
  if (fcntl(read_end.get(), F_SETFL, O_NONBLOCK) != 0) return Error::from_errno(errno, "feed of the log");
  std::unique_ptr<LineFeed> made(
      new LineFeed(&logger, std::move(read_end), raise_fd(std::move(pair->second))));
  logger.add(*made);
  return made;
}

LineFeed::~LineFeed() {
  logger_->remove(*this);
  logger_->keep_rest(std::move(read_end_));
}

Result<std::unique_ptr<PipeFeed>> PipeFeed::create(reactor::EventLoop& loop, LoggerProcess* logger,
                                                   std::string service, UniqueFd read_end) {
  std::unique_ptr<PipeFeed> made(new PipeFeed(loop, logger, std::move(service), std::move(read_end)));
  if (logger != nullptr && logger->add(*made)) return made;
  if (Status status = made->read_here(); !status) return std::move(status.error());
  return made;
}

PipeFeed::~PipeFeed() {
  if (logger_ != nullptr) logger_->remove(*this);
  if (reader_) reader_->finish();
}

Status PipeFeed::read_here() {
  auto reader = PipeReader::create(loop_, service_, read_end_.get(), {});
  if (!reader) return std::move(reader.error());
  reader_ = std::move(*reader);
  return {};
}

Message PipeFeed::hand_over() {
  Message message{.say = Say::AddPipe, .id = id_, .name = service_};
  if (reader_) message.begun = reader_->stop();
  reader_.reset();
  return message;
}

void PipeFeed::take_back() {
  if (Status status = read_here(); !status) log::warning("{}: {}", service_, status.error().text());
}

}  // namespace xsd::logger
