// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/log_channel.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/uio.h>

#include "xsd/base/log_outlet.h"
#include "xsd/base/text.h"

namespace xsd::log {
namespace {

using Head = std::array<char, sizeof(std::uint8_t) + sizeof(std::int32_t) + sizeof(std::uint16_t)>;
constexpr std::size_t kNameLengthAt = sizeof(Head) - sizeof(std::uint16_t);
constexpr std::size_t kMostLines = kMaxLogMessage - sizeof(Head);
// What is collected before it is handed over.
constexpr std::size_t kFull = 2 * kMaxLogMessage;

Head make_head(std::string_view outlet, pid_t sender, Level level) noexcept {
  Head head{};
  const auto number = static_cast<std::int32_t>(sender);
  const auto length = static_cast<std::uint16_t>(outlet.size());
  head[0] = static_cast<char>(level);
  std::memcpy(head.data() + 1, &number, sizeof number);
  std::memcpy(head.data() + kNameLengthAt, &length, sizeof length);
  return head;
}

bool is_temporary(int number) noexcept {
  return number == EAGAIN || number == EWOULDBLOCK || number == ENOBUFS || number == ENOMEM;
}

// As many whole lines as have room; nothing if not even the first one fits.
std::string_view first_portion(std::string_view lines, std::size_t room) noexcept {
  if (lines.size() <= room) return lines;
  const std::size_t end = lines.substr(0, room).rfind('\n');
  return end == std::string_view::npos ? std::string_view() : lines.substr(0, end + 1);
}

}  // namespace

bool ChannelTarget::send(const Kind& kind, std::string_view lines) noexcept {
  Head head = make_head(kind.outlet, kind.sender, kind.level);
  // sendmsg does not write to them.
  std::array<iovec, 3> pieces{iovec{head.data(), head.size()},
                              iovec{const_cast<char*>(kind.outlet.data()), kind.outlet.size()},
                              iovec{const_cast<char*>(lines.data()), lines.size()}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  ssize_t sent = 0;
  do {
    sent = sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) ++sent_;
  return sent >= 0;
}

void ChannelTarget::keep(const Kind& kind, std::string_view lines, int number) noexcept {
  if (!is_temporary(number) || backlog_size_ + lines.size() > kMaxBacklog) return drop_lines(lines, number);
  backlog_size_ += lines.size();
  if (!backlog_.empty()) {
    Portion& last = backlog_.back();
    const std::size_t size = last.outlet.size() + last.lines.size() + lines.size();
    if (last.sender == kind.sender && last.level == kind.level && last.outlet == kind.outlet &&
        size <= kMostLines) {
      last.lines += lines;
      return;
    }
  }
  backlog_.push_back({std::string(kind.outlet), kind.sender, kind.level, std::string(lines)});
}

void ChannelTarget::write_to(std::string_view outlet, pid_t sender, Level level,
                             std::string_view lines) noexcept {
  const Kind kind{outlet.substr(0, kMaxOutletName), sender, level};
  bool is_open = flush();
  while (!lines.empty()) {
    const std::string_view portion = first_portion(lines, kMostLines - kind.outlet.size());
    if (portion.empty()) {
      const std::string_view line = lines.substr(0, lines.find('\n') + 1);
      drop_lines(line, EMSGSIZE);
      lines.remove_prefix(line.size());
      continue;
    }
    is_open = is_open && send(kind, portion);
    if (!is_open) keep(kind, portion, backlog_.empty() ? errno : EAGAIN);
    lines.remove_prefix(portion.size());
  }
}

bool ChannelTarget::flush() noexcept {
  while (!backlog_.empty()) {
    const Portion& first = backlog_.front();
    if (!send(first.kind(), first.lines)) {
      if (is_temporary(errno)) return false;
      drop_lines(first.lines, errno);
    }
    backlog_size_ -= first.lines.size();
    backlog_.pop_front();
  }
  return true;
}

void ChannelTarget::empty_into(const LineTaker& take) noexcept {
  for (const Portion& portion : backlog_)
    take(portion.outlet, portion.sender, portion.level, portion.lines);
  backlog_.clear();
  backlog_size_ = 0;
}

// A process that is written for cannot pass that on: who gets its descriptor would speak in its name.
void ChannelTarget::put_parts(std::string& out) const {
  put_number(out, TargetParts::Null);
}

LineReceiver::LineReceiver() : buffer_(kFull + kMostLines) {}

void LineReceiver::hand_over(const LineTaker& take) {
  if (size_ > 0) take(outlet_, sender_, level_, {buffer_.data(), size_});
  size_ = 0;
}

void LineReceiver::add_plain(std::string_view lines) noexcept {
  while (!lines.empty()) {
    const std::size_t length = std::min(lines.find('\n'), lines.size() - 1) + 1;
    if (lines[length - 1] == '\n' && is_plain(lines.substr(0, length - 1))) {
      // It may be where it belongs already.
      if (buffer_.data() + size_ != lines.data()) std::memmove(buffer_.data() + size_, lines.data(), length);
      size_ += length;
    } else {
      ++bad_;
    }
    lines.remove_prefix(length);
  }
}

LineReceiver::State LineReceiver::receive(int fd, int most, const LineTaker& take) noexcept {
  State state = State::More;
  for (int i = 0; i < most; ++i) {
    if (size_ >= kFull) hand_over(take);
    Head head{};
    char* const place = buffer_.data() + size_;
    std::array<iovec, 2> pieces{iovec{head.data(), head.size()}, iovec{place, kMostLines}};
    msghdr message{};  // no room for descriptors: the kernel closes those that come along
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    const ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const bool is_empty = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
      const bool is_over = got == 0 || errno == ECONNRESET;
      state = is_empty ? State::Empty : is_over ? State::Ended : State::Failed;
      break;
    }
    ++count_;
    std::int32_t sender = 0;
    std::uint16_t name_length = 0;
    std::memcpy(&sender, head.data() + 1, sizeof sender);
    std::memcpy(&name_length, head.data() + kNameLengthAt, sizeof name_length);
    const auto level = static_cast<unsigned char>(head[0]);
    const auto length = static_cast<std::size_t>(got);
    if (length <= head.size() + name_length || (message.msg_flags & MSG_TRUNC) != 0 || sender <= 0 ||
        level > static_cast<unsigned char>(Level::Debug) || name_length > kMaxOutletName) {
      ++bad_;
      continue;
    }
    const std::string_view outlet(place, name_length);
    if (sender != sender_ || static_cast<Level>(level) != level_ || outlet != outlet_) {
      // The lines that were collected before lie in front of `place`.
      hand_over(take);
      outlet_ = outlet;
    }
    sender_ = sender;
    level_ = static_cast<Level>(level);
    add_plain({place + name_length, length - head.size() - name_length});
  }
  hand_over(take);
  return state;
}

}  // namespace xsd::log
