// SPDX-License-Identifier: Apache-2.0
//
// The socket calls of a server: bind and listen, accept, ask for an address. Everything opened here is
// close-on-exec from birth.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "xsd/base/result.h"
#include "xsd/base/unique_fd.h"
#include "xsd/net/address.h"
#include "xsd/net/endpoint.h"

namespace xsd::net {

/// A socket bound to an endpoint, listening if it is of a connection type. Non-blocking, at a number above
/// the floor. One that made a file in the file system takes it away when it is destroyed, if it is still its
/// own.
class BoundSocket {
 public:
  /// Binds and, for streams, listens with `backlog`. An IPv6 socket is V6ONLY. SO_REUSEADDR for tcp only: it
  /// lets a restarted daemon bind at once, while on udp it would let two sockets share a port unnoticed. A
  /// unix path left behind by a dead process is replaced; one that somebody still listens on, or that is no
  /// socket, is EADDRINUSE. The socket file gets mode 0666, like a TCP port: who may reach it is said by its
  /// folder.
  static Result<BoundSocket> open(const Endpoint& endpoint, std::uint32_t backlog);

  /// A socket that another process has bound and keeps, so that its file is that one's business.
  static BoundSocket adopt(const Endpoint& endpoint, UniqueFd fd) {
    return {endpoint, raise_fd(std::move(fd))};
  }

  /// A socket that somebody has bound and left to us (sd_listen_fds(3)); the kernel says where. Refused is
  /// what is no socket, has a protocol of its own (sctp, mptcp, udplite), is not bound, is connected, or
  /// takes both families at once: an address would be shown v4-mapped, and another socket of ours would be in
  /// the way. Its file stays when it is destroyed, until `own_file`.
  static Result<BoundSocket> inherit(UniqueFd fd);
  /// The same socket by another descriptor, whose file is somebody else's business.
  Result<BoundSocket> duplicate() const;

  BoundSocket(BoundSocket&&) noexcept = default;
  BoundSocket& operator=(BoundSocket&&) noexcept = default;
  ~BoundSocket();

  int fd() const noexcept { return fd_.get(); }
  const Endpoint& endpoint() const noexcept { return endpoint_; }
  /// Of a stream: it listens, if it did not, with this length of its queue.
  Status set_backlog(std::uint32_t backlog);
  /// SO_REUSEPORT, switched on for a moment on an old and a new socket so that both may hold overlapping
  /// addresses while one takes over from the other.
  void set_shared(bool on) noexcept;
  /// The same endpoint by a new socket, for one that others share and have shut down for good; what was
  /// queued there is lost. Where that fails an IP socket stays as it is, a unix one is closed (its name must
  /// be free first) and `fd` is -1; try again later.
  Status reopen(std::uint32_t backlog);
  /// Its file stays when it is destroyed: somebody else goes on listening there.
  void leave_file() noexcept { file_inode_ = 0; }
  /// What there is at the path of a socket that was inherited.
  enum class File : std::uint8_t {
    None,     ///< it needs none
    Own,      ///< its file, which goes with it from now on
    Lost,     ///< nothing, or somebody else's file: no client reaches it
    Unknown,  ///< the kernel does not say; the file stays
  };
  File own_file();

 private:
  BoundSocket(Endpoint endpoint, UniqueFd fd) : endpoint_(std::move(endpoint)), fd_(std::move(fd)) {}
  static Result<BoundSocket> open_socket(const Endpoint& endpoint, bool shared);
  friend Result<BoundSocket> open_beside(const Endpoint& endpoint, std::uint32_t backlog);
  Status bind_and_listen(std::uint32_t backlog);
  /// The file at its path is its own.
  bool take_file() noexcept;
  void remove_file() noexcept;

  Endpoint endpoint_;
  UniqueFd fd_;
  dev_t file_device_ = 0;
  ino_t file_inode_ = 0;
};

/// As BoundSocket::open, with SO_REUSEPORT set while binding (see set_shared).
Result<BoundSocket> open_beside(const Endpoint& endpoint, std::uint32_t backlog);

/// The next queued connection. On failure `fd` is empty and `error` the errno.
struct Accepted {
  UniqueFd fd;
  SocketAddress remote;
  int error = 0;
};
Accepted accept_connection(int listener, bool non_blocking) noexcept;

/// What to make of a failed accept (accept(2)): nothing is queued; this one connection is gone, take the
/// next; the machine has no descriptors or memory to spare; or something that only time can heal. Next is a
/// guess: what an LSM forbids stays in the queue, and the same error comes back at once.
enum class AcceptOutcome : std::uint8_t { Empty, Next, Exhausted, Broken };
AcceptOutcome classify_accept_error(int error) noexcept;

/// getsockname(2); unspecified if that fails.
SocketAddress local_address(int fd) noexcept;

/// The addresses of this machine's interfaces (getifaddrs(3)), for telling whether a sender is ourselves.
std::vector<SocketAddress> interface_addresses();

}  // namespace xsd::net
