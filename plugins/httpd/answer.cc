// SPDX-License-Identifier: Apache-2.0
#include "answer.h"

#include <charconv>

namespace httpd {

AnswerHead::AnswerHead(std::string& out, unsigned status, std::string_view phrase, std::string_view date)
    : out_(out) {
  out_ = "HTTP/1.1 ";
  digits(status);
  out_ += ' ';
  out_ += phrase;
  out_ += "\r\nDate: ";
  out_ += date;
  out_ += "\r\n";
}

void AnswerHead::field(std::string_view name, std::string_view value) {
  out_ += name;
  out_ += ": ";
  out_ += value;
  out_ += "\r\n";
}

void AnswerHead::number(std::string_view name, std::uint64_t value) {
  out_ += name;
  out_ += ": ";
  digits(value);
  out_ += "\r\n";
}

void AnswerHead::content_range(const Selection& selection, std::uint64_t size) {
  out_ += "Content-Range: bytes ";
  if (selection.outcome == Selection::Outcome::Part) {
    digits(selection.first);
    out_ += '-';
    digits(selection.first + selection.length - 1);
  } else {
    out_ += '*';
  }
  out_ += '/';
  digits(size);
  out_ += "\r\n";
}

void AnswerHead::connection(bool keep_alive, unsigned minor) {
  if (!keep_alive) {
    field("Connection", "close");
  } else if (minor == 0) {
    field("Connection", "keep-alive");
  }
}

void AnswerHead::digits(std::uint64_t value) {
  char text[20];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out_.append(text, end);
}

std::string status_text(unsigned status) {
  std::string text = std::to_string(status);
  text += ' ';
  text += phrase_of(status);
  text += '\n';
  return text;
}

}  // namespace httpd
