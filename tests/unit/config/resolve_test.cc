// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/resolve.h"

#include "config_test.h"

namespace xsd::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ResolveTest : public testing::Test {
 protected:
  std::vector<std::string> endpoints(const std::string& listen, unsigned offset = 0) {
    const auto resolution = resolve("service: x\nplugin: echo\nlisten: " + listen + "\n", true, offset);
    std::vector<std::string> out;
    if (resolution == nullptr) return out;
    for (const net::Endpoint& endpoint : resolution->endpoints)
      out.push_back(endpoint.to_string());
    return out;
  }
  std::string fault(const std::string& text, bool as_root = true) {
    resolve(text, as_root, 0);
    if (faults_.size() == 1) return faults_[0].message;
    std::string all = std::to_string(faults_.size()) + " faults:";
    for (const auto& fault : faults_)
      all += " " + fault.message;
    return all;
  }
  std::shared_ptr<const Resolution> resolve(const std::string& text, bool as_root = true, unsigned offset = 0,
                                            const Inherited& inherited = {}) {
    const Decoded decoded = decode_text(text, as_root, inherited);
    Resolver resolver(names_, plugins_, {as_root, offset, known_plugins()});
    Answers answers;
    resolver.add_questions(decoded.only(), answers);
    answer_about_plugins(answers.plugins);
    plugins_ = answers.plugins;
    faults_.clear();
    return resolver.resolve(decoded.only(), "xsd.yaml", faults_);
  }
  static std::string program(std::string_view lines = "") {
    return "service: x\nlisten: tcp://*:7\nserver: /bin/true\n" + std::string(lines);
  }

  FakeNames names_;
  PluginAnswers plugins_;
  std::vector<MachineFault> faults_;
};

TEST_F(ResolveTest, makes_two_sockets_of_a_star) {
  EXPECT_THAT(endpoints("tcp://*:7"), ElementsAre("tcp://0.0.0.0:7", "tcp://[::]:7"));
  EXPECT_THAT(endpoints("tcp4://*:7"), ElementsAre("tcp://0.0.0.0:7"));
  EXPECT_THAT(endpoints("udp6://*:7"), ElementsAre("udp://[::]:7"));
  names_.ipv6 = false;
  EXPECT_THAT(endpoints("tcp://*:7"), ElementsAre("tcp://0.0.0.0:7"));
  EXPECT_THAT(endpoints("tcp6://*:7"),
              ElementsAre("tcp://[::]:7"));  // asked for: bind will say what is wrong
}

TEST_F(ResolveTest, finds_names) {
  EXPECT_THAT(endpoints("tcp://localhost:telnet"), ElementsAre("tcp://127.0.0.1:23", "tcp://[::1]:23"));
  EXPECT_THAT(endpoints("tcp6://localhost:echo"), ElementsAre("tcp://[::1]:7"));
  EXPECT_THAT(endpoints("tcp://twice.example:7"), ElementsAre("tcp://192.0.2.1:7", "tcp://192.0.2.2:7"));
  EXPECT_THAT(endpoints("tcp://*%lo:7"), ElementsAre("tcp://0.0.0.0%lo:7", "tcp://[::]%lo:7"));
  EXPECT_THAT(endpoints("unix:///run/x"), ElementsAre("unix:///run/x"));
  EXPECT_THAT(endpoints("\"unix://@x\""), ElementsAre("unix://@x"));
}

TEST_F(ResolveTest, spells_ranges_out) {
  EXPECT_THAT(endpoints("tcp://127.0.0.1:9000-9002"),
              ElementsAre("tcp://127.0.0.1:9000", "tcp://127.0.0.1:9001", "tcp://127.0.0.1:9002"));
  EXPECT_EQ(endpoints("[tcp://*:1000-2023, udp://*:1000-2023]").size(), 4096U);
}

TEST_F(ResolveTest, adds_the_port_offset) {
  EXPECT_THAT(endpoints("tcp://127.0.0.1:7", 7000), ElementsAre("tcp://127.0.0.1:7007"));
  EXPECT_THAT(endpoints("tcp://127.0.0.1:echo", 7000), ElementsAre("tcp://127.0.0.1:7007"));
  EXPECT_THAT(endpoints("tcp://127.0.0.1:60000", 6000), IsEmpty());
  EXPECT_EQ(faults_.at(0).message, "port 60000 and the port offset of 6000 are above 65535");
}

TEST_F(ResolveTest, says_which_name_is_not_found) {
  const auto base = [](const std::string& listen) {
    return "service: x\nplugin: echo\nlisten: " + listen + "\n";
  };
  EXPECT_EQ(fault(base("tcp://*:telnat")), "port 'telnat' not found in the services database (tcp)");
  EXPECT_EQ(fault(base("udp://*:telnet")), "port 'telnet' not found in the services database (udp)");
  EXPECT_EQ(fault(base("tcp://nowhere.example:7")), "host 'nowhere.example' not found");
  EXPECT_EQ(fault(base("tcp6://v4.example:7")), "host 'v4.example' not found");
  EXPECT_EQ(fault(base("tcp://lo:7")),
            "host 'lo' not found, but there is an interface of that name: write '%lo'");
  EXPECT_EQ(fault(base("tcp://*%eth7:7")), "interface 'eth7' not found");
  EXPECT_EQ(fault(base("\"tcp://[fe80::1%noneXSD]:7\"")), "interface 'noneXSD' not found");
  EXPECT_EQ(faults_.at(0).where, (Position{3, 9}));
}

TEST_F(ResolveTest, refuses_the_same_address_twice_in_a_service) {
  EXPECT_THAT(endpoints("[tcp://127.0.0.1:7, tcp://*:7]"), IsEmpty());
  EXPECT_EQ(faults_.at(0).message, "tcp://0.0.0.0:7 overlaps with 'tcp://127.0.0.1:7' of this service");
  EXPECT_EQ(faults_.at(0).where, (Position{3, 29}));
  EXPECT_EQ(faults_.size(), 1U);
}

TEST_F(ResolveTest, refuses_settings_that_a_plugin_does_not_have) {
  constexpr std::string_view kSettings = "\nlisten: tcp://*:7\nsettings: {greeting: hello}\n";
  EXPECT_EQ(fault("service: x\nplugin: time" + std::string(kSettings)), "plugin 'time' has no settings");
  EXPECT_EQ(faults_.at(0).where, (Position{4, 1}));
  EXPECT_NE(resolve("service: x\nplugin: greeter" + std::string(kSettings)), nullptr);
}

TEST_F(ResolveTest, knows_the_plugins) {
  EXPECT_EQ(fault("service: x\nplugin: ecko\nlisten: tcp://*:7\n"),
            "plugin 'ecko' not found, did you mean 'echo'?");
  EXPECT_EQ(faults_.at(0).where, (Position{2, 9}));
  EXPECT_EQ(fault("service: servers\ntype: INTERNAL\nport: 7\n"),
            "internal service 'servers' not found, there are chargen daytime discard echo greeter time "
            "broken library");
  EXPECT_EQ(fault("service: x\nplugin: librray\nlisten: tcp://*:7\n"),
            "plugin 'librray' not found, did you mean 'library'?");
}

TEST_F(ResolveTest, takes_the_library_of_a_plugin) {
  EXPECT_EQ(resolve("service: x\nplugin: echo\nlisten: tcp://*:7\n")->plugin_image, nullptr);
  const auto resolution = resolve("service: x\nplugin: library\nlisten: tcp://*:7\nsettings: {good: yes}\n");
  ASSERT_NE(resolution, nullptr);
  ASSERT_NE(resolution->plugin_image, nullptr);
  EXPECT_EQ(resolution->plugin_image->name, "library");
}

TEST_F(ResolveTest, says_what_is_wrong_with_a_library_at_its_name) {
  EXPECT_EQ(fault("service: x\nplugin: broken\nlisten: tcp://*:7\n"),
            "plugin 'broken' crashed when it was loaded (signal 11)");
  EXPECT_EQ(faults_.at(0).where, (Position{2, 9}));
  EXPECT_EQ(fault("service: x\nplugin: library\nsettings: {good: yes}\nlisten: [tcp://*:7, udp://*:7]\n"),
            "plugin 'library' serves no datagrams: 'udp://*:7'");
  EXPECT_EQ(faults_.at(0).where, (Position{4, 21}));
}

TEST_F(ResolveTest, says_what_is_wrong_with_the_settings_at_their_place) {
  EXPECT_EQ(fault("service: x\nplugin: library\nlisten: tcp://*:7\nsettings:\n  good: 1\n  bad: 2\n"),
            "'bad' is bad");
  EXPECT_EQ(faults_.at(0).where, (Position{6, 3}));
  EXPECT_EQ(fault("service: x\nplugin: library\nlisten: tcp://*:7\nsettings: {}\n"), "'good' is missing");
  EXPECT_EQ(faults_.at(0).where, (Position{4, 1}));
  EXPECT_EQ(fault("service: x\nplugin: library\nlisten: tcp://*:7\n"), "'good' is missing");
  EXPECT_EQ(faults_.at(0).where, (Position{2, 9}));
}

TEST_F(ResolveTest, knows_nothing_of_a_plugin_that_nobody_asked_about) {
  std::vector<MachineFault> faults;
  const PluginAnswers none;
  const Decoded decoded = decode_text("service: x\nplugin: library\nlisten: tcp://*:7\n");
  EXPECT_EQ(Resolver(names_, none, {true, 0, known_plugins()}).resolve(decoded.only(), "", faults), nullptr);
  EXPECT_EQ(faults.at(0).message, "plugin 'library' was not looked for");
}

TEST_F(ResolveTest, takes_on_the_ids_of_the_user_as_root) {
  auto resolution = resolve(program("user: games\n"));
  ASSERT_NE(resolution, nullptr);
  EXPECT_TRUE(resolution->change_ids);
  EXPECT_EQ(resolution->uid, 5U);
  EXPECT_EQ(resolution->gid, 60U);
  EXPECT_THAT(resolution->groups, IsEmpty());
  resolution = resolve(program("user: games\ngroup: tty\ngroups: yes\n"));
  EXPECT_EQ(resolution->gid, 5U);
  EXPECT_THAT(resolution->groups, ElementsAre(5U, 100U));
  resolution = resolve(program("user: 5\n"));
  EXPECT_EQ(resolution->gid, 60U);
  resolution = resolve(program("user: 4242\ngroups: yes\n"));
  EXPECT_EQ(resolution->uid, 4242U);
  EXPECT_EQ(resolution->gid, 4242U);
  EXPECT_THAT(resolution->groups, IsEmpty());
}

TEST_F(ResolveTest, changes_nothing_if_not_root) {
  const auto resolution = resolve(program("user: me\ngroup: me\n"), false);
  ASSERT_NE(resolution, nullptr);
  EXPECT_FALSE(resolution->change_ids);
  EXPECT_NE(resolve(program(), false), nullptr);
  EXPECT_EQ(fault(program("user: nobody\n"), false),
            "cannot change to user 'nobody': the daemon is not root");
  EXPECT_EQ(fault(program("user: me\ngroup: tty\n"), false),
            "cannot change to group 'tty': the daemon is not root");
  EXPECT_EQ(fault(program("group: tty\n"), false), "cannot change to group 'tty': the daemon is not root");
}

TEST_F(ResolveTest, says_who_is_not_found) {
  EXPECT_EQ(fault(program("user: nobdy\n")), "user 'nobdy' not found");
  EXPECT_EQ(faults_.at(0).where, (Position{4, 7}));
  EXPECT_EQ(fault(program("user: nobody\ngroup: nogrp\n")), "group 'nogrp' not found");
}

TEST_F(ResolveTest, collects_every_question_that_it_asks) {
  for (const bool as_root : {true, false}) {
    for (const char* const user : {"", "user: games\n", "user: 5\n", "user: 4242\n", "user: nobdy\n"}) {
      for (const char* const group : {"", "group: tty\n", "group: 5\n", "group: nogrp\n"}) {
        for (const char* const rest : {"listen: tcp://localhost:echo\n",
                                       "groups: yes\nlisten: [\"udp://*:tftp\", tcp6://v4.example:9, "
                                       "unix:///run/x, \"tcp://[::1]:7\"]\n"}) {
          const std::string text =
              std::string("service: x\nserver: /bin/true\nwait: no\n") + user + group + rest;
          SCOPED_TRACE(text);
          const Decoded decoded = decode_text(text, as_root);
          if (decoded.services.at(0).definition == nullptr) continue;  // root without a user
          const ServiceDefinition& definition = decoded.only();
          Resolver direct(names_, plugins_, {as_root, 0, known_plugins()});
          Answers answers;
          direct.add_questions(definition, answers);
          answers.names.sort();
          ask_all(names_, answers.names);
          LearnedNames learned(answers.names, names_);
          std::vector<MachineFault> expected;
          std::vector<MachineFault> faults;
          const auto by_asking = direct.resolve(definition, "", expected);
          const auto by_learning =
              Resolver(learned, plugins_, {as_root, 0, known_plugins()}).resolve(definition, "", faults);
          ASSERT_EQ(faults.size(), expected.size());
          for (std::size_t i = 0; i < faults.size(); ++i)
            EXPECT_EQ(faults[i].message, expected[i].message);
          ASSERT_EQ(by_learning == nullptr, by_asking == nullptr);
          if (by_asking == nullptr) continue;
          EXPECT_EQ(by_learning->endpoints, by_asking->endpoints);
          EXPECT_EQ(by_learning->uid, by_asking->uid);
          EXPECT_EQ(by_learning->gid, by_asking->gid);
          EXPECT_EQ(by_learning->groups, by_asking->groups);
        }
      }
    }
  }
}

TEST_F(ResolveTest, asks_nobody_about_numbers_and_stars) {
  for (const char* const text :
       {"service: x\nplugin: echo\nlisten: [\"tcp://*:7\", tcp://127.0.0.1:9000-9010, unix:///run/x]\n",
        "service: x\nserver: /bin/true\nuser: 5\ngroup: 5\nlisten: \"tcp://[::1]:7\"\n",
        "service: x\nserver: /bin/true\nuser: 5\ngroup: 5\nlisten: \"tcp://*%lo:7\"\n"}) {
    Answers answers;
    Resolver resolver(names_, plugins_, {true, 0, known_plugins()});
    resolver.add_questions(decode_text(text).only(), answers);
    EXPECT_TRUE(answers.empty()) << text;
    faults_.clear();
    EXPECT_NE(resolver.resolve(decode_text(text).only(), "", faults_), nullptr) << text;
  }
  EXPECT_THAT(names_.asked, IsEmpty());
}

TEST_F(ResolveTest, says_of_whom_nobody_could_say_anything) {
  const auto unlearned = [this](const std::string& text) {
    const Decoded decoded = decode_text(text);
    Answers answers;
    Resolver(names_, plugins_, {true, 0, known_plugins()}).add_questions(decoded.only(), answers);
    answers.names.give_up("no answer within 5s");
    LearnedNames learned(answers.names, names_);
    faults_.clear();
    EXPECT_EQ(Resolver(learned, plugins_, {true, 0, known_plugins()}).resolve(decoded.only(), "", faults_),
              nullptr);
    return faults_.empty() ? std::string() : faults_.front().message;
  };
  EXPECT_EQ(unlearned(program("user: games\n")), "user 'games' not found (no answer within 5s)");
  // Never with a group that it may not have.
  EXPECT_EQ(unlearned(program("user: 4242\n")), "user '4242' not found (no answer within 5s)");
  EXPECT_EQ(unlearned(program("user: 5\ngroup: tty\n")), "group 'tty' not found (no answer within 5s)");
  EXPECT_EQ(unlearned("service: x\nplugin: echo\nlisten: tcp://localhost:7\n"),
            "host 'localhost' not found (no answer within 5s)");
  EXPECT_EQ(unlearned("service: x\nplugin: echo\nlisten: tcp://*:echo\n"),
            "port 'echo' not found in the services database (tcp) (no answer within 5s)");
}

TEST_F(ResolveTest, names_the_defaults_where_they_are_at_fault) {
  const Inherited inherited = decode_main_text("defaults:\n  user: nobdy\n").inherited;
  EXPECT_EQ(resolve("service: x\nlisten: tcp://*:7\nserver: /bin/true\n", true, 0, inherited), nullptr);
  EXPECT_EQ(faults_.at(0).message, "user 'nobdy' not found ('user' is from 'defaults', xsd.yaml:2)");
  EXPECT_EQ(faults_.at(0).where, (Position{1, 1}));
}

TEST_F(ResolveTest, looks_at_the_program) {
  const TestFolder folder;
  const auto at = [](const std::string& path, const std::string& more = "") {
    return "service: x\nlisten: tcp://*:7\nuser: nobody\nserver: \"" + path + "\"\n" + more;
  };
  EXPECT_EQ(fault(at("/no/such/program")), "program '/no/such/program' not found");
  EXPECT_EQ(faults_.at(0).where, (Position{4, 9}));
  EXPECT_EQ(fault(at("/bin/cat -u")), "program '/bin/cat -u' not found: arguments belong into 'server_args'");
  const std::string file = folder.write("file", "x");
  EXPECT_EQ(fault(at(file)), "program '" + file + "' not executable");
  EXPECT_EQ(fault(at(folder.root())), "program '" + folder.root() + "' not executable (it is a folder)");
  EXPECT_EQ(fault(at("/bin/true", "directory: /no/such\n")), "directory '/no/such' not found");
  EXPECT_EQ(fault(at("/bin/true", "directory: " + file + "\n")),
            "directory '" + file + "' not found (it is no folder)");
}

TEST_F(ResolveTest, looks_inside_the_chroot) {
  const TestFolder folder;
  const auto at = [&](const std::string& program, const std::string& more = "") {
    return "service: x\nlisten: tcp://*:7\nuser: nobody\nserver: " + program + "\nchroot: " + folder.root() +
           "\n" + more;
  };
  folder.write("run", "#!/bin/sh\n");
  ::chmod(folder.path("run").c_str(), 0755);
  // Absolute links mean something else inside than outside.
  std::filesystem::create_symlink("/run", folder.path("link"));
  std::filesystem::create_symlink("/bin/sh", folder.path("outside"));
  EXPECT_NE(resolve(at("/run")), nullptr);
  EXPECT_NE(resolve(at("/link")), nullptr);
  EXPECT_NE(resolve(at("/run", "directory: /conf.d\n")), nullptr);
  EXPECT_EQ(fault(at("/outside")), "program '/outside' not found inside '" + folder.root() + "'");
  EXPECT_EQ(fault(at("/bin/sh")), "program '/bin/sh' not found inside '" + folder.root() + "'");
  EXPECT_EQ(fault("service: x\nlisten: tcp://*:7\nuser: nobody\nserver: /bin/true\nchroot: /no/such\n"),
            "chroot '/no/such' not found");
}

TEST_F(ResolveTest, looks_again_after_refresh) {
  const TestFolder folder;
  const std::string path = folder.path("run");
  const Decoded decoded = decode_text("service: x\nlisten: tcp://*:7\nuser: nobody\nserver: " + path + "\n");
  Resolver resolver(names_, plugins_, {true, 0, {}});
  EXPECT_EQ(resolver.resolve(decoded.only(), "", faults_), nullptr);
  folder.write("run", "");
  ::chmod(path.c_str(), 0755);
  EXPECT_EQ(resolver.resolve(decoded.only(), "", faults_), nullptr);
  resolver.refresh();
  EXPECT_NE(resolver.resolve(decoded.only(), "", faults_), nullptr);
  EXPECT_EQ(names_.refreshes, 1);
}

TEST_F(ResolveTest, reads_the_time_zone_that_access_times_are_in) {
  const auto none = resolve("service: x\nplugin: echo\nlisten: tcp://*:7\ntimezone: No/Such\n");
  ASSERT_NE(none, nullptr) << "nobody asks for it";
  EXPECT_EQ(none->files.find(), nullptr);
  const std::string service = "service: x\nplugin: echo\nlisten: tcp://*:7\naccess_times: 8:00-18:00\n";
  const auto local = resolve(service);
  ASSERT_NE(local, nullptr);
  EXPECT_NE(local->files->zone, nullptr);
  EXPECT_EQ(fault(service + "timezone: No/Such\n"), "time zone 'No/Such' not found");
  EXPECT_EQ(faults_.at(0).where.line, 5U);
  EXPECT_EQ(fault(service + "timezone: ../../passwd\n"),
            "time zone '../../passwd' cannot be used: '../../passwd' cannot be the name of a time zone");
}

}  // namespace
}  // namespace xsd::config
