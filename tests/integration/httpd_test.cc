// SPDX-License-Identifier: Apache-2.0
//
// The shipped plugin httpd in the real daemon, in a worker and with `--workers 0` (then not as root), asked
// with plain sockets and with curl(1). What it does with every kind of request is tested in
// tests/plugins/httpd.
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/harness/harness.h"

namespace xsd::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kCurl = "/usr/bin/curl";

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<char>((i * 7 + i / 251) & 0xff);
  return bytes;
}

class HttpdService : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (as_nobody()) {
      if (const std::string why = why_not_as_nobody(); !why.empty()) GTEST_SKIP() << why;
      options_.start.in_child = become_nobody;
    }
    if (!GetParam()) options_.arguments = {"--workers", "0"};
    folder_.make_folder("plugins");
    folder_.make_folder("www/folder");
    folder_.write("plugins/httpd.so", read_file(XSD_PLUGIN_BUILD_DIR "/httpd.so"));
    folder_.write("xsd.yaml", "daemon: {plugin_dirs: [plugins]}\ninclude: [conf.d/*.yaml]\n");
    folder_.write("www/index.html", "<p>hello\n");
    folder_.write("www/folder/index.html", "<p>folder\n");
    folder_.write("www/large.bin", pattern(5U << 20));
    write_service(folder_.string("www"));
    if (as_nobody()) folder_.give_to(kNobody, kNobody);
  }
  bool as_nobody() const { return !GetParam() && is_root(); }
  void write_service(const std::string& root, const std::string& more = "") const {
    folder_.write("conf.d/web.yaml",
                  "service: web\nplugin: httpd\nlisten: tcp://127.0.0.1:" + std::to_string(port_) +
                      "\nsettings:\n  root: " + root + "\n" + more);
  }
  RunResult check() const { return run_xsd({"--check", "-c", folder_.string("xsd.yaml")}, options_.start); }
  RunResult curl(std::vector<std::string> arguments, const std::string& path) const {
    arguments.insert(arguments.begin(), {kCurl, "-sS", "--noproxy", "*", "--path-as-is"});
    arguments.push_back("http://127.0.0.1:" + std::to_string(port_) + path);
    return run(arguments);
  }

  TempFolder folder_;
  std::uint16_t port_ = free_port();
  DaemonOptions options_{.config = folder_ / "xsd.yaml"};
};

INSTANTIATE_TEST_SUITE_P(, HttpdService, testing::Bool(),
                         [](const auto& one) { return one.param ? "in_a_worker" : "in_the_daemon"; });

TEST_P(HttpdService, answers_requests_on_one_connection) {
  Daemon daemon(folder_, options_);
  Client client(port_);
  ASSERT_TRUE(
      client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"
                  "GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"
                  "GET /folder/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  const std::string got = client.receive_until_eof();
  EXPECT_THAT(got, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(got, HasSubstr("\r\n\r\n<p>hello\nHTTP/1.1 400 Bad Request\r\n"));
  EXPECT_TRUE(got.ends_with("\r\n\r\n<p>folder\n")) << got;
  EXPECT_EQ(client.ending(), Ending::Closed);
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_P(HttpdService, says_in_check_what_is_wrong_with_its_settings) {
  write_service(folder_.string("www"),
                "  keep_alive: 30s\n  max_body: 10M\n  cgi: {/cgi-bin/status: status}\n");
  EXPECT_EQ(check().status, 0) << check().out;
  write_service("/none/at/all");
  const RunResult bad = check();
  EXPECT_EQ(bad.status, 78);
  EXPECT_THAT(bad.out, HasSubstr("web.yaml:5:9: error: "));
  EXPECT_THAT(bad.out, HasSubstr("cannot be served: No such file or directory"));
  write_service(folder_.string("www"), "  cgi: {cgi-bin: status}\n");
  EXPECT_THAT(check().out, HasSubstr("'cgi-bin' is no path here"));
}

TEST_P(HttpdService, gives_large_files_to_many_clients) {
  Daemon daemon(folder_, options_);
  const std::string content = pattern(5U << 20);
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(port_);
    ASSERT_TRUE(clients.back().send("GET /large.bin HTTP/1.0\r\n\r\n"));
  }
  for (Client& client : clients) {
    const std::string got = client.receive_until_eof();
    EXPECT_TRUE(got.ends_with("\r\n\r\n" + content)) << got.size();
  }
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_P(HttpdService, does_what_curl_expects) {
  if (!fs::exists(kCurl)) GTEST_SKIP() << "no " << kCurl;
  Daemon daemon(folder_, options_);
  const std::string content = pattern(5U << 20);
  EXPECT_EQ(curl({}, "/").out, "<p>hello\n");
  EXPECT_EQ(curl({"-L"}, "/folder").out, "<p>folder\n");
  EXPECT_TRUE(curl({}, "/large.bin").out == content);
  EXPECT_TRUE(curl({"-r", "100-4000000"}, "/large.bin").out == content.substr(100, 3999901));
  EXPECT_THAT(curl({"-I"}, "/large.bin").out, HasSubstr("Content-Length: 5242880\r\n"));
  // What was broken off is resumed; what has not changed is not sent again.
  folder_.write("part", content.substr(0, 1000000));
  EXPECT_EQ(curl({"-C", "-", "-o", folder_.string("part")}, "/large.bin").status, 0);
  EXPECT_TRUE(read_file(folder_ / "part") == content);
  const std::vector<std::string> status{"-o", "/dev/null", "-w", "%{http_code}"};
  const auto status_of = [&](std::vector<std::string> more, const std::string& path) {
    more.insert(more.end(), status.begin(), status.end());
    return curl(more, path).out;
  };
  EXPECT_EQ(status_of({"-z", folder_.string("www/index.html")}, "/index.html"), "304");
  EXPECT_EQ(status_of({"-d", "a=b"}, "/index.html"), "405");
  EXPECT_EQ(status_of({"-T", folder_.string("part")}, "/index.html"), "405");
  EXPECT_EQ(status_of({}, "/.git/config"), "404");
  EXPECT_EQ(status_of({}, "/%2e%2e/conf.d/web.yaml"), "400");
  EXPECT_EQ(daemon.stop(), 0);
}

TEST_P(HttpdService, has_a_cgi_program_answer) {
  write_service(folder_.string("www"),
                "  cgi: {/cgi-bin/status: status}\n"
                "programs:\n"
                "  status: [/bin/sh, -c, 'printf \"Content-Type: text/plain\\n\\n$REQUEST_METHOD $PATH_INFO "
                "\"; cat']\n" +
                    std::string(is_root() && GetParam() ? "user: nobody\n" : ""));
  Daemon daemon(folder_, options_);
  Client client(port_);
  ASSERT_TRUE(
      client.send("POST /cgi-bin/status/more HTTP/1.0\r\n"
                  "Content-Length: 4\r\n\r\nbody"));
  const std::string got = client.receive_until_eof();
  EXPECT_THAT(got, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(got, HasSubstr("POST /more body"));
}

}  // namespace
}  // namespace xsd::test
