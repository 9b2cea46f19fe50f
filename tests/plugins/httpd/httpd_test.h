// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the whole plugin share: a folder of files, the plugin hosted on a loop with a clock that
// tests move, clients over TCP that read answers, and programs that the tests play themselves.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <dlfcn.h>

#include "tests/unit/plugin/plugin_test.h"

namespace xsd::plugin {

struct Answer {
  int status = 0;
  std::map<std::string, std::string> fields;
  std::string body;
  bool whole = false;  ///< by its length, or its last chunk

  std::string field(const std::string& name) const {
    const auto found = fields.find(name);
    return found != fields.end() ? found->second : "";
  }
};

/// A program as it looks from the other end of its connection.
struct PlayedProgram {
  std::uint64_t id = 0;
  std::string name;
  std::vector<std::string> environment;
  UniqueFd socket;
  bool dropped = false;
};

class HttpdTest : public PluginTest {
 protected:
  using Browser = UniqueFd;

  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "httpd_test_XXXXXX").string();
    ASSERT_NE(httpd.plugin, nullptr);
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    top = name;
    root = top / "root";
    std::filesystem::create_directories(root / "folder");
    write_file("hello.txt", "hello world\n");
    write_file("index.html", "<p>index\n");
    write_file("folder/index.html", "<p>folder\n");
    write_file("small", pattern(65536));
    write_file("large.bin", pattern(3U << 20));
    write_file("empty.css", "");
    write_file(".secret", "secret");
    write_file("../outside", "outside");
    std::filesystem::create_symlink("../outside", root / "out");
  }
  void TearDown() override {
    service.reset();
    std::filesystem::remove_all(top);
  }

  static std::string pattern(std::size_t length) {
    std::string text(length, '\0');
    for (std::size_t i = 0; i < length; ++i)
      text[i] = static_cast<char>('a' + (i * 7 + i / 1000) % 23);
    return text;
  }
  void write_file(const std::string& name, std::string_view text) const {
    std::ofstream(root / name, std::ios::binary) << text;
  }

  static config::SettingsNode scalar(std::string text) {
    config::SettingsNode node;
    node.kind = config::SettingsNode::Kind::Scalar;
    node.scalar = std::move(text);
    return node;
  }
  config::SettingsNode settings_with(const std::vector<std::pair<std::string, std::string>>& more) const {
    config::SettingsNode map;
    map.kind = config::SettingsNode::Kind::Map;
    map.members.emplace_back("root", scalar(root.string()));
    config::SettingsNode cgi;
    cgi.kind = config::SettingsNode::Kind::Map;
    for (const auto& [prefix, program] : {std::pair("/cgi/status", "status"), std::pair("/cgi", "other")})
      cgi.members.emplace_back(prefix, scalar(program));
    map.members.emplace_back("cgi", cgi);
    for (const auto& [name, value] : more) {
      std::erase_if(map.members, [&name = name](const auto& member) { return member.first == name; });
      map.members.emplace_back(name, scalar(value));
    }
    return map;
  }
  /// Of the library as it is installed; it stays loaded, as in the daemon.
  static const xsd_plugin* load() {
    void* const library = ::dlopen(XSD_PLUGIN_BUILD_DIR "/httpd.so", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      ADD_FAILURE() << ::dlerror();
      return nullptr;
    }
    const auto entry = reinterpret_cast<xsd_plugin_entry>(::dlsym(library, "xsd_plugin_entry_v1"));
    return entry == nullptr ? nullptr : entry();
  }

  void start_httpd(const std::vector<std::pair<std::string, std::string>>& more = {},
                   std::optional<Duration> idle_timeout = std::nullopt) {
    const config::SettingsNode settings = settings_with(more);
    HostedOptions options;
    options.service = "web";
    options.settings = &settings;
    options.idle_timeout = idle_timeout;
    options.on_stream_end = [this](const StreamEnd& end) { ends.push_back(end); };
    options.on_log = [this](std::uint32_t level, std::string_view text) {
      logged += std::to_string(level) + ":" + std::string(text) + "\n";
    };
    options.on_start_program = [this](ProgramStart start) {
      if (start.program != "status" && start.program != "other") return -ENOENT;
      programs.push_back({start.id, start.program, start.environment, std::move(start.socket)});
      return 0;
    };
    options.on_drop_program = [this](std::uint64_t id) {
      for (PlayedProgram& program : programs) {
        if (program.id == id) program.dropped = true;
      }
    };
    auto created = HostedService::create(*loop, httpd, std::move(options));
    ASSERT_TRUE(created) << created.error().text();
    service = std::move(*created);
  }

  /// The next answer on this connection. `bodiless`: to HEAD.
  Answer answer(const Browser& browser, bool bodiless = false) {
    std::string& got = buffers[browser.get()];
    std::size_t end = std::string::npos;
    (void)turn_until(
        [&] { return (end = got.find("\r\n\r\n")) != std::string::npos || !more(browser, got); });
    Answer answer;
    if (end == std::string::npos || got.rfind("HTTP/1.1 ", 0) != 0) return answer;
    answer.status = std::stoi(got.substr(9, 3));
    std::size_t line = got.find("\r\n") + 2;
    while (line < end + 2) {
      const std::size_t line_end = got.find("\r\n", line);
      const std::size_t colon = got.find(": ", line);
      answer.fields[got.substr(line, colon - line)] = got.substr(colon + 2, line_end - colon - 2);
      line = line_end + 2;
    }
    got.erase(0, end + 4);
    const bool none = bodiless || answer.status == 304 || answer.status == 204 || answer.status < 200;
    answer.whole = none || read_body(browser, got, answer);
    return answer;
  }
  Answer ask(const Browser& browser, std::string_view request, bool bodiless = false) {
    send_all(browser, request);
    return answer(browser, bodiless);
  }
  /// On a connection of its own.
  Answer get(const std::string& target, const std::string& fields = "") {
    const Browser browser = client();
    return ask(browser, "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
  }
  /// Whether the server ends the connection, with nothing more to be read.
  bool closes(const Browser& browser) {
    std::string& got = buffers[browser.get()];
    (void)turn_until([&] { return !more(browser, got); });
    return got.empty() && (saw_end || saw_error != 0);
  }
  /// What is said to a program until it has this length, or its end.
  std::string input_of(const PlayedProgram& program, std::size_t length = SIZE_MAX) {
    return receive(program.socket, length);
  }
  void exit_program(PlayedProgram& program, int signal = 0) {
    program.socket.reset();
    service->program_ended(program.id, 0, 0, signal);
  }
  bool started(std::size_t count) {
    return turn_until([&] { return programs.size() >= count; });
  }
  std::uint64_t metric(std::string_view name) const {
    for (const auto& [key, value] : service->metrics()) {
      if (key == name) return value;
    }
    return UINT64_MAX;
  }

  PluginEntry httpd{"httpd", "", load()};
  std::filesystem::path top;
  std::filesystem::path root;
  std::vector<PlayedProgram> programs;
  std::map<int, std::string> buffers;  ///< what has arrived and was not looked at

 private:
  /// False at the end.
  bool more(const Browser& browser, std::string& got) {
    read_some(browser, got);
    return !saw_end && saw_error == 0;
  }
  bool read_body(const Browser& browser, std::string& got, Answer& answer) {
    if (answer.field("Transfer-Encoding") == "chunked") return read_chunks(browser, got, answer);
    const std::string length = answer.field("Content-Length");
    const std::size_t wanted = length.empty() ? SIZE_MAX : std::stoul(length);
    (void)turn_until([&] { return got.size() >= wanted || !more(browser, got); });
    answer.body = got.substr(0, wanted);
    got.erase(0, wanted);
    return length.empty() ? saw_end : answer.body.size() == wanted;
  }
  bool read_chunks(const Browser& browser, std::string& got, Answer& answer) {
    while (true) {
      std::size_t line = std::string::npos;
      (void)turn_until([&] { return (line = got.find("\r\n")) != std::string::npos || !more(browser, got); });
      if (line == std::string::npos) return false;
      const std::size_t size = std::stoul(got.substr(0, line), nullptr, 16);
      const std::size_t all = line + 2 + size + 2;
      (void)turn_until([&] { return got.size() >= all || !more(browser, got); });
      if (got.size() < all) return false;
      EXPECT_EQ(got.substr(all - 2, 2), "\r\n");
      answer.body += got.substr(line + 2, size);
      got.erase(0, all);
      if (size == 0) return true;
    }
  }
};

}  // namespace xsd::plugin
