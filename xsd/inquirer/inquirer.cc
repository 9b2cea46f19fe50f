// SPDX-License-Identifier: Apache-2.0
#include "xsd/inquirer/inquirer.h"

#include <array>
#include <csignal>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include "xsd/inquirer/ident.h"
#include "xsd/inquirer/libwrap.h"
#include "xsd/inquirer/peer_names.h"
#include "xsd/inquirer/question.h"
#include "xsd/process/channel.h"
#include "xsd/process/helper.h"
#include "xsd/process/role.h"
#include "xsd/process/sandbox.h"
#include "xsd/reactor/child_watcher.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::inquirer {
namespace {

constexpr std::size_t kMostAtOnce = 64;  // of each kind
constexpr std::size_t kLargestAnswer = 2 * kMostTexts * kLongestText;

/// In the helper.
Answer find_answer(const Question& question, int socket) {
  switch (question.kind) {
    case Question::Kind::Names:
      return find_names(question.peer);
    case Question::Kind::Libwrap:
      return ask_libwrap(question, socket);
    case Question::Kind::Ident:
      return ask_ident(question.peer, question.local);
  }
  return {};
}

class Inquirer {
 public:
  explicit Inquirer(reactor::EventLoop& loop) : loop_(loop), children_(loop) {}
  Inquirer(const Inquirer&) = delete;
  Inquirer& operator=(const Inquirer&) = delete;

  int run(UniqueFd channel);

 private:
  struct Waiting {
    std::uint64_t number;
    Question question;
    UniqueFd socket;
    MonotonicTime until;
  };
  struct Working {
    std::uint64_t number;
    Question::Kind kind;
    std::string answer{};
    std::unique_ptr<process::Helper> helper{};
  };
  using WorkingRef = std::list<Working>::iterator;

  void on_message(std::string_view bytes, std::vector<UniqueFd> fds);
  void start_some(Question::Kind kind);
  void start(Waiting waiting);
  void finish(WorkingRef working);
  std::size_t& working_of(Question::Kind kind) { return counts_[static_cast<std::size_t>(kind)]; }
  std::deque<Waiting>& waiting_of(Question::Kind kind) { return waiting_[static_cast<std::size_t>(kind)]; }

  reactor::EventLoop& loop_;
  reactor::ChildWatcher children_;
  std::array<std::deque<Waiting>, kQuestionKinds> waiting_;
  std::array<std::size_t, kQuestionKinds> counts_{};
  std::unique_ptr<process::Channel> channel_;
  std::list<Working> working_;
};

int Inquirer::run(UniqueFd channel) {
  auto made = process::Channel::create(
      loop_, std::move(channel),
      {.on_message = [this](std::string_view bytes,
                            std::vector<UniqueFd> fds) { on_message(bytes, std::move(fds)); },
       .on_end = [this](const std::string&) { loop_.stop(); }});
  if (!made) return 1;
  channel_ = std::move(*made);
  loop_.run();
  return 0;
}

void Inquirer::on_message(std::string_view bytes, std::vector<UniqueFd> fds) {
  auto read = decode_question(bytes);
  if (!read || fds.size() > 1) return loop_.stop();
  const Question::Kind kind = read->question.kind;
  if (kind == Question::Kind::Libwrap) load_libwrap();
  waiting_of(kind).push_back({read->number, std::move(read->question),
                              fds.empty() ? UniqueFd() : raise_fd(std::move(fds.front())),
                              loop_.now() + limit_of(kind)});
  start_some(kind);
}

void Inquirer::start_some(Question::Kind kind) {
  std::deque<Waiting>& waiting = waiting_of(kind);
  while (!waiting.empty() && working_of(kind) < kMostAtOnce) {
    Waiting next = std::move(waiting.front());
    waiting.pop_front();
    if (next.until > loop_.now()) {
      start(std::move(next));
    } else {
      channel_->send(encode(next.number, Answer{}));
    }
  }
}

void Inquirer::start(Waiting waiting) {
  const WorkingRef working = working_.insert(working_.end(), {waiting.number, waiting.question.kind});
  const int socket = waiting.socket.get();  // ours goes at the end of this
  auto helper = process::Helper::start(
      loop_, children_,
      {.name = "xsd: asks",
       .work = [number = working->number, question = std::move(waiting.question), socket](
                   int out) { (void)process::write_all(out, encode(number, find_answer(question, socket))); },
       .on_bytes =
           [working](std::string_view bytes) {
             working->answer += bytes;
             return working->answer.size() > kLargestAnswer ? process::Helper::Wants::Sense
                                                            : process::Helper::Wants::More;
           },
       .on_end = [this, working](const std::string&) { finish(working); },
       .limit = waiting.until - loop_.now(),
       .keep = socket});
  if (!helper) {
    channel_->send(encode(working->number, Answer{}));
    working_.erase(working);
    return;
  }
  working->helper = std::move(*helper);
  ++working_of(working->kind);
}

// One that has said nothing had no time, or became a command of hosts.allow: neither is a yes.
void Inquirer::finish(WorkingRef working) {
  const Question::Kind kind = working->kind;
  const bool makes_sense = decode_answer(working->answer).has_value();
  channel_->send(makes_sense ? working->answer : encode(working->number, Answer{}));
  working_.erase(working);
  --working_of(kind);
  start_some(kind);
}

}  // namespace

int run_inquirer(UniqueFd channel) {
  process::block_ending_signals();
  if (!process::drop_capabilities()) return 1;
  const SystemClock clock;
  auto loop = reactor::EventLoop::create(reactor::PollerKind::Epoll, clock);
  if (!loop) return 1;
  return Inquirer(**loop).run(std::move(channel));
}

}  // namespace xsd::inquirer
