// SPDX-License-Identifier: Apache-2.0
//
// Heads of requests, each also in two pieces at every place and one byte at a time.
#include "plugins/httpd/request_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace httpd {
namespace {

using Result = RequestParser::Result;

/// All that can be seen of a parser, as text.
std::string seen(const RequestParser& parser, Result result, std::size_t taken) {
  if (result == Result::Failed) return "failed " + std::to_string(parser.error_status());
  if (result == Result::More) return "more";
  const Request& request = parser.request();
  std::string text = std::string(request.method_text) + "|" + std::string(request.target) + "|1." +
                     std::to_string(request.minor) + "|host=" + std::string(request.host);
  if (request.content_length) text += "|length=" + std::to_string(*request.content_length);
  if (request.chunked) text += "|chunked";
  if (request.keep_alive) text += "|keep";
  if (request.expect_continue) text += "|expects";
  for (const Field& field : request.fields)
    text += "|" + std::string(field.name) + ":" + std::string(field.value);
  return text + "|taken=" + std::to_string(taken);
}

std::string parse_in_steps(std::string_view text, std::size_t first, std::size_t step) {
  RequestParser parser;
  Result result = Result::More;
  std::size_t taken = 0;
  std::size_t next = first;
  while (!text.empty() && result == Result::More) {
    std::string_view piece = text.substr(0, next);
    const std::size_t length = piece.size();
    result = parser.feed(piece);
    taken += length - piece.size();
    text.remove_prefix(length);
    next = step;
  }
  return seen(parser, result, taken);
}

std::string parse(std::string_view text) {
  const std::string whole = parse_in_steps(text, text.size(), text.size());
  EXPECT_EQ(parse_in_steps(text, 1, 1), whole) << "one byte at a time";
  if (text.size() > 2000) return whole;
  for (std::size_t cut = 1; cut < text.size(); ++cut)
    EXPECT_EQ(parse_in_steps(text, cut, text.size()), whole) << "cut at " << cut;
  return whole;
}

TEST(RequestParser, reads_a_request) {
  EXPECT_EQ(parse("GET /a?b=c HTTP/1.1\r\nHost: x.test:80\r\nAccept:\t*/* \r\nEmpty:\r\n\r\nnext"),
            "GET|/a?b=c|1.1|host=x.test:80|keep|Host:x.test:80|Accept:*/*|Empty:|taken=62");
  EXPECT_EQ(parse("\r\n\r\nHEAD / HTTP/1.0\r\n\r\n"), "HEAD|/|1.0|host=|taken=23");
  EXPECT_EQ(parse("GET http://a/ HTTP/1.1\r\nhost: b\r\n\r\n"),
            "GET|http://a/|1.1|host=b|keep|host:b|taken=35");
  EXPECT_EQ(parse("G!ET /\xe2 HTTP/1.1\r\n"), "failed 400");
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a\r\nX: \xe2\x82\xac\r\n\r\n"),
            "GET|/|1.1|host=a|keep|Host:a|X:\xe2\x82\xac|taken=35");
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a\r\n"), "more");
}

TEST(RequestParser, decides_whether_the_connection_stays) {
  const auto keeps = [](std::string_view version, std::string_view fields) {
    return parse("GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n" + std::string(fields) + "\r\n")
               .find("|keep|") != std::string::npos;
  };
  EXPECT_TRUE(keeps("1.1", ""));
  EXPECT_TRUE(keeps("1.9", ""));
  EXPECT_FALSE(keeps("1.0", ""));
  EXPECT_TRUE(keeps("1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(keeps("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("1.1", "Connection: x, ,CLOSE\r\n"));
  EXPECT_FALSE(keeps("1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
}

TEST(RequestParser, reads_how_long_a_body_is) {
  const std::string begin = "POST / HTTP/1.1\r\nHost: a\r\n";
  const auto contains = [](const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(contains(parse(begin + "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n"),
                       "|length=5|keep|expects|"));
  EXPECT_TRUE(contains(parse(begin + "Transfer-Encoding: Chunked\r\n\r\n"), "|chunked|"));
  EXPECT_TRUE(contains(parse(begin + "Content-Length: 99999999999999999999999\r\n\r\n"),
                       "|length=18446744073709551615|"));
  // There is nothing to go on with.
  EXPECT_FALSE(contains(parse(begin + "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n"), "expects"));
}

struct Hostile {
  const char* text;
  const char* seen;
};

TEST(RequestParser, refuses_what_two_servers_could_read_differently) {
  const Hostile table[] = {
      {"GET  / HTTP/1.1\r\n", "failed 400"},
      {" GET / HTTP/1.1\r\n", "failed 400"},
      {"GET /a b HTTP/1.1\r\n", "failed 400"},
      {"GET /a#b HTTP/1.1\r\n", "failed 400"},
      {"GET /\r\n", "failed 400"},
      {"GET / HTTP/1.1\n", "failed 400"},
      {"GET / HTTP/1.1 \r\n", "failed 400"},
      {"GET / http/1.1\r\n", "failed 400"},
      {"GET / HTTP/1.10\r\n", "failed 400"},
      {"GET / HTTP/2.0\r\n", "failed 505"},
      {"\nGET / HTTP/1.1\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\n: a\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\x7f\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "failed 501"},
      {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;x\r\n\r\n", "failed 501"},
      {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \vchunked\r\n\r\n", "failed 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\n\r\n", "failed 417"},
  };
  for (const Hostile& hostile : table)
    EXPECT_EQ(parse(hostile.text), hostile.seen) << hostile.text;
  EXPECT_EQ(parse(std::string_view("GET /\0 HTTP/1.1\r\n", 18)), "failed 400");
  EXPECT_EQ(parse(std::string_view("GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", 29)), "failed 400");
  EXPECT_EQ(parse(std::string_view("GET / HTTP/1.1\r\nHo\0st: a\r\n\r\n", 29)), "failed 400");
}

TEST(RequestParser, has_limits) {
  const std::string end = " HTTP/1.1\r\nHost: a\r\n\r\n";
  // "GET " before and " HTTP/1.1\r\n" after it are part of the line.
  const std::string longest(kMaxRequestLine - 15, 'x');
  EXPECT_NE(parse("GET /" + longest.substr(1) + end).find("|taken="), std::string::npos);
  EXPECT_EQ(parse("GET /" + longest + end), "failed 414");
  EXPECT_EQ(parse(std::string(33, 'M') + " / HTTP/1.1\r\n"), "failed 501");
  std::string fields;
  for (int i = 0; i < 64; ++i)
    fields += "A: b\r\n";
  EXPECT_EQ(parse("GET / HTTP/1.1\r\n" + fields + "Host: a\r\n\r\n"), "failed 431");
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(kMaxFieldBytes, 'x')), "failed 431");
  EXPECT_EQ(parse("GET / HTTP/1.1\r\n" + std::string(kMaxFieldBytes + 1, 'x')), "failed 431");
  std::string crlfs;
  for (std::size_t i = 0; i < kMaxRequestLine; ++i)
    crlfs += "\r\n";
  EXPECT_EQ(parse(crlfs), "failed 414");
}

TEST(RequestParser, gives_memory_back) {
  RequestParser parser;
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(15000, 'x') + "\r\n\r\n";
  std::string_view input = text;
  EXPECT_EQ(parser.feed(input), Result::Complete);
  EXPECT_LE(parser.memory(), 40000U);
  parser.reset();
  EXPECT_LE(parser.memory(), 1024U);
  EXPECT_FALSE(parser.started());
  std::string_view next = "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
  EXPECT_EQ(parser.feed(next), Result::Complete);
  EXPECT_EQ(parser.request().target, "/2");
  EXPECT_EQ(parser.request().host, "b");
}

}  // namespace
}  // namespace httpd
