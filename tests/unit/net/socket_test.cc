// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/socket.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xsd/net/unix_diag.h"

namespace xsd::net {
namespace {

Endpoint loopback(Transport transport, std::uint16_t port = 0) {
  return {transport, *SocketAddress::parse("127.0.0.1", port), {}};
}

UniqueFd connect_to(const SocketAddress& address, int type = SOCK_STREAM) {
  UniqueFd fd(socket(address.family(), type | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(fd.get(), address.raw(), address.raw_length()), 0) << strerror(errno);
  return fd;
}

/// From now on nothing in this process changes the mode of a file.
bool forbid_chmod() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
#ifdef SYS_chmod
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_chmod, 3, 0),
#else
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
#endif
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fchmod, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fchmodat, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
  };
  const sock_fprog filter{std::size(program), program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

class SocketFile : public testing::Test {
 protected:
  SocketFile() {
    char name[] = "/tmp/xsd-socket-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/s";
  }
  ~SocketFile() override { std::filesystem::remove_all(folder_); }
  Endpoint endpoint(Transport transport = Transport::Stream) const {
    return {transport, *SocketAddress::unix_path(path_), {}};
  }

  std::string folder_;
  std::string path_;
};

TEST(BoundSocket, listens_non_blocking_and_close_on_exec_above_the_floor) {
  auto bound = BoundSocket::open(loopback(Transport::Stream), 10);
  ASSERT_TRUE(bound) << bound.error().text();
  EXPECT_GE(bound->fd(), fd_floor());
  EXPECT_EQ(fcntl(bound->fd(), F_GETFD), FD_CLOEXEC);
  EXPECT_NE(fcntl(bound->fd(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(accept_connection(bound->fd(), true).error, EAGAIN);
  const UniqueFd client = connect_to(local_address(bound->fd()));
  const Accepted accepted = accept_connection(bound->fd(), true);
  ASSERT_TRUE(accepted.fd);
  EXPECT_EQ(accepted.remote, local_address(client.get()));
}

TEST(BoundSocket, refuses_a_port_that_is_taken_and_says_which) {
  auto first = BoundSocket::open(loopback(Transport::Stream), 10);
  ASSERT_TRUE(first);
  const std::uint16_t port = local_address(first->fd()).port();
  const auto second = BoundSocket::open(loopback(Transport::Stream, port), 10);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().number(), EADDRINUSE);
  EXPECT_EQ(second.error().text(),
            "bind tcp://127.0.0.1:" + std::to_string(port) + ": Address already in use");
}

TEST(BoundSocket, shares_no_udp_port_unnoticed) {
  auto first = BoundSocket::open(loopback(Transport::Datagram), 10);
  ASSERT_TRUE(first);
  EXPECT_FALSE(BoundSocket::open(loopback(Transport::Datagram, local_address(first->fd()).port()), 10));
}

TEST(BoundSocket, keeps_the_families_of_a_wildcard_apart) {
  auto v6 = BoundSocket::open({Transport::Stream, SocketAddress::any_v6(0), {}}, 10);
  if (!v6) GTEST_SKIP() << "no IPv6 here: " << v6.error().text();
  const std::uint16_t port = local_address(v6->fd()).port();
  EXPECT_TRUE(BoundSocket::open({Transport::Stream, SocketAddress::any_v4(port), {}}, 10));
}

TEST(OpenBeside, takes_over_an_overlapping_address_while_the_old_socket_lives) {
  auto wide = BoundSocket::open({Transport::Stream, SocketAddress::any_v4(0), {}}, 10);
  ASSERT_TRUE(wide);
  const std::uint16_t port = local_address(wide->fd()).port();
  ASSERT_FALSE(BoundSocket::open(loopback(Transport::Stream, port), 10));
  wide->set_shared(true);
  auto narrow = open_beside(loopback(Transport::Stream, port), 10);
  wide->set_shared(false);
  ASSERT_TRUE(narrow) << narrow.error().text();
  const UniqueFd client = connect_to(local_address(narrow->fd()));
  EXPECT_TRUE(accept_connection(narrow->fd(), true).fd) << "the nearer address gets the connection";
}

TEST_F(SocketFile, is_reachable_by_all_and_removed_with_its_socket) {
  {
    auto bound = BoundSocket::open(endpoint(), 10);
    ASSERT_TRUE(bound) << bound.error().text();
    struct stat info {};
    ASSERT_EQ(stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0666U);
    connect_to(endpoint().address);
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

// Between a bind and a chmod the owner of the folder can put a link to any file in the socket's place.
TEST_F(SocketFile, is_born_with_its_mode_whatever_the_umask_and_needs_no_chmod) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    (void)umask(077);
    if (!forbid_chmod()) _exit(2);
    struct stat info {};
    const auto bound = BoundSocket::open(endpoint(), 10);
    if (!bound || stat(path_.c_str(), &info) != 0 || (info.st_mode & 07777) != 0666) _exit(1);
    _exit(umask(0) == 077 ? 0 : 3);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "no seccomp filters here";
  EXPECT_EQ(status, 0);
}

TEST_F(SocketFile, replaces_what_a_dead_process_left) {
  {
    const UniqueFd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Endpoint place = endpoint();
    ASSERT_EQ(bind(dead.get(), place.address.raw(), place.address.raw_length()), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  EXPECT_TRUE(BoundSocket::open(endpoint(), 10));
}

TEST_F(SocketFile, leaves_a_living_listener_and_other_files_alone) {
  auto living = BoundSocket::open(endpoint(), 10);
  ASSERT_TRUE(living);
  EXPECT_EQ(BoundSocket::open(endpoint(), 10).error().number(), EADDRINUSE);
  const std::string plain = folder_ + "/plain";
  UniqueFd(open(plain.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)).reset();
  EXPECT_EQ(BoundSocket::open({Transport::Stream, *SocketAddress::unix_path(plain), {}}, 10).error().number(),
            EADDRINUSE);
  EXPECT_TRUE(std::filesystem::exists(plain));
}

TEST_F(SocketFile, does_not_remove_a_file_that_is_no_longer_its_own) {
  auto first = BoundSocket::open(endpoint(), 10);
  ASSERT_TRUE(first);
  std::filesystem::remove(path_);
  auto second = BoundSocket::open(endpoint(), 10);
  ASSERT_TRUE(second);
  { const BoundSocket gone = std::move(*first); }
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(SocketFile, serves_datagrams_and_packets_too) {
  EXPECT_TRUE(BoundSocket::open(endpoint(Transport::Datagram), 10));
  EXPECT_TRUE(BoundSocket::open(endpoint(Transport::SeqPacket), 10));
  EXPECT_TRUE(BoundSocket::open(
      {Transport::Stream, *SocketAddress::unix_path("@xsd-test-" + std::to_string(getpid())), {}}, 10));
}

TEST(ClassifyAcceptError, sorts_every_errno_of_accept) {
  EXPECT_EQ(classify_accept_error(EAGAIN), AcceptOutcome::Empty);
  for (const int number : {EINTR, ECONNABORTED, EPROTO, EPERM, ENETDOWN, EHOSTUNREACH, ENONET, EOPNOTSUPP}) {
    EXPECT_EQ(classify_accept_error(number), AcceptOutcome::Next) << number;
  }
  for (const int number : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    EXPECT_EQ(classify_accept_error(number), AcceptOutcome::Exhausted) << number;
  }
  for (const int number : {EBADF, EINVAL, ENOTSOCK, EFAULT, EIO})
    EXPECT_EQ(classify_accept_error(number), AcceptOutcome::Broken) << number;
}

TEST(InterfaceAddresses, hold_the_loopback) {
  bool found = false;
  for (const SocketAddress& address : interface_addresses())
    found = found || address.is_loopback();
  EXPECT_TRUE(found);
}

// ---- a socket that somebody who shares it has shut down

bool is_hung_up(int fd) {
  pollfd state{fd, POLLIN, 0};
  return poll(&state, 1, 0) > 0 && (state.revents & POLLHUP) != 0;
}

bool receives(const BoundSocket& socket) {
  const UniqueFd client = connect_to(socket.endpoint().address, SOCK_DGRAM);
  char byte = 0;
  return send(client.get(), "x", 1, 0) == 1 && recv(socket.fd(), &byte, 1, 0) == 1;
}

/// An endpoint with a port that was free a moment ago.
Endpoint fixed_loopback(Transport transport) {
  auto bound = BoundSocket::open(loopback(transport), 10);
  return loopback(transport, bound ? local_address(bound->fd()).port() : 0);
}

TEST(BoundSocketReopened, receives_at_the_same_port) {
  auto bound = BoundSocket::open(fixed_loopback(Transport::Datagram), 10);
  ASSERT_TRUE(bound) << bound.error().text();
  const UniqueFd other = std::move(*duplicate_fd(bound->fd()));  // of the one that shut it down
  (void)shutdown(other.get(), SHUT_RDWR);
  ASSERT_TRUE(is_hung_up(bound->fd()));
  const Status status = bound->reopen(10);
  ASSERT_TRUE(status) << status.error().text();
  EXPECT_FALSE(is_hung_up(bound->fd()));
  EXPECT_TRUE(receives(*bound));
  // The port is nobody else's, now as before.
  EXPECT_FALSE(BoundSocket::open(bound->endpoint(), 10));
}

TEST(BoundSocketReopened, stays_as_it_was_when_the_port_is_taken) {
  auto bound = BoundSocket::open(fixed_loopback(Transport::Stream), 10);
  ASSERT_TRUE(bound) << bound.error().text();
  (void)shutdown(bound->fd(), SHUT_RDWR);
  auto thief = BoundSocket::open(bound->endpoint(), 10);
  ASSERT_TRUE(thief) << thief.error().text();
  const int before = bound->fd();
  const Status status = bound->reopen(10);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().number(), EADDRINUSE);
  EXPECT_EQ(bound->fd(), before);
}

TEST_F(SocketFile, is_there_anew_after_reopen) {
  for (const Transport transport : {Transport::Datagram, Transport::Stream}) {
    auto bound = BoundSocket::open(endpoint(transport), 10);
    ASSERT_TRUE(bound) << bound.error().text();
    const UniqueFd other = std::move(*duplicate_fd(bound->fd()));
    (void)shutdown(other.get(), SHUT_RDWR);
    const Status status = bound->reopen(10);
    ASSERT_TRUE(status) << status.error().text();
    EXPECT_FALSE(is_hung_up(bound->fd()));
    if (transport == Transport::Datagram) {
      EXPECT_TRUE(receives(*bound));
    } else {
      (void)connect_to(endpoint().address);
    }
  }
  EXPECT_FALSE(std::filesystem::exists(path_)) << "it is not removed at the end";
}

TEST_F(SocketFile, comes_back_when_reopen_works_at_last) {
  auto bound = BoundSocket::open(endpoint(Transport::Datagram), 10);
  ASSERT_TRUE(bound) << bound.error().text();
  std::filesystem::rename(folder_, folder_ + "-away");
  EXPECT_FALSE(bound->reopen(10));
  EXPECT_EQ(bound->fd(), -1);
  std::filesystem::rename(folder_ + "-away", folder_);
  std::filesystem::remove(path_);
  const Status status = bound->reopen(10);
  ASSERT_TRUE(status) << status.error().text();
  EXPECT_TRUE(receives(*bound));
}

TEST(InheritedSocket, has_the_protocol_that_its_type_usually_has) {
  constexpr int kMptcp = 262;
  constexpr int kUdpLite = 136;
  const struct {
    int type;
    int protocol;
    bool is_served;
  } kCases[] = {{SOCK_STREAM, 0, true},
                {SOCK_DGRAM, 0, true},
                {SOCK_STREAM, kMptcp, false},
                {SOCK_STREAM, IPPROTO_SCTP, false},
                {SOCK_SEQPACKET, IPPROTO_SCTP, false},
                {SOCK_DGRAM, kUdpLite, false}};
  for (const auto& one : kCases) {
    UniqueFd fd(socket(AF_INET, one.type | SOCK_CLOEXEC, one.protocol));
    if (!fd) continue;  // this kernel has none
    const SocketAddress any = *SocketAddress::parse("127.0.0.1", 0);
    ASSERT_EQ(bind(fd.get(), any.raw(), any.raw_length()), 0);
    const auto inherited = BoundSocket::inherit(std::move(fd));
    ASSERT_EQ(inherited.has_value(), one.is_served) << one.protocol;
    if (!inherited) {
      EXPECT_NE(
          inherited.error().text().find(": protocol " + std::to_string(one.protocol) + " is not served"),
          std::string::npos)
          << inherited.error().text();
    }
  }
}

TEST_F(SocketFile, of_an_inherited_socket_is_known_by_what_it_was_bound_to) {
  using File = BoundSocket::File;
  auto bound = BoundSocket::open(endpoint(), 10);
  ASSERT_TRUE(bound) << bound.error().text();
  bound->leave_file();
  if (!bound_file(bound->fd())) GTEST_SKIP() << "no unix_diag here";
  auto inherited = BoundSocket::inherit(UniqueFd(dup(bound->fd())));
  ASSERT_TRUE(inherited) << inherited.error().text();
  // A file system may number its devices in another way (bound_file); then the file stays.
  const bool is_own = inherited->own_file() == File::Own;
  EXPECT_TRUE(is_own || inherited->own_file() == File::Unknown);
  inherited = Error("gone");
  EXPECT_EQ(std::filesystem::exists(path_), !is_own);
  (void)std::filesystem::remove(path_);

  inherited = BoundSocket::inherit(UniqueFd(dup(bound->fd())));
  ASSERT_TRUE(inherited);
  EXPECT_EQ(inherited->own_file(), File::Lost);
  auto other = BoundSocket::open(endpoint(), 10);
  ASSERT_TRUE(other) << other.error().text();
  EXPECT_EQ(inherited->own_file(), File::Lost);
  inherited = Error("gone");
  EXPECT_TRUE(std::filesystem::exists(path_)) << "it is the other's";
}

TEST_F(SocketFile, stays_when_it_is_left_to_somebody) {
  auto bound = BoundSocket::open(endpoint(), 10);
  ASSERT_TRUE(bound) << bound.error().text();
  bound->leave_file();
  bound = Error("gone");
  EXPECT_TRUE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace xsd::net
