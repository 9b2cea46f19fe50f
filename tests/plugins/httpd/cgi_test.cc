// SPDX-License-Identifier: Apache-2.0
//
// What a program is told, and what it answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "plugins/httpd/cgi_environment.h"
#include "plugins/httpd/cgi_head.h"

namespace httpd {
namespace {

using ::testing::Contains;
using ::testing::Not;
using ::testing::StartsWith;

std::string read_in_steps(std::string_view text, std::size_t first, std::size_t step) {
  CgiHead head;
  CgiHead::Result result = CgiHead::Result::More;
  std::size_t next = first;
  std::size_t taken = 0;
  while (!text.empty() && result == CgiHead::Result::More) {
    std::string_view piece = text.substr(0, next);
    const std::size_t length = piece.size();
    text.remove_prefix(length);
    result = head.feed(piece);
    taken += length - piece.size();
    next = step;
  }
  if (result == CgiHead::Result::Failed) return "failed";
  if (result == CgiHead::Result::More) return "more";
  std::string out = std::to_string(head.status()) + " " + std::string(head.phrase());
  for (const Field& field : head.fields())
    out += "|" + std::string(field.name) + ":" + std::string(field.value);
  if (!head.local_redirect().empty()) out += "|local=" + std::string(head.local_redirect());
  return out + "|taken=" + std::to_string(taken);
}

std::string read(std::string_view text) {
  const std::string whole = read_in_steps(text, text.size(), text.size());
  EXPECT_EQ(read_in_steps(text, 1, 1), whole) << "one byte at a time";
  for (std::size_t cut = 1; cut < text.size() && text.size() < 1000; ++cut)
    EXPECT_EQ(read_in_steps(text, cut, text.size()), whole) << "cut at " << cut;
  return whole;
}

TEST(CgiHead, reads_a_head) {
  EXPECT_EQ(read("Content-Type: text/plain\n\nhello"), "200 OK|Content-Type:text/plain|taken=26");
  EXPECT_EQ(read("Content-Type: text/plain\r\nX-Empty:\r\nStatus: 404\r\n\r\n"),
            "404 Not Found|Content-Type:text/plain|X-Empty:|taken=51");
  EXPECT_EQ(read("Status: 299 Quite Good \nX: y\n\n"), "299 Quite Good|X:y|taken=30");
  EXPECT_EQ(read("Status: 204\n\n"), "204 No Content|taken=13");
  EXPECT_EQ(read("Content-Type: a/b\n"), "more");
}

TEST(CgiHead, reads_redirects) {
  EXPECT_EQ(read("Location: http://x/\n\n"), "302 Found|Location:http://x/|taken=21");
  EXPECT_EQ(read("Location: /here?x\n\n"), "302 Found|Location:/here?x|local=/here?x|taken=19");
  EXPECT_EQ(read("Status: 303\nLocation: /here\n\n"), "303 See Other|Location:/here|taken=29");
  EXPECT_EQ(read("Location: //elsewhere/\n\n"), "302 Found|Location://elsewhere/|taken=24");
}

TEST(CgiHead, leaves_to_the_server_what_is_the_server_s) {
  EXPECT_EQ(
      read(
          "Content-Type: a/b\nContent-Length: 5\nTransfer-Encoding: chunked\nConnection: close\nDate: x\n\n"),
      "200 OK|Content-Type:a/b|taken=90");
}

TEST(CgiHead, refuses_what_is_no_head) {
  for (const char* const text :
       {"\n", "X: y\n\n", "hello\n\n", "HTTP/1.1 200 OK\nContent-Type: a/b\n\n", "Content-Type : a/b\n\n",
        "Content-Type: a/b\n continued\n\n", "Content-Type: a\rb\n\n", "Status: 99\n\n", "Status: 100\n\n",
        "Status: 2000\n\n", "Status: ok\n\n", "Status: 600\n\n", "Status: 200\nStatus: 200\n\n",
        "Location:\n\n", "Location: a\nLocation: b\n\n", "Content-Type: a\nContent-Type: b\n\n", ": x\n\n"})
    EXPECT_EQ(read(text), "failed") << text;
  EXPECT_EQ(read(std::string_view("Content-Type: a\0\n\n", 18)), "failed");
  EXPECT_EQ(read("X: " + std::string(kMaxCgiHead, 'x')), "failed");
}

class CgiEnvironment : public ::testing::Test {
 protected:
  std::vector<std::string> environment(std::string_view request_text) {
    parser.reset();
    EXPECT_EQ(parser.feed(request_text), RequestParser::Result::Complete);
    EXPECT_EQ(parse_target(parser.request().target, target), 0U);
    CgiRequest cgi;
    cgi.request = &parser.request();
    cgi.target = &target;
    cgi.script_name = "/cgi/it";
    cgi.root = "/srv";
    cgi.remote_address = "192.0.2.7";
    cgi.local_address = "192.0.2.1";
    cgi.local_port = 8080;
    cgi.body_length = 12;
    return cgi_environment(cgi);
  }

  RequestParser parser;
  Target target;
};

TEST_F(CgiEnvironment, tells_what_rfc_3875_says) {
  const auto texts = environment(
      "POST /cgi/it/more%20path?a=b%20c HTTP/1.1\r\nHost: x.test:8080\r\nContent-Length: 12\r\nContent-Type: "
      "a/b\r\nAccept: x\r\nAccept: y\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n");
  for (const char* const text :
       {"GATEWAY_INTERFACE=CGI/1.1", "SERVER_PROTOCOL=HTTP/1.1", "SERVER_NAME=x.test", "SERVER_PORT=8080",
        "REQUEST_METHOD=POST", "SCRIPT_NAME=/cgi/it", "PATH_INFO=/more path",
        "PATH_TRANSLATED=/srv/more path", "QUERY_STRING=a=b%20c", "REMOTE_ADDR=192.0.2.7",
        "CONTENT_LENGTH=12", "CONTENT_TYPE=a/b", "HTTP_HOST=x.test:8080", "HTTP_ACCEPT=x, y",
        "HTTP_COOKIE=a=1; b=2"})
    EXPECT_THAT(texts, Contains(text));
}

TEST_F(CgiEnvironment, does_not_tell_what_would_do_harm) {
  const auto texts = environment(
      "GET /cgi/it HTTP/1.1\r\nHost: x\r\nProxy: http://evil/\r\nAuthorization: Basic eA==\r\nX_Y: 1\r\n"
      "Connection: close\r\nContent-Length: 0\r\nContent-Type: a/b\r\nX-Y: 2\r\n\r\n");
  for (const char* const name : {"HTTP_PROXY=", "HTTP_AUTHORIZATION=", "HTTP_CONNECTION=", "HTTP_CONTENT_",
                                 "CONTENT_LENGTH=", "CONTENT_TYPE=", "PATH_INFO=", "PATH_TRANSLATED="})
    EXPECT_THAT(texts, Not(Contains(StartsWith(name)))) << name;
  EXPECT_THAT(texts, Contains("HTTP_X_Y=2"));
  EXPECT_THAT(texts, Contains("QUERY_STRING="));
}

TEST_F(CgiEnvironment, a_host_in_the_target_is_the_one_that_counts) {
  const auto texts = environment("GET http://[::1]:80/cgi/it HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(texts, Contains("SERVER_NAME=[::1]"));
  EXPECT_THAT(texts, Contains("HTTP_HOST=[::1]:80"));
  EXPECT_THAT(environment("GET /cgi/it HTTP/1.0\r\n\r\n"), Contains("SERVER_NAME=192.0.2.1"));
}

}  // namespace
}  // namespace httpd
