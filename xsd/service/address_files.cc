// SPDX-License-Identifier: Apache-2.0
#include "xsd/service/address_files.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "xsd/base/log.h"
#include "xsd/base/shared_memory.h"
#include "xsd/config/address_rules.h"
#include "xsd/config/diagnostic.h"
#include "xsd/config/name_service.h"

namespace xsd::service {
namespace {

constexpr Duration kBetweenLooks = std::chrono::seconds(2);
constexpr Duration kLongestRead = std::chrono::seconds(60);
constexpr std::size_t kLongestFault = 4096;

/// Memory that was sealed, as long as somebody uses it.
class Mapping {
 public:
  Mapping(int fd, std::size_t size) noexcept
      : data_(mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0)), size_(size) {}
  ~Mapping() {
    if (is_there()) (void)munmap(data_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  bool is_there() const noexcept { return data_ != MAP_FAILED; }
  std::string_view bytes() const noexcept { return {static_cast<const char*>(data_), size_}; }

 private:
  void* data_;
  std::size_t size_;
};

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

bool seal(const UniqueFd& memory) noexcept {
  return fcntl(memory.get(), F_ADD_SEALS, kSeals) == 0;
}

/// What a helper has left there; nullptr if there is no room for it, or it is not sealed.
std::shared_ptr<const policy::AddressFileRules> view_sealed(const UniqueFd& memory) {
  struct stat info {};
  if (!check_seals(memory.get(), kSeals) || fstat(memory.get(), &info) != 0) return nullptr;
  const auto mapping = std::make_shared<const Mapping>(memory.get(), static_cast<std::size_t>(info.st_size));
  if (!mapping->is_there()) return nullptr;
  return policy::AddressFileRules::view(mapping->bytes(), mapping);
}

// ---- in the helper

/// With the words that are networks by the networks database as such. A word about which nobody can say is
/// an error: `no_access` would let its clients in.
Result<config::AddressSet> with_networks(config::AddressSet set) {
  using Kind = config::AddressSet::NameKind;
  const auto& names = set.names();
  if (std::none_of(names.begin(), names.end(),
                   [](const auto& name) { return name.kind == Kind::HostOrNetwork; })) {
    return set;
  }
  const auto machine = config::make_system_name_service(config::HostPatience::Long);
  config::AddressSet out;
  for (const auto& [prefix, entry] : set.networks())
    out.add(prefix, entry);
  for (const auto& name : names) {
    const std::string text(set.text_of(name));
    config::NameAnswer answer = config::NameAnswer::not_found();
    if (name.kind == Kind::HostOrNetwork) answer = machine->ask({config::NameQuestion::Kind::Network, text});
    if (answer.state == config::NameAnswer::State::Unknown)
      return Error("whether '" + text + "' is a network could not be found out" + answer.remark());
    if (answer.found()) {
      out.add(answer.network, name.entry);
    } else {
      out.add(name.kind, text, name.entry);
    }
  }
  return out;
}

/// What is wrong with the file; empty: `memory` has what it means.
std::string read_file(const std::string& path, const config::TrustRules& trust, int memory) {
  config::FolderViews folders;
  const auto source = config::read_source_file(path, "", trust, folders, config::kMaxAddressFileSize);
  if (!source) return path + ": " + source.error().text();
  config::DiagnosticSink sink(path, source->text);
  config::AddressSet set;
  config::parse_address_file(source->text, 0, set, sink);
  for (const config::Diagnostic& diagnostic : sink.all()) {
    if (diagnostic.severity != config::Severity::Error) continue;
    const std::size_t others = sink.error_count() - 1;
    return config::one_line(diagnostic) +
           (others == 0 ? "" : " (and " + std::to_string(others) + " more errors)");
  }
  auto complete = with_networks(std::move(set));
  if (!complete) return path + ": " + complete.error().text();
  if (!process::write_all(memory, policy::AddressFileRules::encode(*complete))) return path + ": no memory";
  return {};
}

}  // namespace

AddressFiles::AddressFiles(reactor::EventLoop& loop, reactor::ChildWatcher& children)
    : loop_(loop),
      children_(children),
      next_(loop, [this] { read_next(); }),
      look_(loop, [this] { look(); }) {}

std::shared_ptr<const policy::AddressFile> AddressFiles::use(const std::string& path) {
  Slot& slot = slots_[path];
  if (!slot.file) slot.file = std::make_shared<policy::AddressFile>(policy::AddressFile{path});
  if (!slot.file->rules) {
    slot.is_wanted = true;
    next_.arm(Duration::zero());
  }
  if (!look_.armed()) look_.arm(kBetweenLooks);
  return slot.file;
}

bool AddressFiles::is_there(const std::string& path) const noexcept {
  const auto found = slots_.find(path);
  return found != slots_.end() && found->second.file->rules;
}

bool AddressFiles::is_awaited(const std::string& path) const noexcept {
  const auto found = slots_.find(path);
  return found != slots_.end() && !found->second.file->rules && (found->second.is_wanted || reading_ == path);
}

std::string AddressFiles::fault(const std::string& path) const {
  const auto found = slots_.find(path);
  return found == slots_.end() ? std::string() : found->second.fault;
}

void AddressFiles::look() {
  for (auto slot = slots_.begin(); slot != slots_.end();) {
    const bool is_used = slot->second.file.use_count() > 1 || reading_ == slot->first;
    if (!is_used) {
      slot = slots_.erase(slot);
      continue;
    }
    const auto stamp = config::stamp_of(slot->first);
    const bool is_same = stamp ? slot->second.stamp == *stamp : !slot->second.stamp;
    if (!is_same) slot->second.is_wanted = true;
    ++slot;
  }
  if (slots_.empty()) return look_.cancel();
  look_.arm(kBetweenLooks);
  next_.arm(Duration::zero());
}

void AddressFiles::read_next() {
  if (!reading_.empty()) return;
  const auto slot =
      std::find_if(slots_.begin(), slots_.end(), [](const auto& one) { return one.second.is_wanted; });
  if (slot == slots_.end()) return;
  slot->second.is_wanted = false;
  // From before it is read: what is written meanwhile gives another one next time.
  slot->second.stamp.reset();
  if (const auto stamp = config::stamp_of(slot->first)) slot->second.stamp = *stamp;
  reading_ = slot->first;
  said_.clear();
  memory_ = UniqueFd(memfd_create("xsd addresses", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory_) return take(errno_text(errno));
  memory_ = raise_fd(std::move(memory_));
  auto helper = process::Helper::start(
      loop_, children_,
      {.name = "xsd: addresses",
       .work =
           [path = reading_, trust = trust_, memory = memory_.get()](int out) {
             const std::string fault = read_file(path, trust, memory);
             // Who says nothing has not come to the end.
             (void)process::write_all(out, fault.empty() ? "." : fault.substr(0, kLongestFault));
           },
       .on_bytes =
           [this](std::string_view bytes) {
             said_ += bytes;
             return said_.size() > kLongestFault ? process::Helper::Wants::Sense
                                                 : process::Helper::Wants::More;
           },
       .on_end = [this](const std::string& why) { take(why); },
       .limit = kLongestRead,
       .keep = memory_.get()});
  if (!helper) return take(helper.error().text());
  helper_ = std::move(*helper);
}

void AddressFiles::take(const std::string& why) {
  const auto found = slots_.find(std::exchange(reading_, {}));
  Slot& slot = found->second;
  const std::string path = found->first;
  const bool was_there = slot.file->rules != nullptr;
  slot.fault.clear();
  if (!why.empty() || said_ != ".") {
    slot.fault = !why.empty() || said_.empty()
                     ? path + ": cannot be read: " + (why.empty() ? "no answer" : why)
                     : said_;
  } else if (auto rules = seal(memory_) ? view_sealed(memory_) : nullptr) {
    slot.file->rules = std::move(rules);
    slot.file->memory = std::make_shared<const UniqueFd>(std::move(memory_));
    slot.file->version = ++last_version_;
    if (was_there) log::info("{}: changed, and in force", path);
  } else {
    slot.fault = path + ": cannot be read: " + errno_text(ENOMEM);
  }
  if (was_there && !slot.fault.empty()) log::error("{}; what was read before stays in force", slot.fault);
  memory_.reset();
  next_.arm(Duration::zero());
  helper_.reset();  // `why` may go with it
  if (on_read_) on_read_(path);
}

// ---- in a worker

const std::shared_ptr<policy::AddressFile>& LentAddressFiles::file_at(const std::string& path) {
  auto& file = files_[path];
  if (!file) file = std::make_shared<policy::AddressFile>(policy::AddressFile{path});
  return file;
}

std::shared_ptr<const policy::AddressFile> LentAddressFiles::use(const std::string& path) {
  return file_at(path);
}

bool LentAddressFiles::is_there(const std::string& path) const noexcept {
  const auto found = files_.find(path);
  return found != files_.end() && found->second->rules;
}

bool LentAddressFiles::take(const std::string& path, std::uint64_t version, const UniqueFd& memory) {
  const auto& file = file_at(path);
  if (file->rules && file->version == version) return true;
  auto rules = view_sealed(memory);
  if (!rules) return false;
  file->rules = std::move(rules);
  file->version = version;
  return true;
}

void LentAddressFiles::tidy() {
  std::erase_if(files_, [](const auto& one) { return one.second.use_count() == 1; });
}

}  // namespace xsd::service
