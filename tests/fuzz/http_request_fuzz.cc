// SPDX-License-Identifier: Apache-2.0
//
// What a client sends to the plugin httpd, and what a CGI program prints: the parsers say the same however
// the bytes are cut, stay within their limits, and let nothing through that could be taken for something else
// further on.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "plugins/httpd/body_reader.h"
#include "plugins/httpd/cgi_environment.h"
#include "plugins/httpd/cgi_head.h"
#include "plugins/httpd/conditions.h"
#include "plugins/httpd/request_parser.h"
#include "plugins/httpd/uri.h"
#include "xsd/base/assert.h"

using namespace httpd;

namespace {

constexpr std::uint64_t kMostBody = 1000;

bool is_clean(std::string_view text) {
  return run_of(kValue, text) == text.size();
}

/// Gives the bytes to `feed` in pieces of `step`, which says whether it wants more; how many were taken.
template <class Feed>
std::size_t feed_in_steps(std::string_view bytes, std::size_t step, Feed&& feed) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    std::string_view piece = bytes.substr(taken, step);
    const std::size_t length = piece.size();
    const bool more = feed(piece);
    taken += length - piece.size();
    if (!more) break;
    XSD_ASSERT(piece.empty());
  }
  return taken;
}

void add(std::string& seen, std::string_view text) {
  seen += std::to_string(text.size()) + ":";
  seen += text;
}

std::string seen_of(const RequestParser& parser, RequestParser::Result result) {
  if (result == RequestParser::Result::More) return "more";
  if (result == RequestParser::Result::Failed) return "failed " + std::to_string(parser.error_status());
  const Request& request = parser.request();
  std::string seen;
  add(seen, request.method_text);
  add(seen, request.target);
  add(seen, request.host);
  seen += std::to_string(request.minor) + (request.chunked ? "c" : "") + (request.keep_alive ? "k" : "") +
          (request.expect_continue ? "e" : "");
  if (request.content_length) seen += std::to_string(*request.content_length);
  for (const Field& field : request.fields) {
    add(seen, field.name);
    add(seen, field.value);
  }
  return seen;
}

void check_target(const Request& request) {
  Target target;
  const unsigned status = parse_target(request.target, target);
  XSD_ASSERT(status == 0 || status == 400 || status == 404);
  if (status != 0 || target.asterisk) return;
  const std::string& path = target.path;
  XSD_ASSERT(!path.empty() && path.front() == '/');
  XSD_ASSERT(path.find("//") == std::string::npos && path.find('\0') == std::string::npos);
  const std::string closed = path + "/";
  XSD_ASSERT(closed.find("/../") == std::string::npos && closed.find("/./") == std::string::npos);
  XSD_ASSERT(is_clean(path));
  // What is said in Location names the same.
  Target again;
  const std::string encoded = encoded_path(path);
  XSD_ASSERT(run_of(kTarget, encoded) == encoded.size());
  XSD_ASSERT(parse_target(encoded, again) == 0 && again.path == path);

  CgiRequest cgi;
  cgi.request = &request;
  cgi.target = &target;
  const std::string script = path.substr(0, path.find('/', 1));
  cgi.script_name = script;
  for (const std::string& text : cgi_environment(cgi)) {
    XSD_ASSERT(is_clean(text) && text.find('=') != std::string::npos);
    XSD_ASSERT(text.rfind("HTTP_PROXY=", 0) != 0 && text.rfind("HTTP_AUTHORIZATION=", 0) != 0);
  }
}

void check_request(const Request& request) {
  XSD_ASSERT(request.fields.size() <= kMaxFields);
  XSD_ASSERT(!(request.chunked && request.content_length));
  XSD_ASSERT(request.minor == 0 || is_host(request.host));
  std::size_t bytes = 0;
  for (const Field& field : request.fields) {
    XSD_ASSERT(!field.name.empty() && run_of(kToken, field.name) == field.name.size());
    XSD_ASSERT(is_clean(field.value) && trimmed(field.value) == field.value);
    bytes += field.name.size() + field.value.size();
  }
  XSD_ASSERT(bytes <= kMaxFieldBytes && request.target.size() <= kMaxRequestLine);
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{100}, UINT64_MAX}) {
    const Selection selection = select(request, {size, 784111777, "\"tag\""}, 784111800);
    if (selection.outcome == Selection::Outcome::Part)
      XSD_ASSERT(selection.length > 0 && selection.first < size &&
                 selection.length <= size - selection.first);
    if (selection.outcome == Selection::Outcome::Whole) XSD_ASSERT(selection.length == size);
  }
  check_target(request);
}

/// How long the head is; 0 if there is none.
std::size_t check_head(std::string_view bytes) {
  std::string first;
  std::size_t taken_first = 0;
  bool complete = false;
  for (const std::size_t step : {std::max<std::size_t>(bytes.size(), 1), std::size_t{1}, std::size_t{7}}) {
    RequestParser parser;
    RequestParser::Result result = RequestParser::Result::More;
    const std::size_t taken = feed_in_steps(bytes, step, [&](std::string_view& piece) {
      result = parser.feed(piece);
      XSD_ASSERT(parser.memory() <= std::size_t{64} * 1024);
      return result == RequestParser::Result::More;
    });
    const std::string seen = seen_of(parser, result);
    if (first.empty()) {
      first = seen;
      taken_first = taken;
      complete = result == RequestParser::Result::Complete;
      if (complete) check_request(parser.request());
    }
    XSD_ASSERT(seen == first);
    XSD_ASSERT(!complete || taken == taken_first);
    parser.reset();
    XSD_ASSERT(!parser.started());
  }
  return complete ? taken_first : 0;
}

void check_body(std::string_view bytes, const BodyReader& begin) {
  std::string first;
  for (const std::size_t step : {std::max<std::size_t>(bytes.size(), 1), std::size_t{1}, std::size_t{7}}) {
    BodyReader reader = begin;
    std::string body;
    BodyReader::Result result = BodyReader::Result::More;
    const std::size_t taken = feed_in_steps(bytes, step, [&](std::string_view& piece) {
      while (!piece.empty() && result == BodyReader::Result::More) {
        std::string_view part;
        result = reader.feed(piece, part);
        body += part;
      }
      return result == BodyReader::Result::More;
    });
    XSD_ASSERT(body.size() <= kMostBody);
    body += "|" + std::to_string(static_cast<int>(result)) + "|" + std::to_string(reader.error_status());
    if (result == BodyReader::Result::Complete) body += "|" + std::to_string(taken);
    if (first.empty()) first = body;
    XSD_ASSERT(body == first);
  }
}

void check_cgi_head(std::string_view bytes) {
  std::string first;
  for (const std::size_t step : {std::max<std::size_t>(bytes.size(), 1), std::size_t{1}, std::size_t{7}}) {
    CgiHead head;
    CgiHead::Result result = CgiHead::Result::More;
    const std::size_t taken = feed_in_steps(bytes, step, [&](std::string_view& piece) {
      result = head.feed(piece);
      return result == CgiHead::Result::More;
    });
    std::string seen = std::to_string(static_cast<int>(result));
    if (result == CgiHead::Result::Complete) {
      XSD_ASSERT(taken <= kMaxCgiHead && head.status() >= 200 && head.status() <= 599);
      XSD_ASSERT(is_clean(head.phrase()));
      seen += "|" + std::to_string(taken) + "|" + std::to_string(head.status());
      add(seen, head.phrase());
      add(seen, head.local_redirect());
      for (const Field& field : head.fields()) {
        XSD_ASSERT(run_of(kToken, field.name) == field.name.size() && is_clean(field.value));
        XSD_ASSERT(!same_word(field.name, "Content-Length") && !same_word(field.name, "Transfer-Encoding"));
        add(seen, field.name);
        add(seen, field.value);
      }
    }
    if (first.empty()) first = seen;
    XSD_ASSERT(seen == first);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t head = check_head(bytes);
  check_body(bytes.substr(head), BodyReader::of_chunks(kMostBody));
  check_body(bytes.substr(head), BodyReader::of_length(kMostBody));
  check_cgi_head(bytes);
  return 0;
}
