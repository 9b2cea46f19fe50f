// SPDX-License-Identifier: Apache-2.0
#include "xsd/plugin/datagram.h"

#include <gmock/gmock.h>
#include <sys/syscall.h>

#include <filesystem>

#include <sys/stat.h>
#include <sys/wait.h>

#include "datagram_peer.h"
#include "plugin_test.h"

namespace {

int receive_error = 0;  // what recvmsg fails with

}  // namespace

// In front of the library's: the seam for errors that no socket can be made to give again and again.
extern "C" ssize_t recvmsg(int fd, msghdr* message, int flags) {
  if (receive_error == 0) return syscall(SYS_recvmsg, fd, message, flags);
  errno = receive_error;
  return -1;
}

namespace xsd::plugin {
namespace {

class DatagramTest : public DatagramPluginTest {};

TEST_F(DatagramTest, answers_from_the_address_that_was_asked) {
  start_probe();
  bind_service("0.0.0.0");
  for (const char* asked : {"127.0.0.1", "127.0.0.2"}) {
    const UniqueFd mine = peer("127.0.0.3");
    send_to(mine, asked, "ahello");
    EXPECT_EQ(receive_datagram(mine), "hello");
    EXPECT_EQ(last_sender.host(), asked);
  }
}

TEST_F(DatagramTest, answers_from_a_socket_bound_to_one_address) {
  start_probe();
  bind_service("127.0.0.5");
  const UniqueFd mine = peer("127.0.0.1");
  send_to(mine, "127.0.0.5", "ahello");
  EXPECT_EQ(receive_datagram(mine), "hello");
  EXPECT_EQ(last_sender.host(), "127.0.0.5");
  EXPECT_EQ(service->datagrams().received, 1U);
  EXPECT_EQ(service->datagrams().answered, 1U);
  EXPECT_EQ(service->datagrams().refused, 0U);
  EXPECT_EQ(service->datagrams().bytes_in, 6U);
  EXPECT_EQ(service->datagrams().bytes_out, 5U);
}

TEST_F(DatagramTest, answers_over_ipv6) {
  start_probe();
  for (const char* bound_to : {"::1", "::"}) {
    bind_service(bound_to);
    const UniqueFd mine = peer("::1");
    send_to(mine, "::1", "ahello");
    EXPECT_EQ(receive_datagram(mine), "hello") << bound_to;
    EXPECT_EQ(last_sender.host(), "::1");
  }
}

TEST_F(DatagramTest, answers_a_link_local_sender_on_its_link) {
  const std::optional<std::string> address = link_local_address();
  if (!address) GTEST_SKIP() << "no interface has a link-local address";
  start_probe();
  bind_service("::");
  const UniqueFd mine = peer(address->c_str());
  send_to(mine, address->c_str(), "ahello");
  EXPECT_EQ(receive_datagram(mine), "hello");
  EXPECT_EQ(last_sender.host(), *address);
}

TEST_F(DatagramTest, tells_where_a_datagram_came_from_and_went_to) {
  start_probe();
  bind_service("0.0.0.0");
  const UniqueFd mine = peer("127.0.0.3");
  send_to(mine, "127.0.0.2", "p");
  EXPECT_EQ(receive_datagram(mine), "the-service 127.0.0.3 " +
                                        std::to_string(address_of(mine.get(), false).port()) + " 127.0.0.2 " +
                                        std::to_string(bound.port()));
}

TEST_F(DatagramTest, answers_once) {
  start_probe();
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  send_to(mine, "127.0.0.1", "thello");
  EXPECT_EQ(receive_datagram(mine), "hello");
  EXPECT_STREQ(probe.record, "start datagram:6 reply=0 reply=-114 ");  // EALREADY
  EXPECT_EQ(service->datagrams().answered, 1U);
  EXPECT_FALSE(has_datagram(mine));
}

TEST_F(DatagramTest, shows_an_empty_datagram) {
  start_probe();
  bind_service("127.0.0.1");
  send_to(peer("127.0.0.1"), "127.0.0.1", "");
  ASSERT_TRUE(received(1));
  EXPECT_STREQ(probe.record, "start datagram:0 ");
}

TEST_F(DatagramTest, does_not_show_a_datagram_from_port_0) {
  start_probe();
  bind_service("127.0.0.1");
  if (!send_forged(0, "ahello")) GTEST_SKIP() << "needs a raw socket";
  ASSERT_TRUE(received(1));
  EXPECT_EQ(service->datagrams().refused, 1U);
  EXPECT_EQ(service->datagrams().answered, 0U);
  EXPECT_STREQ(probe.record, "start ");
}

TEST_F(DatagramTest, does_not_show_a_datagram_from_a_service_that_answers_everything) {
  start_probe();
  bind_service("127.0.0.1");
  std::uint64_t sent = 0;
  for (const std::uint16_t port : kReflectingPorts) {
    if (!send_forged(port, "ahello")) GTEST_SKIP() << "needs a raw socket";
    ++sent;
  }
  ASSERT_TRUE(received(sent));
  EXPECT_EQ(service->datagrams().refused, sent);
  EXPECT_STREQ(probe.record, "start ");
  ASSERT_TRUE(send_forged(8, "x"));
  ASSERT_TRUE(received(sent + 1));
  EXPECT_STREQ(probe.record, "start datagram:1 ");
}

TEST(ReflectingPorts, are_sorted_for_the_search) {
  EXPECT_TRUE(std::is_sorted(kReflectingPorts.begin(), kReflectingPorts.end()));
  EXPECT_TRUE(is_reflecting_port(7));
  EXPECT_TRUE(is_reflecting_port(19));
  EXPECT_TRUE(is_reflecting_port(464));
  EXPECT_FALSE(is_reflecting_port(8));
  EXPECT_FALSE(is_reflecting_port(40000));
}

TEST_F(DatagramTest, does_not_show_a_datagram_from_a_sender_that_the_owner_refuses) {
  start_probe();
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  refused_sender = address_of(mine.get(), false);
  send_to(mine, "127.0.0.1", "ahello");
  send_to(peer("127.0.0.1"), "127.0.0.1", "x");
  ASSERT_TRUE(received(2));
  EXPECT_EQ(service->datagrams().refused, 1U);
  EXPECT_STREQ(probe.record, "start datagram:1 ");
}

TEST_F(DatagramTest, does_not_answer_a_broadcast) {
  start_probe();
  bind_service("0.0.0.0");
  const UniqueFd mine = peer("127.0.0.1");
  const int on = 1;
  ASSERT_EQ(setsockopt(mine.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof on), 0);
  send_to(mine, "127.255.255.255", "ahello");
  ASSERT_TRUE(received(1));
  EXPECT_STREQ(probe.record, "start datagram:6 reply=-13 ");  // EACCES
  EXPECT_EQ(service->datagrams().refused, 1U);
  EXPECT_EQ(service->datagrams().answered, 0U);
  EXPECT_FALSE(has_datagram(mine));
}

TEST_F(DatagramTest, does_not_answer_a_broadcast_on_a_socket_bound_to_its_address) {
  start_probe();
  bind_service("127.255.255.255");
  const UniqueFd mine = peer("127.0.0.1");
  const int on = 1;
  ASSERT_EQ(setsockopt(mine.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof on), 0);
  send_to(mine, "127.255.255.255", "ahello");
  ASSERT_TRUE(received(1));
  EXPECT_STREQ(probe.record, "start datagram:6 reply=-13 ");  // EACCES
  EXPECT_EQ(service->datagrams().refused, 1U);
  EXPECT_FALSE(has_datagram(mine));
}

TEST_F(DatagramTest, does_not_answer_a_multicast) {
  start_probe();
  bind_service("::");
  const std::optional<std::string> address = link_local_address();
  if (!address) GTEST_SKIP() << "no interface has a link-local address";
  const UniqueFd mine = peer(address->c_str());
  send_to(mine, ("ff02::1" + address->substr(address->find('%'))).c_str(), "ahello");
  ASSERT_TRUE(received(1));
  EXPECT_STREQ(probe.record, "start datagram:6 reply=-13 ");
  EXPECT_FALSE(has_datagram(mine));
}

TEST_F(DatagramTest, goes_on_after_answers_that_nobody_takes) {
  start_probe();
  for (const char* bound_to : {"127.0.0.1", "0.0.0.0"}) {
    const std::uint64_t before = service->datagrams().received;
    bind_service(bound_to);
    for (int i = 0; i < 20; ++i) {
      send_to(peer("127.0.0.1"), "127.0.0.1", "agone");  // closed before the answer comes
      settle();
    }
    const UniqueFd mine = peer("127.0.0.1");
    send_to(mine, "127.0.0.1", "ahello");
    EXPECT_EQ(receive_datagram(mine), "hello");
    EXPECT_EQ(service->datagrams().received, before + 21);
  }
}

TEST_F(DatagramTest, reports_the_error_of_a_socket_that_is_none) {
  start_probe();
  EXPECT_EQ(service->read_datagrams(-1, net::SocketAddress::any_v4(7), false), EBADF);
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  const UniqueFd one(fds[0]);
  const UniqueFd two(fds[1]);
  EXPECT_EQ(service->read_datagrams(fds[0], net::SocketAddress::any_v4(7), true), ENOTSOCK);
}

TEST_F(DatagramTest, reads_a_bounded_number_a_turn) {
  start_probe();
  bind_service("127.0.0.1");
  const UniqueFd mine = peer("127.0.0.1");
  for (int i = 0; i < 100; ++i)
    send_to(mine, "127.0.0.1", "x");
  EXPECT_EQ(service->read_datagrams(socket.get(), bound, false), 0);
  EXPECT_EQ(service->datagrams().received, 64U);
  EXPECT_EQ(service->read_datagrams(socket.get(), bound, false), 0);
  EXPECT_EQ(service->datagrams().received, 100U);
}

TEST_F(DatagramTest, says_when_there_was_nothing_but_errors) {
  start_probe();
  bind_service("127.0.0.1");
  receive_error = EPERM;  // of one datagram, it seems; but an LSM goes on saying so
  EXPECT_EQ(service->read_datagrams(socket.get(), bound, false), EPERM);
  receive_error = 0;
  EXPECT_EQ(service->read_datagrams(socket.get(), bound, false), 0);
}

// ---- unix sockets

/// The service at `service` in a folder of its own, and clients that send from a process of their own.
class UnixDatagram : public DatagramTest {
 protected:
  void SetUp() override {
    std::string made = (std::filesystem::temp_directory_path() / "xsd-datagram-XXXXXX").string();
    ASSERT_NE(mkdtemp(made.data()), nullptr);
    folder = made;
    start_probe();
    socket = bound_at(path("service"));
    bound = address_of(socket.get(), false);
    ASSERT_TRUE(prepare_datagram_socket(socket.get(), bound));
  }
  ~UnixDatagram() override { std::filesystem::remove_all(folder); }

  std::string path(const std::string& name) const { return folder / name; }
  static UniqueFd bound_at(const std::string& name) {
    const net::SocketAddress address = *net::SocketAddress::unix_path(name);
    UniqueFd made(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::bind(made.get(), address.raw(), address.raw_length()), 0)
        << name << ": " << std::strerror(errno);
    return made;
  }
  /// By the process that is made for it, under this user.
  void send_from(const UniqueFd& from, std::string_view text, uid_t user = geteuid()) const {
    const pid_t child = fork();
    if (child == 0) {
      if (user != geteuid() && setuid(user) != 0) _exit(2);
      const ssize_t sent =
          ::sendto(from.get(), text.data(), text.size(), MSG_NOSIGNAL, bound.raw(), bound.raw_length());
      _exit(sent == static_cast<ssize_t>(text.size()) ? 0 : 1);
    }
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  void read_all() { EXPECT_EQ(service->read_datagrams(socket.get(), bound, false), 0); }
  /// The sender's name is another's when the answer is sent.
  void let_name_lead_to(const std::string& name, const std::string& target) const {
    std::filesystem::rename(path(name), path(name + ".moved"));
    std::filesystem::create_symlink(target, path(name));
  }
  void expect_no_answer(const UniqueFd& at) {
    read_all();
    EXPECT_STREQ(probe.record, "start datagram:6 reply=-13 ");  // EACCES
    EXPECT_EQ(service->datagrams().refused, 1U);
    EXPECT_FALSE(has_datagram(at));
  }

  std::filesystem::path folder;
};

TEST_F(UnixDatagram, is_answered_at_the_sender_s_own_file) {
  const UniqueFd mine = bound_at(path("mine"));
  send_from(mine, "ahello");
  read_all();
  EXPECT_EQ(receive_datagram(mine), "hello");
  EXPECT_EQ(last_sender.host(), path("service"));
  EXPECT_EQ(service->datagrams().answered, 1U);
}

TEST_F(UnixDatagram, names_the_sender_s_file) {
  const UniqueFd mine = bound_at(path("mine"));
  send_from(mine, "p");
  read_all();
  EXPECT_EQ(receive_datagram(mine), "the-service " + path("mine") + " 0 " + path("service") + " 0");
}

TEST_F(UnixDatagram, is_not_answered_through_a_link) {
  const UniqueFd victim = bound_at(path("victim"));
  const UniqueFd mine = bound_at(path("mine"));
  send_from(mine, "ahello");
  let_name_lead_to("mine", path("victim"));
  expect_no_answer(victim);
}

TEST_F(UnixDatagram, is_not_answered_through_a_folder_that_is_a_link) {
  std::filesystem::create_directory(path("theirs"));
  std::filesystem::create_directory(path("ours"));
  const UniqueFd victim = bound_at(path("theirs/socket"));
  const UniqueFd mine = bound_at(path("ours/socket"));
  send_from(mine, "ahello");
  let_name_lead_to("ours", path("theirs"));
  expect_no_answer(victim);
}

TEST_F(UnixDatagram, is_not_answered_at_a_name_that_is_not_a_full_path) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  const UniqueFd mine = bound_at("mine");
  send_from(mine, "ahello");
  expect_no_answer(mine);
  std::filesystem::current_path(before);
}

// A sender that sees other files than we do (its own mount namespace) may have any name.
TEST_F(UnixDatagram, is_not_answered_at_a_file_of_somebody_else) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const UniqueFd mine = bound_at(path("mine"));
  ASSERT_EQ(chmod(path("service").c_str(), 0777), 0);
  ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
  send_from(mine, "ahello", 65534);
  expect_no_answer(mine);
}

TEST_F(UnixDatagram, of_our_own_process_is_not_shown) {
  const UniqueFd mine = bound_at(path("mine"));
  ASSERT_EQ(::sendto(mine.get(), "ahello", 6, 0, bound.raw(), bound.raw_length()), 6);
  read_all();
  EXPECT_STREQ(probe.record, "start ");
  EXPECT_EQ(service->datagrams().refused, 1U);
}

TEST_F(UnixDatagram, from_a_sender_that_is_gone_is_no_fault) {
  {
    const UniqueFd mine = bound_at(path("mine"));
    send_from(mine, "ahello");
    std::filesystem::remove(path("mine"));
  }
  read_all();
  EXPECT_STREQ(probe.record, "start datagram:6 reply=-2 ");  // ENOENT
  EXPECT_EQ(service->datagrams().refused, 0U);
}

TEST_F(UnixDatagram, brings_no_descriptors) {
  const auto open_here = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  const UniqueFd mine = bound_at(path("mine"));
  const auto before = open_here();
  const int given[] = {0, 1, 2};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof given)]{};
  char text[] = "x";
  iovec piece{text, 1};
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(bound.raw());
  message.msg_namelen = bound.raw_length();
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof given);
  std::memcpy(CMSG_DATA(header), given, sizeof given);
  ASSERT_EQ(sendmsg(mine.get(), &message, 0), 1);
  read_all();
  EXPECT_EQ(service->datagrams().received, 1U);
  EXPECT_EQ(open_here(), before);
}

TEST_F(UnixDatagram, without_a_name_or_too_long_is_refused) {
  UniqueFd mine(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  send_from(mine, "ahello");  // from nobody
  read_all();
  EXPECT_STREQ(probe.record, "start datagram:6 reply=-13 ");
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  ASSERT_EQ(::bind(mine.get(), reinterpret_cast<sockaddr*>(&name), sizeof(sa_family_t)),
            0);  // an automatic name
  send_from(mine, "ahello");
  const int room = 400000;
  ASSERT_EQ(setsockopt(mine.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
  send_from(mine, std::string(100000, 'a'));  // longer than the buffer: not shown in part
  read_all();
  EXPECT_EQ(receive_datagram(mine), "hello");
  EXPECT_EQ(service->datagrams().refused, 2U);
  EXPECT_STREQ(probe.record, "start datagram:6 reply=-13 datagram:6 reply=0 ");
}

}  // namespace
}  // namespace xsd::plugin
