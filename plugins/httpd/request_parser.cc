// SPDX-License-Identifier: Apache-2.0
#include "request_parser.h"

#include <algorithm>

#include "uri.h"

namespace httpd {
namespace {

// What an idle connection keeps.
constexpr std::size_t kKeptText = 512;
constexpr std::size_t kKeptFields = 16;

constexpr std::string_view kVersionShape = "HTTP/d.d";

// Places are 16 bits wide.
static_assert(kMaxRequestLine + kMaxFieldBytes <= UINT16_MAX);

struct MethodName {
  std::string_view name;
  Method method;
};
constexpr MethodName kMethods[] = {
    {"GET", Method::Get},     {"HEAD", Method::Head},     {"POST", Method::Post},
    {"PUT", Method::Other},   {"DELETE", Method::Other},  {"OPTIONS", Method::Options},
    {"TRACE", Method::Other}, {"CONNECT", Method::Other}, {"PATCH", Method::Other},
};

Method method_of(std::string_view name) noexcept {
  for (const MethodName& known : kMethods) {
    if (known.name == name) return known.method;
  }
  return Method::Unknown;
}

}  // namespace

const Field* Request::find(std::string_view name) const noexcept {
  for (const Field& field : fields) {
    if (same_word(field.name, name)) return &field;
  }
  return nullptr;
}

RequestParser::Result RequestParser::feed(std::string_view& input) {
  while (!input.empty() && state_ < State::Done)
    step(input);
  if (state_ == State::Done) return Result::Complete;
  return state_ == State::Failed ? Result::Failed : Result::More;
}

void RequestParser::reset() noexcept {
  state_ = State::Start;
  error_status_ = 0;
  line_bytes_ = field_bytes_ = method_length_ = target_length_ = version_length_ = 0;
  text_.clear();
  places_.clear();
  fields_.clear();
  request_ = {};
  if (text_.capacity() > kKeptText) std::string().swap(text_);
  if (places_.capacity() > kKeptFields) {
    std::vector<FieldPlace>().swap(places_);
    std::vector<Field>().swap(fields_);
  }
}

std::size_t RequestParser::memory() const noexcept {
  return text_.capacity() + places_.capacity() * sizeof(FieldPlace) + fields_.capacity() * sizeof(Field);
}

void RequestParser::fail(unsigned status) noexcept {
  state_ = State::Failed;
  error_status_ = status;
}

bool RequestParser::take(std::string_view& input, std::size_t count, bool keep) {
  const bool in_line = state_ < State::FieldStart;
  std::size_t& used = in_line ? line_bytes_ : field_bytes_;
  const std::size_t most = in_line ? kMaxRequestLine : kMaxFieldBytes;
  if (count > most - used) {
    fail(in_line ? 414 : 431);
    return false;
  }
  used += count;
  if (keep) text_.append(input.data(), count);
  input.remove_prefix(count);
  return true;
}

void RequestParser::take_mark(std::string_view& input, char expected, State next) {
  if (input.front() != expected) return fail(400);
  if (take(input, 1, false)) state_ = next;
}

void RequestParser::step(std::string_view& input) {
  if (state_ < State::FieldStart) {
    step_in_line(input);
  } else {
    step_in_fields(input);
  }
}

void RequestParser::step_in_line(std::string_view& input) {
  switch (state_) {
    case State::Start:
      if (input.front() == '\r') return take_mark(input, '\r', State::StartLf);
      state_ = State::Method;
      return;
    case State::StartLf:
      return take_mark(input, '\n', State::Start);
    case State::Method: {
      const std::size_t run = run_of(kToken, input);
      if (run > kMaxMethod - method_length_) return fail(501);
      if (!take(input, run, true)) return;
      method_length_ += run;
      if (input.empty()) return;
      return method_length_ > 0 ? take_mark(input, ' ', State::Target) : fail(400);
    }
    case State::Target: {
      const std::size_t run = run_of(kTarget, input);
      if (!take(input, run, true)) return;
      target_length_ += run;
      if (input.empty()) return;
      return target_length_ > 0 ? take_mark(input, ' ', State::Version) : fail(400);
    }
    case State::Version:
      return take_version(input);
    default:
      return take_mark(input, '\n', State::FieldStart);  // LineLf
  }
}

void RequestParser::take_version(std::string_view& input) {
  if (version_length_ == kVersionShape.size()) {
    if (input.front() != '\r') return fail(400);
    if (version_[5] != '1') return fail(505);
    return take_mark(input, '\r', State::LineLf);
  }
  const char expected = kVersionShape[version_length_];
  const char c = input.front();
  if (expected == 'd' ? !is_digit(c) : c != expected) return fail(400);
  if (take(input, 1, false)) version_[version_length_++] = c;
}

void RequestParser::step_in_fields(std::string_view& input) {
  const char c = input.front();
  switch (state_) {
    case State::FieldStart:
      if (c == '\r') return take_mark(input, '\r', State::EndLf);
      // A blank here would continue the line before (obs-fold).
      if (!is_in(kToken, c)) return fail(400);
      if (places_.size() == kMaxFields) return fail(431);
      places_.push_back({static_cast<std::uint16_t>(text_.size()), 0, 0, 0});
      state_ = State::Name;
      return;
    case State::Name: {
      const std::size_t run = run_of(kToken, input);
      if (!take(input, run, true) || input.empty()) return;
      FieldPlace& place = places_.back();
      place.name_length = static_cast<std::uint16_t>(text_.size() - place.name);
      place.value = static_cast<std::uint16_t>(text_.size());
      return take_mark(input, ':', State::BeforeValue);
    }
    case State::BeforeValue:
      if (c == ' ' || c == '\t') return take_mark(input, c, State::BeforeValue);
      state_ = State::Value;
      return;
    case State::Value:
      if (!take(input, run_of(kValue, input), true) || input.empty()) return;
      take_mark(input, '\r', State::ValueLf);
      if (state_ == State::ValueLf) end_value();
      return;
    case State::ValueLf:
      return take_mark(input, '\n', State::FieldStart);
    default:  // EndLf
      take_mark(input, '\n', State::Done);
      if (state_ == State::Done) complete();
  }
}

void RequestParser::end_value() {
  FieldPlace& place = places_.back();
  while (text_.size() > place.value && (text_.back() == ' ' || text_.back() == '\t'))
    text_.pop_back();
  place.value_length = static_cast<std::uint16_t>(text_.size() - place.value);
}

void RequestParser::complete() {
  fields_.reserve(places_.size());
  for (const FieldPlace& place : places_)
    fields_.push_back({text(place.name, place.name_length), text(place.value, place.value_length)});
  request_.fields = fields_;
  request_.method_text = text(0, method_length_);
  request_.method = method_of(request_.method_text);
  request_.target = text(method_length_, target_length_);
  request_.minor = static_cast<unsigned>(version_[7] - '0');
  if (!read_host() || !read_framing()) return;
  read_connection();
  if (const Field* const expect = request_.find("Expect"); expect != nullptr && request_.minor > 0) {
    if (!same_word(expect->value, "100-continue")) return fail(417);
    request_.expect_continue = request_.has_body();
  }
}

bool RequestParser::read_host() {
  std::size_t count = 0;
  for (const Field& field : fields_) {
    if (!same_word(field.name, "Host")) continue;
    request_.host = field.value;
    ++count;
  }
  // RFC 9112 3.2
  const bool right = count == 1 || (count == 0 && request_.minor == 0);
  if (right && is_host(request_.host)) return true;
  fail(400);
  return false;
}

bool RequestParser::read_framing() {
  for (const Field& field : fields_) {
    if (same_word(field.name, "Content-Length")) {
      const std::optional<std::uint64_t> length = parse_digits(field.value);
      if (!length || request_.content_length) {
        fail(400);
        return false;
      }
      request_.content_length = length;
    } else if (same_word(field.name, "Transfer-Encoding")) {
      if (!read_transfer_coding(field.value)) return false;
    }
  }
  // Both (RFC 9112 6.3), or a coding that an HTTP/1.0 sender cannot know of (6.1): somebody on the way may
  // have read another length than we would.
  if (request_.chunked && (request_.content_length || request_.minor == 0)) fail(400);
  return state_ != State::Failed;
}

bool RequestParser::read_transfer_coding(std::string_view list) {
  std::string_view coding;
  bool any = false;
  while (next_element(list, coding)) {
    any = true;
    if (!same_word(coding, "chunked")) {
      fail(501);
      return false;
    }
    if (request_.chunked) fail(400);
    request_.chunked = true;
  }
  if (!any) fail(400);
  return state_ != State::Failed;
}

void RequestParser::read_connection() noexcept {
  bool close = false;
  bool keep = false;
  for (const Field& field : fields_) {
    if (!same_word(field.name, "Connection")) continue;
    std::string_view list = field.value;
    std::string_view option;
    while (next_element(list, option)) {
      close = close || same_word(option, "close");
      keep = keep || same_word(option, "keep-alive");
    }
  }
  request_.keep_alive = !close && (request_.minor > 0 || keep);
}

}  // namespace httpd
