// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/loader.h"

#include "config_test.h"
#include "xsd/config/file_mark.h"

namespace xsd::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::string plugin_service(const std::string& name, int port, const std::string& more = "") {
  return "service: " + name + "\nplugin: echo\nlisten: tcp://127.0.0.1:" + std::to_string(port) + "\n" + more;
}

class LoaderTest : public testing::Test {
 protected:
  Loader& loader(bool as_root = true) {
    if (!loader_) make(main_path(), as_root);
    return *loader_;
  }
  void make(const std::string& path, bool as_root = true) {
    auto names = std::make_unique<FakeNames>();
    names_ = names.get();
    loader_ = std::make_unique<Loader>(load_options(path, as_root), std::move(names));
  }
  std::string main_path() const { return folder_.path("xsd.yaml"); }
  void write(const std::string& name, std::string_view text) { folder_.write(name, text); }
  std::string shown_of(const Snapshot& snapshot) const { return shown(snapshot.diagnostics, folder_.root()); }
  std::string without_root(std::string text) const {
    for (std::size_t at; (at = text.find(folder_.root() + "/")) != std::string::npos;)
      text.erase(at, folder_.root().size() + 1);
    return text;
  }
  static std::vector<std::string> ids(const Snapshot& snapshot) {
    std::vector<std::string> out;
    for (const LoadedService& service : snapshot.services)
      out.push_back(service.id);
    return out;
  }

  TestFolder folder_;
  FakeNames* names_ = nullptr;
  std::unique_ptr<Loader> loader_;
};

TEST_F(LoaderTest, loads_the_main_file_and_the_folder) {
  write("xsd.yaml", "daemon: {max_processes: 5}\n");
  write("conf.d/b.yaml", plugin_service("b", 2));
  write("conf.d/a.yaml", plugin_service("a", 1));
  write("conf.d/empty.yaml", "# nothing yet\n");
  const Snapshot snapshot = loader().load();
  EXPECT_EQ(shown_of(snapshot), "");
  EXPECT_FALSE(snapshot.rejected);
  EXPECT_EQ(snapshot.errors, 0U);
  EXPECT_EQ(snapshot.daemon.max_processes, Limit{5});
  EXPECT_THAT(ids(snapshot), ElementsAre("a", "b"));
  for (const LoadedService& service : snapshot.services) {
    EXPECT_TRUE(service.id_known);
    EXPECT_EQ(service.error, "");
    ASSERT_NE(service.definition, nullptr);
    EXPECT_EQ(service.definition->file, service.file);
    ASSERT_NE(service.resolution, nullptr);
    EXPECT_EQ(service.resolution->endpoints.size(), 1U);
  }
  EXPECT_THAT(snapshot.watched_folders, ElementsAre(folder_.root(), folder_.path("conf.d")));
}

TEST_F(LoaderTest, takes_a_folder_for_the_service_folder) {
  write("conf.d/a.yaml", plugin_service("a", 1));
  make(folder_.path("conf.d") + "/");
  const Snapshot snapshot = loader().load();
  EXPECT_EQ(shown_of(snapshot), "");
  EXPECT_FALSE(snapshot.rejected);
  EXPECT_THAT(ids(snapshot), ElementsAre("a"));
  EXPECT_THAT(snapshot.watched_folders, ElementsAre(folder_.path("conf.d")));
  EXPECT_EQ(snapshot.daemon.stop_timeout, std::chrono::seconds(10));
}

TEST_F(LoaderTest, finds_its_files_again_from_another_folder) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", plugin_service("a", 1));
  write("conf.d/b.yaml", "service: b\nplugin: nosuch\nlisten: tcp://*:2\n");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.root());
  make("xsd.yaml");
  std::filesystem::current_path("/");
  const Snapshot snapshot = loader().load();
  std::filesystem::current_path(before);
  EXPECT_THAT(ids(snapshot), ElementsAre("a", "b"));
  EXPECT_EQ(shown_of(snapshot),
            "conf.d/b.yaml:2:9: error: plugin 'nosuch' not found, there are chargen daytime discard echo "
            "greeter redirect tcpmux time broken library\nplugin: nosuch\n        ^\n");
}

TEST_F(LoaderTest, keeps_the_fault_of_a_file_in_that_file) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", plugin_service("a", 1));
  write("conf.d/b.yaml", plugin_service("b", 2, "instances: x\n"));
  write("conf.d/c.yaml", "service: c\n  plugin: [\n");
  write("conf.d/d.yaml", plugin_service("d", 4));
  const Snapshot snapshot = loader().load();
  EXPECT_FALSE(snapshot.rejected);
  EXPECT_THAT(ids(snapshot), ElementsAre("a", "b", "c", "d"));
  EXPECT_NE(snapshot.services[0].resolution, nullptr);
  EXPECT_EQ(snapshot.services[1].definition, nullptr);
  EXPECT_TRUE(snapshot.services[1].id_known);
  EXPECT_EQ(without_root(snapshot.services[1].error),
            "conf.d/b.yaml:4:12: 'instances' wants a number from 0 to 1000000000, or unlimited, not 'x'");
  EXPECT_EQ(snapshot.services[2].definition, nullptr);
  EXPECT_FALSE(snapshot.services[2].id_known);
  EXPECT_NE(snapshot.services[3].resolution, nullptr);
  EXPECT_EQ(snapshot.errors, snapshot.diagnostics.size());
}

TEST_F(LoaderTest, rejects_all_for_a_fault_in_the_main_file) {
  write("conf.d/a.yaml", plugin_service("a", 1, "instances: x\n"));
  for (const std::string_view text :
       {"daemon: {watch: 7}\n", "defaults: {instances: x}\n", "include: [conf.d]\n", "deamon: {}\n",
        "daemon: {user: nobdy}\n", "a: [\n", "- x\n"}) {
    write("xsd.yaml", text);
    const Snapshot snapshot = loader().load();
    EXPECT_TRUE(snapshot.rejected) << text;
    EXPECT_GE(snapshot.errors, 1U) << text;
  }
  write("xsd.yaml", "daemon: {watch: 7}\n");
  const Snapshot snapshot = loader().load();
  EXPECT_EQ(snapshot.diagnostics.size(), 2U);  // of the services too
  write("xsd.yaml", "");
  EXPECT_FALSE(loader().load().rejected);
}

TEST_F(LoaderTest, rejects_a_main_file_that_is_not_there) {
  const Snapshot snapshot = loader().load();
  EXPECT_TRUE(snapshot.rejected);
  EXPECT_EQ(shown_of(snapshot), "xsd.yaml: error: cannot open: No such file or directory\n");
}

TEST_F(LoaderTest, rejects_a_folder_that_it_cannot_list) {
  write("notafolder", "");
  write("xsd.yaml", "include: [notafolder/*.yaml]\n");
  const Snapshot snapshot = loader().load();
  EXPECT_TRUE(snapshot.rejected);
  EXPECT_EQ(shown_of(snapshot),
            "xsd.yaml:1:11: error: 'notafolder': cannot read the folder: Not a directory\n"
            "include: [notafolder/*.yaml]\n          ^\n");
}

TEST_F(LoaderTest, reads_each_included_file_once_in_the_order_of_the_patterns) {
  write("xsd.yaml", "include: [conf.d/z.yaml, conf.d/*.yaml, one.yaml]\n");
  write("conf.d/a.yaml", plugin_service("a", 1));
  write("conf.d/z.yaml", plugin_service("z", 2));
  write("one.yaml", plugin_service("one", 3));
  EXPECT_THAT(ids(loader().load()), ElementsAre("z", "a", "one"));
}

TEST_F(LoaderTest, refuses_the_later_of_two_with_the_same_id) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", plugin_service("echo", 1));
  write("conf.d/b.yaml", "# second\n" + plugin_service("echo", 2));
  write("conf.d/c.yaml", plugin_service("echo", 3, "id: other\n"));
  const Snapshot snapshot = loader().load();
  EXPECT_EQ(shown_of(snapshot),
            "conf.d/b.yaml:2:10: error: the id 'echo' is taken already, by conf.d/a.yaml:1: give one of the "
            "two another 'id'\n"
            "service: echo\n         ^\n");
  EXPECT_NE(snapshot.services[0].definition, nullptr);
  EXPECT_EQ(snapshot.services[1].definition, nullptr);
  EXPECT_NE(snapshot.services[2].definition, nullptr);
}

TEST_F(LoaderTest, gives_the_id_to_the_good_one_of_two) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", plugin_service("echo", 1, "instances: x\n"));
  write("conf.d/b.yaml", plugin_service("echo", 2));
  write("conf.d/c.yaml", plugin_service("echo", 3));
  const Snapshot snapshot = loader().load();
  EXPECT_EQ(
      shown_of(snapshot),
      "conf.d/a.yaml:1:10: error: the id 'echo' is taken already, by conf.d/b.yaml:1: give one of the two "
      "another 'id'\n"
      "service: echo\n         ^\n"
      "conf.d/a.yaml:4:12: error: 'instances' wants a number from 0 to 1000000000, or unlimited, not 'x'\n"
      "instances: x\n           ^\n"
      "conf.d/c.yaml:1:10: error: the id 'echo' is taken already, by conf.d/b.yaml:1: give one of the two "
      "another 'id'\n"
      "service: echo\n         ^\n");
  EXPECT_EQ(snapshot.errors, 3U);
  EXPECT_EQ(snapshot.services[0].definition, nullptr);
  EXPECT_THAT(without_root(snapshot.services[0].error), StartsWith("conf.d/a.yaml:4:12: "));
  EXPECT_NE(snapshot.services[1].resolution, nullptr);
  EXPECT_EQ(snapshot.services[1].error, "");
  EXPECT_EQ(snapshot.services[2].definition, nullptr);
}

TEST_F(LoaderTest, keeps_the_id_of_a_faulty_service_taken_for_other_faulty_ones) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", plugin_service("echo", 1, "instances: x\n"));
  write("conf.d/b.yaml", plugin_service("echo", 2, "instances: y\n"));
  const std::string said = shown_of(loader().load());
  EXPECT_THAT(said,
              HasSubstr("conf.d/b.yaml:1:10: error: the id 'echo' is taken already, by conf.d/a.yaml:1"));
}

TEST_F(LoaderTest, refuses_the_later_of_two_that_want_the_same_address) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", "service: a\nplugin: echo\nlisten: tcp://*:7\n");
  write("conf.d/b.yaml", "service: b\nplugin: echo\nlisten: [udp://127.0.0.1:7, tcp://127.0.0.1:5-9]\n");
  write("conf.d/c.yaml", "service: c\nplugin: echo\nlisten: tcp://127.0.0.1:5\n");
  const Snapshot snapshot = loader().load();
  EXPECT_EQ(
      shown_of(snapshot),
      "conf.d/b.yaml:3:29: error: tcp://127.0.0.1:7 is wanted by the service 'a' too, at conf.d/a.yaml:1\n"
      "listen: [udp://127.0.0.1:7, tcp://127.0.0.1:5-9]\n                            ^\n");
  EXPECT_NE(snapshot.services[1].definition, nullptr);  // the text is good
  EXPECT_EQ(snapshot.services[1].resolution, nullptr);
  EXPECT_THAT(without_root(snapshot.services[1].error),
              StartsWith("conf.d/b.yaml:3:29: tcp://127.0.0.1:7 is wanted"));
  EXPECT_NE(snapshot.services[2].resolution, nullptr);  // what b did not get is free
}

TEST_F(LoaderTest, lets_a_disabled_service_want_any_address) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", plugin_service("a", 7, "disable: yes\n"));
  write("conf.d/b.yaml", plugin_service("b", 7));
  const Snapshot snapshot = loader().load();
  EXPECT_EQ(shown_of(snapshot), "");
  EXPECT_EQ(snapshot.services[0].resolution, nullptr);
  EXPECT_NE(snapshot.services[1].resolution, nullptr);
}

TEST_F(LoaderTest, leaves_a_definition_good_that_is_not_possible_here) {
  write("xsd.yaml", "");
  const std::string text = "service: a\nserver: /no/such\nuser: nobdy\nlisten: tcp://*:7\n";
  write("conf.d/a.yaml", text);
  Snapshot snapshot = loader().load();
  EXPECT_EQ(shown_of(snapshot),
            "conf.d/a.yaml:2:9: error: program '/no/such' not found\nserver: /no/such\n        ^\n"
            "conf.d/a.yaml:3:7: error: user 'nobdy' not found\nuser: nobdy\n      ^\n");
  EXPECT_NE(snapshot.services[0].definition, nullptr);
  EXPECT_EQ(snapshot.services[0].resolution, nullptr);
  EXPECT_EQ(without_root(snapshot.services[0].error), "conf.d/a.yaml:2:9: program '/no/such' not found");

  write("conf.d/a.yaml", text + "disable: yes\n");
  snapshot = loader().load();
  EXPECT_EQ(snapshot.errors, 0U);
  EXPECT_EQ(snapshot.diagnostics.size(), 2U);
  EXPECT_EQ(snapshot.diagnostics[0].severity, Severity::Warning);
  EXPECT_EQ(snapshot.services[0].error, "");
}

TEST_F(LoaderTest, warns_about_ids_that_no_service_has) {
  write("xsd.yaml", "defaults:\n  enabled: [a, echoo]\n");
  write("conf.d/a.yaml", plugin_service("a", 1));
  EXPECT_EQ(shown_of(loader().load()),
            "xsd.yaml:2:16: warning: no service has the id 'echoo' in 'enabled'\n  enabled: [a, echoo]\n     "
            "          ^\n");
}

TEST_F(LoaderTest, serves_services_of_the_main_file) {
  write("xsd.yaml",
        "services:\n- {service: a, plugin: echo, listen: \"tcp://*:1\"}\n- {service: b, plugin: echo}\n");
  const Snapshot snapshot = loader().load();
  EXPECT_FALSE(snapshot.rejected);
  EXPECT_THAT(ids(snapshot), ElementsAre("a", "b"));
  EXPECT_NE(snapshot.services[0].resolution, nullptr);
  EXPECT_EQ(snapshot.services[1].definition, nullptr);
}

// --- reload ---

TEST_F(LoaderTest, keeps_the_definitions_of_files_that_did_not_change) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", plugin_service("a", 1));
  write("conf.d/b.yaml", plugin_service("b", 2));
  const Snapshot first = loader().load();
  write("conf.d/b.yaml", plugin_service("b", 3));
  write("conf.d/c.yaml", plugin_service("c", 4));
  const Snapshot second = loader().load();
  ASSERT_EQ(second.services.size(), 3U);
  EXPECT_EQ(first.services[0].definition, second.services[0].definition);
  EXPECT_NE(first.services[1].definition, second.services[1].definition);
  EXPECT_EQ(second.services[1].resolution->endpoints[0].to_string(), "tcp://127.0.0.1:3");
  std::filesystem::remove(folder_.path("conf.d/a.yaml"));
  EXPECT_THAT(ids(loader().load()), ElementsAre("b", "c"));
}

TEST_F(LoaderTest, sees_every_change_however_soon_it_comes) {
  write("xsd.yaml", "");
  for (int port = 10; port < 60; ++port) {
    write("conf.d/a.yaml", plugin_service("a", port));  // the same size each time
    const Snapshot snapshot = loader().load();
    ASSERT_EQ(snapshot.services.size(), 1U);
    EXPECT_EQ(snapshot.services[0].resolution->endpoints[0].address.port(), port);
  }
}

TEST_F(LoaderTest, reports_the_faults_of_unchanged_files_again) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", plugin_service("a", 1, "instances: x\n"));
  write("conf.d/b.yaml", "service: b\nplugin: nosuch\nlisten: tcp://*:2\n");
  const std::string first = shown_of(loader().load());
  EXPECT_THAT(first, HasSubstr("instances: x\n           ^"));
  EXPECT_EQ(shown_of(loader().load()), first);
  EXPECT_EQ(shown_of(loader().load()), first);
}

TEST_F(LoaderTest, decodes_again_when_the_defaults_change) {
  write("xsd.yaml", "defaults: {instances: 5}\n");
  write("conf.d/a.yaml", plugin_service("a", 1));
  EXPECT_EQ(loader().load().services[0].definition->instances, Limit{5});
  write("xsd.yaml", "defaults: {instances: 6}\n");
  EXPECT_EQ(loader().load().services[0].definition->instances, Limit{6});
  write("xsd.yaml", "defaults: {instances: x}\n");
  EXPECT_TRUE(loader().load().rejected);
  write("xsd.yaml", "defaults: {instances: 5}\n");
  EXPECT_EQ(loader().load().services[0].definition->instances, Limit{5});
}

TEST_F(LoaderTest, asks_the_machine_anew_at_each_load) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", "service: a\nplugin: echo\nlisten: tcp://*:mine\n");
  EXPECT_EQ(loader().load().services[0].resolution, nullptr);
  names_->ports["mine/tcp"] = 4000;
  const Snapshot snapshot = loader().load();
  EXPECT_EQ(shown_of(snapshot), "");
  EXPECT_EQ(snapshot.services[0].resolution->endpoints[0].address.port(), 4000);
}

TEST_F(LoaderTest, resolves_one_service_again) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", "service: a\nplugin: echo\nlisten: tcp://*:mine\n");
  const Snapshot snapshot = loader().load();
  const ServiceDefinition& definition = *snapshot.services[0].definition;
  Answers answers;
  loader().add_questions(definition, answers);
  EXPECT_TRUE(answers.plugins.questions().empty());
  EXPECT_THAT(answers.names.questions(), ElementsAre(NameQuestion{NameQuestion::Kind::TcpPort, "mine"}));
  ask_all(*names_, answers.names);
  std::vector<Diagnostic> diagnostics;
  EXPECT_EQ(loader().resolve(definition, answers, diagnostics), nullptr);
  EXPECT_EQ(shown(diagnostics, folder_.root()),
            "conf.d/a.yaml:3:9: error: port 'mine' not found in the services database (tcp)\nlisten: "
            "tcp://*:mine\n        ^\n");
  names_->ports["mine/tcp"] = 4000;
  ask_all(*names_, answers.names);
  diagnostics.clear();
  EXPECT_NE(loader().resolve(definition, answers, diagnostics), nullptr);
  EXPECT_THAT(diagnostics, IsEmpty());
}

TEST_F(LoaderTest, goes_step_by_step) {
  write("xsd.yaml", "");
  constexpr int kFiles = 20;
  for (int i = 0; i < kFiles; ++i)
    write("conf.d/" + std::to_string(i) + ".yaml", plugin_service("s" + std::to_string(i), 100 + i));
  loader(false).begin();  // root has a question of its own
  int steps = 1;
  while (loader().step(Duration::zero()) == Loader::Progress::More)
    ++steps;
  EXPECT_GE(steps, kFiles);
  EXPECT_EQ(loader().take().services.size(), std::size_t{kFiles});
  // A load that is begun anew forgets the one under way.
  loader().begin();
  (void)loader().step(Duration::zero());
  EXPECT_EQ(loader().load().services.size(), std::size_t{kFiles});
  EXPECT_THAT(names_->asked, IsEmpty());
}

// --- names ---

TEST_F(LoaderTest, waits_for_the_names_and_asks_nobody_itself) {
  write("xsd.yaml", "daemon: {user: me}\n");
  write("conf.d/a.yaml", "service: a\nserver: /bin/true\nuser: games\nlisten: tcp://v4.example:telnet\n");
  write("conf.d/b.yaml",
        "service: b\nserver: /bin/true\nuser: games\ndisable: yes\nlisten: tcp://nowhere.example:7\n");
  loader().begin();
  while (loader().step(Duration::zero()) == Loader::Progress::More) {
  }
  ASSERT_EQ(loader().step(Duration::zero()), Loader::Progress::NeedsAnswers);  // however often it is asked
  Answers answers = loader().questions();
  std::vector<std::string> texts;
  for (const NameQuestion& question : answers.names.questions())
    texts.push_back(question.text);
  EXPECT_THAT(texts, ElementsAre("games", "me", "telnet", "v4.example", "nowhere.example"));
  EXPECT_THAT(names_->asked, IsEmpty());

  ask_all(*names_, answers.names);
  names_->asked.clear();
  loader().answer(std::move(answers));
  while (loader().step(Duration::zero()) == Loader::Progress::More) {
  }
  EXPECT_EQ(loader().step(Duration::zero()), Loader::Progress::Done);
  EXPECT_THAT(names_->asked, IsEmpty());
  const Snapshot snapshot = loader().take();
  EXPECT_FALSE(snapshot.rejected);
  ASSERT_EQ(snapshot.services.size(), 2U);
  ASSERT_NE(snapshot.services[0].resolution, nullptr) << shown_of(snapshot);
  EXPECT_EQ(snapshot.services[0].resolution->endpoints[0].to_string(), "tcp://192.0.2.1:23");
  EXPECT_EQ(messages(snapshot.diagnostics), std::vector<std::string>{"host 'nowhere.example' not found"});
}

TEST_F(LoaderTest, leaves_the_others_alone_when_nobody_answers) {
  write("xsd.yaml", "daemon: {user: me}\n");
  write("conf.d/a.yaml", plugin_service("a", 1));
  write("conf.d/b.yaml", "service: b\nplugin: echo\nlisten: tcp://v4.example:7\n");
  loader().begin();
  while (loader().step(Duration::zero()) == Loader::Progress::More) {
  }
  Answers answers = loader().questions();
  answers.names.give_up("no answer within 5s");
  loader().answer(std::move(answers));
  while (loader().step(Duration::zero()) != Loader::Progress::Done) {
  }
  const Snapshot snapshot = loader().take();
  EXPECT_FALSE(snapshot.rejected);
  EXPECT_EQ(shown_of(snapshot),
            "xsd.yaml:1:10: warning: user 'me' not found (no answer within 5s)\ndaemon: {user: me}\n"
            "         ^\n"
            "conf.d/b.yaml:3:9: error: host 'v4.example' not found (no answer within 5s)\n"
            "listen: tcp://v4.example:7\n        ^\n");
  EXPECT_NE(snapshot.services[0].resolution, nullptr);
  EXPECT_NE(snapshot.services[1].definition, nullptr);
  EXPECT_EQ(snapshot.services[1].resolution, nullptr);
}

TEST_F(LoaderTest, rejects_a_reload_when_the_main_file_became_a_folder) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", plugin_service("a", 1));
  EXPECT_EQ(shown_of(loader().load()), "");
  std::filesystem::rename(main_path(), folder_.path("before"));
  std::filesystem::create_directory(main_path());
  const Snapshot snapshot = loader().load();
  EXPECT_TRUE(snapshot.rejected);
  EXPECT_EQ(shown_of(snapshot), "xsd.yaml: error: is a folder now and was a file at the start\n");
  std::filesystem::remove(main_path());
  std::filesystem::rename(folder_.path("before"), main_path());
  EXPECT_THAT(ids(loader().load()), ElementsAre("a"));
}

TEST_F(LoaderTest, rejects_a_reload_when_the_service_folder_became_a_file) {
  make(folder_.path("conf.d"));
  write("conf.d/a.yaml", plugin_service("a", 1));
  EXPECT_EQ(shown_of(loader().load()), "");
  std::filesystem::rename(folder_.path("conf.d"), folder_.path("before"));
  write("conf.d", "");
  const Snapshot snapshot = loader().load();
  EXPECT_TRUE(snapshot.rejected);
  EXPECT_EQ(shown_of(snapshot), "conf.d: error: is a file now and was a folder at the start\n");
}

// --- files that are none, or not to be trusted ---

TEST_F(LoaderTest, is_not_held_up_by_a_fifo) {
  write("xsd.yaml", "");
  ASSERT_EQ(::mkfifo(folder_.path("conf.d/a.yaml").c_str(), 0644), 0);
  ASSERT_EQ(::mkdir(folder_.path("conf.d/b.yaml").c_str(), 0755), 0);
  write("conf.d/c.yaml", plugin_service("c", 1));
  const Snapshot snapshot = loader().load();
  EXPECT_EQ(shown_of(snapshot),
            "conf.d/a.yaml: error: not a regular file but a FIFO\nconf.d/b.yaml: error: not a regular file "
            "but a folder\n");
  EXPECT_THAT(ids(snapshot), ElementsAre("a", "b", "c"));
  EXPECT_FALSE(snapshot.services[0].id_known);
  EXPECT_NE(snapshot.services[2].resolution, nullptr);
}

TEST_F(LoaderTest, follows_links_inside_of_the_folder_only) {
  write("xsd.yaml", "");
  write("outside.yaml", plugin_service("out", 1));
  ASSERT_EQ(::mkdir(folder_.path("conf.d/..2026_1").c_str(), 0755), 0);
  write("conf.d/..2026_1/in.yaml", plugin_service("in", 2));
  std::filesystem::create_directory_symlink("..2026_1", folder_.path("conf.d/..data"));
  std::filesystem::create_symlink("..data/in.yaml", folder_.path("conf.d/in.yaml"));
  std::filesystem::create_symlink("../outside.yaml", folder_.path("conf.d/out.yaml"));
  std::filesystem::create_symlink("gone.yaml", folder_.path("conf.d/x.yaml"));
  Snapshot snapshot = loader().load();
  EXPECT_THAT(ids(snapshot), ElementsAre("in", "out", "x"));
  EXPECT_NE(snapshot.services[0].resolution, nullptr);
  EXPECT_THAT(snapshot.services[1].error, HasSubstr("leads out of its folder"));
  EXPECT_THAT(snapshot.services[2].error, HasSubstr("No such file or directory"));

  // What a mounted ConfigMap does.
  ASSERT_EQ(::mkdir(folder_.path("conf.d/..2026_2").c_str(), 0755), 0);
  write("conf.d/..2026_2/in.yaml", plugin_service("in", 3));
  std::filesystem::create_directory_symlink("..2026_2", folder_.path("conf.d/..data_tmp"));
  std::filesystem::rename(folder_.path("conf.d/..data_tmp"), folder_.path("conf.d/..data"));
  snapshot = loader().load();
  EXPECT_EQ(snapshot.services[0].resolution->endpoints[0].address.port(), 3);
}

TEST_F(LoaderTest, refuses_as_root_what_others_may_write) {
  write("xsd.yaml", "");
  write("conf.d/a.yaml", plugin_service("a", 1));
  ASSERT_EQ(::chmod(folder_.path("conf.d/a.yaml").c_str(), 0666), 0);
  Snapshot snapshot = loader().load();
  EXPECT_EQ(snapshot.services[0].definition, nullptr);
  EXPECT_FALSE(snapshot.services[0].id_known);
  EXPECT_EQ(snapshot.errors, 1U);
  ASSERT_EQ(::chmod(folder_.path("conf.d/a.yaml").c_str(), 0644), 0);
  EXPECT_NE(loader().load().services[0].definition, nullptr);

  // The folder counts as well, also for a file that did not change.
  ASSERT_EQ(::chmod(folder_.path("conf.d").c_str(), 0757), 0);
  EXPECT_EQ(loader().load().services[0].definition, nullptr);
  make(main_path(), false);
  snapshot = loader().load();
  EXPECT_NE(snapshot.services[0].definition, nullptr);
  EXPECT_EQ(snapshot.errors, 0U);
  EXPECT_EQ(snapshot.diagnostics.size(), 1U);
}

TEST_F(LoaderTest, sees_a_change_of_the_folder_that_a_link_leads_to) {
  write("xsd.yaml", "");
  const std::string real = folder_.path("conf.d/..1");
  ASSERT_EQ(::mkdir(real.c_str(), 0755), 0);
  write("conf.d/..1/a.yaml", plugin_service("a", 1));
  std::filesystem::create_symlink("..1/a.yaml", folder_.path("conf.d/a.yaml"));
  // Until the file is old enough for its stamp to say that it did not change.
  const auto end = std::chrono::steady_clock::now() + 2 * kYoung;
  do {
    EXPECT_EQ(shown_of(loader().load()), "");
  } while (std::chrono::steady_clock::now() < end);
  ASSERT_EQ(::chmod(real.c_str(), 0757), 0);
  EXPECT_EQ(shown_of(loader().load()),
            "conf.d/a.yaml: error: others may write its folder '" + without_root(real) + "'; chmod o-w\n");
  ASSERT_EQ(::chmod(real.c_str(), 0755), 0);
  EXPECT_EQ(shown_of(loader().load()), "");
}

TEST_F(LoaderTest, says_once_what_is_wrong_with_a_folder) {
  write("xsd.yaml", "");
  for (int i = 0; i < 5; ++i)
    write("conf.d/" + std::to_string(i) + ".yaml", plugin_service("s" + std::to_string(i), 100 + i));
  ASSERT_EQ(::chmod(folder_.path("conf.d").c_str(), 0775), 0);
  for (int i = 0; i < 2; ++i) {
    const Snapshot snapshot = loader().load();
    ASSERT_EQ(snapshot.diagnostics.size(), 1U) << shown_of(snapshot);
    EXPECT_EQ(snapshot.diagnostics[0].severity, Severity::Warning);
  }
}

// --- limits ---

TEST_F(LoaderTest, rejects_too_many_files) {
  write("xsd.yaml", "");
  for (std::size_t i = 0; i <= kMaxFiles; ++i)
    folder_.write("conf.d/" + std::to_string(i) + ".yaml", "");
  const Snapshot snapshot = loader().load();
  EXPECT_TRUE(snapshot.rejected);
  EXPECT_EQ(shown_of(snapshot), "xsd.yaml: error: more than 4096 service files\n");
}

TEST_F(LoaderTest, rejects_too_many_services) {
  write("xsd.yaml", "");
  int port = 0;
  for (const char* file : {"conf.d/a.yaml", "conf.d/b.yaml"}) {
    std::string text = "services:\n";
    for (int i = 0; i < 5001; ++i) {
      const std::string number = std::to_string(++port);
      text += "- {service: s" + number + ", plugin: echo, listen: \"tcp://127.0.0.1:" + number + "\"}\n";
    }
    write(file, text);
  }
  const Snapshot snapshot = loader().load();
  EXPECT_TRUE(snapshot.rejected);
  EXPECT_EQ(shown_of(snapshot), "xsd.yaml: error: more than 10000 services\n");
}

}  // namespace
}  // namespace xsd::config
