// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/plugin_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <sys/socket.h>
#include <unistd.h>

#include "xsd/base/log.h"

namespace xsd::service {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

int refuse_all(void* /*state*/, xsd_connection* /*connection*/) {
  return -EACCES;
}

const xsd_plugin kPicky = [] {
  xsd_plugin made{};
  made.size = sizeof made;
  made.api_version = XSD_PLUGIN_API_VERSION;
  made.name = "picky";
  made.description = "takes nobody";
  made.on_open = refuse_all;
  return made;
}();
const plugin::PluginEntry kPickyEntry{"picky", "takes nobody", &kPicky};

class PluginServiceTest : public testing::Test {
 protected:
  PluginServiceTest() {
    char name[] = "/tmp/xsd-plugin-service-XXXXXX";
    folder_ = mkdtemp(name);
    EXPECT_TRUE(log::open({.target = log::TargetKind::File, .path = folder_ + "/log"}));
  }
  ~PluginServiceTest() override {
    EXPECT_TRUE(log::open({}));
    std::filesystem::remove_all(folder_);
  }
  std::unique_ptr<Service> make(const plugin::PluginEntry& entry, net::Transport transport,
                                config::Limit instances = {}) {
    const net::Endpoint endpoint{transport, *net::SocketAddress::parse("127.0.0.1", 0), {}};
    auto definition = std::make_shared<config::ServiceDefinition>();
    definition->id = "game";
    definition->kind = config::ServiceKind::Plugin;
    definition->log_on_success = config::kLogHost | config::kLogExit;
    definition->log_on_failure = config::kLogHost;
    definition->instances = instances;
    auto resolution = std::make_shared<config::Resolution>();
    resolution->endpoints = {endpoint};
    socket_.emplace(std::move(*net::BoundSocket::open(endpoint, 16)));
    auto made = std::move(*Service::create(context_, {definition, resolution, nullptr, &entry}));
    EXPECT_TRUE(made->listen_on({&*socket_}));
    return made;
  }
  std::string logged() {
    while (loop_->run_once(Duration::zero()) > 0) {
    }
    log::flush();  // which the loop would do in a moment
    std::ostringstream out;
    out << std::ifstream(folder_ + "/log").rdbuf();
    return out.str();
  }

  SystemClock clock_;
  std::string folder_;
  std::unique_ptr<reactor::EventLoop> loop_ =
      std::move(*reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_));
  ServiceContext context_{*loop_, {}};
  std::optional<net::BoundSocket> socket_;
};

TEST_F(PluginServiceTest, tells_a_refusal_of_the_plugin_from_a_lack_of_room) {
  const auto service = make(kPickyEntry, net::Transport::Stream);
  const net::SocketAddress to = net::local_address(socket_->fd());
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect(client.get(), to.raw(), to.raw_length()), 0);
  const std::string text = logged();
  EXPECT_THAT(text, HasSubstr(" error='refused by the plugin'"));
  EXPECT_THAT(text, Not(HasSubstr("resources")));
  EXPECT_EQ(service->counters().started, 1U);
  EXPECT_EQ(service->counters().refused, policy::RefusalCounters{});
  EXPECT_EQ(service->active(), 0U);
}

TEST_F(PluginServiceTest, takes_what_was_let_in_elsewhere_without_asking_its_limit) {
  const auto service = make(*plugin::find_plugin("echo"), net::Transport::Stream, {0});
  auto& taking = static_cast<PluginService&>(*service);
  std::vector<std::uint64_t> over;
  taking.on_connection_end([&](std::uint64_t id) { over.push_back(id); });
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  UniqueFd client(ends[0]);
  const net::SocketAddress from = *net::SocketAddress::parse("192.0.2.7", 40000);
  EXPECT_TRUE(taking.take(UniqueFd(ends[1]), 0xa1, from, from));
  EXPECT_EQ(service->active(), 1U);
  EXPECT_FALSE(taking.take(UniqueFd(), 0xa2, from, from)) << "there is none";
  client.reset();
  const std::string text = logged();
  EXPECT_EQ(over, std::vector<std::uint64_t>{0xa1});
  EXPECT_EQ(service->active(), 0U);
  EXPECT_EQ(service->counters().started, 1U);
  EXPECT_THAT(text, HasSubstr("game: refuse conn=a2 from=192.0.2.7:40000 reason=resources"));
  EXPECT_THAT(text, HasSubstr("game: end conn=a1 from=192.0.2.7:40000"));
}

TEST_F(PluginServiceTest, has_counters_of_datagrams_if_it_reads_any) {
  EXPECT_FALSE(make(kPickyEntry, net::Transport::Stream)->datagrams());
  const auto service = make(*plugin::find_plugin("discard"), net::Transport::Datagram);
  const net::SocketAddress to = net::local_address(socket_->fd());
  const UniqueFd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(sendto(client.get(), "x", 1, 0, to.raw(), to.raw_length()), 1);
  (void)logged();
  ASSERT_TRUE(service->datagrams());
  EXPECT_EQ(service->datagrams()->received, 1U);
}

}  // namespace
}  // namespace xsd::service
