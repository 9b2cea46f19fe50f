// SPDX-License-Identifier: Apache-2.0
//
// Connections that are no clients: made outward, and to programs (here the test is the program); and clients
// that are handed over.
#include <gmock/gmock.h>

#include <fcntl.h>
#include <sys/un.h>

#include "script_plugin.h"
#include "xsd/plugin/stream_set.h"

namespace xsd::plugin {
namespace {

using ::testing::ElementsAre;

class OutwardTest : public WithScript<PluginTest> {
 protected:
  void start_script(std::optional<Duration> idle_timeout = std::nullopt) {
    script.on_open = [this](xsd_connection* c) {
      opened = c;
      return 0;
    };
    script.on_data = [this](xsd_connection*, std::string_view data) {
      record += "data:" + std::string(data) + " ";
    };
    script.on_close = [this](xsd_connection* c, std::uint32_t why) {
      record += "close:" + std::to_string(why) + " ";
      if (c == made) made = nullptr;
    };
    script.on_connected = [this](xsd_connection* c, int result) {
      EXPECT_EQ(c, made);
      record += "connected:" + std::to_string(result) + " ";
    };
    script.on_program = [this](xsd_connection*, int error, int status, int signal) {
      record += "program:" + std::to_string(error) + "," + std::to_string(status) + "," +
                std::to_string(signal) + " ";
    };
    options.on_hand_over = [this](HandOver given) {
      if (given.service != "cgi") return -EACCES;
      handed = std::move(given);
      return 0;
    };
    options.on_start_program = [this](ProgramStart start) {
      if (start.program != "cgi") return -ENOENT;
      program = std::move(start);
      return 0;
    };
    options.on_drop_program = [this](std::uint64_t id) { dropped.push_back(id); };
    WithScript::start_script(idle_timeout);
  }
  /// A listening socket on loopback, or at a path.
  UniqueFd listen_at(const net::SocketAddress& address) {
    UniqueFd made_fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(bind(made_fd.get(), address.raw(), address.raw_length()), 0) << std::strerror(errno);
    EXPECT_EQ(::listen(made_fd.get(), 16), 0);
    return made_fd;
  }
  int connect(const char* address, std::uint16_t port) {
    int result = 1;
    in_callback([&] { result = host().connect(script.service, address, port, &made); });
    return result;
  }
  UniqueFd accept_at(const UniqueFd& listener) {
    UniqueFd accepted(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    EXPECT_TRUE(accepted);
    return accepted;
  }
  int start_program(const char* name, const std::vector<const char*>& environment = {},
                    const char* directory = nullptr) {
    int result = 1;
    in_callback([&] {
      result = host().start_program(script.service, name, environment.data(), environment.size(), directory,
                                    &made);
    });
    return result;
  }
  /// The socket of ours that has this port.
  static bool is_kept_alive(std::uint16_t port) {
    constexpr int kHighest = 4096;
    for (int fd = 0; fd < kHighest; ++fd) {
      int on = 0;
      socklen_t length = sizeof on;
      if (getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &length) != 0) continue;
      if (address_of(fd, false).port() == port) return on != 0;
    }
    ADD_FAILURE() << "no socket has the port " << port;
    return false;
  }
  bool recorded(std::string_view text) {
    return turn_until([&] { return record == text; });
  }

  xsd_connection* opened = nullptr;
  xsd_connection* made = nullptr;
  std::string record;
  HandOver handed{};
  ProgramStart program;
  std::vector<std::uint64_t> dropped;
};

// --- connect ---

TEST_F(OutwardTest, keeps_connections_alive_if_it_is_told_to) {
  for (const bool wanted : {true, false}) {
    options.keep_alive = wanted;
    start_script();
    const UniqueFd listener = listen_at(*net::SocketAddress::parse("127.0.0.1", 0));
    ASSERT_EQ(connect("127.0.0.1", address_of(listener.get(), false).port()), 0);
    const UniqueFd peer = accept_at(listener);
    EXPECT_EQ(is_kept_alive(address_of(peer.get(), true).port()), wanted);
    service.reset();
  }
}

TEST_F(OutwardTest, connects_to_an_address_and_goes_on_like_an_accepted_one) {
  start_script();
  for (const char* const text : {"127.0.0.1", "::1"}) {
    record.clear();
    const UniqueFd listener = listen_at(*net::SocketAddress::parse(text, 0));
    in_callback([&] {
      const std::uint16_t port = address_of(listener.get(), false).port();
      EXPECT_EQ(host().connect(script.service, text, port, &made), 0);
      host().set_data(made, this);
      EXPECT_EQ(host().write(made, "x", 1), -ENOTCONN);
      EXPECT_EQ(record, "");
    });
    ASSERT_TRUE(recorded("connected:0 "));
    const UniqueFd peer = accept_at(listener);
    in_callback([&] {
      EXPECT_EQ(host().get_data(made), this);
      const xsd_peer_info* const info = host().peer_info(made);
      EXPECT_STREQ(info->remote_address, text);
      EXPECT_EQ(info->local_port, address_of(peer.get(), true).port());
      EXPECT_EQ(info->id, 0U);
      EXPECT_EQ(host().write(made, "hello", 5), 0);
    });
    EXPECT_EQ(receive(peer, 5), "hello");
    EXPECT_EQ(service->connections(), 0U);
    send_all(peer, "answer");
    end_sending(peer);
    EXPECT_EQ(receive_all(peer), "");
    ASSERT_TRUE(recorded("connected:0 data:answer close:0 "));
  }
  EXPECT_TRUE(ends.empty());
}

TEST_F(OutwardTest, connects_to_unix_sockets) {
  start_script();
  const std::string path = "@xsd-outward-test-" + std::to_string(getpid());
  const UniqueFd listener = listen_at(*net::SocketAddress::unix_path(path));
  ASSERT_EQ(connect(path.c_str(), 0), 0);
  ASSERT_TRUE(recorded("connected:0 "));
  const UniqueFd peer = accept_at(listener);
  send_all(peer, "hello");
  ASSERT_TRUE(recorded("connected:0 data:hello "));
}

TEST_F(OutwardTest, tells_what_fails_at_once_and_later_alike) {
  start_script();
  std::uint16_t port = 0;
  {
    const UniqueFd listener = listen_at(*net::SocketAddress::parse("127.0.0.1", 0));
    port = address_of(listener.get(), false).port();
  }
  ASSERT_EQ(connect("127.0.0.1", port), 0);
  const std::string refused = "connected:" + std::to_string(-ECONNREFUSED) + " close:1 ";
  ASSERT_TRUE(recorded(refused));
  record.clear();
  ASSERT_EQ(connect("@xsd-nobody-listens-here", 0), 0);
  ASSERT_TRUE(recorded(refused));
  record.clear();
  ASSERT_EQ(connect("/nonexistent/socket", 0), 0);
  ASSERT_TRUE(recorded("connected:" + std::to_string(-ENOENT) + " close:1 "));
  EXPECT_TRUE(ends.empty());
  EXPECT_EQ(loop->watch_count(), 0U);
}

TEST_F(OutwardTest, refuses_what_is_no_address) {
  start_script();
  for (const char* const text : {"", "localhost", "127.0.0.1:80", "/run/x"})
    EXPECT_EQ(connect(text, 80), -EINVAL) << text;
  const std::string long_path = "/" + std::string(200, 'x');
  for (const std::string& text : {std::string(), std::string("127.0.0.1"), std::string("@"), long_path})
    EXPECT_EQ(connect(text.c_str(), 0), -EINVAL) << text;
  EXPECT_EQ(made, nullptr);
}

TEST_F(OutwardTest, closed_while_it_connects_is_only_told_so) {
  start_script();
  const UniqueFd listener = listen_at(*net::SocketAddress::parse("127.0.0.1", 0));
  in_callback([&] {
    EXPECT_EQ(host().connect(script.service, "127.0.0.1", address_of(listener.get(), false).port(), &made),
              0);
    host().close(made);
  });
  ASSERT_TRUE(recorded("close:0 "));
}

TEST_F(OutwardTest, the_idle_timeout_bounds_connecting) {
  start_script(seconds(5));
  const UniqueFd listener = listen_at(*net::SocketAddress::parse("127.0.0.1", 0));
  // A full queue: the kernel drops what comes.
  std::vector<UniqueFd> fillers;
  const net::SocketAddress address = address_of(listener.get(), false);
  for (int i = 0; i < 40; ++i) {
    fillers.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)::connect(fillers.back().get(), address.raw(), address.raw_length());
  }
  ASSERT_EQ(connect("127.0.0.1", address.port()), 0);
  settle();
  ASSERT_EQ(record, "");
  advance(seconds(6));
  EXPECT_EQ(record, "connected:" + std::to_string(-ETIMEDOUT) + " close:2 ");
}

TEST_F(OutwardTest, may_connect_in_start_and_ends_with_the_service) {
  const UniqueFd listener = listen_at(*net::SocketAddress::parse("127.0.0.1", 0));
  script.start = [&] {
    return host().connect(script.service, "127.0.0.1", address_of(listener.get(), false).port(), &made);
  };
  script.stop = [&] { EXPECT_EQ(host().connect(script.service, "127.0.0.1", 1, &made), -ESHUTDOWN); };
  start_script();
  ASSERT_TRUE(recorded("connected:0 "));
  service.reset();
  EXPECT_EQ(record, "connected:0 close:3 ");
}

TEST_F(OutwardTest, a_start_that_fails_leaves_nothing) {
  script.start = [&] {
    EXPECT_EQ(host().connect(script.service, "@xsd-nobody-listens-here", 0, &made), 0);
    EXPECT_EQ(host().start_program(script.service, "cgi", nullptr, 0, nullptr, &made), 0);
    return -EPERM;
  };
  options.on_start_program = [](ProgramStart) { return 0; };
  options.on_drop_program = [this](std::uint64_t id) { dropped.push_back(id); };
  script.on_close = [&](xsd_connection*, std::uint32_t) { record += "close "; };
  plugin = script_plugin();
  const PluginEntry entry{"script", "", &plugin};
  EXPECT_FALSE(HostedService::create(*loop, entry, std::move(options)));
  EXPECT_EQ(record, "");
  EXPECT_EQ(loop->watch_count(), 0U);
  EXPECT_EQ(dropped.size(), 1U);
}

TEST_F(OutwardTest, a_proxy_joins_its_client_with_what_it_has_connected) {
  start_script();
  const UniqueFd listener = listen_at(*net::SocketAddress::parse("127.0.0.1", 0));
  script.on_connected = [this](xsd_connection* c, int) { EXPECT_EQ(host().join(opened, c), 0); };
  const UniqueFd mine = client();
  ASSERT_EQ(connect("127.0.0.1", address_of(listener.get(), false).port()), 0);
  settle();
  UniqueFd peer = accept_at(listener);
  send_all(mine, "ping");
  EXPECT_EQ(receive(peer, 4), "ping");
  send_all(peer, "pong");
  end_sending(peer);
  EXPECT_EQ(receive_all(mine), "pong");
  end_sending(mine);
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Finished);
  settle();
  EXPECT_EQ(loop->watch_count(), 0U);
}

// --- programs ---

// A program that answers without having read all of its input: the answer is what counts.
TEST_F(OutwardTest, what_a_program_says_arrives_although_it_reads_nothing) {
  start_script();
  ASSERT_EQ(start_program("cgi"), 0);
  const std::string large(std::size_t{900} * 1024, 'x');
  in_callback([&] { EXPECT_EQ(host().write(made, large.data(), large.size()), 0); });
  settle();
  send_all(program.socket, "output");
  program.socket.reset();
  service->program_ended(program.id, 0, 0, 0);
  ASSERT_TRUE(turn_until([&] { return record.find("close:") != std::string::npos; }));
  EXPECT_EQ(record, "program:0,0,0 data:output close:0 ");
}

TEST_F(OutwardTest, a_program_gets_its_end_and_its_environment) {
  start_script();
  ASSERT_EQ(start_program("cgi", {"A=1", "B="}, "/srv"), 0);
  EXPECT_THAT(program.environment, ElementsAre("A=1", "B="));
  EXPECT_EQ(program.directory, "/srv");
  EXPECT_EQ(fcntl(program.socket.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(program.socket.get(), F_GETFD), FD_CLOEXEC);
  in_callback([&] {
    EXPECT_STREQ(host().peer_info(made)->remote_address, "");
    EXPECT_EQ(host().peer_info(made)->remote_port, 0);
    EXPECT_EQ(host().write(made, "input", 5), 0);
  });
  EXPECT_EQ(receive(program.socket, 5), "input");
  send_all(program.socket, "output");
  ASSERT_TRUE(recorded("data:output "));
  EXPECT_EQ(service->connections(), 0U);
  program.socket.reset();
  settle();
  EXPECT_EQ(record, "data:output ");  // waits for the program's end
  service->program_ended(program.id, 0, 3, 0);
  EXPECT_EQ(record, "data:output program:0,3,0 close:0 ");
  service->program_ended(program.id, 0, 3, 0);
  EXPECT_TRUE(dropped.empty());
  EXPECT_TRUE(ends.empty());
}

TEST_F(OutwardTest, what_a_program_has_printed_follows_its_end) {
  start_script();
  ASSERT_EQ(start_program("cgi"), 0);
  send_all(program.socket, "output");
  service->program_ended(program.id, 0, 0, SIGTERM);
  EXPECT_EQ(record, "program:0,0,15 ");
  program.socket.reset();
  ASSERT_TRUE(recorded("program:0,0,15 data:output close:0 "));
  EXPECT_TRUE(dropped.empty());
}

TEST_F(OutwardTest, a_program_that_cannot_be_started_is_told) {
  start_script();
  ASSERT_EQ(start_program("cgi"), 0);
  program.socket.reset();
  service->program_ended(program.id, -ENOENT, 0, 0);
  ASSERT_TRUE(recorded("program:" + std::to_string(-ENOENT) + ",0,0 close:0 "));
}

TEST_F(OutwardTest, an_end_that_is_told_at_once_still_comes_later) {
  start_script();
  service.reset();
  options = {};
  options.on_start_program = [this](ProgramStart start) {
    service->program_ended(start.id, 0, 0, 0);
    EXPECT_EQ(record, "");
    return 0;
  };
  record.clear();
  WithScript::start_script();
  ASSERT_EQ(start_program("cgi"), 0);
  ASSERT_TRUE(recorded("program:0,0,0 close:0 "));
}

TEST_F(OutwardTest, a_program_is_dropped_when_its_connection_is_closed_before) {
  start_script();
  ASSERT_EQ(start_program("cgi"), 0);
  const std::uint64_t first = program.id;
  in_callback([&] { host().close(made); });
  EXPECT_EQ(record, "close:0 ");
  ASSERT_EQ(start_program("cgi"), 0);
  EXPECT_NE(program.id, first);
  service->program_ended(first, 0, 0, 0);
  const std::uint64_t second = program.id;
  service.reset();
  EXPECT_EQ(record, "close:0 close:3 ");
  EXPECT_THAT(dropped, ElementsAre(first, second));
}

TEST_F(OutwardTest, bounds_the_environment_and_keeps_the_daemon_s_names) {
  start_script();
  for (const char* const text : {"PATH=/", "LD_PRELOAD=x", "XSD_ID=1", "=x", "NAME", ""})
    EXPECT_EQ(start_program("cgi", {text}), -EINVAL) << text;
  EXPECT_EQ(start_program("cgi", {"PATHS=/", "LDX=1"}), 0);
  EXPECT_EQ(start_program("cgi", std::vector<const char*>(kMaxEnvironment, "A=1")), 0);
  EXPECT_EQ(start_program("cgi", std::vector<const char*>(kMaxEnvironment + 1, "A=1")), -ENOBUFS);
  const std::string fits = "A=" + std::string(kMaxEnvironmentBytes - 3, 'x');
  EXPECT_EQ(start_program("cgi", {fits.c_str()}), 0);
  EXPECT_EQ(start_program("cgi", {fits.c_str(), "B="}), -ENOBUFS);
  EXPECT_EQ(made, nullptr);
  EXPECT_EQ(start_program("other"), -ENOENT);
  EXPECT_EQ(made, nullptr);
}

TEST_F(OutwardTest, says_that_there_is_nobody_to_start_or_to_take_over) {
  script.on_open = [this](xsd_connection* c) {
    opened = c;
    return 0;
  };
  WithScript::start_script();
  const UniqueFd mine = client();
  EXPECT_EQ(start_program("cgi"), -ENOSYS);
  in_callback([&] { EXPECT_EQ(host().hand_over(opened, "cgi"), -ENOSYS); });
}

// --- hand_over ---

TEST_F(OutwardTest, hands_a_client_over_with_what_was_not_read) {
  start_script();
  const UniqueFd mine = client();
  in_callback([&] { host().set_reading(opened, 0); });
  send_all(mine, "request");
  in_callback([&] {
    EXPECT_EQ(host().hand_over(opened, "other"), -EACCES);
    EXPECT_EQ(host().hand_over(opened, "cgi"), 0);
    EXPECT_EQ(host().write(opened, "x", 1), -EPIPE);
    EXPECT_EQ(host().hand_over(opened, "cgi"), -EPIPE);
  });
  EXPECT_EQ(record, "close:4 ");
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].cause, EndCause::Handed);
  EXPECT_EQ(handed.id, ends[0].id);
  EXPECT_EQ(handed.remote, ends[0].remote);
  EXPECT_EQ(handed.local, ends[0].local);
  EXPECT_EQ(fcntl(handed.socket.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(receive(handed.socket, 7), "request");
  send_all(handed.socket, "response");
  handed.socket.reset();
  EXPECT_EQ(receive_all(mine), "response");
}

TEST_F(OutwardTest, hands_over_in_on_open) {
  start_script();
  script.on_open = [this](xsd_connection* c) { return host().hand_over(c, "cgi"); };
  const UniqueFd mine = client();
  EXPECT_EQ(service->connections(), 0U);
  EXPECT_TRUE(handed.socket);
  ASSERT_TRUE(ended(1));
  EXPECT_EQ(ends[0].cause, EndCause::Handed);
}

TEST_F(OutwardTest, a_client_that_is_refused_goes_on_here) {
  start_script();
  const UniqueFd mine = client();
  in_callback([&] { EXPECT_EQ(host().hand_over(opened, "other"), -EACCES); });
  send_all(mine, "still");
  ASSERT_TRUE(recorded("data:still "));
}

TEST_F(OutwardTest, hands_over_clients_only_and_none_with_unsent_bytes) {
  start_script();
  ASSERT_EQ(start_program("cgi"), 0);
  in_callback([&] { EXPECT_EQ(host().hand_over(made, "cgi"), -EINVAL); });
  auto [mine, accepted] = tcp_pair();
  set_buffers(accepted, 16384);
  ASSERT_TRUE(open(std::move(accepted)));
  in_callback([&] {
    const std::string big(1'000'000, 'x');
    EXPECT_EQ(host().write(opened, big.data(), big.size()), 0);
    EXPECT_EQ(host().hand_over(opened, "cgi"), -EBUSY);
  });
}

}  // namespace
}  // namespace xsd::plugin
