// SPDX-License-Identifier: Apache-2.0
//
// What a SENSOR tells others. The rest of it is tested with the whole daemon.
#include "xsd/service/sensor_service.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include <sys/socket.h>

namespace xsd::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SensorServiceTest : public testing::Test {
 protected:
  SensorServiceTest() {
    definition_.id = definition_.service = "trap";
    definition_.kind = config::ServiceKind::Sensor;
    definition_.clients.edit().deny_time = std::chrono::hours(1);
    context_.on_ban = [this](const policy::Ban& ban, const policy::BanChange& change) {
      bans_.push_back(ban);
      EXPECT_TRUE(change.added);
    };
  }
  void start() {
    auto prepared = prepare(std::make_shared<const config::ServiceDefinition>(definition_),
                            std::make_shared<const config::Resolution>(resolution_), context_);
    ASSERT_TRUE(prepared) << prepared.error().text();
    auto made = Service::create(context_, std::move(*prepared));
    ASSERT_TRUE(made) << made.error().text();
    service_ = std::move(*made);
    for (const auto transport : {net::Transport::Stream, net::Transport::Datagram}) {
      auto bound = net::BoundSocket::open({transport, *net::SocketAddress::parse("127.0.0.1", 0), {}}, 16);
      ASSERT_TRUE(bound) << bound.error().text();
      sockets_.push_back(std::make_unique<net::BoundSocket>(std::move(*bound)));
    }
    ASSERT_TRUE(service_->listen_on({sockets_[0].get(), sockets_[1].get()}));
  }
  UniqueFd connect_from(const char* source, int type) {
    UniqueFd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const auto from = *net::SocketAddress::parse(source, 0);
    EXPECT_EQ(bind(fd.get(), from.raw(), from.raw_length()), 0);
    const net::SocketAddress to = net::local_address(sockets_[type == SOCK_STREAM ? 0 : 1]->fd());
    EXPECT_EQ(connect(fd.get(), to.raw(), to.raw_length()), 0);
    return fd;
  }
  template <class Predicate>
  bool turn_until(Predicate done) {
    const MonotonicTime end = clock_.monotonic() + seconds(10);
    while (!done()) {
      if (clock_.monotonic() >= end) return false;
      (void)loop_->run_once(milliseconds(10));
    }
    return true;
  }
  std::uint64_t refused() const {
    return service_->counters().refused[static_cast<std::size_t>(policy::Reason::Banned)];
  }

  const SystemClock clock_{};
  std::unique_ptr<reactor::EventLoop> loop_ =
      std::move(*reactor::EventLoop::create(reactor::PollerKind::Epoll, clock_));
  ServiceContext context_{*loop_, process::Inheritance::capture()};
  config::ServiceDefinition definition_;
  config::Resolution resolution_;
  std::vector<policy::Ban> bans_;
  std::vector<std::unique_ptr<net::BoundSocket>> sockets_;
  std::unique_ptr<Service> service_;
};

TEST_F(SensorServiceTest, tells_of_each_ban_once) {
  start();
  const UniqueFd one = connect_from("127.0.0.2", SOCK_STREAM);
  const UniqueFd again = connect_from("127.0.0.2", SOCK_STREAM);
  const UniqueFd other = connect_from("127.0.0.3", SOCK_DGRAM);
  ASSERT_EQ(send(other.get(), "x", 1, 0), 1);
  ASSERT_EQ(send(other.get(), "y", 1, 0), 1);
  EXPECT_TRUE(turn_until([&] { return refused() == 4; }));
  ASSERT_EQ(bans_.size(), 2U);
  EXPECT_TRUE(context_.bans.is_banned(*net::SocketAddress::parse("127.0.0.2", 1), loop_->now()));
  EXPECT_TRUE(context_.bans.is_banned(*net::SocketAddress::parse("127.0.0.3", 1), loop_->now()));
  EXPECT_LE(bans_[0].until, loop_->now() + std::chrono::hours(1));
  EXPECT_GT(bans_[0].until, loop_->now() + std::chrono::minutes(59));
  EXPECT_EQ(service_->active(), 0U);
}

TEST_F(SensorServiceTest, bans_for_ever_or_not_at_all) {
  definition_.clients.edit().deny_time = Duration::max();
  start();
  const UniqueFd one = connect_from("127.0.0.2", SOCK_STREAM);
  EXPECT_TRUE(turn_until([&] { return refused() == 1; }));
  ASSERT_EQ(bans_.size(), 1U);
  EXPECT_EQ(bans_[0].until, policy::kForever);
  definition_.clients.edit().deny_time.reset();
  service_->apply(*prepare(std::make_shared<const config::ServiceDefinition>(definition_),
                           std::make_shared<const config::Resolution>(), context_));
  const UniqueFd other = connect_from("127.0.0.3", SOCK_STREAM);
  EXPECT_TRUE(turn_until([&] { return refused() == 2; }));
  EXPECT_EQ(bans_.size(), 1U);
}

TEST_F(SensorServiceTest, adds_nobody_to_a_list_that_is_full_of_longer_bans) {
  const auto source = [](std::size_t i) {
    return *policy::SourceKey::whole(
        *net::SocketAddress::parse("10.1." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250), 0));
  };
  for (std::size_t i = 0; i < policy::kMaxBans; ++i)
    ASSERT_TRUE(context_.bans.add({source(i), policy::kForever}, loop_->now()).added);
  start();
  const UniqueFd one = connect_from("127.0.0.2", SOCK_STREAM);
  EXPECT_TRUE(turn_until([&] { return refused() == 1; }));
  EXPECT_TRUE(bans_.empty()) << "nobody else is told";
  EXPECT_FALSE(context_.bans.is_banned(*net::SocketAddress::parse("127.0.0.2", 1), loop_->now()));
  EXPECT_EQ(context_.bans.size(), policy::kMaxBans);
}

// What any service does: a connection that takes only a part of a banner is not waited for.
TEST_F(SensorServiceTest, cuts_a_banner_that_does_not_fit) {
  constexpr std::size_t kSize = std::size_t{64} << 10;
  resolution_.files.edit().banner = std::make_shared<const std::string>(kSize, 'b');
  start();
  const int least = 1;  // accepted sockets inherit it
  ASSERT_EQ(setsockopt(sockets_[0]->fd(), SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
  for (const char* const source : {"127.0.0.2", "127.0.0.3"}) {
    const UniqueFd client = connect_from(source, SOCK_STREAM);
    std::size_t received = 0;
    EXPECT_TRUE(turn_until([&] {
      char bytes[4096];
      const ssize_t size = recv(client.get(), bytes, sizeof bytes, MSG_DONTWAIT);
      if (size > 0) received += static_cast<std::size_t>(size);
      return size == 0;
    }));
    EXPECT_GT(received, 0U);
    EXPECT_LT(received, kSize);
  }
}

TEST_F(SensorServiceTest, is_gone_when_it_has_no_sockets) {
  start();
  bool idle = false;
  service_->drain();
  service_->on_idle([&] { idle = true; });
  EXPECT_TRUE(turn_until([&] { return idle; }));
}

}  // namespace
}  // namespace xsd::service
