// SPDX-License-Identifier: Apache-2.0
//
// Client: one connection of a client, from request to request (RFC 9112 9.3). It belongs to its connection
// (peer.h).
//
//   Head        reading the head of a request, or waiting for one
//   Collecting  a body in chunks is read to its end, since a program must be told its length beforehand
//   Running     a program answers; the rest of its body, if it has a length, is passed on meanwhile
//   Ended       the connection was closed; nothing is read or written any more
//
// Requests are answered one after the other. While an answer waits to be sent, or a program is running, what
// follows is kept in `backlog_` and nothing more is read: at most what one on_data brings (64 KiB).
//
// One timer serves for all waiting. It is set when the kind of waiting changes; when it runs out and there
// was progress meanwhile, it is set again for the rest.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <xsd/plugin.h>

#include "answer.h"
#include "body_reader.h"
#include "peer.h"
#include "program.h"
#include "request_parser.h"
#include "service.h"
#include "uri.h"

namespace httpd {

class Client final : public Peer, private Program::Caller {
 public:
  /// 0 or a negative errno: the connection is to be refused.
  static int open(Service& service, xsd_connection* connection);
  ~Client() override;

  void on_data(std::string_view bytes) override;
  void on_end() override;
  void on_writable() override;
  void on_program(int /*error*/, int /*exit_status*/, int /*signal*/) override {}
  void on_close() override;

 private:
  enum class State : std::uint8_t { Head, Collecting, Running, Ended };
  enum class Waiting : std::uint8_t {
    Nothing,  ///< of ours: the host's idle timeout ends clients that do not read
    Request,
    Head,
    Body,
    Program
  };

  Client(Service& service, xsd_connection* connection);

  // client.cc: what comes in
  void process(std::string_view& input);
  bool process_head(std::string_view& input);
  void process_collecting(std::string_view& input);
  bool process_running(std::string_view& input);
  void resume();
  void settle();
  Waiting waiting() const noexcept;
  std::int64_t limit_of(Waiting waiting) const noexcept;
  void on_timer();

  // client_answers.cc: what goes out
  void begin_request();
  void dispatch();
  void answer_file();
  void send_file(Found& found, const Selection& selection, const Validators& validators);
  bool read_content(int fd, const Selection& selection);
  void answer_not_modified(const Validators& validators);
  /// With a line of text for people.
  void answer(unsigned status, std::initializer_list<Field> fields = {});
  void answer_method(bool program, unsigned status);
  AnswerHead begin_head(unsigned status, std::string_view phrase);
  bool send(std::initializer_list<std::string_view> texts, std::uint32_t flags = 0);
  /// The request was answered: the next one, or the end.
  void end_answer();
  /// Answers with an error and closes, or, if an answer has begun, breaks it off.
  void fail(unsigned status);
  void close();
  void break_off();
  bool is_head() const noexcept { return request_.method == Method::Head; }

  // client_program.cc
  void begin_program(const CgiMapping& mapping);
  void start_program();
  void drop_program() noexcept;
  void follow_local_redirect(std::string_view location);
  void on_program_head(const CgiHead& head, bool more) override;
  void on_program_output(std::string_view bytes) override;
  void on_program_room() override;
  void on_program_end(bool whole) override;

  Service& service_;
  const xsd_host& host_;
  xsd_connection* const connection_;
  xsd_timer* timer_ = nullptr;

  State state_ = State::Head;
  Waiting waited_for_ = Waiting::Nothing;
  bool peer_ended_ = false;
  bool keep_alive_ = false;
  bool reading_ = true;  ///< what the host was told
  bool wants_room_ = false;
  bool paused_ = false;  ///< the program waits until the client has read
  bool progress_ = true;
  bool answer_begun_ = false;
  bool sends_body_ = false;  ///< of the program's answer
  bool chunks_ = false;      ///< and in chunks
  std::uint8_t redirects_ = 0;

  std::int64_t since_ = 0;  ///< progress, or for a body its begin
  std::uint64_t body_bytes_ = 0;
  RequestParser parser_;
  Request request_;
  Target target_;
  BodyReader body_;
  const CgiMapping* mapping_ = nullptr;
  Program* program_ = nullptr;
  std::string collected_;  ///< of a body in chunks
  std::string location_;   ///< of a local redirect
  std::string backlog_;    ///< from taken_ on
  std::size_t taken_ = 0;
};

}  // namespace httpd
