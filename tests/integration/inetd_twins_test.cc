// SPDX-License-Identifier: Apache-2.0
//
// The same inetd.conf, the same clients: what the inetds of Debian (OpenBSD's) and of GNU do, and what `xsd
// --inetd` does.
#include <csignal>
#include <functional>
#include <map>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/program_support.h"
#include "tests/integration/twins.h"

namespace xsd::test {
namespace {

constexpr std::uint16_t kTcpmux = 1;
constexpr std::uint16_t kEcho = 7;
constexpr std::uint16_t kDiscard = 9;
constexpr std::uint16_t kDaytime = 13;
constexpr std::uint16_t kChargen = 19;
constexpr std::uint16_t kTime = 37;

const std::string kCat = " nowait nobody /bin/cat cat\n";

// Of this machine, but not 127.0.0.0/8, from where OpenBSD's inetd answers no datagrams.
constexpr const char* kAddress = "192.0.2.1";

std::string ask_datagram(std::uint16_t port, const std::string& text, const std::string& host = kAddress,
                         Milliseconds deadline = kDeadline) {
  UdpClient client(port, {.host = host});
  return client.send(text) ? client.receive(deadline).value_or("nothing") : "not sent";
}

class InetdTwinsTest : public testing::TestWithParam<Reference> {
 protected:
  void SetUp() override {
    if (const std::string why = twins_.why_not(); !why.empty()) GTEST_SKIP() << why;
  }
  void start(const std::string& text) {
    twins_.add_address(kAddress);
    twins_.write(text);
    twins_.start();
  }
  static bool beside(Reference reference) { return GetParam() == reference; }
  /// A difference to one of the inetds; the other one does as xsd.
  void expect_difference_to(Reference reference, std::string_view listed, const std::string& of_reference,
                            const std::string& of_xsd, const Twins::Observe& observe) {
    twins_.expect_difference(listed, beside(reference) ? of_reference : of_xsd, of_xsd, observe);
  }

  Twins twins_{GetParam()};
};

TEST_P(InetdTwinsTest, have_the_same_internal_services) {
  std::string all;
  for (const std::string name : {"echo", "discard", "daytime", "time", "chargen"})
    all += name + " stream tcp nowait root internal\n" + name + " dgram udp wait root internal\n";
  start(all);
  twins_.expect_same("echo", [](Side& side) { return talk(side.well_known(kEcho), "one\ntwo"); });
  twins_.expect_same("discard", [](Side& side) { return talk(side.well_known(kDiscard), "one\ntwo"); });
  twins_.expect_difference("daytime begins with the day of the month", "Aaa", "99 ",
                           [](Side& side) { return form_of(ask(side.well_known(kDaytime))).substr(0, 3); });
  expect_difference_to(Reference::GnuInetd, "time has four bytes", "8", "4",
                       [](Side& side) { return std::to_string(ask(side.well_known(kTime)).size()); });
  twins_.expect_same("chargen", [](Side& side) { return Client(side.well_known(kChargen)).receive(740); });
  twins_.expect_same("echo by udp", [](Side& side) { return ask_datagram(side.well_known(kEcho), "hello"); });
  expect_difference_to(Reference::GnuInetd, "time has four bytes", "8", "4", [](Side& side) {
    return std::to_string(ask_datagram(side.well_known(kTime), "").size());
  });
  twins_.expect_difference("chargen fills its datagram", "74", "444", [](Side& side) {
    return std::to_string(ask_datagram(side.well_known(kChargen), "x").size());
  });
  expect_difference_to(Reference::OpenbsdInetd, "Datagrams from this machine are answered", "nothing",
                       "hello", [](Side& side) {
                         return ask_datagram(side.well_known(kEcho), "hello", "127.0.0.1", Milliseconds(500));
                       });
}

TEST_P(InetdTwinsTest, answer_every_datagram_that_waits) {
  start("echo dgram udp wait root internal\n");
  twins_.expect_same("five datagrams", [](Side& side) {
    UdpClient client(side.well_known(kEcho), {.host = kAddress});
    kill(side.pid(), SIGSTOP);
    for (int i = 0; i < 5; ++i)
      EXPECT_TRUE(client.send("x"));
    kill(side.pid(), SIGCONT);
    int answers = 0;
    while (answers < 5 && client.receive())
      ++answers;
    return std::to_string(answers);
  });
}

TEST_P(InetdTwinsTest, give_a_program_the_same_world) {
  const std::string shows = program("show_world");
  start("@1@ stream tcp4 nowait nobody " + shows +
        " argv-zero one two\n@2@ stream tcp4 nowait nobody:daemon " + shows +
        " a\n@3@ stream tcp4 nowait nobody.daemon " + shows + " a\n@4@ stream tcp4 nowait root " + shows +
        " a\n@5@ stream tcp6 nowait nobody " + shows + " a\n");
  std::map<const Side*, std::map<int, World>> worlds;
  for (Side* const side : {&twins_.reference(), &twins_.xsd()}) {
    for (int number = 1; number <= 5; ++number)
      worlds[side][number] = ask_world(side->port(number), {.host = number == 5 ? "::1" : "127.0.0.1"});
  }
  for (int number = 1; number <= 5; ++number) {
    const auto value = [&worlds, number](const char* key) {
      return [&worlds, number, key](Side& side) { return worlds.at(&side).at(number)[key]; };
    };
    const std::string world = " of world " + std::to_string(number);
    for (const char* const key : {"fds", "blocking", "uids", "gids", "nofile", "core", "fsize", "umask",
                                  "nice", "cwd", "SigBlk", "blocked", "NoNewPrivs"})
      twins_.expect_same(key + world, value(key));
    if (number == 4) {
      expect_difference_to(Reference::GnuInetd, "A program of root's has root's groups", "", "0",
                           value("groups"));
    } else {
      twins_.expect_same("groups" + world, value("groups"));
    }
    twins_.expect_difference("No signal is ignored",
                             beside(Reference::GnuInetd) ? "0000000180001000" : "0000000180000000",
                             "0000000000000000", value("SigIgn"));
    twins_.expect_same("arguments and session" + world, [&worlds, number](Side& side) {
      const World& seen = worlds.at(&side).at(number);
      std::string out;
      for (const std::string& argument : seen.arguments)
        out += argument + " ";
      return out + (seen["pid"] == seen["sid"] ? "in a session of its own" : "in that of the daemon");
    });
  }
}

TEST_P(InetdTwinsTest, give_a_program_its_environment) {
  const std::string shows = program("show_world");
  setenv("OF_THE_DAEMON", "1", 1);
  start("@1@ stream tcp4 nowait nobody " + shows + " a\n");
  unsetenv("OF_THE_DAEMON");
  const auto has = [](std::initializer_list<const char*> names) {
    return [names = std::vector<std::string>(names.begin(), names.end())](Side& side) {
      const World seen = ask_world(side.port(1));
      std::string out;
      for (const std::string& name : names)
        out += name + (seen.environment.contains(name) ? " " : "- ");
      return out;
    };
  };
  twins_.expect_same("the daemon's", has({"OF_THE_DAEMON"}));
  expect_difference_to(Reference::OpenbsdInetd, "The whole environment is passed on", "PATH- ", "PATH ",
                       has({"PATH"}));
  twins_.expect_difference("More is told about the connection",
                           "REMOTE_HOST- TCPREMOTEIP- SERVER_PORT- XSD_SERVICE- ",
                           "REMOTE_HOST TCPREMOTEIP SERVER_PORT XSD_SERVICE ",
                           has({"REMOTE_HOST", "TCPREMOTEIP", "SERVER_PORT", "XSD_SERVICE"}));
}

TEST_P(InetdTwinsTest, call_programs_by_their_names) {
  const std::string shows = program("show_world");
  start("@1@ stream tcp4 nowait nobody " + shows + " show_world one\n@2@ stream tcp4 nowait nobody " + shows +
        " " + shows + " one\n@3@ stream tcp4 nowait nobody " + shows +
        "\n@4@ stream tcp4 nowait nobody /bin/echo echo 1 2 3 4" +
        " 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21\n");
  const auto arguments = [](int number) {
    return [number](Side& side) {
      std::string out;
      for (const std::string& argument : ask_world(side.port(number)).arguments)
        out += argument + "|";
      return out;
    };
  };
  twins_.expect_difference("A program whose argv[0] is its name gets its path there", "show_world|one|",
                           shows + "|one|", arguments(1));
  twins_.expect_same("the path", arguments(2));
  twins_.expect_difference("A program whose argv[0] is its name gets its path there", "show_world|",
                           shows + "|", arguments(3));
  expect_difference_to(Reference::OpenbsdInetd, "Arguments behind the twentieth count",
                       "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19\n",
                       "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21\n",
                       [](Side& side) { return ask(side.port(4)); });
}

TEST_P(InetdTwinsTest, give_wait_programs_the_socket) {
  const std::string loop = program("accept_loop");
  start("@1@ stream tcp wait nobody " + loop + " " + loop + " 200\n@2@ dgram udp wait nobody " + loop + " " +
        loop + " 200\n@3@ dgram udp4 wait.400 nobody:daemon " + loop + " " + loop + "\n");
  const auto is_pid = [](const std::string& answer) { return answer.starts_with("pid ") ? "pid" : answer; };
  for (int round = 0; round < 2; ++round) {  // the second one is another process, or the same: both do
    twins_.expect_same("stream", [&](Side& side) { return is_pid(ask(side.port(1))); });
    twins_.expect_same("datagrams", [&](Side& side) { return is_pid(ask_datagram(side.port(2), "x")); });
    twins_.expect_same("datagrams that stay",
                       [&](Side& side) { return is_pid(ask_datagram(side.port(3), "x")); });
  }
  twins_.expect_same("one process", [](Side& side) {
    const std::string one = ask_datagram(side.port(3), "x");
    return one == ask_datagram(side.port(3), "x") ? "the same" : "another";
  });
  twins_.expect_same("another process when the first has ended", [](Side& side) {
    const std::string one = ask(side.port(1));
    EXPECT_TRUE(eventually([&] { return kill(pid_of(one), 0) != 0; }));
    const std::string two = ask(side.port(1));
    return two.starts_with("pid ") && two != one ? "another" : two;
  });
}

TEST_P(InetdTwinsTest, start_no_program_for_each_datagram) {
  const std::string loop = program("accept_loop");
  start("@1@ dgram udp4 nowait nobody " + loop + " " + loop + " 200\n");
  twins_.expect_difference(
      "A program of datagrams has its socket alone", "served", "nothing", [](Side& side) {
        const std::string answer = ask_datagram(side.port(1), "x", kAddress, Milliseconds(1000));
        return answer.starts_with("pid ") ? "served" : answer;
      });
}

TEST_P(InetdTwinsTest, listen_for_the_same_families) {
  start("@1@ stream tcp" + kCat + "@2@ stream tcp4" + kCat + "@3@ stream tcp6" + kCat + "@4@ stream tcp46" +
        kCat + "@5@ stream tcp4" + kCat + "@5@ stream tcp6" + kCat + "@6@ stream tcp6only" + kCat);
  const auto families = [](int number) {
    return [number](Side& side) {
      return try_cat(side.port(number)) + ", " + try_cat(side.port(number), "", "::1");
    };
  };
  expect_difference_to(Reference::GnuInetd, "'tcp' is both families", "served, not connected",
                       "served, served", families(1));
  twins_.expect_same("tcp4", families(2));
  expect_difference_to(Reference::GnuInetd, "'tcp6' is IPv6 alone", "served, served", "not connected, served",
                       families(3));
  expect_difference_to(Reference::GnuInetd, "'tcp' is both families", "served, not connected",
                       "served, served", families(4));
  expect_difference_to(Reference::GnuInetd, "'tcp6' is IPv6 alone", "served, not connected", "served, served",
                       families(5));
  expect_difference_to(Reference::OpenbsdInetd, "'tcp6only' is IPv6 alone", "served, served",
                       "not connected, served", families(6));
}

TEST_P(InetdTwinsTest, give_a_socket_to_the_same_of_two_lines) {
  const auto says = [](const std::string& port, const std::string& protocol, const std::string& word) {
    return port + " stream " + protocol + " nowait nobody /bin/echo echo " + word + "\n";
  };
  start(says("@1@", "tcp", "one") + says("@1@", "tcp6", "two") + says("@2@", "tcp6", "one") +
        says("@2@", "tcp", "two") + says("@3@", "tcp", "one") + says("@3@", "tcp", "two") +
        says("@4@", "tcp6", "one") + says("@4@", "tcp4", "two"));
  const auto answer = [](int number, const char* host) {
    return [number, host](Side& side) { return ask(side.port(number), "", {.host = host}); };
  };
  twins_.expect_same("the same words twice", answer(3, "127.0.0.1"));
  if (beside(Reference::GnuInetd)) return;  // the others are where 'tcp6' is IPv4 too
  for (int number = 1; number <= 4; ++number) {
    for (const char* const host : {"127.0.0.1", "::1"})
      twins_.expect_same("line " + std::to_string(number) + " at " + host, answer(number, host));
  }
}

TEST_P(InetdTwinsTest, share_a_port) {
  start(
      "127.0.0.1:@1@ stream tcp4 nowait nobody /bin/echo echo one\n"
      "@1@ stream tcp nowait nobody /bin/echo echo two\n"
      "127.0.0.1:@2@ stream tcp4 nowait nobody /bin/echo echo one\n"
      "127.0.0.2:@2@ stream tcp4 nowait nobody /bin/echo echo two\n");
  const auto answer = [](int number, const char* host) {
    return [number, host](Side& side) { return ask(side.port(number), "", {.host = host}); };
  };
  twins_.expect_same("the first", answer(1, "127.0.0.1"));
  expect_difference_to(Reference::OpenbsdInetd, "A line has all its sockets or none", "two\n", "",
                       answer(1, "::1"));
  twins_.expect_same("one address", answer(2, "127.0.0.1"));
  twins_.expect_same("another address", answer(2, "127.0.0.2"));
}

TEST_P(InetdTwinsTest, listen_at_the_same_addresses) {
  start("127.0.0.2:@1@ stream tcp" + kCat + "127.0.0.2,127.0.0.3:@2@ stream tcp4" + kCat +
        "localhost:@3@ stream tcp4" + kCat + "::1:@4@ stream tcp6" + kCat + "127.0.0.3:\n@5@ stream tcp4" +
        kCat + "*:@6@ stream tcp4" + kCat + "127.0.0.1:@7@ stream tcp4" + kCat + "*:\n@8@ stream tcp4" +
        kCat + "[::1]:@9@ stream tcp6" + kCat);
  for (int number = 1; number <= 7; ++number) {
    for (const char* const host : {"127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"})
      twins_.expect_same("port " + std::to_string(number) + " at " + host,
                         [&](Side& side) { return try_cat(side.port(number), "", host); });
  }
  expect_difference_to(Reference::GnuInetd, "An asterisk alone sets all addresses again", "not connected",
                       "served", [](Side& side) { return try_cat(side.port(8), "", "127.0.0.2"); });
  expect_difference_to(Reference::GnuInetd, "An IPv6 address may stand in brackets", "not connected",
                       "served", [](Side& side) { return try_cat(side.port(9), "", "::1"); });
}

TEST_P(InetdTwinsTest, bear_many_clients_a_minute) {
  const bool is_gnu = beside(Reference::GnuInetd);
  start(
      "@1@ stream tcp4 nowait.60 nobody /bin/cat cat\n@2@ stream tcp4 nowait nobody /bin/cat cat\n"
      "@3@ stream tcp4 nowait:2 nobody /bin/cat cat\n");
  const auto count_served = [](int number, int tries) {
    return [number, tries](Side& side) {
      int served = 0;
      while (served < tries && try_cat(side.port(number)) == "served")
        ++served;
      return std::to_string(served);
    };
  };
  twins_.expect_difference("Too many clients a minute wait", is_gnu ? "60" : "59", "61", count_served(1, 61));
  if (!is_gnu)  // whose limit takes too long to reach
    twins_.expect_difference("A busy service stays open", "255", "260", count_served(2, 260));
  twins_.expect_difference("A limit behind a colon counts", "3", "2", [&](Side& side) {
    int served = 0;
    for (; served < 3; ++served) {
      Client client(side.port(3));
      if (!client.send("x\n") || client.receive(2, Milliseconds(5000)) != "x\n") break;
    }
    return std::to_string(served);
  });
}

TEST_P(InetdTwinsTest, bear_what_is_faulty) {
  start(
      "@1@ stream tcp4 nowait no-such-user /bin/cat cat\n@2@ stream tcp4 nowait nobody:no-such-group "
      "/bin/cat cat\n"
      "@3@ stream tcp4 nowait nobody\n@4@ stream tcp4 nowait nobody /does/not/exist cat\nno-such-service "
      "stream tcp4" +
      kCat + "prose\n@5@ steam tcp4" + kCat + "@6@ stream tcp4 later nobody /bin/cat cat\n@7@ stream sctp" +
      kCat + "\t\n#\n@8@ stream tcp4" + kCat);
  const auto tried = [](int number) { return [number](Side& side) { return try_cat(side.port(number)); }; };
  for (const int number : {3, 5, 8})
    twins_.expect_same("port " + std::to_string(number), tried(number));
  expect_difference_to(Reference::OpenbsdInetd, "A service whose user does not exist is not open", "refused",
                       "not connected", tried(1));
  expect_difference_to(Reference::OpenbsdInetd, "A service whose user does not exist is not open", "refused",
                       "not connected", tried(2));
  twins_.expect_difference("A service without its program is not open", "refused", "not connected", tried(4));
  for (const int number : {6, 7})
    twins_.expect_difference("A wrong word costs the line", "served", "not connected", tried(number));
}

TEST_P(InetdTwinsTest, read_lines_alike) {
  start(
      "# comment\n\n   # indented\n@1@\tstream  tcp4\tnowait nobody /bin/echo echo one\r\n"
      "@2@ stream tcp4 nowait nobody /bin/echo echo \"two words\"\n"
      "@3@ stream tcp4 nowait nobody /bin/echo echo three # comment\n"
      "@4@ stream tcp4 nowait nobody /bin/echo echo four \\\n five\n"
      "@5@ stream tcp4 nowait nobody /bin/echo echo %{x} %%\n"
      "@6@ stream tcp4 nowait nobody /bin/echo echo six\n more\n"
      "@7@ stream tcp4 nowait nobody /bin/echo echo last");
  const auto answer = [](int number) { return [number](Side& side) { return ask(side.port(number)); }; };
  const bool is_gnu = beside(Reference::GnuInetd);
  expect_difference_to(Reference::OpenbsdInetd, "The end of a line may be that of Windows", "one\r\n",
                       "one\n", answer(1));
  expect_difference_to(Reference::OpenbsdInetd, "Quotes hold a word together", "\"two words\"\n",
                       "two words\n", answer(2));
  twins_.expect_difference("A comment may follow an entry", "three # comment\n", "three\n", answer(3));
  twins_.expect_difference("A backslash continues a line", is_gnu ? "four \\\n" : "four \\ five\n",
                           "four five\n", answer(4));
  twins_.expect_same("percent signs", answer(5));
  expect_difference_to(Reference::GnuInetd, "An indented line goes on with the one before", "six\n",
                       "six more\n", answer(6));
  twins_.expect_same("no newline at the end", answer(7));
}

TEST_P(InetdTwinsTest, take_a_new_configuration_alike) {
  start("@1@ stream tcp4" + kCat + "@2@ stream tcp4" + kCat +
        "@3@ stream tcp4 nowait nobody /bin/echo echo old\n" +
        "echo stream tcp4 nowait root internal\nrstatd/1 dgram rpc/udp wait root /bin/cat cat\n");
  std::vector<Client> held;
  for (Side* const side : {&twins_.reference(), &twins_.xsd()}) {
    for (int number = 1; number <= 2; ++number) {
      held.emplace_back(side->port(number));
      ASSERT_TRUE(held.back().send("x\n"));
      ASSERT_EQ(held.back().receive(2), "x\n");
    }
  }
  twins_.write("@1@ stream tcp4" + kCat +
               "@3@ stream tcp4 nowait nobody /bin/echo echo new\n@4@ stream tcp4" + kCat +
               "rstatd/1 dgram rpc/udp wait root /bin/cat cat\nchargen stream tcp4 nowait root internal\n");
  twins_.reload();
  twins_.expect_difference("Programs of a service that is gone are ended", "alive alive ", "alive gone ",
                           [&](Side& side) {
                             std::string out;
                             for (std::size_t i = 0; i < 2; ++i) {
                               Client& client = held[(&side == &twins_.reference() ? 0 : 2) + i];
                               out += client.send("y\n") && client.receive(2) == "y\n" ? "alive " : "gone ";
                             }
                             return out;
                           });
  for (const int number : {1, 2, 4})
    twins_.expect_same("port " + std::to_string(number),
                       [&](Side& side) { return try_cat(side.port(number)); });
  twins_.expect_same("another argument", [](Side& side) { return ask(side.port(3)); });
  twins_.expect_same("an internal service that goes",
                     [](Side& side) { return try_cat(side.well_known(kEcho)); });
  twins_.expect_same("an internal service that comes",
                     [](Side& side) { return Client(side.well_known(kChargen)).receive(74); });
}

TEST_P(InetdTwinsTest, take_a_faulty_configuration) {
  const std::string stays = "@1@ stream tcp4" + kCat;
  start(stays + "@2@ stream tcp4" + kCat);
  const auto second = [](Side& side) { return try_cat(side.port(2)); };
  twins_.write(stays + "prose\n");
  for (int round = 0; round < 2; ++round) {
    twins_.reload();
    twins_.expect_same("what stays", [](Side& side) { return try_cat(side.port(1)); });
    twins_.expect_difference("What may be the faulty one goes on", "not connected", "served", second);
  }
  twins_.write(stays);
  twins_.reload();
  twins_.expect_same("when it is mended", second);
}

TEST_P(InetdTwinsTest, keep_a_wait_program_over_a_reload) {
  const std::string loop = program("accept_loop");
  const std::string text = "@1@ dgram udp4 wait nobody " + loop + " " + loop + "\n";
  start(text);
  std::vector<std::string> before;
  for (Side* const side : {&twins_.reference(), &twins_.xsd()})
    before.push_back(ask_datagram(side->port(1), "x"));
  twins_.write(text + "@2@ stream tcp4" + kCat);
  twins_.reload();
  twins_.expect_same("the same process", [&](Side& side) {
    const std::string& one = before[&side == &twins_.reference() ? 0 : 1];
    return one == ask_datagram(side.port(1), "x") ? "the same" : "another";
  });
}

TEST_P(InetdTwinsTest, end_alike) {
  start("@1@ stream tcp4" + kCat);
  twins_.expect_difference("A stop ends the programs", "alive", "closed", stop_beside_client);
}

TEST_P(InetdTwinsTest, serve_unix_sockets_alike) {
  start("@FOLDER@/socket stream unix nowait root /bin/echo echo hello\n");
  expect_difference_to(Reference::GnuInetd, "Unix sockets are served", "", "hello\n", [](Side& side) {
    Client client = Client::to_unix_socket(side.folder().string("socket"));
    return client.connected() ? client.receive_until_eof() : std::string();
  });
  if (beside(Reference::GnuInetd)) return;
  twins_.expect_same("its mode", [](Side& side) {
    struct stat status {};
    EXPECT_EQ(stat(side.folder().string("socket").c_str(), &status), 0);
    char text[8];
    std::snprintf(text, sizeof text, "%o", status.st_mode & 0777U);
    return std::string(text);
  });
  twins_.expect_same("after the end", [](Side& side) {
    side.terminate();
    return access(side.folder().string("socket").c_str(), F_OK) == 0 ? "there" : "gone";
  });
}

TEST_P(InetdTwinsTest, give_services_by_name_alike) {
  start(
      "tcpmux stream tcp4 nowait root internal\ntcpmux/+shout stream tcp4 nowait nobody /bin/cat cat\n"
      "tcpmux/plain stream tcp4 nowait nobody /bin/cat cat\n@1@ stream tcp4" +
      kCat);
  expect_difference_to(Reference::OpenbsdInetd, "tcpmux is served", "refused", "served", [](Side& side) {
    return std::string(is_refused(side.well_known(kTcpmux)) ? "refused" : "served");
  });
  if (beside(Reference::OpenbsdInetd)) return;
  const auto answers = [](const std::string& name, const std::string& then) {
    return [name, then](Side& side) {
      Client client(side.well_known(kTcpmux));
      EXPECT_TRUE(client.send(name + "\r\n"));
      const std::string answer = client.receive(1);
      if (answer == "-" || !client.send(then)) return answer + name_of(client.wait_end());
      client.half_close();
      const std::string rest = answer + client.receive_until_eof();
      return rest.substr(0, 1) + "..." + rest.substr(rest.size() - std::min(rest.size(), then.size()));
    };
  };
  twins_.expect_same("+", answers("shout", "x\n"));
  twins_.expect_same("any case", answers("SHOUT", "x\n"));
  twins_.expect_same("no service", answers("nonsense", ""));
}

INSTANTIATE_TEST_SUITE_P(Beside, InetdTwinsTest,
                         testing::Values(Reference::OpenbsdInetd, Reference::GnuInetd),
                         [](const testing::TestParamInfo<Reference>& one) {
                           return std::string(one.param == Reference::OpenbsdInetd ? "openbsd" : "gnu");
                         });

}  // namespace
}  // namespace xsd::test
