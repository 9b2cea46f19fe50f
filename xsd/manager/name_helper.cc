// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/name_helper.h"

#include <utility>

namespace xsd::manager {
namespace {

// In the helper.
void ask_and_tell(config::NameService& names, const std::vector<config::NameQuestion>& questions, int out) {
  names.refresh();
  std::string bytes;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    bytes.clear();
    config::append_answer(bytes, i, questions[i].kind, names.ask(questions[i]));
    if (!process::write_all(out, bytes)) return;
  }
}

}  // namespace

NameHelper::NameHelper(reactor::EventLoop& loop, reactor::ChildWatcher& children)
    : NameHelper(
          loop, children, [] { return config::make_system_name_service(config::HostPatience::Long); },
          kTimeLimit) {}

NameHelper::NameHelper(reactor::EventLoop& loop, reactor::ChildWatcher& children, MakeNames make_names,
                       Duration limit)
    : loop_(loop),
      children_(children),
      make_names_(std::move(make_names)),
      limit_(limit),
      not_started_(loop, [this] { finish(why_not_); }) {}

void NameHelper::ask(config::NameAnswers answers, Done done) {
  cancel();
  answers_ = std::move(answers);
  reader_ = std::make_unique<config::AnswerReader>(answers_);
  done_ = std::move(done);
  auto helper = process::Helper::start(
      loop_, children_,
      {.name = "xsd: names",
       .work = [this](int out) { ask_and_tell(*make_names_(), answers_.questions(), out); },
       .on_bytes =
           [this](std::string_view bytes) {
             if (!reader_->feed(bytes)) return process::Helper::Wants::Sense;
             return reader_->complete() ? process::Helper::Wants::NoMore : process::Helper::Wants::More;
           },
       .on_end = [this](const std::string& why) { finish(why); },
       .limit = limit_});
  if (helper) {
    helper_ = std::move(*helper);
    return;
  }
  why_not_ = std::move(helper.error()).within("cannot ask").text();
  not_started_.arm(Duration::zero());
}

void NameHelper::cancel() noexcept {
  not_started_.cancel();
  helper_.reset();
  reader_.reset();
  done_ = nullptr;
}

void NameHelper::finish(const std::string& why) {
  answers_.give_up(why.empty() ? "the helper did not say" : why);
  config::NameAnswers answers = std::move(answers_);
  answers_ = {};
  const Done done = std::exchange(done_, nullptr);
  cancel();  // `why` may go with it
  done(std::move(answers));
}

}  // namespace xsd::manager
