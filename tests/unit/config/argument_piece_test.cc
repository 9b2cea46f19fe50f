// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/argument_piece.h"

#include <string>

#include <gtest/gtest.h>

namespace xsd::config {
namespace {

/// Literal pieces as they are, the rest as <kind:text>.
std::string pieces(std::string_view text) {
  std::string out;
  for (;;) {
    const ArgumentPiece piece = next_piece(text);
    switch (piece.kind) {
      case ArgumentPiece::Kind::End:
        return out;
      case ArgumentPiece::Kind::Literal:
        out += piece.text;
        break;
      case ArgumentPiece::Kind::Placeholder:
        out += "<" + std::to_string(static_cast<int>(piece.placeholder)) + ">";
        break;
      case ArgumentPiece::Kind::Unknown:
        out += "<unknown:" + std::string(piece.text) + ">";
        break;
      case ArgumentPiece::Kind::Unclosed:
        out += "<unclosed:" + std::string(piece.text) + ">";
        break;
    }
  }
}

TEST(ArgumentPiece, takes_text_apart) {
  EXPECT_EQ(pieces(""), "");
  EXPECT_EQ(pieces("-w"), "-w");
  EXPECT_EQ(pieces("%{remote_addr}"), "<0>");
  EXPECT_EQ(pieces("a%{remote_port}b%{server_port}%{service}c"), "a<1>b<2><3>c");
}

TEST(ArgumentPiece, leaves_other_percent_signs_alone) {
  EXPECT_EQ(pieces("%"), "%");
  EXPECT_EQ(pieces("100%"), "100%");
  EXPECT_EQ(pieces("%d %% %s"), "%d %% %s");
  EXPECT_EQ(pieces("{remote_addr}"), "{remote_addr}");
}

TEST(ArgumentPiece, reads_a_doubled_percent_sign_before_a_brace_as_a_literal) {
  EXPECT_EQ(pieces("%%{remote_addr}"), "%{remote_addr}");
  EXPECT_EQ(pieces("%%%{remote_addr}"), "%%{remote_addr}");  // a sign, then the literal
  EXPECT_EQ(pieces("%%{%{service}"), "%{<3>");
}

TEST(ArgumentPiece, tells_what_it_does_not_know) {
  EXPECT_EQ(pieces("%{}"), "<unknown:>");
  EXPECT_EQ(pieces("x%{Remote_addr}y"), "x<unknown:Remote_addr>y");
  EXPECT_EQ(pieces("%{ service }"), "<unknown: service >");
  EXPECT_EQ(pieces("a%{service"), "a<unclosed:%{service>");
}

}  // namespace
}  // namespace xsd::config
