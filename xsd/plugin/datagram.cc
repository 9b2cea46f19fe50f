// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/datagram.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace xsd::plugin {
namespace {

constexpr int kDatagramsPerTurn = 64;
// MSG_TRUNC: the length that the datagram had.
constexpr int kReceiveFlags = MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC;
constexpr int kReplyFlags = MSG_DONTWAIT | MSG_NOSIGNAL;

/// A reply is dropped then, as the network would.
bool is_lack_of_room(int error) noexcept {
  return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS;
}

/// An error of an earlier answer or of this one datagram, which says nothing about the socket.
bool concerns_one_datagram(int error) noexcept {
  switch (error) {
    case EINTR:
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EPROTO:
    case EOPNOTSUPP:
    case EMSGSIZE:
    case EACCES:
    case EPERM:
    case ETIMEDOUT:
    case EPIPE:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool is_reflecting_port(std::uint16_t port) noexcept {
  return std::binary_search(kReflectingPorts.begin(), kReflectingPorts.end(), port);
}

void Datagram::prepare(const DatagramSocket& socket, msghdr& message, char* buffer) noexcept {
  socket_ = &socket;
  replied_ = false;
  to_be_sent_ = false;
  text_.reset();
  file_.reset();
  piece_ = {buffer, kScratchSize};
  message = {};
  message.msg_name = &from_;
  message.msg_namelen = sizeof from_;
  message.msg_iov = &piece_;
  message.msg_iovlen = 1;
  message.msg_control = control_;
  message.msg_controllen = socket.bound.is_ip() ? sizeof control_ : CMSG_SPACE(sizeof(ucred));
}

void Datagram::received(msghdr& message, std::size_t length) noexcept {
  length_ = length;
  from_length_ = message.msg_namelen;
  read_control(message);
  sender_ = net::SocketAddress(&from_.any, from_length_);
}

void Datagram::read_control(msghdr& message) noexcept {
  destination_.family = AF_UNSPEC;
  process_ = {};
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      std::memcpy(&destination_.v4, CMSG_DATA(header), sizeof destination_.v4);
      destination_.family = AF_INET;
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      std::memcpy(&destination_.v6, CMSG_DATA(header), sizeof destination_.v6);
      destination_.family = AF_INET6;
    } else if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
      std::memcpy(&process_, CMSG_DATA(header), sizeof process_);
    }
  }
}

bool Datagram::may_be_shown() const noexcept {
  if (sender_.is_ip()) {
    if (sender_.port() == 0 || is_reflecting_port(sender_.port())) return false;
    if (sender_.is_multicast()) return false;
  }
  if (process_.pid != 0 && process_.pid == getpid()) return false;
  return !instance_.options.refuse_sender || !instance_.options.refuse_sender(sender_);
}

bool Datagram::to_group() const noexcept {
  // For a datagram sent to this host alone the kernel would answer from the address it was sent to; for a
  // broadcast it would not.
  if (destination_.family == AF_INET)
    return destination_.v4.ipi_addr.s_addr != destination_.v4.ipi_spec_dst.s_addr;
  if (destination_.family == AF_INET6) return IN6_IS_ADDR_MULTICAST(&destination_.v6.ipi6_addr);
  return socket_->bound.is_multicast();
}

net::SocketAddress Datagram::local() const noexcept {
  if (destination_.family == AF_INET) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(socket_->bound.port());
    address.sin_addr = destination_.v4.ipi_addr;
    return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
  }
  if (destination_.family == AF_INET6) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(socket_->bound.port());
    address.sin6_addr = destination_.v6.ipi6_addr;
    if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr)) address.sin6_scope_id = destination_.v6.ipi6_ifindex;
    return {reinterpret_cast<const sockaddr*>(&address), sizeof address};
  }
  return socket_->bound;
}

const xsd_peer_info* Datagram::info() noexcept {
  if (!text_) text_.emplace(instance_, 0, sender_, local());
  return &text_->info;
}

int Datagram::reply(const char* data, std::size_t length) noexcept {
  if (replied_) return -EALREADY;
  replied_ = true;
  const int refusal = from_length_ <= sizeof(sa_family_t) || to_group() ? EACCES : pin_file();
  if (refusal != 0) {
    if (refusal == EACCES) ++counters_.refused;
    return -refusal;
  }
  if (collected_ != nullptr) {
    if (length > kScratchSize) return -EMSGSIZE;
    reply_at_ = collected_->size();
    reply_length_ = length;
    collected_->insert(collected_->end(), data, data + length);
    to_be_sent_ = true;
    return 0;
  }
  iovec reply{const_cast<char*>(data), length};  // sendmsg does not write to it
  msghdr message{};
  address_reply(message);
  message.msg_iov = &reply;
  ssize_t sent = sendmsg(socket_->fd, &message, kReplyFlags);
  // What an earlier answer met; this one was not sent.
  if (sent < 0 && concerns_one_datagram(errno)) sent = sendmsg(socket_->fd, &message, kReplyFlags);
  if (sent < 0) return is_lack_of_room(errno) ? 0 : -errno;
  ++counters_.answered;
  counters_.bytes_out += static_cast<std::uint64_t>(sent);
  return 0;
}

bool Datagram::has_reply(msghdr& message) noexcept {
  if (!to_be_sent_) return false;
  piece_ = {collected_->data() + reply_at_, reply_length_};
  message = {};
  address_reply(message);
  message.msg_iov = &piece_;
  return true;
}

/// If the sender's name is a file: opens it, if it is one to answer to, and lets the reply go there whatever
/// becomes of the name meanwhile. 0 or a positive errno.
int Datagram::pin_file() noexcept {
  if (sender_.family() != AF_UNIX || from_.path.sun_path[0] == '\0') return 0;
  const std::string path = sender_.host();
  // What is not a full path was meant from the sender's folder, and is unknown here.
  if (path.front() != '/' || process_.pid == 0) return EACCES;
  open_how how{};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  file_.reset(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
  if (!file_) return errno == ENOENT ? ENOENT : EACCES;
  struct stat info {};
  if (fstat(file_.get(), &info) != 0 || !S_ISSOCK(info.st_mode) || info.st_uid != process_.uid) return EACCES;
  const int length =
      std::snprintf(from_.path.sun_path, sizeof from_.path.sun_path, "/proc/self/fd/%d", file_.get());
  from_length_ =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + static_cast<std::size_t>(length) + 1);
  return 0;
}

/// Puts the address that the reply is to leave from into the message's control buffer; bytes used.
std::size_t Datagram::write_source(msghdr& message) const noexcept {
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (destination_.family == AF_INET) {
    in_pktinfo source{};  // no interface: the route decides
    source.ipi_spec_dst = destination_.v4.ipi_spec_dst;
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof source);
    std::memcpy(CMSG_DATA(header), &source, sizeof source);
    return CMSG_SPACE(sizeof source);
  }
  in6_pktinfo source{};
  source.ipi6_addr = destination_.v6.ipi6_addr;
  // Link-local addresses mean something on their own link only.
  if (IN6_IS_ADDR_LINKLOCAL(&source.ipi6_addr)) source.ipi6_ifindex = destination_.v6.ipi6_ifindex;
  header->cmsg_level = IPPROTO_IPV6;
  header->cmsg_type = IPV6_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof source);
  std::memcpy(CMSG_DATA(header), &source, sizeof source);
  return CMSG_SPACE(sizeof source);
}

/// All of the reply's message but for its bytes.
void Datagram::address_reply(msghdr& message) noexcept {
  message.msg_name = &from_;
  message.msg_namelen = from_length_;
  message.msg_iovlen = 1;
  if (!socket_->wildcard || destination_.family == AF_UNSPEC) return;
  std::memset(control_, 0, sizeof control_);
  message.msg_control = control_;
  message.msg_controllen = sizeof control_;
  message.msg_controllen = write_source(message);
}

/// Those that are received together.
struct DatagramReader::Batch {
  static constexpr std::size_t kSize = 32;
  static_assert(kDatagramsPerTurn >= static_cast<int>(kSize));

  Batch(PluginInstance& instance, DatagramCounters& counters) {
    for (std::size_t i = 0; i < kSize; ++i)
      datagrams.emplace_back(instance, counters, &replies);
  }
  /// One for the process, like `scratch`; pages that no datagram was long enough for cost nothing.
  static char* buffer(std::size_t index) noexcept {
    static std::array<char, kSize * kScratchSize> buffers;
    return buffers.data() + index * kScratchSize;
  }

  std::deque<Datagram> datagrams;
  std::vector<char> replies;
  std::array<mmsghdr, kSize> messages{};
  std::array<xsd_datagram*, kSize> shown{};
};

DatagramReader::DatagramReader(PluginInstance& instance) noexcept : instance_(instance) {}

DatagramReader::~DatagramReader() = default;

/// Counts what was received. True if the plugin is to see it.
bool DatagramReader::take(Datagram& datagram, msghdr& message, std::size_t length) noexcept {
  datagram.received(message, length);
  ++counters_.received;
  counters_.bytes_in += length;
  // A unix datagram can be longer than the buffer. A part of one is not what the peer said.
  if (length <= kScratchSize && datagram.may_be_shown()) return true;
  ++counters_.refused;
  return false;
}

int DatagramReader::read(int fd, const net::SocketAddress& bound, bool wildcard) noexcept {
  const DatagramSocket socket{fd, bound, wildcard};
  return instance_.calls.on_datagrams != nullptr ? read_batches(socket) : read_single(socket);
}

int DatagramReader::read_single(const DatagramSocket& socket) noexcept {
  const xsd_plugin& calls = instance_.calls;
  Datagram datagram(instance_, counters_, nullptr);
  bool got_any = false;
  int last_error = 0;
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    msghdr message;
    datagram.prepare(socket, message, scratch().data());
    const ssize_t got = recvmsg(socket.fd, &message, kReceiveFlags);
    if (got < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
      if (!concerns_one_datagram(errno)) return errno;
      last_error = errno;
      continue;
    }
    got_any = true;
    const auto length = static_cast<std::size_t>(got);
    if (take(datagram, message, length) && calls.on_datagram != nullptr)
      calls.on_datagram(instance_.state, &datagram, scratch().data(), length);
  }
  // A whole turn of nothing but errors: it is the socket after all.
  return got_any ? 0 : last_error;
}

int DatagramReader::read_batches(const DatagramSocket& socket) noexcept {
  if (!batch_) batch_ = std::make_unique<Batch>(instance_, counters_);
  Batch& batch = *batch_;
  bool got_any = false;
  int last_error = 0;
  int left = kDatagramsPerTurn;
  while (left > 0) {
    const std::size_t most = std::min(Batch::kSize, static_cast<std::size_t>(left));
    for (std::size_t i = 0; i < most; ++i)
      batch.datagrams[i].prepare(socket, batch.messages[i].msg_hdr, Batch::buffer(i));
    const int got =
        recvmmsg(socket.fd, batch.messages.data(), static_cast<unsigned>(most), kReceiveFlags, nullptr);
    if (got < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
      if (!concerns_one_datagram(errno)) return errno;
      last_error = errno;
      --left;
      continue;
    }
    got_any = true;
    left -= got;
    const auto received = static_cast<std::size_t>(got);
    std::size_t count = 0;
    for (std::size_t i = 0; i < received; ++i) {
      mmsghdr& message = batch.messages[i];
      if (take(batch.datagrams[i], message.msg_hdr, message.msg_len))
        batch.shown[count++] = &batch.datagrams[i];
    }
    if (count > 0) instance_.calls.on_datagrams(instance_.state, batch.shown.data(), count);
    send_replies(socket, received);
    if (received < most) return 0;  // the queue is empty, or the poller tells of an error
  }
  return got_any ? 0 : last_error;  // as above
}

void DatagramReader::send_replies(const DatagramSocket& socket, std::size_t received) noexcept {
  Batch& batch = *batch_;
  std::size_t count = 0;
  for (std::size_t i = 0; i < received; ++i) {
    if (batch.datagrams[i].has_reply(batch.messages[count].msg_hdr)) ++count;
  }
  bool again = false;
  for (std::size_t done = 0; done < count;) {
    const int sent =
        sendmmsg(socket.fd, &batch.messages[done], static_cast<unsigned>(count - done), kReplyFlags);
    if (sent > 0) {
      for (const std::size_t end = done + static_cast<std::size_t>(sent); done < end; ++done) {
        ++counters_.answered;
        counters_.bytes_out += batch.messages[done].msg_len;
      }
      again = false;
      continue;
    }
    if (is_lack_of_room(errno)) break;  // the others are lost too
    // The first time it may be what an earlier answer met; this one was not sent.
    again = !again && concerns_one_datagram(errno);
    if (!again) ++done;
  }
  batch.replies.clear();
  // A pinned file is needed no longer than this.
  for (std::size_t i = 0; i < received; ++i)
    batch.datagrams[i].let_go();
}

}  // namespace xsd::plugin
