// SPDX-License-Identifier: Apache-2.0
//
// Files, over real sockets.
#include "httpd_test.h"

#include <malloc.h>
#include <sys/stat.h>

namespace xsd::plugin {
namespace {

class Httpd : public HttpdTest {};

constexpr const char* kGet = "GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n";

std::size_t heap_in_use() {
  return kSanitized ? 0 : mallinfo2().uordblks + mallinfo2().hblkhd;
}

TEST_F(Httpd, serves_a_file_and_keeps_the_connection) {
  start_httpd();
  const Browser browser = client();
  for (int i = 0; i < 3; ++i) {
    const Answer got = ask(browser, kGet);
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, "hello world\n");
    EXPECT_EQ(got.field("Content-Type"), "text/plain; charset=utf-8");
    EXPECT_EQ(got.field("Date"), "Sun, 22 Nov 2026 01:10:47 GMT");
    EXPECT_EQ(got.field("Accept-Ranges"), "bytes");
    EXPECT_EQ(got.field("Connection"), "");
    EXPECT_NE(got.field("ETag"), "");
  }
  EXPECT_EQ(metric("requests"), 3U);
  EXPECT_EQ(metric("responses_2xx"), 3U);
  EXPECT_EQ(metric("responses_4xx"), 0U);
}

TEST_F(Httpd, answers_do_not_depend_on_how_requests_are_cut) {
  start_httpd();
  const Browser browser = client();
  const std::string text = std::string(kGet) + "\r\n" + kGet;
  for (const char c : text) {
    send_all(browser, std::string_view(&c, 1));
    settle();
  }
  EXPECT_EQ(answer(browser).body, "hello world\n");
  EXPECT_EQ(answer(browser).body, "hello world\n");
}

TEST_F(Httpd, answers_pipelined_requests_in_order) {
  start_httpd();
  const Browser browser = client();
  send_all(
      browser,
      "GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\n"
      "HEAD /small HTTP/1.1\r\nHost: x\r\n\r\nGET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /folder/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer(browser).body, "hello world\n");
  EXPECT_EQ(answer(browser).status, 404);
  EXPECT_EQ(answer(browser, true).field("Content-Length"), "65536");
  EXPECT_EQ(answer(browser).body, pattern(3U << 20));
  const Answer last = answer(browser);
  EXPECT_EQ(last.body, "<p>folder\n");
  EXPECT_EQ(last.field("Connection"), "close");
  EXPECT_TRUE(closes(browser));
  EXPECT_EQ(metric("requests"), 5U);
}

TEST_F(Httpd, a_client_that_asks_and_does_not_read_costs_little) {
  start_httpd();
  auto [client_end, accepted] = tcp_pair();
  const Browser browser = std::move(client_end);
  set_buffers(accepted, 65536);
  set_buffers(browser, 65536);
  ASSERT_TRUE(open(std::move(accepted)));
  const std::string request = "GET /small HTTP/1.1\r\nHost: x\r\n\r\n";
  std::string requests;
  for (int i = 0; i < 1500; ++i)
    requests += request;
  const std::size_t before = heap_in_use();
  std::size_t most = 0;
  std::size_t sent = 0;
  // Until nothing moves any more.
  while (true) {
    const ssize_t out = send(browser.get(), requests.data() + sent, requests.size() - sent, MSG_DONTWAIT);
    if (out > 0) sent += static_cast<std::size_t>(out);
    if (loop->run_once(milliseconds(20)) == 0 && out <= 0) break;
    most = std::max(most, heap_in_use() - before);
  }
  EXPECT_LE(most, std::size_t{300} * 1024);
  EXPECT_LE(metric("requests"), 40U);
  const std::string content = pattern(65536);
  for (int i = 0; i < 1500; ++i) {
    if (sent < requests.size()) {
      const ssize_t out = send(browser.get(), requests.data() + sent, requests.size() - sent, MSG_DONTWAIT);
      if (out > 0) sent += static_cast<std::size_t>(out);
    }
    ASSERT_EQ(answer(browser).body, content) << i;
  }
}

TEST_F(Httpd, serves_large_files_and_parts_of_them) {
  start_httpd();
  const std::string content = pattern(3U << 20);
  const Browser browser = client();
  const Answer whole = ask(browser, "GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(whole.body, content);
  EXPECT_EQ(whole.field("Content-Type"), "application/octet-stream");
  const Answer part = ask(browser, "GET /large.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=1000-1001000\r\n\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.field("Content-Range"), "bytes 1000-1001000/3145728");
  EXPECT_EQ(part.body, content.substr(1000, 1000001));
  const Answer tail = ask(browser, "GET /large.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=-5\r\n\r\n");
  EXPECT_EQ(tail.body, content.substr(content.size() - 5));
  const Answer beyond = ask(browser, "GET /large.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=3145728-\r\n\r\n");
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.field("Content-Range"), "bytes */3145728");
  EXPECT_EQ(ask(browser, "GET /large.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1,5-6\r\n\r\n").status, 200);
}

TEST_F(Httpd, answers_conditions) {
  start_httpd();
  const Answer first = get("/hello.txt");
  const std::string etag = first.field("ETag");
  const Answer same = get("/hello.txt", "If-None-Match: " + etag + "\r\n");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.field("ETag"), etag);
  EXPECT_EQ(same.field("Content-Length"), "");
  EXPECT_EQ(get("/hello.txt", "If-Modified-Since: " + first.field("Last-Modified") + "\r\n").status, 304);
  EXPECT_EQ(get("/hello.txt", "If-Match: \"other\"\r\n").status, 412);
  EXPECT_EQ(get("/hello.txt", "If-Range: " + etag + "\r\nRange: bytes=0-3\r\n").body, "hell");
  EXPECT_EQ(get("/hello.txt", "If-Range: \"other\"\r\nRange: bytes=0-3\r\n").status, 200);
  // A changed file is seen at once.
  write_file("new", "changed");
  std::filesystem::rename(root / "new", root / "hello.txt");
  const Answer changed = get("/hello.txt", "If-None-Match: " + etag + "\r\n");
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(changed.body, "changed");
}

TEST_F(Httpd, answers_head_without_a_body) {
  start_httpd();
  const Browser browser = client();
  for (const char* const path : {"/hello.txt", "/large.bin", "/none", "/folder"}) {
    const Answer got = ask(browser, "HEAD " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n", true);
    const Answer full = get(path);
    EXPECT_EQ(got.status, full.status) << path;
    EXPECT_EQ(got.field("Content-Length"), full.field("Content-Length")) << path;
    EXPECT_EQ(got.field("ETag"), full.field("ETag")) << path;
  }
  EXPECT_EQ(ask(browser, kGet).body, "hello world\n");
}

TEST_F(Httpd, folders_have_an_index_and_a_slash) {
  start_httpd();
  EXPECT_EQ(get("/").body, "<p>index\n");
  EXPECT_EQ(get("/folder/").field("Content-Type"), "text/html; charset=utf-8");
  const Answer moved = get("//folder?a=b");
  EXPECT_EQ(moved.status, 301);
  EXPECT_EQ(moved.field("Location"), "/folder/?a=b");
  std::filesystem::create_directories(root / "none here");
  EXPECT_EQ(get("/none%20here").field("Location"), "/none%20here/");
  EXPECT_EQ(get("/none%20here/").status, 404);
  const Answer empty = get("/empty.css");
  EXPECT_EQ(empty.status, 200);
  EXPECT_EQ(empty.field("Content-Length"), "0");
}

TEST_F(Httpd, what_must_not_be_seen_looks_like_what_is_not_there) {
  start_httpd();
  ASSERT_EQ(mkfifo((root / "fifo").c_str(), 0644), 0);
  const std::string missing = get("/none").body;
  for (const char* const target : {"/.secret", "/out", "/fifo", "/folder/none", "/hello.txt/", "/hello.txt/x",
                                   "/..%2foutside", "/folder/%2e%2e%2f%2e%2e%2foutside", "/.git/config"}) {
    const Answer got = get(target);
    EXPECT_EQ(got.status, 404) << target;
    EXPECT_EQ(got.body, missing) << target;
  }
  for (const char* const target : {"/../outside", "/%2e%2e/outside", "/folder/../../outside", "/%00",
                                   "/hello.txt%00", "/hello.txt%0d%0aX:1"})
    EXPECT_EQ(get(target).status, 400) << target;
  EXPECT_EQ(get("/folder/../hello.txt").status, 200);
  EXPECT_EQ(get("http://other.test/hello.txt").status, 200);
}

TEST_F(Httpd, versions_and_connections) {
  start_httpd();
  Browser old = client();
  EXPECT_EQ(ask(old, "GET /hello.txt HTTP/1.0\r\n\r\n").field("Connection"), "close");
  EXPECT_TRUE(closes(old));
  const Browser kept = client();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ask(kept, "GET /hello.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").field("Connection"),
              "keep-alive");
  }
  // One that has said all it wants to say is answered, and let go.
  const Browser half = client();
  send_all(half, std::string(kGet) + kGet);
  end_sending(half);
  EXPECT_EQ(answer(half).status, 200);
  EXPECT_EQ(answer(half).status, 200);
  EXPECT_TRUE(closes(half));
  const Browser cut = client();
  send_all(cut, "GET /hello.t");
  end_sending(cut);
  EXPECT_TRUE(closes(cut));
}

TEST_F(Httpd, methods) {
  start_httpd();
  const Browser browser = client();
  for (const char* const method : {"POST", "PUT", "DELETE", "TRACE", "PATCH", "CONNECT"}) {
    const Answer got = ask(browser, std::string(method) + " /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(got.status, 405) << method;
    EXPECT_EQ(got.field("Allow"), "GET, HEAD, OPTIONS");
  }
  const Answer options = ask(browser, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.field("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(ask(browser, "OPTIONS /cgi/status HTTP/1.1\r\nHost: x\r\n\r\n").field("Allow"),
            "GET, HEAD, OPTIONS, POST");
  EXPECT_EQ(ask(browser, "GET * HTTP/1.1\r\nHost: x\r\n\r\n").status, 400);
  EXPECT_EQ(ask(browser, "BREW / HTTP/1.1\r\nHost: x\r\n\r\n").status, 501);
  EXPECT_TRUE(closes(browser));
}

TEST_F(Httpd, a_body_that_nobody_reads_is_not_taken_for_a_request) {
  start_httpd();
  for (const char* const head :
       {"GET /hello.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n",
        "POST /hello.txt HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET /none HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n",
        "POST /hello.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\nExpect: 100-continue\r\n\r\n"}) {
    const Browser browser = client();
    const Answer got = ask(browser, std::string(head) + "GET /.secret HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(got.field("Connection"), "close") << head;
    EXPECT_TRUE(closes(browser)) << head;
  }
  EXPECT_EQ(metric("requests"), 4U);
}

struct Hostile {
  const char* text;
  int status;
};

TEST_F(Httpd, hostile_requests_are_answered_and_the_connection_closed) {
  start_httpd();
  const std::string long_line = "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string long_head = "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(20000, 'x') + "\r\n\r\n";
  const Hostile table[] = {
      {"\x16\x03\x01\x02 a TLS hello", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: x\n\n", 400},
      {"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", 400},
      {"POST /cgi HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"POST /cgi HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n", 400},
      {"POST /cgi HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"POST /cgi HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
      {"POST /cgi HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413},
      {"POST /cgi HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n", 413},
      {"GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417},
      {long_line.c_str(), 414},
      {long_head.c_str(), 431},
  };
  std::uint64_t errors = 0;
  for (const Hostile& hostile : table) {
    const Browser browser = client();
    const Answer got = ask(browser, hostile.text);
    EXPECT_EQ(got.status, hostile.status) << hostile.text;
    EXPECT_EQ(got.field("Connection"), "close") << hostile.text;
    EXPECT_TRUE(got.whole) << hostile.text;
    EXPECT_TRUE(closes(browser)) << hostile.text;
    ++errors;
  }
  EXPECT_EQ(metric("responses_4xx") + metric("responses_5xx"), errors);
}

TEST_F(Httpd, a_head_that_does_not_end_costs_little) {
  start_httpd();
  const Browser browser = client();
  send_all(browser, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
  settle();
  const std::size_t before = heap_in_use();
  std::size_t most = 0;
  const std::string some(1000, 'x');
  for (int i = 0; i < 17; ++i) {
    send_all(browser, some);
    settle();
    most = std::max(most, heap_in_use() - before);
  }
  EXPECT_EQ(answer(browser).status, 431);
  EXPECT_LE(most, std::size_t{48} * 1024);
}

TEST_F(Httpd, a_head_has_its_time_from_its_first_byte) {
  start_httpd();
  const Browser browser = client();
  settle();
  advance(seconds(14));
  std::string_view request = "GET /hello.txt HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 5; ++i) {  // a byte now and then makes no difference
    send_all(browser, request.substr(0, 1));
    request.remove_prefix(1);
    settle();
    EXPECT_EQ(service->connections(), 1U) << i;
    advance(milliseconds(2400));
  }
  EXPECT_EQ(answer(browser).status, 408);
  EXPECT_TRUE(closes(browser));
}

TEST_F(Httpd, a_connection_may_be_idle_for_a_while) {
  start_httpd({{"keep_alive", "5s"}});
  const Browser silent = client();
  const Browser browser = client();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ask(browser, kGet).status, 200);
    advance(seconds(4));
  }
  settle();
  EXPECT_EQ(service->connections(), 1U);
  EXPECT_TRUE(closes(silent));
  advance(milliseconds(1100));
  advance(milliseconds(10));
  EXPECT_TRUE(closes(browser));
  EXPECT_EQ(metric("requests"), 3U);
  const Browser empty_lines = client();
  send_all(empty_lines, "\r\n\r\n");
  settle();
  advance(seconds(11));
  EXPECT_TRUE(closes(empty_lines));
}

TEST_F(Httpd, who_reads_slowly_is_not_idle) {
  start_httpd();
  auto [client_end, accepted] = tcp_pair();
  const Browser browser = std::move(client_end);
  set_buffers(accepted, 65536);
  set_buffers(browser, 65536);
  ASSERT_TRUE(open(std::move(accepted)));
  send_all(browser, "GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
  settle();
  for (int i = 0; i < 10; ++i) {
    advance(seconds(10));
    settle();
  }
  EXPECT_EQ(answer(browser).body, pattern(3U << 20));
  EXPECT_EQ(ask(browser, kGet).status, 200);
}

TEST_F(Httpd, a_file_that_is_cut_off_while_it_is_sent_is_not_taken_for_whole) {
  start_httpd();
  auto [client_end, accepted] = tcp_pair();
  const Browser browser = std::move(client_end);
  set_buffers(accepted, 65536);
  set_buffers(browser, 65536);
  ASSERT_TRUE(open(std::move(accepted)));
  send_all(browser, "GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
  settle();
  std::filesystem::resize_file(root / "large.bin", 100);
  EXPECT_FALSE(answer(browser).whole);
}

TEST_F(Httpd, many_clients_at_once) {
  start_httpd();
  std::vector<Browser> browsers;
  for (int i = 0; i < 200; ++i) {
    browsers.push_back(client());
    send_all(browsers.back(), i % 2 == 0 ? kGet : "GET /small HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  for (const Browser& browser : browsers)
    EXPECT_EQ(answer(browser).status, 200);
  EXPECT_EQ(service->connections(), 200U);
  browsers.clear();
  ASSERT_TRUE(ended(200));
}

}  // namespace
}  // namespace xsd::plugin
