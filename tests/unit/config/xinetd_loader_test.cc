// SPDX-License-Identifier: Apache-2.0
//
// A configuration of xinetd's, loaded as it stands.
#include "config_test.h"

#include "xsd/base/text.h"

namespace xsd::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string cat(const std::string& name, int port, const std::string& more = "") {
  return "service " + name +
         "\n{\n type = UNLISTED\n socket_type = stream\n protocol = tcp\n wait = no\n port = " +
         std::to_string(port) + "\n user = nobody\n server = /bin/cat\n" + more + "}\n";
}

class XinetdLoader : public testing::Test {
 protected:
  XinetdLoader() {
    EXPECT_EQ(::mkdir(folder_.path("d").c_str(), 0755), 0);
    LoadOptions options = load_options(folder_.path("xinetd.conf"));
    options.format = SourceFormat::Xinetd;
    loader_ = std::make_unique<Loader>(std::move(options), std::make_unique<FakeNames>());
  }
  void write(const std::string& name, std::string_view text) { folder_.write(name, text); }
  std::string folder_line() const { return "includedir " + folder_.path("d") + "\n"; }
  std::string include_line(const std::string& name) const { return "include " + folder_.path(name) + "\n"; }
  std::string said(const Snapshot& snapshot) const {
    std::string out;
    for (const Diagnostic& diagnostic : snapshot.diagnostics)
      out += one_line(diagnostic) + "\n";
    for (std::size_t at; (at = out.find(folder_.root() + "/")) != std::string::npos;)
      out.erase(at, folder_.root().size() + 1);
    return out;
  }
  static std::vector<std::string> ids(const Snapshot& snapshot) {
    std::vector<std::string> out;
    for (const LoadedService& service : snapshot.services)
      out.push_back(service.id + (service.definition == nullptr ? "!" : ""));
    return out;
  }
  static const ServiceDefinition& only(const Snapshot& snapshot) {
    EXPECT_EQ(snapshot.services.size(), 1U);
    static const ServiceDefinition kNone;
    return snapshot.services.empty() || !snapshot.services[0].definition ? kNone
                                                                         : *snapshot.services[0].definition;
  }

  TestFolder folder_;
  std::unique_ptr<Loader> loader_;
};

TEST_F(XinetdLoader, reads_what_the_folder_holds_as_xinetd_does) {
  write("xinetd.conf", cat("main", 1) + folder_line());
  write("d/b", cat("b", 2));
  write("d/a", cat("a", 3));
  write("d/a.rpmsave", cat("old", 4));
  write("d/a~", cat("older", 5));
  ASSERT_EQ(::mkdir(folder_.path("d/folder").c_str(), 0755), 0);
  const Snapshot snapshot = loader_->load();
  EXPECT_EQ(said(snapshot), "");
  EXPECT_FALSE(snapshot.rejected);
  EXPECT_THAT(ids(snapshot), ElementsAre("main", "a", "b"));
  const ServiceDefinition& main = *snapshot.services[0].definition;
  EXPECT_TRUE(main.instances.is_unlimited());
  EXPECT_FALSE(main.no_new_privs);
  EXPECT_THAT(main.passenv, ElementsAre("*"));
  EXPECT_EQ(main.clients->cps, (CpsLimit{50, std::chrono::seconds(10)}));
  EXPECT_EQ(main.log_on_success, 0U);
}

TEST_F(XinetdLoader, says_what_is_not_there_and_goes_on) {
  write("xinetd.conf",
        include_line("nowhere") + "includedir " + folder_.path("none") + "\n" + cat("main", 1));
  const Snapshot snapshot = loader_->load();
  EXPECT_FALSE(snapshot.rejected);
  EXPECT_THAT(ids(snapshot), ElementsAre("main"));
  EXPECT_EQ(said(snapshot),
            "xinetd.conf:1:9: include 'nowhere': matches no file; no services from there\n"
            "xinetd.conf:2:12: include 'none/*': folder not found; no services from there\n");
}

TEST_F(XinetdLoader, follows_includes_of_includes_once) {
  write("xinetd.conf", include_line("one"));
  write("one", cat("one", 1) + include_line("two"));
  write("two", include_line("one") + include_line("xinetd.conf") + cat("two", 2));
  const Snapshot snapshot = loader_->load();
  EXPECT_EQ(snapshot.errors, 0U) << said(snapshot);
  EXPECT_THAT(ids(snapshot), ElementsAre("one", "two"));
}

TEST_F(XinetdLoader, takes_a_link_to_elsewhere) {
  write("xinetd.conf", folder_line());
  ASSERT_EQ(::mkdir(folder_.path("other").c_str(), 0755), 0);
  write("other/real.conf", cat("real", 1));
  ASSERT_EQ(::symlink(folder_.path("other/real.conf").c_str(), folder_.path("d/real").c_str()), 0);
  const Snapshot snapshot = loader_->load();
  EXPECT_EQ(said(snapshot), "");
  EXPECT_THAT(ids(snapshot), ElementsAre("real"));
}

TEST_F(XinetdLoader, gives_the_second_of_a_name_an_id_of_its_own) {
  const std::string udp =
      "service echo\n{\n type = INTERNAL UNLISTED\n socket_type = dgram\n protocol = udp\n wait = yes\n port "
      "= 7\n}\n";
  const std::string tcp =
      "service echo\n{\n type = INTERNAL UNLISTED\n socket_type = stream\n protocol = tcp\n wait = no\n port "
      "= 7\n}\n";
  std::string other = tcp;
  other.replace(other.find("port = 7"), 8, "port = 8");
  std::string third = tcp;
  third.replace(third.find("port = 7"), 8, "port = 9");
  write("xinetd.conf", tcp + udp + other + third);
  const Snapshot snapshot = loader_->load();
  EXPECT_EQ(said(snapshot), "");
  EXPECT_THAT(ids(snapshot), ElementsAre("echo", "echo-2", "echo-3", "echo-4"));
  EXPECT_EQ(snapshot.services[1].definition->id, "echo-2");
  std::string faulty = tcp;
  faulty.insert(faulty.find(" port"), " instances = many\n");
  write("xinetd.conf", faulty + udp + other + third);
  EXPECT_THAT(ids(loader_->load()), ElementsAre("echo!", "echo-2", "echo-3", "echo-4"));
}

TEST_F(XinetdLoader, loses_the_faulty_service_alone) {
  write("xinetd.conf", folder_line() + cat("good", 1));
  write("d/bad", cat("bad", 2, " instances = many\n") + cat("fine", 3));
  const Snapshot snapshot = loader_->load();
  EXPECT_FALSE(snapshot.rejected);
  EXPECT_EQ(snapshot.errors, 1U) << said(snapshot);
  EXPECT_THAT(ids(snapshot), ElementsAre("good", "bad!", "fine"));
}

TEST_F(XinetdLoader, rejects_faulty_defaults_but_not_a_faulty_service_of_the_main_file) {
  write("xinetd.conf", "defaults\n{\n instances = 5\n}\n" + cat("bad", 1, " nice = very\n") + cat("good", 2));
  const Snapshot first = loader_->load();
  EXPECT_FALSE(first.rejected) << said(first);
  EXPECT_THAT(ids(first), ElementsAre("bad!", "good"));
  write("xinetd.conf", "defaults\n{\n instances = many\n}\n" + cat("good", 2));
  EXPECT_TRUE(loader_->load().rejected);
}

TEST_F(XinetdLoader, takes_defaults_from_where_they_stand) {
  write("xinetd.conf", folder_line() + cat("main", 1));
  write("d/a", cat("a", 2));
  write("d/defaults", "defaults\n{\n instances = 5\n}\n" + cat("b", 3));
  const auto instances = [](const Snapshot& snapshot) {
    std::vector<std::uint64_t> out;
    for (const LoadedService& service : snapshot.services)
      out.push_back(service.definition ? service.definition->instances.value : 0);
    return out;
  };
  const Snapshot first = loader_->load();
  EXPECT_EQ(said(first), "");
  EXPECT_THAT(instances(first), ElementsAre(5U, 5U, 5U));
  EXPECT_THAT(dump_config(first), HasSubstr("d/defaults:3 (defaults)"));
  write("d/defaults", "defaults\n{\n instances = 6\n}\n" + cat("b", 3));
  EXPECT_THAT(instances(loader_->load()), ElementsAre(6U, 6U, 6U));
  write("d/zz", "defaults\n{\n instances = 9\n}\n");
  const Snapshot two = loader_->load();
  EXPECT_THAT(instances(two), ElementsAre(6U, 6U, 6U));
  EXPECT_THAT(said(two), HasSubstr("d/zz: 'defaults' stand in another file already"));
  write("d/defaults", cat("b", 3));
  write("d/zz", "");
  const Snapshot none = loader_->load();
  EXPECT_EQ(said(none), "");
  EXPECT_TRUE(none.services.at(0).definition->instances.is_unlimited());
  write("d/defaults", "defaults\n{\n instances = none\n}\n");
  EXPECT_TRUE(loader_->load().rejected);
}

TEST_F(XinetdLoader, takes_defaults_of_a_file_that_includes_others) {
  std::string includes;
  for (int i = 1; i <= 9; ++i) {
    const std::string name = "part-with-a-name-of-some-length-" + std::to_string(i);
    write(name, cat("service-" + std::to_string(i), i));
    includes += include_line(name);
  }
  write("file-with-a-name-of-some-length", includes + "defaults\n{\n instances = 5\n}\n");
  write("xinetd.conf", include_line("file-with-a-name-of-some-length"));
  for (int load = 0; load < 2; ++load) {
    const Snapshot snapshot = loader_->load();
    EXPECT_EQ(said(snapshot), "");
    ASSERT_EQ(snapshot.services.size(), 9U);
    EXPECT_EQ(snapshot.services[8].definition->instances.value, 5U);
    EXPECT_THAT(dump_config(snapshot), HasSubstr("file-with-a-name-of-some-length:12 (defaults)"));
  }
}

TEST_F(XinetdLoader, adds_variables_to_what_defaults_name_or_to_none) {
  write("xinetd.conf", cat("main", 1, " passenv += TERM\n"));
  EXPECT_THAT(only(loader_->load()).passenv, ElementsAre("TERM"));
  write("xinetd.conf", "defaults\n{\n passenv = HOME\n}\n" + cat("main", 1, " passenv += TERM\n"));
  EXPECT_THAT(only(loader_->load()).passenv, ElementsAre("HOME", "TERM"));
  write("xinetd.conf", "defaults\n{\n}\n" + cat("main", 1, " passenv =\n"));
  EXPECT_THAT(only(loader_->load()).passenv, IsEmpty());
}

TEST_F(XinetdLoader, has_hosts_allow_asked_where_xinetd_does) {
  const auto internal = [](const std::string& id, const std::string& socket, int port) {
    return "service echo\n{\n id = " + id + "\n type = INTERNAL UNLISTED\n socket_type = " + socket +
           "\n wait = " + (socket == "dgram" ? "yes" : "no") + "\n port = " + std::to_string(port) + "\n}\n";
  };
  const auto waiting = [](const std::string& name, const std::string& socket, int port) {
    return "service " + name + "\n{\n type = UNLISTED\n socket_type = " + socket +
           "\n wait = yes\n user = nobody\n server = /bin/cat\n port = " + std::to_string(port) + "\n}\n";
  };
  write("xinetd.conf", cat("program", 1) + cat("not", 2, " flags = NOLIBWRAP\n") +
                           cat("named", 3, " libwrap = other\n") + internal("tcp", "stream", 4) +
                           internal("udp", "dgram", 5) + waiting("server", "stream", 6) +
                           waiting("datagrams", "dgram", 7));
  const Snapshot snapshot = loader_->load();
  EXPECT_EQ(said(snapshot), "");
  std::vector<std::string> names;
  for (const LoadedService& service : snapshot.services)
    names.push_back(service.definition ? service.definition->clients->libwrap : "faulty");
  EXPECT_THAT(names, ElementsAre("cat", "", "other", "echo", "", "", "cat"));
}

TEST_F(XinetdLoader, does_without_a_banner_that_is_missing) {
  write("xinetd.conf", cat("main", 1, " banner_fail = /does/not/exist\n"));
  const Snapshot snapshot = loader_->load();
  EXPECT_EQ(snapshot.errors, 0U);
  EXPECT_THAT(said(snapshot), HasSubstr("banner_fail '/does/not/exist' not found"));
  ASSERT_EQ(snapshot.services.size(), 1U);
  EXPECT_NE(snapshot.services[0].resolution, nullptr);
}

TEST(InetdLoader, reads_the_file_alone) {
  const TestFolder folder;
  const std::string path = folder.write("inetd.conf",
                                        "# a comment\n"
                                        "telnet stream tcp nowait nobody /bin/cat cat -u\n"
                                        "finger stream tcp nowait nobody\n"
                                        "echo dgram udp wait root internal\n");
  folder.write("conf.d/other.yaml", "service: other\n");
  LoadOptions options = load_options(path);
  options.format = SourceFormat::Inetd;
  Loader loader(std::move(options), std::make_unique<FakeNames>());
  const Snapshot snapshot = loader.load();
  EXPECT_FALSE(snapshot.rejected);
  ASSERT_EQ(snapshot.services.size(), 3U);
  ASSERT_NE(snapshot.services[0].definition, nullptr);
  EXPECT_EQ(snapshot.services[0].definition->server, "/bin/cat");
  EXPECT_EQ(snapshot.services[1].definition, nullptr);
  ASSERT_NE(snapshot.services[2].definition, nullptr);
  EXPECT_EQ(snapshot.services[2].definition->plugin, "echo");
}

TEST(InetdLoader, takes_no_folder) {
  const TestFolder folder;
  folder.write("conf.d/one.yaml", "service: one\nlisten: tcp://*:1\nplugin: echo\n");
  for (const SourceFormat format : {SourceFormat::Inetd, SourceFormat::Xinetd}) {
    LoadOptions options = load_options(folder.path("conf.d"));
    options.format = format;
    Loader loader(std::move(options), std::make_unique<FakeNames>());
    const Snapshot snapshot = loader.load();
    EXPECT_TRUE(snapshot.rejected);
    ASSERT_EQ(snapshot.diagnostics.size(), 1U);
    EXPECT_EQ(snapshot.diagnostics[0].message, "not a regular file but a folder");
  }
}

TEST_F(XinetdLoader, can_be_dumped_and_read_back) {
  write("xinetd.conf",
        "defaults\n{\n instances = 5\n}\n" + cat("main", 1, " rlimit_files = 99\n") + cat("other", 2));
  const Snapshot first = loader_->load();
  const std::string dump = dump_config(first);
  EXPECT_THAT(dump, HasSubstr("rlimit_nofile: hard  # default of xinetd"));
  EXPECT_THAT(dump, HasSubstr("rlimit_files: 99"));
  write("again.yaml", dump);
  Loader again(load_options(folder_.path("again.yaml")), std::make_unique<FakeNames>());
  const Snapshot second = again.load();
  EXPECT_EQ(second.errors, 0U) << said(second) << dump;
  ASSERT_EQ(second.services.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_TRUE(second.services[i].definition->means_the_same(*first.services[i].definition));
}

}  // namespace
}  // namespace xsd::config
