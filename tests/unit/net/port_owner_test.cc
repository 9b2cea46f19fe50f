// SPDX-License-Identifier: Apache-2.0
#include "xsd/net/port_owner.h"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xsd/net/socket.h"

namespace xsd::net {
namespace {

std::string ourselves() {
  return "test_net[" + std::to_string(getpid()) + "]";
}

BoundSocket bind(Endpoint endpoint) {
  auto bound = BoundSocket::open(endpoint, 10);
  EXPECT_TRUE(bound);
  return std::move(*bound);
}

void run(PortOwnerSearch& search, Duration budget = std::chrono::seconds(10)) {
  const SystemClock clock;
  for (int step = 0; !search.step(clock, budget); ++step)
    ASSERT_LT(step, 1'000'000);
}

TEST(PortOwnerSearch, names_program_and_process_of_all_endpoints) {
  const BoundSocket tcp = bind({Transport::Stream, *SocketAddress::parse("127.0.0.1", 0), {}});
  const BoundSocket udp = bind({Transport::Datagram, *SocketAddress::parse("::1", 0), {}});
  const Endpoint unix_path{
      Transport::Stream, *SocketAddress::unix_path("@xsd-owner-" + std::to_string(getpid())), {}};
  const BoundSocket unix_socket = bind(unix_path);
  const Endpoint tcp_wanted{Transport::Stream, SocketAddress::any_v4(local_address(tcp.fd()).port()), {}};
  const Endpoint udp_wanted{Transport::Datagram, SocketAddress::any_v6(local_address(udp.fd()).port()), {}};
  PortOwnerSearch search({tcp_wanted, udp_wanted, unix_path});
  run(search);
  EXPECT_EQ(search.owner(tcp_wanted), ourselves());
  EXPECT_EQ(search.owner(udp_wanted), ourselves());
  EXPECT_EQ(search.owner(unix_path), ourselves());
}

TEST(PortOwnerSearch, stops_after_its_budget_and_goes_on) {
  const BoundSocket tcp = bind({Transport::Stream, *SocketAddress::parse("127.0.0.1", 0), {}});
  const Endpoint wanted{Transport::Stream, local_address(tcp.fd()), {}};
  PortOwnerSearch search({wanted});
  EXPECT_FALSE(search.step(SystemClock(), Duration::zero()));
  run(search, Duration::zero());
  EXPECT_EQ(search.owner(wanted), ourselves());
}

TEST(PortOwnerSearch, names_nobody_when_nobody_holds_the_port) {
  const std::uint16_t port =
      local_address(bind({Transport::Stream, *SocketAddress::parse("127.0.0.1", 0), {}}).fd()).port();
  const Endpoint free{Transport::Stream, SocketAddress::any_v4(port), {}};
  PortOwnerSearch search({free});
  EXPECT_TRUE(search.step(SystemClock(), Duration::zero())) << "there is nobody to look for";
  EXPECT_EQ(search.owner(free), "");
}

// A holder whose descriptors we may not see, in a cgroup of its own.
class HiddenHolder : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* const root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      group_ = std::string(root) + "/xsd-owner-" + std::to_string(getpid()) + ".service";
      if (std::filesystem::exists(std::string(root) + "/cgroup.procs") && mkdir(group_.c_str(), 0700) == 0)
        return;
    }
    group_.clear();
    GTEST_SKIP() << "no cgroup can be made here";
  }
  void TearDown() override {
    if (holder_ > 0) {
      (void)kill(holder_, SIGKILL);
      (void)waitpid(holder_, nullptr, 0);
    }
    if (!group_.empty()) (void)rmdir(group_.c_str());
  }

  /// The port that it listens on; 0: it could not.
  std::uint16_t hold() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return 0;
    holder_ = fork();
    if (holder_ == 0) {
      std::uint16_t port = 0;
      if (std::ofstream(group_ + "/cgroup.procs") << getpid() << std::flush) {
        const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const SocketAddress any = *SocketAddress::parse("127.0.0.1", 0);
        if (bind_to(fd.get(), any) && listen(fd.get(), 1) == 0) port = local_address(fd.get()).port();
        (void)!write(ends[1], &port, sizeof port);
        for (;;)
          pause();
      }
      _exit(1);
    }
    close(ends[1]);
    std::uint16_t port = 0;
    (void)!read(ends[0], &port, sizeof port);
    close(ends[0]);
    return port;
  }
  static bool bind_to(int fd, const SocketAddress& address) {
    return ::bind(fd, address.raw(), address.raw_length()) == 0;
  }

  std::string group_;
  pid_t holder_ = -1;
};

TEST_F(HiddenHolder, is_named_by_its_unit) {
  const std::uint16_t port = hold();
  if (port == 0) GTEST_SKIP() << "the holder could not be started";
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before[2]{};
  ASSERT_EQ(syscall(SYS_capget, &header, before), 0);
  __user_cap_data_struct blind[2]{before[0], before[1]};
  blind[0].effective &= ~(1U << CAP_SYS_PTRACE);
  ASSERT_EQ(syscall(SYS_capset, &header, blind), 0);
  const Endpoint wanted{Transport::Stream, SocketAddress::any_v4(port), {}};
  PortOwnerSearch search({wanted});
  run(search, Duration::zero());
  ASSERT_EQ(syscall(SYS_capset, &header, before), 0);
  EXPECT_EQ(search.owner(wanted), std::filesystem::path(group_).filename());
}

}  // namespace
}  // namespace xsd::net
