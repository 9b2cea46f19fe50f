// SPDX-License-Identifier: Apache-2.0
#include "plugins/httpd/body_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace httpd {
namespace {

using Result = BodyReader::Result;

std::string read_in_steps(BodyReader reader, std::string_view text, std::size_t first, std::size_t step) {
  std::string body;
  Result result = reader.complete() ? Result::Complete : Result::More;
  std::size_t next = first;
  std::size_t taken = 0;
  while (!text.empty() && result == Result::More) {
    std::string_view piece = text.substr(0, next);
    text.remove_prefix(piece.size());
    while (!piece.empty() && result == Result::More) {
      const std::size_t before = piece.size();
      std::string_view part;
      result = reader.feed(piece, part);
      taken += before - piece.size();
      body += part;
    }
    next = step;
  }
  if (result == Result::Failed) return "failed " + std::to_string(reader.error_status());
  return (result == Result::More ? "more " : std::to_string(taken) + " ") + body;
}

std::string read(const BodyReader& reader, std::string_view text) {
  const std::string whole = read_in_steps(reader, text, text.size(), text.size());
  EXPECT_EQ(read_in_steps(reader, text, 1, 1), whole) << "one byte at a time";
  for (std::size_t cut = 1; cut < text.size(); ++cut)
    EXPECT_EQ(read_in_steps(reader, text, cut, text.size()), whole) << "cut at " << cut;
  return whole;
}

std::string read_chunks(std::string_view text, std::uint64_t most = 1000) {
  return read(BodyReader::of_chunks(most), text);
}

TEST(BodyReader, reads_a_length) {
  EXPECT_EQ(read(BodyReader::of_length(5), "helloGET"), "5 hello");
  EXPECT_EQ(read(BodyReader::of_length(5), "hel"), "more hel");
  EXPECT_EQ(read(BodyReader::of_length(0), "GET"), "0 ");
  EXPECT_TRUE(BodyReader().complete());
}

TEST(BodyReader, reads_chunks) {
  EXPECT_EQ(read_chunks("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nGET"), "21 hello!");
  EXPECT_EQ(read_chunks("0\r\n\r\n"), "5 ");
  EXPECT_EQ(read_chunks("0A;name=\"v\"\r\n0123456789\r\n000\r\nX: y\r\nZ:\r\n\r\n"), "42 0123456789");
  EXPECT_EQ(read_chunks("2 \r\n\r\n\r\n0\r\n\r\n"), "13 \r\n");
  EXPECT_EQ(read_chunks("5\r\nhel"), "more hel");
}

TEST(BodyReader, refuses_malformed_chunks) {
  for (const char* const text :
       {"\r\n", "x\r\n", "5\nhello", "5\r\nhelloX", "5\r\nhello\rX", "5\r\nhello\n", "-1\r\n", "0x5\r\n",
        ";a\r\n", "5;a\rb\r\n", "5;\x01\r\n", "12345678901234567\r\n", "0\r\n\rX", "0\r\n bad\r\n",
        "0\r\nX: y\n\r\n", "0\r\nX: \x01\r\n\r\n", "0\rX"})
    EXPECT_EQ(read_chunks(text), "failed 400") << text;
}

TEST(BodyReader, has_limits) {
  EXPECT_EQ(read_chunks("4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n", 8), "23 abcdefgh");
  EXPECT_EQ(read_chunks("4\r\nabcd\r\n5\r\n", 8), "failed 413");
  EXPECT_EQ(read_chunks("ffffffffffffffff\r\n", 8), "failed 413");
  EXPECT_EQ(read_chunks("1;" + std::string(kMaxChunkLine, 'x')), "failed 400");
  EXPECT_EQ(read_in_steps(BodyReader::of_chunks(8), "0\r\nX: " + std::string(kMaxTrailers, 'x'), 100, 1),
            "failed 431");
}

}  // namespace
}  // namespace httpd
