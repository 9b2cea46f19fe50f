// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <cstring>
#include <utility>

namespace httpd {

Program::Program(Service& service, xsd_connection* connection, Caller& caller, std::string name)
    : service_(service), connection_(connection), caller_(&caller), name_(std::move(name)) {
  service_.host.set_data(connection_, static_cast<Peer*>(this));
}

void Program::send(std::string_view bytes) {
  offer(bytes);
  if (bytes.empty()) return;
  input_.assign(bytes);
  service_.host.want_writable(connection_, 1);
}

void Program::end_input() {
  input_ends_ = true;
  if (!blocked()) service_.host.finish(connection_);
}

void Program::offer(std::string_view& bytes) {
  while (!bytes.empty() && !input_closed_) {
    const std::int64_t taken = service_.host.try_write(connection_, bytes.data(), bytes.size());
    if (taken == 0) return;
    // No error: a program need not read what it does not want to know.
    if (taken < 0) input_closed_ = true;
    if (taken > 0) bytes.remove_prefix(static_cast<std::size_t>(taken));
  }
  bytes = {};
}

void Program::on_writable() {
  std::string_view left = std::string_view(input_).substr(sent_);
  offer(left);
  sent_ = input_.size() - left.size();
  if (blocked()) return;
  sent_ = 0;
  std::string().swap(input_);
  service_.host.want_writable(connection_, 0);
  if (input_ends_) service_.host.finish(connection_);
  if (caller_ != nullptr) caller_->on_program_room();
}

void Program::set_reading(bool on) noexcept {
  service_.host.set_reading(connection_, on ? 1 : 0);
}

void Program::drop() noexcept {
  caller_ = nullptr;
  service_.host.abort(connection_);
}

void Program::on_data(std::string_view bytes) {
  if (caller_ == nullptr) return;
  if (!has_head_) {
    const CgiHead::Result result = head_.feed(bytes);
    if (result == CgiHead::Result::More) return;
    if (result == CgiHead::Result::Failed) {
      warn("printed no head, or a wrong one");
      return end(false);
    }
    has_head_ = true;
    caller_->on_program_head(head_, !bytes.empty());
  }
  // The caller may have let go meanwhile.
  if (caller_ != nullptr && !bytes.empty()) caller_->on_program_output(bytes);
}

void Program::on_end() {
  if (caller_ != nullptr && !has_head_ && !failed_) warn("ended without an answer");
  end(has_head_ && !failed_);
}

void Program::on_program(int error, int /*exit_status*/, int signal) {
  if (error != 0) {
    warn(std::string("could not be started: ") + std::strerror(-error));
    failed_ = true;
  } else if (signal != 0) {
    warn("was ended by signal " + std::to_string(signal));
    failed_ = true;
  }
  // What it has printed before may still be on the way: on_end, or on_close, follows.
}

void Program::on_close() {
  // Without on_end: a program that ends without having read all of its input looks like a broken connection.
  if (caller_ != nullptr) std::exchange(caller_, nullptr)->on_program_end(has_head_ && !failed_);
}

void Program::end(bool whole) {
  // Closing would send it TERM, and it may have something to do after its last word.
  whole ? service_.host.finish(connection_) : service_.host.close(connection_);
  if (caller_ != nullptr) std::exchange(caller_, nullptr)->on_program_end(whole);
}

void Program::warn(std::string_view text) {
  std::string line = "program '" + name_ + "' ";
  line += text;
  service_.warn(line);
}

}  // namespace httpd
