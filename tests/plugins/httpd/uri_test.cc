// SPDX-License-Identifier: Apache-2.0
#include "plugins/httpd/uri.h"

#include <gtest/gtest.h>

namespace httpd {
namespace {

std::string path_of(std::string_view text) {
  Target target;
  const unsigned status = parse_target(text, target);
  return status != 0 ? std::to_string(status) : target.path;
}

TEST(Uri, paths_are_decoded_and_made_regular) {
  EXPECT_EQ(path_of("/"), "/");
  EXPECT_EQ(path_of("/a/b.html"), "/a/b.html");
  EXPECT_EQ(path_of("/a/"), "/a/");
  EXPECT_EQ(path_of("//a///b//"), "/a/b/");
  EXPECT_EQ(path_of("/a/./b/."), "/a/b/");
  EXPECT_EQ(path_of("/a/../b"), "/b");
  EXPECT_EQ(path_of("/a/b/.."), "/a/");
  EXPECT_EQ(path_of("/a/.."), "/");
  EXPECT_EQ(path_of("/%61%2E%62"), "/a.b");
  EXPECT_EQ(path_of("/a/%2e%2e/b"), "/b");
  EXPECT_EQ(path_of("/%e2%82%ac"), "/\xe2\x82\xac");
  EXPECT_EQ(path_of("/..."), "/...");
  EXPECT_EQ(path_of("/a?b/../c"), "/a");
  EXPECT_EQ(path_of("/%2541"), "/%41");
}

TEST(Uri, what_leaves_the_root_is_refused) {
  for (const char* const text : {"/..", "/../", "/../etc/passwd", "/a/../../etc/passwd", "/%2e%2e/etc/passwd",
                                 "/.%2e/x", "//../x", "/./../x", "http://a/../x"})
    EXPECT_EQ(path_of(text), "400") << text;
}

TEST(Uri, what_is_no_path_is_refused) {
  for (const char* const text :
       {"", "a", "a/b", "?", "/%", "/%4", "/%zz", "/%00", "/a%0ab", "/%7f", "ftp://a/", "http://",
        "http:///a", "http://u@a/", "http://a:b/", "https:/a", "**", "a:443"})
    EXPECT_EQ(path_of(text), "400") << text;
  EXPECT_EQ(path_of("/a%2fb"), "404");
  EXPECT_EQ(path_of("/..%2f..%2fetc/passwd"), "404");
}

TEST(Uri, the_forms_of_a_target) {
  Target target;
  EXPECT_EQ(parse_target("HTTP://X.test:8080?q", target), 0U);
  EXPECT_EQ(target.authority, "X.test:8080");
  EXPECT_EQ(target.path, "/");
  EXPECT_EQ(target.query, "q");
  EXPECT_EQ(parse_target("/a?", target), 0U);
  EXPECT_TRUE(target.has_query);
  EXPECT_EQ(target.query, "");
  EXPECT_EQ(target.authority, "");
  EXPECT_EQ(parse_target("/a?b?c", target), 0U);
  EXPECT_EQ(target.query, "b?c");
  EXPECT_EQ(parse_target("*", target), 0U);
  EXPECT_TRUE(target.asterisk);
}

TEST(Uri, hosts) {
  for (const char* const text : {"", "a", "a.b:80", "a:", "127.0.0.1:1", "[::1]", "[::1]:8080", "a_b", "%61"})
    EXPECT_TRUE(is_host(text)) << text;
  for (const char* const text : {":80", "a:b", "a:123456", "[::1", "::1", "[]", "[/]", "a/b", "a b", "u@a",
                                 "a%", "a%2", "a\"", "[::1]x"})
    EXPECT_FALSE(is_host(text)) << text;
  EXPECT_EQ(without_port("a:80"), "a");
  EXPECT_EQ(without_port("[::1]:80"), "[::1]");
  EXPECT_EQ(without_port("a"), "a");
}

TEST(Uri, dots_and_encoding) {
  EXPECT_TRUE(has_dot_segment("/.git/config"));
  EXPECT_TRUE(has_dot_segment("/a/.x"));
  EXPECT_FALSE(has_dot_segment("/a.b/c."));
  EXPECT_EQ(encoded_path("/a b/\xc3\xa4%?#\"<\r\n"), "/a%20b/%C3%A4%25%3F%23%22%3C%0D%0A");
  EXPECT_EQ(encoded_path("/a-._~!$&'()*+,;=:@z"), "/a-._~!$&'()*+,;=:@z");
}

}  // namespace
}  // namespace httpd
