// SPDX-License-Identifier: Apache-2.0
//
// NameService: what names mean on this machine now: users, groups, ports, hosts, interfaces. `ask` may block
// for seconds, so the loop of a daemon that serves never calls it: a helper process does
// (xsd/manager/name_helper.h), and the services are resolved by a LearnedNames. The rest is a question to the
// kernel. Virtual, so that tests own the machine.
#pragma once

#include <memory>
#include <string>

#include <sys/types.h>

#include "xsd/config/names.h"

namespace xsd::config {

class NameService {
 public:
  virtual ~NameService() = default;
  /// Forget what was found out: a new load begins.
  virtual void refresh() = 0;
  /// The answer to a name that has none is NotFound, with no error: it may have one tomorrow.
  virtual NameAnswer ask(const NameQuestion& question) = 0;
  virtual bool has_interface(const std::string& name) = 0;
  /// False where the kernel has no IPv6 at all.
  virtual bool has_ipv6() = 0;
  virtual uid_t own_uid() = 0;
  virtual gid_t own_gid() = 0;
};

/// How long an unanswered host name may keep whoever asks.
enum class HostPatience : std::uint8_t {
  /// For a start: one try of a second for each server, and when one second was spent on hosts in all, further
  /// ones are not asked until the next refresh.
  Short,
  /// For a helper, whose time is limited from outside: two tries, no limit in all.
  Long,
};

/// The C library's databases.
std::unique_ptr<NameService> make_system_name_service(HostPatience patience = HostPatience::Short);

/// Asks all of them, in their order.
void ask_all(NameService& names, NameAnswers& answers);

/// Answers by what was learned, and asks the kernel through `machine`. Both borrowed.
class LearnedNames final : public NameService {
 public:
  LearnedNames(const NameAnswers& answers, NameService& machine) : answers_(answers), machine_(machine) {}

  void refresh() override { machine_.refresh(); }
  NameAnswer ask(const NameQuestion& question) override { return answers_.find(question); }
  bool has_interface(const std::string& name) override { return machine_.has_interface(name); }
  bool has_ipv6() override { return machine_.has_ipv6(); }
  uid_t own_uid() override { return machine_.own_uid(); }
  gid_t own_gid() override { return machine_.own_gid(); }

 private:
  const NameAnswers& answers_;
  NameService& machine_;
};

}  // namespace xsd::config
