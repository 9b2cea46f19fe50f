// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include <unistd.h>

#include "client.h"
#include "media_types.h"

namespace httpd {

void Client::begin_request() {
  service_.count_request();
  progress_ = true;
  redirects_ = 0;
  request_ = parser_.request();
  keep_alive_ = request_.keep_alive;
  if (request_.method == Method::Unknown) return fail(501);
  // CONNECT has a target of a form of its own.
  if (request_.method == Method::Other) return answer_method(false, 405);
  if (const unsigned status = parse_target(request_.target, target_)) return answer(status);
  dispatch();
}

void Client::dispatch() {
  const CgiMapping* const mapping = target_.asterisk ? nullptr : service_.program_for(target_.path);
  if (request_.method == Method::Options) return answer_method(mapping != nullptr, 204);
  if (target_.asterisk) return answer(400);
  if (mapping != nullptr) return begin_program(*mapping);
  if (request_.method == Method::Post) return answer_method(false, 405);
  answer_file();
}

void Client::answer_method(bool program, unsigned status) {
  const std::string_view allowed = program ? "GET, HEAD, OPTIONS, POST" : "GET, HEAD, OPTIONS";
  if (status != 204) return answer(status, {{"Allow", allowed}});
  if (request_.has_body()) keep_alive_ = false;
  AnswerHead head = begin_head(status, phrase_of(status));
  head.field("Allow", allowed);
  head.end();
  if (send({service_.head})) end_answer();
}

void Client::answer_file() {
  Found found = service_.files.find(target_.path, service_.settings.index);
  if (found.kind == Found::Kind::NoRoom) return answer(503);
  if (found.kind == Found::Kind::Nothing) return answer(404);
  if (found.kind == Found::Kind::Folder) {
    std::string location = encoded_path(target_.path) + "/";
    if (target_.has_query) (location += '?') += target_.query;
    return answer(301, {{"Location", location}});
  }
  const std::int64_t now = service_.now();
  const std::string etag = etag_of(found.status);
  // RFC 9110 8.8.2.1: not later than the answer.
  const Validators validators{static_cast<std::uint64_t>(found.status.st_size),
                              std::min<std::int64_t>(found.status.st_mtim.tv_sec, now), etag};
  const Selection selection = select(request_, validators, now);
  switch (selection.outcome) {
    case Selection::Outcome::Whole:
    case Selection::Outcome::Part:
      return send_file(found, selection, validators);
    case Selection::Outcome::NotModified:
      return answer_not_modified(validators);
    case Selection::Outcome::PreconditionFailed:
      return answer(412);
    case Selection::Outcome::Unsatisfiable:
      return answer(416, {{"Content-Range", "bytes */" + std::to_string(validators.size)}});
  }
}

void Client::send_file(Found& found, const Selection& selection, const Validators& validators) {
  const bool small = selection.length <= kSmallFile;
  // Before the head says how long it is.
  if (small && !is_head() && !read_content(found.file.get(), selection)) return answer(503);
  const bool part = selection.outcome == Selection::Outcome::Part;
  if (request_.has_body()) keep_alive_ = false;
  const unsigned status = part ? 206 : 200;
  AnswerHead head = begin_head(status, phrase_of(status));
  const bool is_folder = target_.path.back() == '/';
  head.field("Content-Type", media_type_of(is_folder ? service_.settings.index : target_.path));
  head.number("Content-Length", selection.length);
  if (part) head.content_range(selection, validators.size);
  head.field("Last-Modified", http_date(validators.modified));
  head.field("ETag", validators.etag);
  head.field("Accept-Ranges", "bytes");
  head.end();
  if (is_head() || selection.length == 0) {
    if (!send({service_.head})) return;
  } else if (small) {
    if (!send({service_.head, {service_.content.data(), static_cast<std::size_t>(selection.length)}})) return;
  } else {
    if (!send({service_.head}, XSD_WRITE_MORE)) return;
    if (host_.send_file(connection_, found.file.release(), selection.first, selection.length) != 0)
      return break_off();
  }
  end_answer();
}

bool Client::read_content(int fd, const Selection& selection) {
  std::size_t got = 0;
  const auto length = static_cast<std::size_t>(selection.length);
  while (got < length) {
    const ssize_t count =
        ::pread(fd, service_.content.data() + got, length - got, static_cast<off_t>(selection.first + got));
    // It was cut off since we looked, or the disk is broken.
    if (count <= 0) return false;
    got += static_cast<std::size_t>(count);
  }
  return true;
}

void Client::answer_not_modified(const Validators& validators) {
  if (request_.has_body()) keep_alive_ = false;
  AnswerHead head = begin_head(304, phrase_of(304));
  head.field("Last-Modified", http_date(validators.modified));
  head.field("ETag", validators.etag);
  head.end();
  if (send({service_.head})) end_answer();
}

void Client::answer(unsigned status, std::initializer_list<Field> fields) {
  // A body that nobody reads is not told from the next request; the host throws it away.
  if (request_.has_body()) keep_alive_ = false;
  const std::string text = status_text(status);
  AnswerHead head = begin_head(status, phrase_of(status));
  for (const Field& field : fields)
    head.field(field.name, field.value);
  head.field("Content-Type", "text/plain; charset=utf-8");
  head.number("Content-Length", text.size());
  head.end();
  if (send({service_.head, is_head() ? std::string_view() : text})) end_answer();
}

/// keep_alive_ is settled.
AnswerHead Client::begin_head(unsigned status, std::string_view phrase) {
  service_.count_answer(status);
  answer_begun_ = true;
  AnswerHead head(service_.head, status, phrase, service_.date());
  head.connection(keep_alive_, request_.minor);
  return head;
}

/// False if the connection is broken or too much waits on it; it is over then.
bool Client::send(std::initializer_list<std::string_view> texts, std::uint32_t flags) {
  std::array<xsd_piece, 3> pieces{};
  std::size_t count = 0;
  for (const std::string_view text : texts) {
    if (!text.empty()) pieces[count++] = {text.data(), text.size()};
  }
  if (host_.write_pieces(connection_, pieces.data(), count, flags) == 0) return true;
  break_off();
  return false;
}

void Client::end_answer() {
  answer_begun_ = false;
  progress_ = true;
  if (!keep_alive_) return close();
  parser_.reset();
  state_ = State::Head;
}

void Client::fail(unsigned status) {
  drop_program();
  if (answer_begun_) return break_off();
  keep_alive_ = false;
  answer(status);
}

void Client::close() {
  if (state_ == State::Ended) return;
  drop_program();
  state_ = State::Ended;
  host_.close(connection_);
}

void Client::break_off() {
  if (state_ == State::Ended) return;
  drop_program();
  state_ = State::Ended;
  host_.abort(connection_);
}

}  // namespace httpd
