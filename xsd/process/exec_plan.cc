// SPDX-License-Identifier: Apache-2.0
#include "xsd/process/exec_plan.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <unistd.h>

#include "xsd/base/text.h"
#include "xsd/config/argument_piece.h"
#include "xsd/process/child_vectors.h"

namespace xsd::process {
namespace {

using config::ArgumentPiece;

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables in the order of their first mention, each name once.
class Environment {
 public:
  void set(std::string_view name, std::string_view value) {
    if (is_connection_variable(name)) return;
    std::string variable;
    variable.reserve(name.size() + value.size() + 1);
    variable.append(name).append(1, '=').append(value);
    const auto same = std::find_if(variables_.begin(), variables_.end(),
                                   [&](const std::string& other) { return name_of(other) == name; });
    if (same != variables_.end()) {
      *same = std::move(variable);
    } else {
      variables_.push_back(std::move(variable));
    }
  }

  static std::string_view name_of(std::string_view variable) noexcept {
    return variable.substr(0, variable.find('='));
  }

  std::vector<std::string> take() && { return std::move(variables_); }

 private:
  std::vector<std::string> variables_;
};

bool is_always_passed(std::string_view name) noexcept {
  return name == "PATH" || name == "LANG" || name == "TZ" || name.starts_with("LC_");
}

/// What whoever started the daemon told it alone (sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3)).
bool is_for_daemon(std::string_view name) noexcept {
  return name == "NOTIFY_SOCKET" || name == "FDSTORE" || name == "LISTEN_PIDFDID" ||
         name.starts_with("WATCHDOG_");
}

bool holds_nul(std::string_view text) noexcept {
  return text.find('\0') != std::string_view::npos;
}

Status check_text(std::string_view key, std::string_view text) {
  if (!holds_nul(text)) return {};
  return Error(std::string(key) + ": " + quoted(text) + " holds a NUL byte");
}

Result<std::vector<std::string>> make_environment(const config::ServiceDefinition& definition,
                                                  const Inheritance& inheritance) {
  Environment environment;
  environment.set("PATH", kDefaultPath);
  // As getenv(3) does: of a name that is there twice, the first counts. So the last is set first.
  const auto& ours = inheritance.environment;
  const bool passes_all =
      std::find(definition.passenv.begin(), definition.passenv.end(), "*") != definition.passenv.end();
  for (auto variable = ours.rbegin(); variable != ours.rend(); ++variable) {
    const auto equals = variable->find('=');
    if (equals == std::string::npos || equals == 0) continue;
    const std::string_view name = std::string_view(*variable).substr(0, equals);
    const bool wanted =
        is_always_passed(name) || (passes_all && !is_for_daemon(name)) ||
        std::find(definition.passenv.begin(), definition.passenv.end(), name) != definition.passenv.end();
    if (wanted) environment.set(name, std::string_view(*variable).substr(equals + 1));
  }
  for (const auto& [name, value] : definition.env) {
    if (name.empty() || name.find('=') != std::string::npos || holds_nul(name)) {
      return Error("env: " + quoted(name) + " cannot be the name of a variable");
    }
    if (Status status = check_text("env", value); !status) return std::move(status).error();
    environment.set(name, value);
  }
  return std::move(environment).take();
}

Status check_argument(std::string_view argument) {
  if (Status status = check_text("server_args", argument); !status) return status;
  std::string_view rest = argument;
  for (;;) {
    const ArgumentPiece piece = config::next_piece(rest);
    switch (piece.kind) {
      case ArgumentPiece::Kind::End:
        return {};
      case ArgumentPiece::Kind::Literal:
      case ArgumentPiece::Kind::Placeholder:
        break;
      case ArgumentPiece::Kind::Unknown: {
        std::string text = "server_args: " + quoted(argument) + ": there is no %{";
        append_escaped(text, piece.text);
        text += '}';
        const std::string_view near = nearest_word(piece.text, config::kPlaceholderNames);
        if (!near.empty()) text.append("; did you mean %{").append(near).append("}?");
        return Error(std::move(text));
      }
      case ArgumentPiece::Kind::Unclosed:
        return Error("server_args: " + quoted(argument) + ": %{ without }; a literal %{ is written %%{");
    }
  }
}

/// argv[0] is the path that was configured, whatever characters it has.
std::string as_literal(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("%{")) out += '%';
    out += text[i];
  }
  return out;
}

Result<std::vector<std::string>> make_arguments(const config::ServiceDefinition& definition) {
  std::vector<std::string> arguments;
  if ((definition.flags & config::kFlagNameInArgs) == 0) {
    arguments.push_back(as_literal(definition.server));
  } else if (definition.server_args.empty()) {
    return Error(
        "server_args: with the flag NAMEINARGS the first one is the program's name, and there is none");
  }
  for (const std::string& argument : definition.server_args) {
    if (Status status = check_argument(argument); !status) return std::move(status).error();
    arguments.push_back(argument);
  }
  return arguments;
}

std::string limit_text(rlim_t value) {
  return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
}

/// Capabilities alone do not answer it (user name spaces, fs.nr_open), so it is tried. The soft limit is left
/// alone and lowering the hard one again needs no privilege, so nothing of it stays.
bool can_have_hard_limit(int resource, rlim_t wanted, const rlimit& now) noexcept {
  if (wanted <= now.rlim_max) return true;
  const rlimit raised{now.rlim_cur, wanted};
  if (setrlimit(static_cast<__rlimit_resource_t>(resource), &raised) != 0) return false;
  return setrlimit(static_cast<__rlimit_resource_t>(resource), &now) == 0;
}

Result<std::vector<LimitSetting>> make_limits(const config::ServiceDefinition& definition,
                                              const Inheritance& inheritance) {
  std::vector<LimitSetting> limits;
  bool has_open_files = false;
  for (const config::ResourceLimit& limit : definition.rlimits) {
    if (limit.soft > limit.hard) {
      return Error(limit.key + ": the soft limit " + limit_text(limit.soft) + " is above the hard limit " +
                   limit_text(limit.hard));
    }
    rlimit now{};
    if (getrlimit(static_cast<__rlimit_resource_t>(limit.resource), &now) != 0) {
      return Error::from_errno(errno, limit.key);
    }
    if (limit.soft == config::kHardLimit) {
      const rlim_t hard = limit.resource == RLIMIT_NOFILE && inheritance.open_files.rlim_max != 0
                              ? inheritance.open_files.rlim_max
                              : now.rlim_max;
      limits.push_back({limit.resource, {hard, hard}});
      has_open_files = has_open_files || limit.resource == RLIMIT_NOFILE;
      continue;
    }
    if (!can_have_hard_limit(limit.resource, limit.hard, now)) {
      return Error(limit.key + ": " + limit_text(limit.hard) + " is above the hard limit " +
                   limit_text(now.rlim_max) + " of the daemon");
    }
    limits.push_back({limit.resource, {limit.soft, limit.hard}});
    has_open_files = has_open_files || limit.resource == RLIMIT_NOFILE;
  }
  if (has_open_files) return limits;
  // Nobody runs with a hard limit of 0 open files: then nothing was captured.
  LimitSetting open_files{RLIMIT_NOFILE, inheritance.open_files};
  if (open_files.value.rlim_max == 0 && getrlimit(RLIMIT_NOFILE, &open_files.value) != 0) {
    return Error::from_errno(errno, "rlimit_nofile");
  }
  limits.push_back(open_files);
  return limits;
}

/// What the program itself has no part in.
Result<ExecPlan> make_common_plan(const config::ServiceDefinition& definition,
                                  const config::Resolution& resolution, const Inheritance& inheritance) {
  for (const auto& [key, text] : {std::pair<std::string_view, std::string_view>{"chroot", definition.chroot},
                                  {"directory", definition.directory}}) {
    if (Status status = check_text(key, text); !status) return std::move(status).error();
  }
  auto environment = make_environment(definition, inheritance);
  if (!environment) return std::move(environment).error();
  auto limits = make_limits(definition, inheritance);
  if (!limits) return std::move(limits).error();

  ExecPlan plan;
  plan.service = definition.id;
  plan.environment = *std::move(environment);
  if (resolution.change_ids)
    plan.credentials = Credentials{resolution.uid, resolution.gid, resolution.groups};
  plan.limits = *std::move(limits);
  plan.umask = definition.umask.value_or(022);
  // As nice(2): what is beyond either end is that end.
  if (definition.nice) plan.nice = std::clamp(inheritance.nice + *definition.nice, PRIO_MIN, PRIO_MAX - 1);
  plan.chroot = definition.chroot;
  if (!definition.directory.empty()) plan.directory = definition.directory;
  plan.no_new_privs = definition.no_new_privs;
  return plan;
}

}  // namespace

Inheritance Inheritance::capture() {
  Inheritance inheritance;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    inheritance.environment.emplace_back(*variable);
  }
  // Neither can fail for ourselves; the values stay 0 if they do.
  (void)getrlimit(RLIMIT_NOFILE, &inheritance.open_files);
  errno = 0;
  const int nice = getpriority(PRIO_PROCESS, 0);  // -1 is a value as well
  if (errno == 0) inheritance.nice = nice;
  return inheritance;
}

Result<std::shared_ptr<const ExecPlan>> make_exec_plan(const config::ServiceDefinition& definition,
                                                       const config::Resolution& resolution,
                                                       const Inheritance& inheritance) {
  if (definition.server.empty()) return Error("server: there is no program to start");
  if (Status status = check_text("server", definition.server); !status) return std::move(status).error();
  auto arguments = make_arguments(definition);
  if (!arguments) return std::move(arguments).error();
  auto plan = make_common_plan(definition, resolution, inheritance);
  if (!plan) return std::move(plan).error();
  plan->program = definition.server;
  plan->arguments = *std::move(arguments);
  return std::make_shared<const ExecPlan>(*std::move(plan));
}

Result<std::shared_ptr<const ProgramPlans>> make_program_plans(const config::ServiceDefinition& definition,
                                                               const config::Resolution& resolution,
                                                               const Inheritance& inheritance) {
  auto common = make_common_plan(definition, resolution, inheritance);
  if (!common) return std::move(common).error();
  ProgramPlans plans;
  for (const config::DeclaredProgram& program : definition.programs) {
    auto plan = std::make_shared<ExecPlan>(*common);
    for (const std::string& argument : program.command) {
      if (Status status = check_text("programs", argument); !status) return std::move(status).error();
      plan->arguments.push_back(as_literal(argument));
    }
    plan->program = program.command.front();
    plans.emplace(program.name, std::move(plan));
  }
  return std::make_shared<const ProgramPlans>(std::move(plans));
}

}  // namespace xsd::process
