// SPDX-License-Identifier: Apache-2.0
//
// AddressFiles: the files of addresses that only_from and no_access name (`file:/etc/xsd/allow.txt`), each
// read once for all services, and again when it has changed. A file may have millions of entries, so a
// process::Helper reads and arranges it, and hands it over in sealed memory that is used where it lies.
//
// A service that names a file which was never read is being made until it has been, and has failed if it
// cannot be. Later on the last good version stays in force, and one line tells of each faulty one. Every two
// seconds, and at a reload, it is looked whether a file is another one.
//
// Who may have written a file is judged as with the files of the configuration. Owned by the daemon, borrowed
// by services.
//
// LentAddressFiles: the same files in a worker, which has them from its master: the memory is shared, however
// many workers use it. A file that was not lent yet decides against everybody.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "xsd/base/unique_fd.h"
#include "xsd/config/definitions.h"
#include "xsd/config/file_stamp.h"
#include "xsd/config/source_file.h"
#include "xsd/policy/access_list.h"
#include "xsd/policy/address_file.h"
#include "xsd/process/helper.h"
#include "xsd/reactor/child_watcher.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::service {

/// Calls `look` with the list and the path of each file that the lists name.
template <class Look>
void for_each_file(const config::ClientRules& clients, Look look) {
  const auto each = [&look](policy::AccessListKind kind, const std::vector<config::AddressRule>& rules) {
    for (const config::AddressRule& rule : rules) {
      if (rule.kind == config::AddressRule::Kind::File) look(kind, rule.text);
    }
  };
  if (clients.only_from) each(policy::AccessListKind::OnlyFrom, *clients.only_from);
  each(policy::AccessListKind::NoAccess, clients.no_access);
}

/// Where services have their files from.
class AddressFileSource {
 public:
  virtual ~AddressFileSource() = default;
  /// The file; if it has no rules yet it is read.
  virtual std::shared_ptr<const policy::AddressFile> use(const std::string& path) = 0;
  /// It has rules.
  virtual bool is_there(const std::string& path) const noexcept = 0;
  /// It is being read and has no rules yet.
  virtual bool is_awaited(const std::string& path) const noexcept = 0;
  /// What is wrong with it, as it was read last; empty if nothing is.
  virtual std::string fault(const std::string& path) const = 0;
};

class AddressFiles final : public AddressFileSource {
 public:
  /// Both are borrowed.
  AddressFiles(reactor::EventLoop& loop, reactor::ChildWatcher& children);
  AddressFiles(const AddressFiles&) = delete;
  AddressFiles& operator=(const AddressFiles&) = delete;

  void set_trust(config::TrustRules trust) { trust_ = trust; }
  /// Called from the loop when a file has been read, or could not be.
  void on_read(std::function<void(const std::string& path)> handler) { on_read_ = std::move(handler); }

  std::shared_ptr<const policy::AddressFile> use(const std::string& path) override;
  bool is_there(const std::string& path) const noexcept override;
  bool is_awaited(const std::string& path) const noexcept override;
  std::string fault(const std::string& path) const override;
  /// Reads those that have changed, and forgets those that nobody uses.
  void look();

 private:
  struct Slot {
    std::shared_ptr<policy::AddressFile> file;
    std::optional<config::FileStamp> stamp{};  ///< of what was read last, good or not
    std::string fault{};
    bool is_wanted = false;  ///< to be read
  };

  void read_next();
  /// The file has been read, or not: `why`.
  void take(const std::string& why);

  reactor::EventLoop& loop_;
  reactor::ChildWatcher& children_;
  config::TrustRules trust_;
  std::function<void(const std::string& path)> on_read_;
  std::map<std::string, Slot> slots_;
  std::string reading_;  ///< the path; empty: none is
  std::string said_;     ///< by the helper
  UniqueFd memory_;      ///< what it fills
  std::unique_ptr<process::Helper> helper_;
  std::uint64_t last_version_ = 0;
  reactor::Timer next_;
  reactor::Timer look_;
};

class LentAddressFiles final : public AddressFileSource {
 public:
  std::shared_ptr<const policy::AddressFile> use(const std::string& path) override;
  bool is_there(const std::string& path) const noexcept override;
  bool is_awaited(const std::string& path) const noexcept override { return !is_there(path); }
  std::string fault(const std::string& /*path*/) const override { return {}; }

  /// What the file is from now on. False if that makes no sense.
  bool take(const std::string& path, std::uint64_t version, const UniqueFd& memory);
  /// Forgets those that nobody uses.
  void tidy();

 private:
  /// Made if it is not there.
  const std::shared_ptr<policy::AddressFile>& file_at(const std::string& path);

  std::map<std::string, std::shared_ptr<policy::AddressFile>> files_;
};

}  // namespace xsd::service
