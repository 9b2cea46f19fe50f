// SPDX-License-Identifier: Apache-2.0
//
// The same configuration, the same clients: what xinetd does and what `xsd --xinetd` does.
#include <csignal>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/integration/program_support.h"
#include "tests/integration/twins.h"

namespace xsd::test {
namespace {

constexpr const char* kFirst = "127.0.0.2";
constexpr const char* kSecond = "127.0.0.3";

std::string internal(const std::string& name, int number, bool is_stream = true,
                     const std::string& more = "") {
  return "service " + name + "\n{\n id = " + name + (is_stream ? "-stream" : "-dgram") +
         "\n type = INTERNAL UNLISTED\n socket_type = " + (is_stream ? "stream" : "dgram") +
         "\n protocol = " + (is_stream ? "tcp" : "udp") + "\n wait = " + (is_stream ? "no" : "yes") +
         "\n user = root\n port = @" + std::to_string(number) + "@\n" + more + "}\n";
}

std::string external(const std::string& name, int number, const std::string& server,
                     const std::string& more = "", const std::string& user = "nobody") {
  return "service " + name +
         "\n{\n type = UNLISTED\n socket_type = stream\n protocol = tcp\n wait = no\n user = " + user +
         "\n port = @" + std::to_string(number) + "@\n server = " + server + "\n" + more + "}\n";
}

class TwinsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = twins_.why_not(); !why.empty()) GTEST_SKIP() << why;
  }
  void start(const std::string& text) {
    twins_.write(text);
    twins_.start();
  }

  Twins twins_;
};

TEST_F(TwinsTest, have_the_same_internal_services) {
  start(internal("echo", 1) + internal("discard", 2) + internal("daytime", 3) + internal("time", 4) +
        internal("chargen", 5) + internal("echo", 6, false) + internal("daytime", 7, false));
  twins_.expect_same("echo", [](Side& side) { return talk(side.port(1), "one\ntwo"); });
  twins_.expect_same("discard", [](Side& side) { return talk(side.port(2), "one\ntwo"); });
  // Both within one second, or else once more.
  const auto at_once = [](const std::function<std::string()>& observe) {
    for (int i = 0; i < 10; ++i) {
      const std::time_t before = wall_seconds();
      std::string seen = observe();
      if (wall_seconds() == before) return seen + " +" + std::to_string(before - before);
    }
    return std::string("never within a second");
  };
  twins_.expect_same("daytime",
                     [&](Side& side) { return at_once([&] { return form_of(talk(side.port(3), "")); }); });
  twins_.expect_same("time", [](Side& side) { return std::to_string(talk(side.port(4), "").size()); });
  const std::string first_lines =
      "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh\r\n";
  twins_.expect_difference("chargen has all printable characters", first_lines,
                           " " + first_lines.substr(0, 71) + "\r\n",
                           [](Side& side) { return Client(side.port(5)).receive(74); });
  twins_.expect_same("echo by udp", [](Side& side) {
    UdpClient client(side.port(6));
    EXPECT_TRUE(client.send("hello"));
    return client.receive().value_or("nothing");
  });
  twins_.expect_same("daytime by udp", [&](Side& side) {
    UdpClient client(side.port(7));
    EXPECT_TRUE(client.send(""));
    return form_of(client.receive().value_or("nothing"));
  });
}

TEST_F(TwinsTest, answer_datagrams_alike_but_xinetd_loses_what_is_queued) {
  start(internal("echo", 1, false));
  const auto burst = [](Side& side) {
    UdpClient client(side.port(1));
    kill(side.pid(), SIGSTOP);
    for (int i = 0; i < 5; ++i)
      EXPECT_TRUE(client.send("x"));
    kill(side.pid(), SIGCONT);
    int answers = 0;
    while (answers < 5 && client.receive(answers == 0 ? kDeadline : Milliseconds(500)))
      ++answers;
    return std::to_string(answers);
  };
  twins_.expect_difference("Datagrams that wait are answered", "1", "5", burst);
}

TEST_F(TwinsTest, go_by_the_name_of_who_sends_a_datagram) {
  start(internal("echo", 1, false, " flags = IPv4\n only_from = localhost\n"));
  const auto first_answer = [](Side& side) {
    UdpClient client(side.port(1));
    EXPECT_TRUE(client.send("first"));
    std::optional<std::string> answer = client.receive(Milliseconds(500));
    EXPECT_TRUE(eventually([&] {
      if (!answer && client.send("second")) answer = client.receive(Milliseconds(100));
      return answer.has_value();
    }));
    return answer.value_or("nothing");
  };
  twins_.expect_difference("The first datagram of who goes by a name is dropped", "first", "second",
                           first_answer);
}

TEST_F(TwinsTest, give_a_program_the_same_world) {
  const std::string shows = program("show_world");
  start(external("world", 1, shows, " server_args = -w one two\n groups = yes\n") +
        external("named", 2, shows,
                 " flags = NAMEINARGS\n server_args = argv-zero one\n nice = 5\n umask = 077\n") +
        external(
            "limits", 3, shows,
            " rlimit_files = 40\n rlimit_cpu = 7\n env = ONE=1 TWO=a=b\n passenv = PATH\n group = daemon\n") +
        external("root", 4, shows, "", "root"));
  const auto observe = [](int number, const std::vector<std::string>& keys) {
    return [number, keys](Side& side) {
      const World seen = ask_world(side.port(number));
      std::string out;
      for (const std::string& key : keys)
        out.append(key).append("=").append(seen[key]).append("\n");
      for (const std::string& argument : seen.arguments)
        out += "arg " + argument + "\n";
      out += seen["pid"] == seen["sid"] ? "own session\n" : "session of the daemon\n";
      return out;
    };
  };
  const std::vector<std::string> keys = {"fds",    "blocking", "uids",    "gids",         "groups",
                                         "nofile", "core",     "fsize",   "umask",        "nice",
                                         "cwd",    "SigBlk",   "blocked", "dispositions", "NoNewPrivs"};
  for (int number = 1; number <= 4; ++number) {
    twins_.expect_same("world " + std::to_string(number), observe(number, keys));
    twins_.expect_difference("No signal is ignored", "0000000180000000", "0000000000000000",
                             [&](Side& side) { return ask_world(side.port(number))["SigIgn"]; });
  }
  const auto variables = [](Side& side) {
    std::string out;
    for (auto [name, value] : ask_world(side.port(3)).environment) {
      if (name == "LANG" || name == "TZ" || name.starts_with("LC_")) continue;
      if (name.ends_with("PORT") || name == "XSD_CONNECTION") value = "some";
      out.append(name).append("=").append(value).append(" ");
    }
    return out;
  };
  const char* const our_path = getenv("PATH");
  const std::string path = std::string("PATH=") + (our_path != nullptr ? our_path : "") + " ";
  twins_.expect_difference(
      "More is told about the connection", "ONE=1 " + path + "REMOTE_HOST=::ffff:127.0.0.1 TWO=a=b ",
      "ONE=1 " + path +
          "PROTO=TCP REMOTE_ADDR=127.0.0.1 REMOTE_HOST=127.0.0.1 REMOTE_PORT=some SERVER_ADDR=127.0.0.1 "
          "SERVER_PORT=some TCPLOCALIP=127.0.0.1 TCPLOCALPORT=some TCPREMOTEIP=127.0.0.1 TCPREMOTEPORT=some "
          "TWO=a=b XSD_CONNECTION=some XSD_SERVICE=limits ",
      variables);
}

TEST_F(TwinsTest, refuse_the_same_clients) {
  start("defaults\n{\n no_access = 127.0.0.9\n}\n" +
        external("only", 1, "/bin/cat", " only_from = 127.0.0.2\n") +
        external("net", 2, "/bin/cat", " only_from = 127.0.0.0/31 127.0.0.{3,4}\n") +
        external("zeros", 3, "/bin/cat", " only_from = 127.0.0.0\n no_access += 127.0.0.2\n") +
        external("nobody", 4, "/bin/cat", " only_from =\n") +
        external("v6", 5, "/bin/cat", " only_from = ::1\n flags = IPv6\n") +
        internal("echo", 6, true, " only_from = 127.0.0.3\n"));
  for (int number = 1; number <= 6; ++number) {
    for (const char* const source : {"127.0.0.1", kFirst, kSecond, "127.0.0.4", "127.0.0.9"}) {
      twins_.expect_same("service " + std::to_string(number) + " from " + source,
                         [&](Side& side) { return try_cat(side.port(number), source); });
    }
  }
}

TEST_F(TwinsTest, keep_the_same_limits) {
  start(external("some", 1, "/bin/cat", " instances = 2\n") +
        external("few", 2, "/bin/cat", " per_source = 1\n"));
  twins_.expect_same("instances", [](Side& side) {
    std::vector<Client> held;
    std::string out;
    for (int i = 0; i < 4; ++i) {
      held.emplace_back(side.port(1));
      const bool is_served = held.back().send("x\n") && held.back().receive(2) == "x\n";
      out += is_served ? "served " : held.back().wait_end() == Ending::Open ? "kept " : "refused ";
    }
    held.clear();
    EXPECT_TRUE(eventually([&] { return try_cat(side.port(1)) == "served"; }));
    return out;
  });
  twins_.expect_same("per_source", [](Side& side) {
    Client first(side.port(2));
    EXPECT_TRUE(first.send("x\n"));
    EXPECT_EQ(first.receive(2), "x\n");
    return try_cat(side.port(2)) + " " + try_cat(side.port(2), kSecond);
  });
}

TEST_F(TwinsTest, serve_a_program_that_takes_its_clients_itself) {
  start(
      "service loop\n{\n type = UNLISTED\n socket_type = stream\n protocol = tcp\n wait = yes\n user = "
      "nobody\n"
      " port = @1@\n server = " +
      program("accept_loop") + "\n}\n");
  twins_.expect_same("two clients", [](Side& side) {
    const std::string one = talk(side.port(1), "");
    const std::string two = talk(side.port(1), "");
    return std::string(one.empty() || two.empty() ? "nothing" : "something") + "|" +
           one.substr(one.rfind('|'));
  });
}

TEST_F(TwinsTest, take_a_new_configuration_alike) {
  start(external("stays", 1, "/bin/cat") + external("goes", 2, "/bin/cat") +
        external("moves", 3, "/bin/cat"));
  std::vector<Client> held;
  for (Side* const side : {&twins_.reference(), &twins_.xsd()}) {
    for (int number = 1; number <= 3; ++number) {
      held.emplace_back(side->port(number));
      ASSERT_TRUE(held.back().send("x\n"));
      ASSERT_EQ(held.back().receive(2), "x\n");
    }
  }
  twins_.write(external("stays", 1, "/bin/cat", " instances = 1\n") + external("moves", 4, "/bin/cat") +
               external("comes", 5, "/bin/cat"));
  twins_.reload();
  int at = 0;
  const auto held_of = [&](Side& side) {
    const std::size_t first = &side == &twins_.reference() ? 0 : 3;
    std::string out;
    for (std::size_t i = first; i < first + 3; ++i)
      out +=
          held[i].send("y\n") && held[i].receive(2) == "y\n" ? "alive " : name_of(held[i].wait_end()) + " ";
    ++at;
    return out;
  };
  twins_.expect_difference("A program outlives a change of its port", "alive closed closed ",
                           "alive closed alive ", held_of);
  for (int number = 1; number <= 5; ++number) {
    twins_.expect_same("port " + std::to_string(number),
                       [&](Side& side) { return try_cat(side.port(number)); });
  }
}

TEST_F(TwinsTest, take_a_faulty_configuration) {
  const std::string stays =
      external("stays", 1, "/bin/cat") + external("known", 3, "/bin/cat", " instances = many\n");
  start(stays + external("goes", 2, "/bin/cat"));
  const auto second = [](Side& side) { return try_cat(side.port(2)); };
  twins_.write(stays + external("faulty", 4, "/bin/cat", " instances = many\n"));
  twins_.reload();
  twins_.expect_difference("What may be the faulty one goes on", "not connected", "served", second);
  twins_.write(stays);  // with a fault that was there before
  twins_.reload();
  twins_.expect_same("when it is mended", second);
}

TEST_F(TwinsTest, bear_what_is_faulty) {
  const std::string faulty = external("unknown", 2, "/bin/cat", " nonsense = 5\n") +
                             external("twice", 3, "/bin/cat", " nice = 1\n nice = 2\n") +
                             external("bad", 4, "/bin/cat", " instances = many\n") +
                             external("absent", 5, "/does/not/exist") +
                             external("words", 6, "/bin/cat", " umask = 022 # as usual\n") +
                             "service open\n{\n port = 1\n" + external("swallowed", 7, "/bin/cat");
  start(external("good", 1, "/bin/cat") + faulty + external("last", 8, "/bin/cat"));
  for (const int number : {1, 2, 3, 4, 5, 6, 8}) {
    twins_.expect_same("port " + std::to_string(number),
                       [&](Side& side) { return try_cat(side.port(number)); });
  }
  twins_.expect_difference("A missing brace costs one service", "not connected", "served",
                           [&](Side& side) { return try_cat(side.port(7)); });
}

TEST_F(TwinsTest, apply_a_limit_with_a_comment_behind_it) {
  start(external("ctf", 1, "/bin/cat", " instances = 1 # one team\n"));
  const auto second = [](Side& side) {
    Client first(side.port(1));
    EXPECT_TRUE(first.send("x\n"));
    EXPECT_EQ(first.receive(2), "x\n");
    return try_cat(side.port(1));
  };
  twins_.expect_difference("A limit with a comment behind it applies", "served", "refused", second);
}

TEST_F(TwinsTest, bear_too_many_clients_a_second) {
  start(external("cps", 1, "/bin/cat", " cps = 3 2\n"));
  const auto burst = [](Side& side) {
    std::string out;
    for (int i = 0; i < 4; ++i)
      out += try_cat(side.port(1)) + " ";
    Client late(side.port(1));
    return out + (late.connected() ? "waits" : "not connected");
  };
  twins_.expect_difference("A pause for cps keeps the socket open",
                           "served served served refused not connected", "served served served served waits",
                           burst);
  for (Side* const side : {&twins_.reference(), &twins_.xsd()})
    EXPECT_TRUE(eventually([&] { return try_cat(side->port(1)) == "served"; })) << side->name();
}

TEST_F(TwinsTest, show_the_same_banners) {
  twins_.write_file("always", "welcome to all\n");
  twins_.write_file("in", "come in\n");
  twins_.write_file("out", "stay out\n");
  const std::string banners =
      " banner = @FOLDER@/always\n banner_success = @FOLDER@/in\n banner_fail = @FOLDER@/out\n";
  start(external("some", 1, "/bin/cat", banners + " no_access = 127.0.0.2\n") +
        external("few", 2, "/bin/cat", banners + " instances = 1\n") +
        external("none", 3, "/bin/cat", " banner_fail = @FOLDER@/missing\n"));
  const auto served = [](int number) {
    return [number](Side& side) { return talk(side.port(number), "x\n"); };
  };
  twins_.expect_same("served", served(1));
  twins_.expect_same("without its file", served(3));
  twins_.expect_same("refused by its address",
                     [](Side& side) { return Client(side.port(1), {.source = kFirst}).receive_until_eof(); });
  twins_.expect_same("refused by the limit", [](Side& side) {
    Client first(side.port(2));
    EXPECT_EQ(first.receive_line(), "welcome to all");
    EXPECT_EQ(first.receive_line(), "come in");
    return Client(side.port(2)).receive_until_eof();
  });
}

TEST_F(TwinsTest, are_closed_at_the_same_times) {
  const std::time_t now = wall_seconds();
  std::tm local{};
  ASSERT_NE(localtime_r(&now, &local), nullptr);
  const std::string other = local.tm_hour < 12 ? "14:00-15:00" : "8:00-9:00";
  start(external("closed", 1, "/bin/cat", " access_times = " + other + "\n") +
        external("open", 2, "/bin/cat", " access_times = 0:00-11:59 12:00-23:59\n"));
  for (const int number : {1, 2})
    twins_.expect_same("times", [number](Side& side) { return try_cat(side.port(number)); });
}

TEST_F(TwinsTest, pass_connections_on_alike) {
  start(external("cat", 1, "/bin/cat") +
        "service passed\n{\n type = UNLISTED\n socket_type = stream\n protocol = tcp\n wait = no\n user = "
        "nobody\n"
        " port = @2@\n redirect = 127.0.0.1 @1@\n}\n"
        "service nowhere\n{\n type = UNLISTED\n socket_type = stream\n protocol = tcp\n wait = no\n user = "
        "nobody\n"
        " port = @3@\n redirect = 127.0.0.1 @9@\n}\n");
  twins_.expect_same("passed on", [](Side& side) { return try_cat(side.port(2)); });
  twins_.expect_same("nobody there", [](Side& side) { return try_cat(side.port(3)); });
  twins_.expect_difference("A redirected client may end its direction first", "|closed", "all of it\n|closed",
                           [](Side& side) { return talk(side.port(2), "all of it\n"); });
}

TEST_F(TwinsTest, ban_who_comes_to_a_trap) {
  start(internal("trap", 1, true, " flags = SENSOR\n deny_time = 10\n") + external("cat", 2, "/bin/cat"));
  twins_.expect_same("before", [](Side& side) { return try_cat(side.port(2), kFirst); });
  twins_.expect_same("the trap",
                     [](Side& side) { return Client(side.port(1), {.source = kFirst}).receive_until_eof(); });
  twins_.expect_same("afterwards", [](Side& side) {
    EXPECT_TRUE(eventually([&] { return try_cat(side.port(2), kFirst) == "refused"; }));
    return try_cat(side.port(2), kFirst) + " " + try_cat(side.port(2), kSecond);
  });
}

TEST_F(TwinsTest, give_services_by_name_alike) {
  start(internal("tcpmux", 1) +
        "service shout\n{\n type = TCPMUXPLUS UNLISTED\n socket_type = stream\n protocol = tcp\n wait = no\n"
        " user = nobody\n server = /bin/cat\n}\n" +
        external("secret", 2, "/bin/cat"));
  twins_.expect_difference("tcpmux answers with lines alone", "+Go not served", "+Go served", [](Side& side) {
    Client client(side.port(1));
    EXPECT_TRUE(client.send("shout\r\n"));
    const std::string answer = client.receive_line();
    return answer + (client.send("x\n") && client.receive(2) == "x\n" ? " served" : " not served");
  });
  const auto first = [](const std::string& name) {
    return [name](Side& side) {
      Client client(side.port(1));
      EXPECT_TRUE(client.send(name + "\r\n"));
      return client.receive(1) + " " + name_of(client.wait_end());
    };
  };
  twins_.expect_same("another service", first("secret"));
  twins_.expect_same("no service", first("nonsense"));
  twins_.expect_difference("tcpmux lists its services", "-Service name not found", "shout", [](Side& side) {
    Client client(side.port(1));
    EXPECT_TRUE(client.send("help\r\n"));
    return client.receive_line();
  });
  twins_.expect_difference(
      "tcpmux leaves to a service what is behind its name", "| not served", "+Go| served", [](Side& side) {
        Client client(side.port(1));
        EXPECT_TRUE(client.send("shout\r\nx\n"));
        const std::string answer = client.receive_line();
        return answer + (client.receive(2, Milliseconds(1000)) == "x\n" ? "| served" : "| not served");
      });
}

TEST_F(TwinsTest, end_alike) {
  start(external("cat", 1, "/bin/cat"));
  twins_.expect_difference("A stop ends the programs", "alive", "closed", stop_beside_client);
}

}  // namespace
}  // namespace xsd::test
