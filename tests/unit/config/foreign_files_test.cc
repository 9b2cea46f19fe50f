// SPDX-License-Identifier: Apache-2.0
//
// Which files of another super-server are read, in which order, and what is said of those that are not.
#include "xsd/config/foreign_files.h"

#include <unistd.h>

#include "config_test.h"

namespace xsd::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Read {
  std::vector<std::string> names;  ///< of the services, in order
  std::string said;                ///< without the folder
};

Read read(const TestFolder& folder, const std::vector<std::string>& names,
          SourceFormat format = SourceFormat::Xinetd) {
  std::vector<std::string> paths;
  for (const std::string& name : names)
    paths.push_back(folder.path(name));
  Read out;
  for (const auto& file : read_foreign_files(format, paths)) {
    const auto& services = file->root.find("services")->items;
    EXPECT_EQ(services.size(), file->faulty_services.size());
    for (const YamlNode& service : services)
      out.names.push_back(service.find("service")->scalar);
    out.said += shown(file->sink.all(), folder.root());
  }
  return out;
}

std::string service(const std::string& name) {
  return "service " + name + "\n{\n}\n";
}

TEST(ForeignFiles, follow_includes_in_their_order) {
  const TestFolder folder;
  ASSERT_EQ(::mkdir(folder.path("d").c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(folder.path("d/folder").c_str(), 0755), 0);
  ASSERT_EQ(::symlink("nowhere", folder.path("d/dangling").c_str()), 0);
  folder.write("main",
               service("a") + "include " + folder.path("one") + "\nincludedir " + folder.path("d") + "\n");
  folder.write("one", service("b"));
  folder.write("d/z", service("d"));
  folder.write("d/Y", service("c"));
  folder.write("d/x.conf", service("never"));
  folder.write("d/x~", service("never"));
  folder.write("d/.hidden", service("never"));
  const Read out = read(folder, {"main"});
  EXPECT_THAT(out.names, ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(
      out.said,
      "main:5:12: note: 'd': passed over, since a dot or a '~' at the end of a name makes xinetd leave it "
      "out: 'x.conf' 'x~'\n"
      "main:5:12: warning: 'd/dangling': no regular file; it is passed over\n"
      "main:5:12: warning: 'd/folder': no regular file; it is passed over\n");
}

TEST(ForeignFiles, read_each_file_once) {
  const TestFolder folder;
  folder.write("a", service("a") + "include " + folder.path("b") + "\n");
  folder.write("b", service("b") + "include " + folder.path("a") + "\n");
  const Read out = read(folder, {"a", "b"});
  EXPECT_THAT(out.names, ElementsAre("a", "b"));
  EXPECT_EQ(out.said, "b:4:9: note: 'a': is read already\nb: note: is read already\n");
}

TEST(ForeignFiles, have_a_depth) {
  const TestFolder folder;
  const std::size_t count = kMaxIncludeDepth + 2;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    folder.write("f" + number,
                 service(number) + "include " + folder.path("f" + std::to_string(i + 1)) + "\n");
  }
  const Read out = read(folder, {"f0"});
  EXPECT_EQ(out.names.size(), kMaxIncludeDepth + 1);
  EXPECT_EQ(out.said, "f32:4:9: error: 'f33': files include each other more than 32 deep\n");
}

TEST(ForeignFiles, say_what_cannot_be_read) {
  const TestFolder folder;
  folder.write("main", "include " + folder.path("gone") + "\nincludedir " + folder.path("none") +
                           "\ninclude " + folder.path("conf.d") + "\nincludedir " + folder.path("main") +
                           "\n");
  EXPECT_EQ(read(folder, {"main"}).said,
            "main:1:9: warning: 'gone': not found; nothing is read from there\n"
            "main:2:12: warning: 'none': not found; nothing is read from there\n"
            "main:3:9: error: 'conf.d': not a regular file but a folder\n"
            "main:4:12: error: 'main': cannot read the folder: Not a directory\n");
  EXPECT_EQ(read(folder, {"gone"}).said, "gone: error: cannot open: No such file or directory\n");
  EXPECT_EQ(read(folder, {"conf.d"}, SourceFormat::Inetd).said,
            "conf.d: error: not a regular file but a folder\n");
}

TEST(ForeignFiles, take_a_folder_that_is_given) {
  const TestFolder folder;
  folder.write("conf.d/b", service("b"));
  folder.write("conf.d/a", service("a") + "include no/such/file\n");
  const Read out = read(folder, {"conf.d"});
  EXPECT_THAT(out.names, ElementsAre("a", "b"));
  EXPECT_THAT(out.said,
              HasSubstr("conf.d/a:4:9: note: 'no/such/file' is taken from the folder that this is run in; "
                        "xinetd takes it from where it was started\n"));
}

TEST(ForeignFiles, know_which_entries_are_faulty) {
  const TestFolder folder;
  folder.write("inetd.conf", "7 stream tcp4 nowait me /a a\nprose\n8 stream tcp4 nowait me /a a\n");
  const std::vector<std::string> paths{folder.path("inetd.conf")};
  const auto files = read_foreign_files(SourceFormat::Inetd, paths);
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0]->faulty_services, (std::vector<bool>{false, true, false}));
}

}  // namespace
}  // namespace xsd::config
