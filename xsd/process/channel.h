// SPDX-License-Identifier: Apache-2.0
//
// Channel: our end of the SOCK_SEQPACKET pair between two processes of this program: whole messages of at
// most kMaxMessage bytes, each with at most kMaxMessageFds descriptors (SCM_RIGHTS), in order. What the other
// end has no room for waits here, up to a bound; nobody ever waits for the other process.
//
// The other end may be a process that is not trusted: a message that is too long or cut, or that brings more
// descriptors than it may, ends the channel as broken; so does a peer that lets more than the bound wait.
// Descriptors that arrive are close-on-exec and belong to the handler. What a message means is the owner's
// business.
//
// The owner is told once, from the loop, when the channel is over, and may destroy it then and in the handler
// of a message.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/process/descriptor_reserve.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::process {

inline constexpr std::size_t kMaxMessage = std::size_t{60} * 1024;
/// SCM_MAX_FD is 253.
inline constexpr std::size_t kMaxMessageFds = 250;

/// Two connected ends, close-on-exec.
Result<std::pair<UniqueFd, UniqueFd>> make_channel_pair();

/// The first message, before there is a loop that could wait for it: blocks. An error if the other end was
/// closed instead.
struct FirstMessage {
  std::string bytes;
  std::vector<UniqueFd> fds;
};
Result<FirstMessage> receive_first_message(int channel);

/// One message with its descriptors, over a connected socket, without waiting. NoRoom: later it may go;
/// Never: errno says why.
enum class Sent : std::uint8_t { Yes, NoRoom, Never };
Sent send_message(int socket, std::string_view message, std::span<const int> fds) noexcept;

class Channel {
 public:
  struct Handlers {
    std::function<void(std::string_view message, std::vector<UniqueFd> fds)> on_message{};
    /// `why` is empty if the other end was closed in order.
    std::function<void(const std::string& why)> on_end{};
    /// All that waited has been sent. Must not destroy the channel.
    std::function<void()> on_room{};
    /// Of a peer that is trusted: its messages may use the reserve, and one comes even if there was no room
    /// for all of its descriptors; the last ones are missing. Borrowed.
    const DescriptorReserve* reserve = nullptr;
  };

  /// Takes the descriptor over, makes it non-blocking and moves it above the floor. The loop is borrowed.
  static Result<std::unique_ptr<Channel>> create(reactor::EventLoop& loop, UniqueFd fd, Handlers handlers);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Sends, or keeps the message (and duplicates of the descriptors) until there is room. A message that can
  /// never go (the channel is over, or too much waits) is dropped; on_end tells.
  void send(std::string_view message, std::span<const int> fds = {});
  /// Takes all that has come, also of a channel that is over: the last words of a process that has gone.
  void receive_rest();
  /// Bytes that wait.
  std::size_t waiting() const noexcept { return waiting_bytes_; }
  bool is_over() const noexcept { return over_; }

 private:
  struct Waiting {
    std::string message;
    std::vector<UniqueFd> fds;
  };

  Channel(reactor::EventLoop& loop, UniqueFd fd, Handlers handlers);
  void on_ready(reactor::Events ready);
  void send_waiting();
  /// False if nothing more is to be read now.
  bool receive_one();
  void break_off(std::string why);

  Handlers handlers_;
  UniqueFd fd_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::string why_;
  bool over_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< false once a handler has destroyed us
  reactor::Timer ender_;
  reactor::Watch watch_;
};

}  // namespace xsd::process
