// SPDX-License-Identifier: Apache-2.0
//
// Program: one running CGI program (RFC 3875): feeds it the body of the request, and reads the head of its
// answer. It belongs to its connection (peer.h); who started it is its Caller, until one of the two lets go.
//
// Input is offered with try_write and what the program does not take is kept here, not in the host, because
// the host would not read from a connection that has something to send, and a program may well print before
// it has read everything.
#pragma once

#include <string>
#include <string_view>

#include <xsd/plugin.h>

#include "cgi_head.h"
#include "peer.h"
#include "service.h"

namespace httpd {

class Program final : public Peer {
 public:
  class Caller {
   public:
    /// The head of the answer is there; `more` if output follows in this callback.
    virtual void on_program_head(const CgiHead& head, bool more) = 0;
    virtual void on_program_output(std::string_view bytes) = 0;
    /// It takes input again.
    virtual void on_program_room() = 0;
    /// The last one. Not `whole`: it was killed, could not be started, or printed no head.
    virtual void on_program_end(bool whole) = 0;

   protected:
    ~Caller() = default;
  };

  Program(Service& service, xsd_connection* connection, Caller& caller, std::string name);

  /// Of its standard input. Not while it is `blocked`.
  void send(std::string_view bytes);
  void end_input();
  bool blocked() const noexcept { return sent_ < input_.size(); }
  void set_reading(bool on) noexcept;
  /// The caller is no longer interested: it gets TERM.
  void drop() noexcept;

  void on_data(std::string_view bytes) override;
  void on_end() override;
  void on_writable() override;
  void on_program(int error, int exit_status, int signal) override;
  void on_close() override;

 private:
  /// What is taken, or need not be sent any more, goes off the front.
  void offer(std::string_view& bytes);
  void end(bool whole);
  /// "program 'status' " and the text, in the log.
  void warn(std::string_view text);

  Service& service_;
  xsd_connection* const connection_;
  Caller* caller_;
  std::string name_;
  std::string input_;  ///< what it has not taken, from sent_ on
  std::size_t sent_ = 0;
  bool input_ends_ = false;
  bool input_closed_ = false;  ///< it reads no more
  bool has_head_ = false;
  bool failed_ = false;
  CgiHead head_;
};

}  // namespace httpd
