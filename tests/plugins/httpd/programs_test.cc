// SPDX-License-Identifier: Apache-2.0
//
// CGI programs, played by the tests from the other end of their connections.
#include "httpd_test.h"

#include <fcntl.h>

namespace xsd::plugin {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class HttpdProgram : public HttpdTest {
 protected:
  void SetUp() override {
    HttpdTest::SetUp();
    start_httpd();
  }
  /// A client whose request has started a program.
  Browser call(std::string_view request) {
    const std::size_t before = programs.size();
    Browser browser = client();
    send_all(browser, request);
    EXPECT_TRUE(started(before + 1)) << request;
    return browser;
  }
  Browser call_get(const std::string& fields = "") {
    return call("GET /cgi/status HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
  }
  PlayedProgram& program() { return programs.back(); }
  void print(std::string_view text) { send_all(program().socket, text); }
};

TEST_F(HttpdProgram, is_asked_and_answers) {
  const Browser browser = call("GET /cgi/status/more?a=b HTTP/1.1\r\nHost: x.test\r\nX-Y: z\r\n\r\n");
  EXPECT_EQ(program().name, "status");
  for (const char* const text :
       {"REQUEST_METHOD=GET", "SCRIPT_NAME=/cgi/status", "PATH_INFO=/more", "QUERY_STRING=a=b",
        "SERVER_NAME=x.test", "REMOTE_ADDR=127.0.0.1", "HTTP_X_Y=z"})
    EXPECT_THAT(program().environment, Contains(text));
  EXPECT_EQ(input_of(program()), "");
  print("Content-Type: text/html\nX-It: yes\n\n<p>");
  settle();
  print("hello");
  exit_program(program());
  const Answer got = answer(browser);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.field("X-It"), "yes");
  EXPECT_EQ(got.field("Transfer-Encoding"), "chunked");
  EXPECT_EQ(got.body, "<p>hello");
  EXPECT_TRUE(got.whole);
  EXPECT_EQ(ask(browser, "GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n").body, "hello world\n");
}

TEST_F(HttpdProgram, the_longest_prefix_counts) {
  const Browser one = call("GET /cgi/statusx HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(program().name, "other");
  EXPECT_THAT(program().environment, Contains("PATH_INFO=/statusx"));
  const Browser two = call("GET /cgi HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(program().name, "other");
  EXPECT_EQ(get("/cgix").status, 404);
}

TEST_F(HttpdProgram, gets_a_body_as_it_comes) {
  const Browser browser = call("POST /cgi/status HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello");
  EXPECT_THAT(program().environment, Contains("CONTENT_LENGTH=11"));
  EXPECT_EQ(input_of(program(), 5), "hello");
  send_all(browser, " world");
  EXPECT_EQ(input_of(program()), " world");
  EXPECT_TRUE(saw_end);
  print("Status: 201 Made\n\n");
  exit_program(program());
  const Answer got = answer(browser);
  EXPECT_EQ(got.status, 201);
  EXPECT_TRUE(got.whole);
  EXPECT_EQ(service->connections(), 1U);
}

TEST_F(HttpdProgram, gets_a_body_in_chunks_when_it_is_whole) {
  const Browser browser = client();
  send_all(browser,
           "POST /cgi/status HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  settle();
  EXPECT_TRUE(programs.empty());
  send_all(browser, "6\r\n world\r\n0\r\nTrailer: x\r\n\r\nGET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(started(1));
  EXPECT_THAT(program().environment, Contains("CONTENT_LENGTH=11"));
  EXPECT_EQ(input_of(program()), "hello world");
  EXPECT_TRUE(saw_end);
  print("Content-Type: text/plain\n\ndone");
  exit_program(program());
  EXPECT_EQ(answer(browser).body, "done");
  EXPECT_EQ(answer(browser).body, "hello world\n");
}

TEST_F(HttpdProgram, a_client_that_waits_is_told_to_go_on) {
  const Browser browser =
      call("POST /cgi/status HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(answer(browser).status, 100);
  send_all(browser, "hello");
  EXPECT_EQ(input_of(program()), "hello");
  print("Content-Type: text/plain\n\nthanks");
  exit_program(program());
  EXPECT_EQ(answer(browser).body, "thanks");
}

TEST_F(HttpdProgram, that_does_not_read_stops_the_client) {
  const Browser browser = call("POST /cgi/status HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  const std::string body = pattern(1000000);
  std::size_t sent = 0;
  while (true) {
    const ssize_t out =
        send(browser.get(), body.data() + sent, body.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (out > 0) sent += static_cast<std::size_t>(out);
    if (loop->run_once(milliseconds(20)) == 0 && out <= 0) break;
  }
  // The rest goes through as it reads, and it may print meanwhile.
  std::string read_back;
  print("Content-Type: application/octet-stream\n\n");
  ASSERT_TRUE(turn_until([&] {
    if (sent < body.size()) {
      const ssize_t out =
          send(browser.get(), body.data() + sent, body.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (out > 0) sent += static_cast<std::size_t>(out);
    }
    read_some(program().socket, read_back);
    return saw_end;
  }));
  EXPECT_EQ(read_back, body);
  print("all of it");
  exit_program(program());
  EXPECT_EQ(answer(browser).body, "all of it");
}

TEST_F(HttpdProgram, may_print_before_it_has_read) {
  const Browser browser = call("POST /cgi/status HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  const std::string body = pattern(1000000);
  std::size_t sent = 0;
  std::size_t printed = 0;
  std::string read_back;
  std::string& arrived = buffers[browser.get()];
  print("Content-Type: application/octet-stream\n\n");
  // An echo that reads only when it has printed all that it has read.
  ASSERT_TRUE(turn_until([&] {
    if (sent < body.size()) {
      const ssize_t out =
          send(browser.get(), body.data() + sent, body.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (out > 0) sent += static_cast<std::size_t>(out);
    }
    read_some(browser, arrived);
    if (printed < read_back.size()) {
      const ssize_t out = send(program().socket.get(), read_back.data() + printed, read_back.size() - printed,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
      if (out > 0) printed += static_cast<std::size_t>(out);
      return false;
    }
    read_some(program().socket, read_back);
    return saw_end;
  }));
  exit_program(program());
  const Answer got = answer(browser);
  EXPECT_TRUE(got.whole);
  EXPECT_EQ(got.body, body);
}

TEST_F(HttpdProgram, waits_for_a_client_that_does_not_read_and_loses_nothing) {
  auto [client_end, accepted] = tcp_pair();
  const Browser browser = std::move(client_end);
  set_buffers(accepted, 65536);
  set_buffers(browser, 65536);
  ASSERT_TRUE(open(std::move(accepted)));
  send_all(browser, "GET /cgi/status HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(started(1));
  print("Content-Type: text/plain\n\n");
  const std::string output = pattern(2000000);
  std::size_t printed = 0;
  while (true) {
    const ssize_t out = send(program().socket.get(), output.data() + printed, output.size() - printed,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (out > 0) printed += static_cast<std::size_t>(out);
    if (loop->run_once(milliseconds(20)) == 0 && out <= 0) break;
  }
  EXPECT_LT(printed, output.size());
  // It ends while it has to wait. Time does not count against it meanwhile.
  exit_program(program());
  for (int i = 0; i < 5; ++i) {
    advance(seconds(20));
    settle();
  }
  const Answer got = answer(browser);
  EXPECT_TRUE(got.whole);
  EXPECT_EQ(got.body, output.substr(0, printed));
}

TEST_F(HttpdProgram, need_not_read_a_body) {
  const Browser browser = call("POST /cgi/status HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  settle();
  print("Content-Type: text/plain\n\nno, thanks");
  exit_program(program());
  const Answer got = answer(browser);
  EXPECT_TRUE(got.whole);
  EXPECT_EQ(got.body, "no, thanks");
  EXPECT_EQ(ask(browser, "GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

TEST_F(HttpdProgram, that_answers_before_the_end_of_a_body_ends_the_connection) {
  const Browser browser = call("POST /cgi/status HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhello");
  print("Status: 403 No\n\nno");
  exit_program(program());
  const Answer got = answer(browser);
  EXPECT_EQ(got.status, 403);
  EXPECT_EQ(got.field("Connection"), "close");
  EXPECT_EQ(got.body, "no");
  end_sending(browser);
  EXPECT_TRUE(closes(browser));
}

TEST_F(HttpdProgram, head_and_old_clients) {
  const Browser head = call("HEAD /cgi/status HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(program().environment, Contains("REQUEST_METHOD=HEAD"));
  print("Content-Type: text/plain\n\nnot shown");
  exit_program(program());
  EXPECT_EQ(answer(head, true).status, 200);
  EXPECT_EQ(ask(head, "GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n").body, "hello world\n");

  const Browser old = call("GET /cgi/status HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  print("Content-Type: text/plain\n\nuntil the end");
  exit_program(program());
  const Answer got = answer(old);
  EXPECT_EQ(got.field("Transfer-Encoding"), "");
  EXPECT_EQ(got.field("Connection"), "close");
  EXPECT_EQ(got.body, "until the end");
  EXPECT_TRUE(got.whole);

  const Browser none = call_get();
  print("Status: 204\n\nnot shown");
  exit_program(program());
  EXPECT_EQ(answer(none).status, 204);
  EXPECT_EQ(ask(none, "GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

TEST_F(HttpdProgram, that_prints_no_head_is_a_bad_gateway) {
  for (const char* const text : {"", "hello\n\n", "HTTP/1.1 200 OK\r\n\r\n", "Content-Type: text/plain\n"}) {
    const Browser browser = call_get();
    print(text);
    settle();
    exit_program(program());
    const Answer got = answer(browser);
    EXPECT_EQ(got.status, 502) << text;
    EXPECT_TRUE(closes(browser)) << text;
  }
  EXPECT_THAT(logged, HasSubstr("1:program 'status' ended without an answer"));
}

TEST_F(HttpdProgram, that_cannot_be_started) {
  const Browser browser = call_get();
  service->program_ended(program().id, -ENOENT, 0, 0);
  program().socket.reset();
  EXPECT_EQ(answer(browser).status, 502);
  EXPECT_THAT(logged, HasSubstr("program 'status' could not be started: No such file or directory"));
}

TEST_F(HttpdProgram, that_is_killed_does_not_look_complete) {
  const Browser browser = call_get();
  print("Content-Type: text/plain\n\nhalf of");
  settle();
  service->program_ended(program().id, 0, 0, 9);
  program().socket.reset();
  EXPECT_FALSE(answer(browser).whole);
}

TEST_F(HttpdProgram, that_is_silent_is_dropped) {
  const Browser browser = call_get();
  settle();
  advance(seconds(29));
  EXPECT_FALSE(program().dropped);
  advance(seconds(2));
  EXPECT_EQ(answer(browser).status, 504);
  EXPECT_TRUE(closes(browser));
  EXPECT_TRUE(program().dropped);

  const Browser half = call_get();
  print("Content-Type: text/plain\n\nsome");
  settle();
  advance(seconds(29));
  print("more");
  settle();
  advance(seconds(29));
  settle();
  EXPECT_FALSE(program().dropped);
  advance(seconds(2));
  EXPECT_FALSE(answer(half).whole);
  EXPECT_TRUE(program().dropped);
}

TEST_F(HttpdProgram, is_dropped_when_its_client_goes_away) {
  Browser browser = call_get();
  settle();
  reset(std::move(browser));
  ASSERT_TRUE(ended(1));
  EXPECT_TRUE(turn_until([&] { return program().dropped; }));
}

TEST_F(HttpdProgram, a_body_that_comes_too_slowly) {
  const Browser browser = call("POST /cgi/status HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n");
  settle();
  for (int i = 0; i < 4; ++i) {  // fast enough
    send_all(browser, std::string(5000, 'x'));
    settle();
    advance(seconds(8));
    settle();
    EXPECT_FALSE(program().dropped) << i;
  }
  for (int i = 0; i < 6 && !program().dropped; ++i) {
    send_all(browser, "x");
    settle();
    advance(seconds(8));
    settle();
  }
  EXPECT_TRUE(program().dropped);
  EXPECT_EQ(answer(browser).status, 408);
}

TEST_F(HttpdProgram, may_send_the_client_elsewhere) {
  const Browser away = call_get();
  print("Location: http://elsewhere.test/\n\n");
  exit_program(program());
  const Answer moved = answer(away);
  EXPECT_EQ(moved.status, 302);
  EXPECT_EQ(moved.field("Location"), "http://elsewhere.test/");

  const Browser here = call("POST /cgi/status HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  print("Location: /folder/\n\n");
  exit_program(program());
  EXPECT_EQ(answer(here).body, "<p>folder\n");
  EXPECT_EQ(ask(here, "GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n").body, "hello world\n");

  // To another program, which gets no body; and not for ever.
  const Browser round = call("POST /cgi/status HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  for (int i = 0; i < 6; ++i) {
    const std::size_t before = programs.size();
    print("Location: /cgi/status?again\n\n");
    if (i == 5) break;
    ASSERT_TRUE(started(before + 1));
    EXPECT_THAT(program().environment, Contains("REQUEST_METHOD=GET"));
    EXPECT_EQ(input_of(program()), "");
  }
  EXPECT_EQ(answer(round).status, 502);
}

TEST_F(HttpdProgram, what_follows_waits_for_its_answer) {
  const Browser browser = client();
  std::string requests = "GET /cgi/status HTTP/1.1\r\nHost: x\r\n\r\n";
  for (int i = 0; i < 3; ++i)
    requests += "GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /cgi/other HTTP/1.1\r\nHost: x\r\n\r\n";
  send_all(browser, requests);
  end_sending(browser);
  ASSERT_TRUE(started(1));
  settle();
  EXPECT_EQ(metric("requests"), 1U);
  for (std::size_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(started(i + 1));
    print("Content-Type: text/plain\n\n" + std::to_string(i));
    exit_program(program());
    EXPECT_EQ(answer(browser).body, std::to_string(i));
    if (i == 3) break;
    EXPECT_EQ(answer(browser).body, "hello world\n");
  }
  EXPECT_TRUE(closes(browser));
}

TEST_F(HttpdProgram, is_ended_with_the_service) {
  const Browser browser = call_get();
  const Browser other = call_get();
  print("Content-Type: text/plain\n\nsome");
  settle();
  service.reset();
  EXPECT_FALSE(answer(other).whole);
  EXPECT_TRUE(closes(browser));
}

}  // namespace
}  // namespace xsd::plugin
