// SPDX-License-Identifier: Apache-2.0
#include "client.h"

#include <cerrno>
#include <memory>

namespace httpd {
namespace {

// A body has the time of a head, and a second more for so many bytes.
constexpr std::uint64_t kBodyBytesASecond = 500;
constexpr std::int64_t kSecond = 1'000'000'000;

}  // namespace

Client::Client(Service& service, xsd_connection* connection)
    : service_(service), host_(service.host), connection_(connection) {}

int Client::open(Service& service, xsd_connection* connection) {
  std::unique_ptr<Client> client(new Client(service, connection));
  const auto fire = [](void* argument) { static_cast<Client*>(argument)->on_timer(); };
  client->timer_ = service.host.timer_new(service.handle, fire, client.get());
  if (client->timer_ == nullptr) return -ENOMEM;
  client->settle();
  service.host.set_data(connection, static_cast<Peer*>(client.release()));
  return 0;
}

Client::~Client() {
  if (timer_ != nullptr) host_.timer_free(timer_);
}

void Client::on_data(std::string_view bytes) {
  if (state_ == State::Ended) return;
  if (backlog_.empty()) {
    process(bytes);
    if (state_ != State::Ended) backlog_.assign(bytes);
  } else {
    backlog_.append(bytes);
    resume();
  }
  settle();
}

void Client::on_end() {
  peer_ended_ = true;
  settle();
}

void Client::on_writable() {
  if (state_ == State::Ended) return;
  if (paused_ && program_ != nullptr) {
    paused_ = false;
    progress_ = true;
    program_->set_reading(true);
  }
  resume();
  settle();
}

void Client::on_close() {
  state_ = State::Ended;
  drop_program();
}

void Client::resume() {
  if (state_ == State::Ended || backlog_.empty()) return;
  std::string_view rest = std::string_view(backlog_).substr(taken_);
  process(rest);
  taken_ = backlog_.size() - rest.size();
  if (!rest.empty() && state_ != State::Ended) return;
  std::string().swap(backlog_);
  taken_ = 0;
}

void Client::process(std::string_view& input) {
  while (!input.empty()) {
    switch (state_) {
      case State::Head:
        if (!process_head(input)) return;
        break;
      case State::Collecting:
        process_collecting(input);
        break;
      case State::Running:
        if (!process_running(input)) return;
        break;
      case State::Ended:
        return;
    }
  }
}

/// False if the input has to wait.
bool Client::process_head(std::string_view& input) {
  // The next request is looked at when the last answer is on its way.
  if (!parser_.started() && host_.unsent(connection_) > 0) return false;
  switch (parser_.feed(input)) {
    case RequestParser::Result::More:
      break;
    case RequestParser::Result::Failed:
      request_ = {};
      service_.count_request();
      fail(parser_.error_status());
      break;
    case RequestParser::Result::Complete:
      begin_request();
      break;
  }
  return true;
}

void Client::process_collecting(std::string_view& input) {
  std::string_view piece;
  const BodyReader::Result result = body_.feed(input, piece);
  collected_.append(piece);
  body_bytes_ += piece.size();
  if (result == BodyReader::Result::Failed) return fail(body_.error_status());
  if (result == BodyReader::Result::Complete) start_program();
}

/// False if the input has to wait.
bool Client::process_running(std::string_view& input) {
  if (program_ == nullptr || body_.complete() || program_->blocked()) return false;
  std::string_view piece;
  const BodyReader::Result result = body_.feed(input, piece);  // by length: never fails
  body_bytes_ += piece.size();
  program_->send(piece);
  if (result == BodyReader::Result::Complete) {
    progress_ = true;
    program_->end_input();
  }
  return true;
}

/// Brings in line with the state what the host does for us. To be called at the end of every callback.
void Client::settle() {
  // What a request still lacks will never come.
  const bool lacks = state_ != State::Running || !body_.complete();
  if (peer_ended_ && backlog_.empty() && lacks) close();
  if (state_ == State::Ended) return host_.timer_cancel(timer_);

  const bool reading = backlog_.empty();
  if (reading != reading_) host_.set_reading(connection_, reading ? 1 : 0);
  reading_ = reading;
  const bool wants_room = paused_ || (state_ == State::Head && !backlog_.empty());
  if (wants_room != wants_room_) host_.want_writable(connection_, wants_room ? 1 : 0);
  wants_room_ = wants_room;

  const Waiting now_for = waiting();
  const bool changed = now_for != waited_for_;
  if (changed || progress_) since_ = service_.monotonic();
  progress_ = false;
  if (!changed) return;
  waited_for_ = now_for;
  if (now_for == Waiting::Nothing) return host_.timer_cancel(timer_);
  body_bytes_ = 0;
  host_.timer_set(timer_, limit_of(now_for));
}

Client::Waiting Client::waiting() const noexcept {
  switch (state_) {
    case State::Head:
      return parser_.started() ? Waiting::Head : Waiting::Request;
    case State::Collecting:
      return Waiting::Body;
    case State::Running:
      if (paused_) return Waiting::Nothing;
      return body_.complete() || program_->blocked() ? Waiting::Program : Waiting::Body;
    case State::Ended:
      break;
  }
  return Waiting::Nothing;
}

std::int64_t Client::limit_of(Waiting waiting) const noexcept {
  switch (waiting) {
    case Waiting::Request:
      return service_.settings.keep_alive;
    case Waiting::Head:
      return service_.settings.header_timeout;
    case Waiting::Body:
      return service_.settings.header_timeout +
             static_cast<std::int64_t>(body_bytes_ / kBodyBytesASecond) * kSecond;
    case Waiting::Program:
      return service_.settings.cgi_timeout;
    case Waiting::Nothing:
      break;
  }
  return 0;
}

void Client::on_timer() {
  const std::int64_t left = limit_of(waited_for_) - (service_.monotonic() - since_);
  if (left > 0) return host_.timer_set(timer_, left);
  switch (waited_for_) {
    case Waiting::Request:
      // It is not waiting for a request as long as it is reading an answer.
      if (host_.unsent(connection_) > 0) {
        since_ = service_.monotonic();
        return host_.timer_set(timer_, limit_of(Waiting::Request));
      }
      close();
      break;
    case Waiting::Head:
      if (parser_.has_request()) {
        request_ = {};
        service_.count_request();
        fail(408);
      } else {
        close();
      }
      break;
    case Waiting::Body:
      fail(408);
      break;
    case Waiting::Program:
      service_.warn("program '" + mapping_->program + "' took too long");
      fail(504);
      break;
    case Waiting::Nothing:
      break;
  }
  settle();
}

}  // namespace httpd
