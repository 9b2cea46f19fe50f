// SPDX-License-Identifier: Apache-2.0
//
// What several files make together, and the bounds. What single files become is in import_golden_test.cc.
#include "xsd/config/import.h"

#include "config_test.h"

namespace xsd::config {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Imported {
  Import import;
  std::string yaml;
  std::string said;  ///< without the folder
};

Imported import_from(const TestFolder& folder, const std::vector<std::string>& names,
                     SourceFormat format = SourceFormat::Xinetd) {
  std::vector<std::string> paths;
  for (const std::string& name : names)
    paths.push_back(folder.path(name));
  Imported out{import_files(format, paths), {}, {}};
  out.yaml = format_import(out.import, paths);
  out.said = format_report(out.import, false);
  for (std::size_t at; (at = out.said.find(folder.root() + "/")) != std::string::npos;)
    out.said.erase(at, folder.root().size() + 1);
  return out;
}

std::string service(const std::string& name, const std::string& more = "") {
  return "service " + name + "\n{\nsocket_type = stream\nwait = no\nuser = me\nserver = /x\n" + more + "}\n";
}

TEST(Import, takes_the_first_defaults_of_all_files) {
  const TestFolder folder;
  folder.write("main",
               "includedir " + folder.path("conf.d") + "\ndefaults\n{\ninstances = 3\ncps = 7 8\n}\n");
  folder.write("conf.d/a", service("a") + "defaults\n{\ninstances = 4\n}\n");
  const Imported out = import_from(folder, {"main"});
  EXPECT_THAT(out.yaml, HasSubstr("instances: 3\n"));
  EXPECT_THAT(out.yaml, HasSubstr("cps: [7, 8]\n"));
  EXPECT_THAT(out.said,
              HasSubstr("conf.d/a:8:1: warning: a second 'defaults' has no effect; the first one is in "));
  EXPECT_TRUE(out.import.is_complete());
}

TEST(Import, says_what_an_internal_service_does_not_use) {
  const TestFolder folder;
  folder.write("main",
               "service echo\n{\ntype = INTERNAL\nsocket_type = stream\nuser = root\ngroup = 0\ngroups = "
               "yes\numask = 022\nnice = 1\nwait = no\n}\n");
  const Imported out = import_from(folder, {"main"});
  EXPECT_TRUE(out.import.is_complete());
  int line = 5;
  for (const std::string key : {"user", "group", "groups", "umask", "nice"}) {
    EXPECT_THAT(out.yaml, Not(HasSubstr(key + ":")));
    EXPECT_THAT(out.said, HasSubstr("main:" + std::to_string(line++) + ":1: note: '" + key +
                                    "' is left out: no program is started for this service\n"));
  }
}

TEST(Import, tells_of_the_pause_of_a_limit_that_is_not_switched_off) {
  const TestFolder folder;
  folder.write("off", "defaults\n{\ncps = 0 0\n}\n" + service("a") + service("b", "cps = 0 0\n"));
  EXPECT_THAT(import_from(folder, {"off"}).said, Not(HasSubstr("cps")));
  folder.write("on", "defaults\n{\ncps = 0 0\n}\n" + service("a", "cps = 1 0\n"));
  EXPECT_THAT(import_from(folder, {"on"}).said,
              HasSubstr("on:11:1: note: in the pause of 'cps' the port stays open here"));
}

TEST(Import, keeps_hosts_allow_for_whom_xinetd_asks_it_about) {
  const TestFolder folder;
  folder.write("main", service("a") + service("b", "flags = NOLIBWRAP\n") +
                           "service echo\n{\ntype = INTERNAL\nsocket_type = dgram\nwait = yes\n}\n");
  const Imported out = import_from(folder, {"main"});
  const auto& services = out.import.root.find("services")->items;
  ASSERT_EQ(services.size(), 3U);
  ASSERT_NE(services[0].find("libwrap"), nullptr);
  EXPECT_EQ(services[0].find("libwrap")->scalar, "true");
  EXPECT_EQ(services[1].find("libwrap"), nullptr);
  EXPECT_EQ(services[2].find("libwrap"), nullptr);
  constexpr const char* kNote = "main: note: xinetd asks hosts.allow and hosts.deny about clients";
  EXPECT_THAT(out.said, HasSubstr(kNote));
  folder.write("none", service("b", "flags = NOLIBWRAP\n"));
  EXPECT_THAT(import_from(folder, {"none"}).said, Not(HasSubstr("hosts.allow")));
}

TEST(Import, finds_the_ids_of_disabled_in_all_files) {
  const TestFolder folder;
  folder.write("main", "defaults\n{\ndisabled = A nobody\n}\nincludedir " + folder.path("conf.d") + "\n");
  folder.write("conf.d/a", service("a"));
  const Imported out = import_from(folder, {"main"});
  EXPECT_THAT(out.yaml, HasSubstr("disable: true\n"));
  EXPECT_THAT(out.said, HasSubstr("main:3:14: warning: no service has the id 'nobody'\n"));
  EXPECT_THAT(out.said, Not(HasSubstr("the id 'A'")));
}

TEST(Import, keeps_ids_and_sockets_apart_over_files) {
  const TestFolder folder;
  folder.write("a.conf", "7 stream tcp4 nowait me /a a\n8 stream tcp4 nowait me /a a\n");
  folder.write("b.conf", "7 stream tcp6 nowait me /a a\n8 stream tcp4 nowait me /b b\n");
  const Imported out = import_from(folder, {"a.conf", "b.conf"}, SourceFormat::Inetd);
  EXPECT_EQ(out.import.root.find("services")->items.size(), 3U);
  EXPECT_THAT(out.said, HasSubstr("b.conf:1:1: note: the id '7' is taken, this service gets '7-tcp6'\n"));
  EXPECT_THAT(out.said, HasSubstr("b.conf:2:1: warning: the socket is that of the service at "));
  EXPECT_THAT(out.said, HasSubstr("\n3 services, "));
}

TEST(Import, is_not_complete_without_a_file) {
  const TestFolder folder;
  folder.write("good", service("good"));
  const Imported out = import_from(folder, {"gone", "good"});
  EXPECT_FALSE(out.import.is_complete());
  EXPECT_THAT(out.yaml, HasSubstr("- service: good\n"));
  EXPECT_THAT(out.said, HasSubstr("gone: error: cannot open: No such file or directory\n"));
  EXPECT_THAT(out.said, HasSubstr("1 service, 3 notes, 0 warnings, 0 not translated\n"));
}

TEST(Import, writes_no_more_than_can_be_read) {
  const TestFolder folder;
  std::string list;
  for (int i = 0; i < 4000; ++i)
    list += " 192.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
  std::string text = "defaults\n{\nonly_from =" + list + "\n}\n";
  for (int i = 0; i < 100; ++i)
    text += service("s" + std::to_string(i), "port = " + std::to_string(1000 + i) + "\n");
  folder.write("big", text);
  const Imported out = import_from(folder, {"big"});
  EXPECT_FALSE(out.import.is_complete());
  EXPECT_EQ(out.import.root.find("services")->items.size() + out.import.left_out, 100U);
  EXPECT_THAT(out.said, HasSubstr("this service and those behind it are left out"));
  EXPECT_LE(out.yaml.size(), kMaxFileSize);
  DiagnosticSink sink("big.yaml", out.yaml);
  EXPECT_TRUE(read_yaml(out.yaml, sink).has_value());
  EXPECT_TRUE(sink.all().empty());
}

TEST(Import, ends_with_lists_that_go_on_for_ever) {
  const TestFolder folder;
  std::string text = "service s\n{\n";
  for (int i = 0; i < 20; ++i) {
    text += "only_from +=";
    for (int j = 0; j < 2000; ++j)
      text += " h" + std::to_string(i * 2000 + j) + ".example";
    text += "\n";
  }
  folder.write("long", text + "socket_type = stream\nwait = no\nuser = me\nserver = /x\n}\n");
  const Imported out = import_from(folder, {"long"});
  EXPECT_FALSE(out.import.is_complete());
  EXPECT_THAT(out.said, HasSubstr("the service 's' is left out"));
}

TEST(Import, reports_every_line_of_a_bad_file) {
  const TestFolder folder;
  std::string text = "service s\n{\n";
  for (int i = 0; i < 500; ++i)
    text += "nonsense" + std::to_string(i) + " = 1\n";
  folder.write("bad", text + "}\n");
  const Imported out = import_from(folder, {"bad"});
  EXPECT_THAT(out.said, HasSubstr("bad:502:1: warning: 'nonsense499' is no attribute of xinetd's"));
}

TEST(Import, has_a_report_for_programs) {
  const TestFolder folder;
  folder.write("x", "stray\n");
  const Imported out = import_from(folder, {"x"});
  const std::string json = format_report(out.import, true);
  EXPECT_THAT(json, HasSubstr("\"line\":1,\"column\":1,\"severity\":\"warning\""));
  EXPECT_THAT(json, Not(HasSubstr("not translated")));
}

TEST(Import, shows_paths_without_their_controls) {
  const std::vector<std::string> paths{"/x\n- service: y"};
  EXPECT_EQ(format_import(import_files(SourceFormat::Inetd, paths), paths),
            "# from /x\\n- service: y\nservices: []\n");
}

}  // namespace
}  // namespace xsd::config
