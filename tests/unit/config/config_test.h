// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the configuration share: a folder of files, a machine of their own, decoding from text.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xsd/config/decode.h"
#include "xsd/config/loader.h"
#include "xsd/config/name_service.h"
#include "xsd/config/settings_wire.h"

namespace xsd::config {

/// A machine with a few names, whatever the real one has.
class FakeNames final : public NameService {
 public:
  void refresh() override { ++refreshes; }
  NameAnswer ask(const NameQuestion& question) override {
    asked.push_back(question);
    NameAnswer answer = NameAnswer::not_found();
    const auto found = [&answer](bool is_found) {
      if (is_found) answer.state = NameAnswer::State::Found;
    };
    switch (question.kind) {
      case NameQuestion::Kind::User:
      case NameQuestion::Kind::UserAndGroups:
        for (const UserEntry& entry : users) {
          if (entry.name != question.text && std::to_string(entry.uid) != question.text) continue;
          answer.user = entry;
          found(true);
        }
        if (answer.found() && question.kind == NameQuestion::Kind::UserAndGroups) answer.groups = {100};
        break;
      case NameQuestion::Kind::Group:
        found(group_ids.contains(question.text));
        if (answer.found()) answer.gid = group_ids.at(question.text);
        break;
      case NameQuestion::Kind::TcpPort:
      case NameQuestion::Kind::UdpPort: {
        const std::string key =
            question.text + (question.kind == NameQuestion::Kind::TcpPort ? "/tcp" : "/udp");
        found(ports.contains(key));
        if (answer.found()) answer.port = ports.at(key);
        break;
      }
      case NameQuestion::Kind::Network:
        found(question.text == "localnet");
        if (answer.found()) answer.network = net::Prefix::v4(in_addr{htonl(0x0A010000)}, 16);
        break;
      case NameQuestion::Kind::Host:
        for (const std::string& text : hosts[question.text])
          answer.addresses.push_back(*net::SocketAddress::parse(text, 0));
        found(!answer.addresses.empty());
        break;
    }
    return answer;
  }
  bool has_interface(const std::string& name) override { return name == "lo"; }
  bool has_ipv6() override { return ipv6; }
  uid_t own_uid() override { return 1000; }
  gid_t own_gid() override { return 1000; }

  std::vector<UserEntry> users{
      {"root", 0, 0}, {"nobody", 65534, 65534}, {"me", 1000, 1000}, {"games", 5, 60}};
  std::map<std::string, gid_t> group_ids{{"root", 0}, {"nogroup", 65534}, {"me", 1000}, {"tty", 5}};
  std::map<std::string, std::uint16_t> ports{{"echo/tcp", 7},    {"echo/udp", 7},  {"telnet/tcp", 23},
                                             {"finger/tcp", 79}, {"tftp/udp", 69}, {"daytime/tcp", 13},
                                             {"ssh/tcp", 22}};
  std::map<std::string, std::vector<std::string>> hosts{{"localhost", {"127.0.0.1", "::1"}},
                                                        {"v4.example", {"192.0.2.1"}},
                                                        {"twice.example", {"192.0.2.1", "192.0.2.2"}}};
  bool ipv6 = true;
  int refreshes = 0;
  std::vector<NameQuestion> asked;
};

/// Of a machine where greeter has settings.
inline const std::vector<KnownPlugin>& known_plugins() {
  static const std::vector<KnownPlugin> kPlugins{{"chargen"}, {"daytime"},       {"discard"},
                                                 {"echo"},    {"greeter", true}, {"redirect", true},
                                                 {"tcpmux"},  {"time"}};
  return kPlugins;
}

/// On this machine greeter and redirect like all settings, `library` is a library that serves streams and has
/// a fault in any `bad`, and `broken` cannot be loaded.
inline void answer_about_plugins(PluginAnswers& answers) {
  answers.libraries = {"broken", "library"};
  for (std::size_t i = 0; i < answers.questions().size(); ++i) {
    const PluginQuestion& question = answers.questions()[i];
    PluginAnswer answer;
    answer.is_missing =
        question.plugin != "greeter" && question.plugin != "redirect" && question.plugin != "library";
    if (question.plugin == "broken") answer = PluginAnswer::faulty("crashed when it was loaded (signal 11)");
    if (question.plugin == "library") {
      auto image = std::make_shared<PluginImage>();
      image->name = "library";
      image->streams = true;
      answer.image = std::move(image);
    }
    for (const std::string& bytes : question.settings) {
      WireReader reader(bytes);
      const SettingsNode settings = get_settings(reader);
      EXPECT_TRUE(reader.is_complete());
      answer.settings.emplace_back();
      if (question.plugin != "library") continue;
      for (const auto& [key, value] : settings.members) {
        if (key == "bad") answer.settings.back().push_back({value.key_where, "'bad' is bad"});
      }
      if (settings.members.empty()) answer.settings.back().push_back({{}, "'good' is missing"});
    }
    answers.set(i, std::move(answer));
  }
}

/// A folder with a main file `xsd.yaml` and a service folder `conf.d`, gone at the end.
class TestFolder {
 public:
  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "xsd-config-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = std::filesystem::canonical(pattern).string();
    EXPECT_EQ(::mkdir((root_ + "/conf.d").c_str(), 0755), 0);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() { std::filesystem::remove_all(root_); }

  const std::string& root() const { return root_; }
  std::string path(const std::string& name) const { return root_ + "/" + name; }
  std::string write(const std::string& name, std::string_view text) const {
    const std::string file = path(name);
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
    EXPECT_EQ(::chmod(file.c_str(), 0644), 0);
    return file;
  }
  /// Makes a file old enough to be trusted to change its stamp with its text.
  void age(const std::string& name) const {
    const timespec times[2] = {{1'600'000'000, 0}, {1'600'000'000, 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, path(name).c_str(), times, 0), 0);
  }

 private:
  std::string root_;
};

inline LoadOptions load_options(std::string path, bool as_root = true) {
  LoadOptions options;
  options.path = std::move(path);
  options.as_root = as_root;
  options.known_plugins = known_plugins();
  options.ask_plugins = [](Answers& answers) { answer_about_plugins(answers.plugins); };
  return options;
}

/// All diagnostics as users see them, without `root` in the paths.
inline std::string shown(const std::vector<Diagnostic>& diagnostics, const std::string& root) {
  std::string out;
  for (const Diagnostic& diagnostic : diagnostics)
    out += format_diagnostic(diagnostic);
  for (std::size_t at; !root.empty() && (at = out.find(root + "/")) != std::string::npos;)
    out.erase(at, root.size() + 1);
  return out;
}

/// The messages alone.
inline std::vector<std::string> messages(const std::vector<Diagnostic>& diagnostics) {
  std::vector<std::string> out;
  for (const Diagnostic& diagnostic : diagnostics)
    out.push_back(diagnostic.message);
  return out;
}

/// A service file, decoded from its text.
struct Decoded {
  std::vector<DecodedService> services;
  std::vector<Diagnostic> diagnostics;

  const ServiceDefinition& only() const {
    EXPECT_EQ(services.size(), 1U);
    EXPECT_TRUE(services.at(0).definition != nullptr) << shown(diagnostics, "");
    static const ServiceDefinition kNone;
    return services.at(0).definition ? *services[0].definition : kNone;
  }
  /// The text of the one diagnostic there is; all of them if there are more.
  std::string fault() const {
    if (diagnostics.size() == 1) return diagnostics[0].message;
    return std::to_string(diagnostics.size()) + " diagnostics:\n" + shown(diagnostics, "");
  }
};

inline Decoded decode_text(std::string_view text, bool as_root = true, const Inherited& inherited = {}) {
  DiagnosticSink sink("test.yaml", text);
  Decoded out;
  if (const auto root = read_yaml(text, sink)) {
    out.services = decode_service_file(*root, "test", inherited, DecodeRules{"test.yaml", {}, as_root}, sink);
  }
  out.diagnostics = sink.take();
  return out;
}

inline DecodedMain decode_main_text(std::string_view text, std::vector<Diagnostic>* diagnostics = nullptr) {
  DiagnosticSink sink("xsd.yaml", text);
  DecodedMain out;
  out.faulty = true;
  if (const auto root = read_yaml(text, sink))
    out = decode_main(*root, DecodeRules{"xsd.yaml", "/etc/xsd", true}, sink);
  if (diagnostics != nullptr) {
    *diagnostics = sink.take();
  } else {
    EXPECT_EQ(shown(sink.all(), ""), "");
  }
  return out;
}

}  // namespace xsd::config
