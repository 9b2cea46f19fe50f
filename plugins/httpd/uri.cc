// SPDX-License-Identifier: Apache-2.0
#include "uri.h"

#include "http_text.h"

namespace httpd {
namespace {

bool take_scheme(std::string_view& text) noexcept {
  for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (!same_word(text.substr(0, scheme.size()), scheme)) continue;
    text.remove_prefix(scheme.size());
    return true;
  }
  return false;
}

/// Appends one decoded segment to the path.
unsigned append_decoded(std::string& path, std::string_view segment) {
  while (!segment.empty()) {
    char c = segment.front();
    if (c == '%') {
      const int high = segment.size() > 2 ? hex_digit(segment[1]) : -1;
      const int low = segment.size() > 2 ? hex_digit(segment[2]) : -1;
      if (high < 0 || low < 0) return 400;
      c = static_cast<char>(high << 4 | low);
      if (c == '/') return 404;
      segment.remove_prefix(2);
    }
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) return 400;
    path += c;
    segment.remove_prefix(1);
  }
  return 0;
}

/// `text` begins with '/'.
unsigned append_path(std::string& path, std::string_view text) {
  path.assign(1, '/');
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view segment = text.substr(0, text.find('/'));
    text.remove_prefix(segment.size());
    const std::size_t begin = path.size();
    if (const unsigned status = append_decoded(path, segment)) return status;
    const std::string_view decoded = std::string_view(path).substr(begin);
    if (decoded == "..") {
      path.resize(begin - 1);  // without the '/' before it
      const std::size_t parent = path.rfind('/');
      if (parent == std::string::npos) return 400;
      path.resize(parent + 1);
    } else if (decoded == ".") {
      path.resize(begin);
    } else if (!decoded.empty() && !text.empty()) {
      path += '/';
    }
  }
  return 0;
}

bool is_host_character(char c) noexcept {
  return c != '/' && c != '@' && c != ':' && is_in(kPlain, c);
}

}  // namespace

unsigned parse_target(std::string_view text, Target& target) {
  target = {};
  if (text == "*") {
    target.asterisk = true;
    return 0;
  }
  if (text.empty()) return 400;
  if (text.front() != '/') {
    if (!take_scheme(text)) return 400;
    target.authority = text.substr(0, text.find_first_of("/?"));
    if (target.authority.empty() || !is_host(target.authority)) return 400;
    text.remove_prefix(target.authority.size());
  }
  const std::size_t question = text.find('?');
  if (question != std::string_view::npos) {
    target.has_query = true;
    target.query = text.substr(question + 1);
  }
  const std::string_view path = text.substr(0, question);
  return append_path(target.path, path.empty() ? "/" : path);
}

bool is_host(std::string_view text) noexcept {
  const std::string_view host = without_port(text);
  std::string_view port = text.substr(host.size());
  if (!port.empty()) port.remove_prefix(1);  // the colon
  for (const char c : port) {
    if (!is_digit(c)) return false;
  }
  if (port.size() > 5) return false;
  if (!host.empty() && host.front() == '[') {
    if (host.size() < 4 || host.back() != ']') return false;
    for (const char c : host.substr(1, host.size() - 2)) {
      if (!is_host_character(c) && c != ':') return false;
    }
    return true;
  }
  for (std::size_t i = 0; i < host.size(); ++i) {
    if (host[i] == '%') {
      if (i + 2 >= host.size() || hex_digit(host[i + 1]) < 0 || hex_digit(host[i + 2]) < 0) return false;
    } else if (!is_host_character(host[i])) {
      return false;
    }
  }
  return !host.empty() || text.empty();
}

std::string_view without_port(std::string_view host) noexcept {
  const std::size_t end_of_address = host.rfind(']');
  const std::size_t colon = host.find(':', end_of_address == std::string_view::npos ? 0 : end_of_address);
  return host.substr(0, colon);
}

bool has_dot_segment(std::string_view path) noexcept {
  return path.find("/.") != std::string_view::npos;
}

std::string encoded_path(std::string_view path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(path.size());
  for (const char c : path) {
    if (is_in(kPlain, c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15U];
  }
  return out;
}

}  // namespace httpd
