// SPDX-License-Identifier: Apache-2.0
#include "xsd/manager/name_helper.h"

#include <cerrno>
#include <cstddef>
#include <optional>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/reactor/reactor_test.h"

namespace xsd::manager {
namespace {

using namespace std::chrono_literals;
using config::NameAnswer;
using config::NameAnswers;
using config::NameQuestion;
using Kind = NameQuestion::Kind;

/// Knows users; a host hangs for ever, or ends the process that asks.
class OddNames final : public config::NameService {
 public:
  void refresh() override {}
  NameAnswer ask(const NameQuestion& question) override {
    if (question.text == "hangs.example") {
      for (;;)
        pause();
    }
    if (question.text == "dies.example") (void)raise(SIGKILL);
    NameAnswer answer = NameAnswer::not_found();
    if (question.text == "nobdy") return answer;
    answer.state = NameAnswer::State::Found;
    answer.user = {question.text, 7, 8};
    return answer;
  }
  bool has_interface(const std::string&) override { return false; }
  bool has_ipv6() override { return true; }
  uid_t own_uid() override { return 0; }
  gid_t own_gid() override { return 0; }
};

NameAnswers questions(const std::vector<NameQuestion>& list) {
  NameAnswers answers;
  for (const NameQuestion& question : list)
    answers.add(question);
  answers.sort();
  return answers;
}

/// From now on this process cannot fork.
void forbid_fork() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{sizeof program / sizeof program[0], program};
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

class NameHelperOn : public reactor::LoopTest {
 protected:
  std::unique_ptr<NameHelper> make(Duration limit) {
    return std::make_unique<NameHelper>(
        *loop, children, [] { return std::make_unique<OddNames>(); }, limit);
  }
  NameAnswers learn(NameHelper& helper, const std::vector<NameQuestion>& list) {
    std::optional<NameAnswers> learned;
    helper.ask(questions(list), [&learned](NameAnswers answers) { learned = std::move(answers); });
    EXPECT_FALSE(learned);  // not from there
    EXPECT_TRUE(helper.busy());
    EXPECT_TRUE(turn_until([&learned] { return learned.has_value(); }));
    EXPECT_FALSE(helper.busy());
    return learned ? std::move(*learned) : NameAnswers();
  }
  void expect_nobody_left() {
    EXPECT_TRUE(turn_until([this] { return children.size() == 0; }));
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(loop->watch_count(), 0U);
    EXPECT_EQ(loop->timer_count(), 0U);
  }

  reactor::ChildWatcher children{*loop};
};

INSTANTIATE_TEST_SUITE_P(On, NameHelperOn, reactor::each_poller(), reactor::kind_name);

TEST_P(NameHelperOn, learns_what_the_machine_knows) {
  NameHelper helper(*loop, children);
  const NameAnswers answers =
      learn(helper, {{Kind::User, "root"}, {Kind::User, "no-such-user-xsd"}, {Kind::Host, "localhost"}});
  EXPECT_EQ(answers.find({Kind::User, "root"}).user.name, "root");
  EXPECT_EQ(answers.find({Kind::User, "no-such-user-xsd"}).state, NameAnswer::State::NotFound);
  EXPECT_TRUE(answers.find({Kind::Host, "localhost"}).found());
  expect_nobody_left();
}

TEST_P(NameHelperOn, keeps_what_it_learned_before_time_was_up) {
  const auto helper = make(100ms);
  const NameAnswers answers =
      learn(*helper, {{Kind::Host, "hangs.example"}, {Kind::User, "me"}, {Kind::User, "nobdy"}});
  EXPECT_EQ(answers.find({Kind::User, "me"}).user, (config::UserEntry{"me", 7, 8}));
  EXPECT_EQ(answers.find({Kind::User, "nobdy"}).remark(), "");
  EXPECT_EQ(answers.find({Kind::Host, "hangs.example"}).remark(), " (no answer within 100ms)");
  expect_nobody_left();
}

TEST_P(NameHelperOn, keeps_what_it_learned_before_the_helper_died) {
  const auto helper = make(10s);
  const NameAnswers answers =
      learn(*helper, {{Kind::User, "me"}, {Kind::Host, "dies.example"}, {Kind::Host, "hangs.example"}});
  EXPECT_TRUE(answers.find({Kind::User, "me"}).found());
  EXPECT_EQ(answers.find({Kind::Host, "dies.example"}).remark(),
            " (the helper was ended by signal 9 (KILL))");
  EXPECT_EQ(answers.find({Kind::Host, "hangs.example"}).remark(),
            " (the helper was ended by signal 9 (KILL))");
  expect_nobody_left();
}

TEST_P(NameHelperOn, can_be_told_to_leave_it) {
  const auto helper = make(10s);
  bool called = false;
  helper->ask(questions({{Kind::Host, "hangs.example"}}), [&called](NameAnswers) { called = true; });
  helper->cancel();
  EXPECT_FALSE(helper->busy());
  expect_nobody_left();
  EXPECT_FALSE(called);
  // What is asked next takes the place of what was asked before.
  helper->ask(questions({{Kind::Host, "hangs.example"}}), [&called](NameAnswers) { called = true; });
  EXPECT_TRUE(learn(*helper, {{Kind::User, "me"}}).find({Kind::User, "me"}).found());
  EXPECT_FALSE(called);
  expect_nobody_left();
}

TEST_P(NameHelperOn, says_what_keeps_it_from_starting) {
  const pid_t sandboxed = fork();  // a filter cannot be taken off again
  if (sandboxed == 0) {
    forbid_fork();
    const auto helper = make(10s);
    const NameAnswers answers = learn(*helper, {{Kind::User, "me"}});
    EXPECT_EQ(answers.find({Kind::User, "me"}).remark(), " (cannot ask: fork: Operation not permitted)");
    EXPECT_EQ(learn(*helper, {{Kind::User, "you"}}).find({Kind::User, "you"}).state,
              NameAnswer::State::Unknown);
    EXPECT_EQ(loop->watch_count(), 0U);
    _exit(HasFailure() ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(sandboxed, &status, 0), sandboxed);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace xsd::manager
