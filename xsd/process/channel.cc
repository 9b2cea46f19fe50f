// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/channel.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>

namespace xsd::process {
namespace {

constexpr std::size_t kMostWaiting = std::size_t{64} * 1024 * 1024;
constexpr std::size_t kMostWaitingMessages = 8192;
constexpr int kMessagesPerTurn = 64;
// More than a socket holds, and an end for one whose sender goes on and on.
constexpr int kMostAtEnd = 4096;
// Asked for, not needed: the kernel's bound for an ordinary process is about 200 KiB.
constexpr int kWantedRoom = 1024 * 1024;

struct Received {
  enum class Outcome : std::uint8_t { Message, Nothing, End, TooLarge };
  Outcome outcome = Outcome::End;
  int error = 0;  ///< of End, unless it was closed in order
  std::size_t length = 0;
  std::vector<UniqueFd> fds;
};

void take_descriptors(msghdr& head, std::vector<UniqueFd>& out) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&head); header != nullptr; header = CMSG_NXTHDR(&head, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      out.emplace_back(fd);
    }
  }
}

// All channels of this process receive into it, one message after the other. What no message has reached is
// never touched: most are small, and processes that hardly get any are many.
std::span<char> receive_buffer() {
  static const std::unique_ptr<char[]> kBuffer(new char[kMaxMessage + 1]);
  return {kBuffer.get(), kMaxMessage + 1};
}

Received receive(int fd, int flags, const DescriptorReserve* reserve = nullptr) {
  const std::span<char> buffer = receive_buffer();
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxMessageFds * sizeof(int))> control;
  iovec piece{buffer.data(), buffer.size()};
  msghdr head{};
  head.msg_iov = &piece;
  head.msg_iovlen = 1;
  head.msg_control = control.data();
  head.msg_controllen = control.size();
  Received received;
  ssize_t got = 0;
  do {
    const DescriptorReserve::Use use(reserve);
    got = recvmsg(fd, &head, flags | MSG_CMSG_CLOEXEC);
    // ECONNRESET: it has gone with something of ours unread. That is told once, and before what it had sent.
  } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got < 0) {
    const bool nothing = errno == EAGAIN || errno == EWOULDBLOCK;
    received.outcome = nothing ? Received::Outcome::Nothing : Received::Outcome::End;
    received.error = errno;
    return received;
  }
  take_descriptors(head, received.fds);
  received.length = static_cast<std::size_t>(got);
  if (received.length == 0 && received.fds.empty()) return received;
  const int cuts = reserve != nullptr ? MSG_TRUNC : MSG_TRUNC | MSG_CTRUNC;
  const bool cut = (head.msg_flags & cuts) != 0 || received.length > kMaxMessage;
  received.outcome = cut ? Received::Outcome::TooLarge : Received::Outcome::Message;
  return received;
}

std::string why_never(int error) {
  return error == EPIPE || error == ECONNRESET ? "" : errno_text(error);  // it was closed
}

}  // namespace

Sent send_message(int socket, std::string_view message, std::span<const int> fds) noexcept {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxMessageFds * sizeof(int))> control;
  iovec piece{const_cast<char*>(message.data()), message.size()};  // sendmsg does not write to it
  msghdr head{};
  head.msg_iov = &piece;
  head.msg_iovlen = 1;
  if (!fds.empty()) {
    head.msg_control = control.data();
    head.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* const rights = CMSG_FIRSTHDR(&head);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = sendmsg(socket, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return Sent::Yes;
  // ETOOMANYREFS: too many descriptors are on their way at the moment (unix(7)).
  const bool no_room = errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ETOOMANYREFS;
  return no_room ? Sent::NoRoom : Sent::Never;
}

Result<FirstMessage> receive_first_message(int channel) {
  Received received = receive(channel, 0);
  if (received.outcome != Received::Outcome::Message) return Error("channel: there was no first message");
  return FirstMessage{std::string(receive_buffer().data(), received.length), std::move(received.fds)};
}

Result<std::pair<UniqueFd, UniqueFd>> make_channel_pair() {
  int fds[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
    return Error::from_errno(errno, "socketpair");
  for (const int fd : fds)
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kWantedRoom, sizeof kWantedRoom);  // works with less
  return std::pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Channel::Channel(reactor::EventLoop& loop, UniqueFd fd, Handlers handlers)
    : handlers_(std::move(handlers)), fd_(std::move(fd)), ender_(loop, [this] {
        if (handlers_.on_end) handlers_.on_end(std::string(why_));
      }) {}

Channel::~Channel() {
  *alive_ = false;
}

Result<std::unique_ptr<Channel>> Channel::create(reactor::EventLoop& loop, UniqueFd fd, Handlers handlers) {
  if (fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) return Error::from_errno(errno, "channel");
  std::unique_ptr<Channel> made(new Channel(loop, raise_fd(std::move(fd)), std::move(handlers)));
  auto watch = loop.watch(made->fd_.get(), reactor::kReadable,
                          [raw = made.get()](reactor::Events ready) { raw->on_ready(ready); });
  if (!watch) return std::move(watch.error()).within("channel");
  made->watch_ = std::move(*watch);
  return made;
}

void Channel::send(std::string_view message, std::span<const int> fds) {
  if (over_) return;
  if (message.size() > kMaxMessage || fds.size() > kMaxMessageFds) return break_off("a message is too large");
  if (waiting_.empty()) {
    const Sent sent = send_message(fd_.get(), message, fds);
    if (sent == Sent::Yes) return;
    if (sent == Sent::Never) return break_off(why_never(errno));
  }
  if (waiting_bytes_ + message.size() > kMostWaiting || waiting_.size() >= kMostWaitingMessages)
    return break_off("it does not take its messages");
  Waiting kept{std::string(message), {}};
  for (const int fd : fds) {
    auto copy = duplicate_fd(fd);
    if (!copy) return break_off(copy.error().text());
    kept.fds.push_back(std::move(*copy));
  }
  waiting_bytes_ += message.size();
  waiting_.push_back(std::move(kept));
  watch_.set_interest(reactor::kReadable | reactor::kWritable);
}

void Channel::send_waiting() {
  std::vector<int> fds;
  while (!waiting_.empty()) {
    const Waiting& first = waiting_.front();
    fds.clear();
    for (const UniqueFd& fd : first.fds)
      fds.push_back(fd.get());
    const Sent sent = send_message(fd_.get(), first.message, fds);
    if (sent == Sent::NoRoom) return;
    if (sent == Sent::Never) return break_off(why_never(errno));
    waiting_bytes_ -= first.message.size();
    waiting_.pop_front();
  }
  watch_.set_interest(reactor::kReadable);
  if (handlers_.on_room) handlers_.on_room();
}

void Channel::on_ready(reactor::Events ready) {
  if ((ready & reactor::kWritable) != 0) send_waiting();
  const std::shared_ptr<bool> alive = alive_;
  for (int i = 0; i < kMessagesPerTurn && *alive && !over_; ++i) {
    if (!receive_one()) return;
  }
}

void Channel::receive_rest() {
  const std::shared_ptr<bool> alive = alive_;
  for (int i = 0; i < kMostAtEnd && *alive && receive_one(); ++i) {
  }
}

bool Channel::receive_one() {
  Received received = receive(fd_.get(), MSG_DONTWAIT, handlers_.reserve);
  switch (received.outcome) {
    case Received::Outcome::Nothing:
      return false;
    case Received::Outcome::End:
      break_off(received.error == 0 ? "" : errno_text(received.error));
      return false;
    case Received::Outcome::TooLarge:
      break_off("a message was too large");
      return false;
    case Received::Outcome::Message:
      break;
  }
  handlers_.on_message(std::string_view(receive_buffer().data(), received.length), std::move(received.fds));
  return true;
}

void Channel::break_off(std::string why) {
  if (over_) return;
  over_ = true;
  why_ = std::move(why);
  watch_.reset();
  waiting_.clear();
  waiting_bytes_ = 0;
  ender_.arm(Duration::zero());
}

}  // namespace xsd::process
