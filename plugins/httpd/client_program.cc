// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "cgi_environment.h"
#include "client.h"

namespace httpd {
namespace {

// What may wait for a client before its program has to.
constexpr std::uint64_t kMostUnsent = 65536;
// Of local redirects in a row.
constexpr std::uint8_t kMostRedirects = 5;

}  // namespace

void Client::begin_program(const CgiMapping& mapping) {
  if (request_.content_length.value_or(0) > service_.settings.max_body) return fail(413);
  mapping_ = &mapping;
  body_ = request_.chunked ? BodyReader::of_chunks(service_.settings.max_body)
                           : BodyReader::of_length(request_.content_length.value_or(0));
  collected_.clear();
  if (request_.expect_continue && !send({"HTTP/1.1 100 Continue\r\n\r\n"})) return;
  if (request_.chunked) {
    state_ = State::Collecting;
  } else {
    start_program();
  }
}

void Client::start_program() {
  const xsd_peer_info& info = *host_.peer_info(connection_);
  CgiRequest cgi;
  cgi.request = &request_;
  cgi.target = &target_;
  cgi.script_name = mapping_->prefix;
  cgi.root = service_.settings.root;
  cgi.remote_address = info.remote_address;
  cgi.local_address = info.local_address;
  cgi.local_port = info.local_port;
  cgi.body_length = request_.chunked ? collected_.size() : request_.content_length.value_or(0);
  const std::vector<std::string> texts = cgi_environment(cgi);
  std::vector<const char*> environment;
  environment.reserve(texts.size());
  for (const std::string& text : texts)
    environment.push_back(text.c_str());

  xsd_connection* connection = nullptr;
  const int result = host_.start_program(service_.handle, mapping_->program.c_str(), environment.data(),
                                         environment.size(), nullptr, &connection);
  if (result == -ENOBUFS) return fail(431);
  if (result != 0) {
    service_.warn("program '" + mapping_->program + "' cannot be started: " + std::strerror(-result));
    return fail(result == -ENOENT || result == -EINVAL ? 500 : 503);
  }
  program_ = new Program(service_, connection, *this, mapping_->program);  // the connection owns it
  state_ = State::Running;
  progress_ = true;
  answer_begun_ = false;
  sends_body_ = chunks_ = paused_ = false;
  program_->send(std::exchange(collected_, {}));
  if (body_.complete()) program_->end_input();
}

void Client::drop_program() noexcept {
  paused_ = false;
  if (program_ != nullptr) std::exchange(program_, nullptr)->drop();
}

void Client::on_program_head(const CgiHead& head, bool more) {
  if (!head.local_redirect().empty()) return follow_local_redirect(head.local_redirect());
  // The rest of the request may never be read.
  if (!body_.complete()) keep_alive_ = false;
  const bool bodiless = head.status() == 204 || head.status() == 304;
  sends_body_ = !bodiless && !is_head();
  chunks_ = sends_body_ && request_.minor > 0;
  if (sends_body_ && !chunks_) keep_alive_ = false;
  AnswerHead answer = begin_head(head.status(), head.phrase());
  for (const Field& field : head.fields())
    answer.field(field.name, field.value);
  if (chunks_) answer.field("Transfer-Encoding", "chunked");
  answer.end();
  (void)send({service_.head}, more && sends_body_ ? XSD_WRITE_MORE : 0);  // if it fails, all is over
  progress_ = true;
  settle();
}

void Client::on_program_output(std::string_view bytes) {
  progress_ = true;
  if (sends_body_) {
    char size[20];
    char* const end = std::to_chars(size, size + 16, bytes.size(), 16).ptr;
    std::memcpy(end, "\r\n", 2);
    const std::string_view line(size, static_cast<std::size_t>(end + 2 - size));
    if (!(chunks_ ? send({line, bytes, "\r\n"}) : send({bytes}))) return settle();
    if (!paused_ && host_.unsent(connection_) > kMostUnsent) {
      paused_ = true;
      program_->set_reading(false);
    }
  }
  settle();
}

void Client::on_program_room() {
  progress_ = true;
  resume();
  settle();
}

void Client::on_program_end(bool whole) {
  program_ = nullptr;
  paused_ = false;
  if (!whole) {
    fail(502);
  } else if (!chunks_ || send({"0\r\n\r\n"})) {
    if (!body_.complete()) keep_alive_ = false;
    end_answer();
  }
  resume();
  settle();
}

/// RFC 3875 6.2.2: as if the client had asked for that path.
void Client::follow_local_redirect(std::string_view location) {
  location_ = location;
  const bool body_read = body_.complete();
  drop_program();
  if (++redirects_ > kMostRedirects) {
    service_.warn("program '" + mapping_->program + "' redirects to itself");
    return fail(502);
  }
  if (parse_target(location_, target_) != 0) return fail(502);
  if (!body_read) keep_alive_ = false;
  body_ = BodyReader();
  if (!is_head()) {
    request_.method = Method::Get;
    request_.method_text = "GET";
  }
  request_.content_length.reset();
  request_.chunked = request_.expect_continue = false;
  state_ = State::Head;
  dispatch();
  resume();
  settle();
}

}  // namespace httpd
