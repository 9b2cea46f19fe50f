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
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "xsd/base/unique_fd.h"
#include "xsd/config/file_stamp.h"
#include "xsd/config/source_file.h"
#include "xsd/policy/address_file.h"
#include "xsd/process/helper.h"
#include "xsd/reactor/child_watcher.h"
#include "xsd/reactor/event_loop.h"

namespace xsd::service {

class AddressFiles {
 public:
  /// Both are borrowed.
  AddressFiles(reactor::EventLoop& loop, reactor::ChildWatcher& children);
  AddressFiles(const AddressFiles&) = delete;
  AddressFiles& operator=(const AddressFiles&) = delete;

  void set_trust(config::TrustRules trust) { trust_ = trust; }
  /// Called from the loop when a file has been read, or could not be.
  void on_read(std::function<void()> handler) { on_read_ = std::move(handler); }

  /// The file; if it has no rules yet it is read.
  std::shared_ptr<const policy::AddressFile> use(const std::string& path);
  /// It has rules.
  bool is_there(const std::string& path) const noexcept;
  /// It is being read and has no rules yet.
  bool is_awaited(const std::string& path) const noexcept;
  /// What is wrong with it, as it was read last; empty if nothing is.
  std::string fault(const std::string& path) const;
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
  std::shared_ptr<const policy::AddressFileRules> adopt();

  reactor::EventLoop& loop_;
  reactor::ChildWatcher& children_;
  config::TrustRules trust_;
  std::function<void()> on_read_;
  std::map<std::string, Slot> slots_;
  std::string reading_;  ///< the path; empty: none is
  std::string said_;     ///< by the helper
  UniqueFd memory_;      ///< what it fills
  std::unique_ptr<process::Helper> helper_;
  reactor::Timer next_;
  reactor::Timer look_;
};

}  // namespace xsd::service
