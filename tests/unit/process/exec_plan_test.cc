// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/exec_plan.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include "started_world.h"

namespace xsd::process {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

class ExecPlanTest : public testing::Test {
 protected:
  ExecPlanTest() {
    inheritance_.environment = {"PATH=/usr/bin"};
    inheritance_.open_files = {256, 1024};
    definition_.server = "/usr/sbin/in.fingerd";
  }

  std::shared_ptr<const ExecPlan> make() const {
    auto plan = make_exec_plan(definition_, resolution_, inheritance_);
    if (plan) return *plan;
    ADD_FAILURE() << plan.error().text();
    return std::make_shared<ExecPlan>();
  }
  std::string error() const {
    const auto plan = make_exec_plan(definition_, resolution_, inheritance_);
    return plan ? "(made)" : plan.error().text();
  }
  void limit(int resource, std::string key, rlim_t soft, rlim_t hard) {
    config::ResourceLimit limit;
    limit.resource = resource;
    limit.key = std::move(key);
    limit.soft = soft;
    limit.hard = hard;
    definition_.rlimits.push_back(limit);
  }

  config::ServiceDefinition definition_ = world_definition();
  config::Resolution resolution_;
  Inheritance inheritance_;
};

TEST_F(ExecPlanTest, has_the_documented_defaults) {
  const auto plan = make();
  EXPECT_EQ(plan->service, "world");
  EXPECT_EQ(plan->program, "/usr/sbin/in.fingerd");
  EXPECT_THAT(plan->arguments, ElementsAre("/usr/sbin/in.fingerd"));
  EXPECT_THAT(plan->environment, ElementsAre("PATH=/usr/bin"));
  EXPECT_FALSE(plan->credentials);
  EXPECT_EQ(plan->umask, mode_t{022});
  EXPECT_FALSE(plan->nice);
  EXPECT_EQ(plan->chroot, "");
  EXPECT_EQ(plan->directory, "/");
  EXPECT_TRUE(plan->no_new_privs);
  ASSERT_EQ(plan->limits.size(), 1U);
  EXPECT_EQ(plan->limits[0].resource, RLIMIT_NOFILE);
  EXPECT_EQ(plan->limits[0].value.rlim_cur, 256U);
  EXPECT_EQ(plan->limits[0].value.rlim_max, 1024U);
}

TEST_F(ExecPlanTest, takes_over_what_the_definition_says) {
  definition_.umask = 077;
  definition_.nice = 5;
  definition_.chroot = "/srv";
  definition_.directory = "/in";
  definition_.no_new_privs = false;
  resolution_.change_ids = true;
  resolution_.uid = 7;
  resolution_.gid = 8;
  resolution_.groups = {8, 100};
  inheritance_.nice = 3;
  const auto plan = make();
  EXPECT_EQ(plan->umask, mode_t{077});
  EXPECT_EQ(plan->nice, 8);
  EXPECT_EQ(plan->chroot, "/srv");
  EXPECT_EQ(plan->directory, "/in");
  EXPECT_FALSE(plan->no_new_privs);
  ASSERT_TRUE(plan->credentials);
  EXPECT_EQ(plan->credentials->uid, 7U);
  EXPECT_EQ(plan->credentials->gid, 8U);
  EXPECT_THAT(plan->credentials->groups, ElementsAre(8, 100));
}

TEST_F(ExecPlanTest, keeps_nice_within_what_there_is) {
  inheritance_.nice = 10;
  definition_.nice = 19;
  EXPECT_EQ(make()->nice, 19);
  inheritance_.nice = -10;
  definition_.nice = -15;
  EXPECT_EQ(make()->nice, -20);
}

TEST_F(ExecPlanTest, puts_server_args_behind_the_path) {
  definition_.server = "/opt/%{service}/d";
  definition_.server_args = {"-w", "%{remote_addr}", ""};
  EXPECT_THAT(make()->arguments, ElementsAre("/opt/%%{service}/d", "-w", "%{remote_addr}", ""));
}

TEST_F(ExecPlanTest, takes_the_name_from_server_args_if_the_flag_says_so) {
  definition_.flags = config::kFlagNameInArgs;
  definition_.server_args = {"fingerd", "-w"};
  EXPECT_THAT(make()->arguments, ElementsAre("fingerd", "-w"));
  definition_.server_args.clear();
  EXPECT_EQ(error(),
            "server_args: with the flag NAMEINARGS the first one is the program's name, and there is none");
}

TEST_F(ExecPlanTest, refuses_unknown_placeholders) {
  definition_.server_args = {"-w", "x%{remote_adr}"};
  EXPECT_EQ(error(),
            "server_args: 'x%{remote_adr}': there is no %{remote_adr}; did you mean %{remote_addr}?");
  definition_.server_args = {"%{\n}"};
  EXPECT_EQ(error(), "server_args: '%{\\n}': there is no %{\\n}");
  definition_.server_args = {"%{service"};
  EXPECT_EQ(error(), "server_args: '%{service': %{ without }; a literal %{ is written %%{");
}

TEST_F(ExecPlanTest, passes_the_documented_variables_only) {
  inheritance_.environment = {"LD_PRELOAD=/x.so", "LANG=de_DE.UTF-8", "LC_ALL=C",         "LC_TIME=C",
                              "TZ=UTC",           "HOME=/root",       "NOTIFY_SOCKET=/n", "LISTEN_FDS=3",
                              "PATH=/daemon",     "WANTED=1",         "no equals sign",   "=empty name",
                              "XLC_ALL=no",       "LANGUAGE=de"};
  definition_.passenv = {"WANTED", "ABSENT", "LISTEN_FDS"};
  EXPECT_THAT(make()->environment, UnorderedElementsAre("LANG=de_DE.UTF-8", "LC_ALL=C", "LC_TIME=C", "TZ=UTC",
                                                        "PATH=/daemon", "WANTED=1"));
}

TEST_F(ExecPlanTest, passes_everything_but_what_is_for_the_daemon_alone) {
  inheritance_.environment = {"LD_PRELOAD=/x.so", "HOME=/root",   "NOTIFY_SOCKET=/n", "LISTEN_FDS=3",
                              "WATCHDOG_USEC=1",  "PATH=/daemon", "REMOTE_HOST=old"};
  definition_.passenv = {"*"};
  EXPECT_THAT(make()->environment, UnorderedElementsAre("LD_PRELOAD=/x.so", "HOME=/root", "PATH=/daemon"));
}

TEST_F(ExecPlanTest, has_a_path_even_if_the_daemon_has_none) {
  inheritance_.environment.clear();
  EXPECT_THAT(make()->environment,
              ElementsAre("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
}

TEST_F(ExecPlanTest, names_each_variable_once) {
  inheritance_.environment = {"PATH=/first", "PATH=/second", "TZ=UTC", "A=daemon"};
  definition_.passenv = {"A", "A"};
  definition_.env = {{"A", "one"}, {"TZ", ""}, {"B", "x=y"}, {"A", "two"}};
  EXPECT_THAT(make()->environment, UnorderedElementsAre("PATH=/first", "TZ=", "A=two", "B=x=y"));
}

TEST_F(ExecPlanTest, leaves_the_connections_variables_to_the_connection) {
  definition_.env = {
      {"REMOTE_HOST", "fake"}, {"LISTEN_PID", "1"}, {"XSD_SERVICE", "other"}, {"REMOTE_HOSTS", "mine"}};
  EXPECT_THAT(make()->environment, UnorderedElementsAre("PATH=/usr/bin", "REMOTE_HOSTS=mine"));
}

TEST_F(ExecPlanTest, refuses_what_cannot_be_a_c_string_or_a_variable) {
  definition_.env = {{"", "x"}};
  EXPECT_EQ(error(), "env: '' cannot be the name of a variable");
  definition_.env = {{"A=B", "x"}};
  EXPECT_EQ(error(), "env: 'A=B' cannot be the name of a variable");
  definition_.env = {{"A", std::string("x\0y", 3)}};
  EXPECT_EQ(error(), "env: 'x\\x00y' holds a NUL byte");
  definition_.env.clear();
  definition_.server_args = {std::string("\0", 1)};
  EXPECT_EQ(error(), "server_args: '\\x00' holds a NUL byte");
  definition_.server_args.clear();
  definition_.directory = std::string("/\0", 2);
  EXPECT_EQ(error(), "directory: '/\\x00' holds a NUL byte");
  definition_.server.clear();
  EXPECT_EQ(error(), "server: there is no program to start");
}

TEST_F(ExecPlanTest, takes_limits_as_given) {
  limit(RLIMIT_CORE, "rlimit_core", 0, 0);
  limit(RLIMIT_NOFILE, "rlimit_nofile", 32, 64);
  const auto plan = make();
  ASSERT_EQ(plan->limits.size(), 2U);
  EXPECT_EQ(plan->limits[0].resource, RLIMIT_CORE);
  EXPECT_EQ(plan->limits[1].resource, RLIMIT_NOFILE);
  EXPECT_EQ(plan->limits[1].value.rlim_cur, 32U);
  EXPECT_EQ(plan->limits[1].value.rlim_max, 64U);
}

TEST_F(ExecPlanTest, raises_a_limit_to_the_hard_one_that_it_was_started_with) {
  inheritance_.open_files = {100, 200};
  limit(RLIMIT_NOFILE, "rlimit_nofile", config::kHardLimit, config::kHardLimit);
  const auto plan = make();
  ASSERT_EQ(plan->limits.size(), 1U);
  EXPECT_EQ(plan->limits[0].value.rlim_cur, 200U);
  EXPECT_EQ(plan->limits[0].value.rlim_max, 200U);
}

TEST_F(ExecPlanTest, refuses_a_soft_limit_above_the_hard_one) {
  limit(RLIMIT_CPU, "rlimit_cpu", 10, 5);
  EXPECT_EQ(error(), "rlimit_cpu: the soft limit 10 is above the hard limit 5");
  definition_.rlimits.clear();
  limit(RLIMIT_CPU, "rlimit_cpu", RLIM_INFINITY, 5);
  EXPECT_EQ(error(), "rlimit_cpu: the soft limit unlimited is above the hard limit 5");
}

TEST_F(ExecPlanTest, refuses_a_limit_that_it_cannot_set) {
  in_other_process([&] {
    const rlimit low{100, 200};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    ASSERT_EQ(setrlimit(RLIMIT_CORE, &low), 0);
    if (geteuid() == 0) {
      ASSERT_EQ(setresuid(kNobody, kNobody, kNobody), 0);  // and with it CAP_SYS_RESOURCE, if it was there
    }
    limit(RLIMIT_NOFILE, "rlimit_nofile", 1000000, 1000000);
    EXPECT_EQ(error(), "rlimit_nofile: 1000000 is above the hard limit 200 of the daemon");
    definition_.rlimits.clear();
    limit(RLIMIT_CORE, "rlimit_core", 0, RLIM_INFINITY);
    EXPECT_EQ(error(), "rlimit_core: unlimited is above the hard limit 200 of the daemon");
    definition_.rlimits.clear();
    limit(RLIMIT_NOFILE, "rlimit_nofile", 200, 200);
    EXPECT_EQ(error(), "(made)");
    rlimit now{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
    EXPECT_EQ(now.rlim_cur, 100U);  // trying leaves nothing behind
    EXPECT_EQ(now.rlim_max, 200U);
  });
}

TEST_F(ExecPlanTest, uses_our_own_open_files_limit_if_none_was_captured) {
  inheritance_.open_files = {};
  rlimit now{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
  EXPECT_EQ(make()->limits[0].value.rlim_max, now.rlim_max);
}

TEST(Inheritance, captures_what_we_were_started_with) {
  in_other_process([] {
    ASSERT_EQ(setenv("XSD_TEST_VARIABLE", "here", 1), 0);
    const rlimit low{100, 200};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    ASSERT_EQ(setpriority(PRIO_PROCESS, 0, 7), 0);
    const Inheritance inheritance = Inheritance::capture();
    EXPECT_THAT(inheritance.environment, testing::Contains("XSD_TEST_VARIABLE=here"));
    EXPECT_EQ(inheritance.open_files.rlim_cur, 100U);
    EXPECT_EQ(inheritance.open_files.rlim_max, 200U);
    EXPECT_EQ(inheritance.nice, 7);
  });
}

}  // namespace
}  // namespace xsd::process
