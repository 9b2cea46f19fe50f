// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/import.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "xsd/base/text.h"
#include "xsd/config/decode.h"
#include "xsd/config/fold_defaults.h"
#include "xsd/config/foreign_tree.h"
#include "xsd/config/inetd_reader.h"
#include "xsd/config/loader.h"
#include "xsd/config/source_file.h"
#include "xsd/config/unique_ids.h"
#include "xsd/config/xinetd_reader.h"
#include "xsd/config/xinetd_service.h"
#include "xsd/config/yaml_writer.h"

namespace xsd::config {
namespace {

// A line and the dash before each service, and what write_yaml indents.
constexpr std::size_t kIndent = 4;

// Services that inherit long lists make much of little text.
constexpr std::size_t kMaxLookedAt = 16 * kMaxNodes;

bool is_before(Position a, Position b) noexcept {
  return a.line != b.line ? a.line < b.line : a.column < b.column;
}

std::string text_of(const YamlNode* value) {
  return value == nullptr ? std::string() : to_lower(value->scalar);
}

std::size_t count_nodes(const YamlNode& node) noexcept {
  std::size_t count = 1;
  for (const YamlNode& item : node.items)
    count += count_nodes(item);
  for (const YamlNode::Member& member : node.members)
    count += 1 + count_nodes(member.value);
  return count;
}

/// The sockets of a service, as far as the text says which; empty where there are none of its own.
std::vector<std::string> sockets_of(const YamlNode& service) {
  std::vector<std::string> sockets;
  if (has_word(service, "type", "TCPMUX") || has_word(service, "type", "TCPMUXPLUS")) return sockets;
  if (const YamlNode* const listen = service.find("listen")) {
    for (const YamlNode& entry : listen->items)
      sockets.push_back(entry.scalar);
    return sockets;
  }
  const YamlNode* const bind = service.find("bind");
  const YamlNode* const port = service.find("port");
  const bool is_udp =
      text_of(service.find("socket_type")) == "dgram" || text_of(service.find("protocol")) == "udp";
  sockets.push_back((is_udp ? "udp" : "tcp") + std::string(has_word(service, "flags", "IPv4") ? "4" : "") +
                    (has_word(service, "flags", "IPv6") ? "6" : "") + " " +
                    text_of(bind != nullptr ? bind : service.find("interface")) + " " +
                    text_of(port != nullptr ? port : service.find("service")));
  return sockets;
}

/// In lower case, with their places.
using ListedIds = std::unordered_map<std::string, Position>;

class Importer {
 public:
  Importer(SourceFormat format, std::vector<std::unique_ptr<ForeignFile>> files)
      : format_(format), files_(std::move(files)), services_(container(YamlNode::Kind::List, {})) {}

  Import import() {
    const bool has_defaults = choose_defaults();
    for (const auto& file : files_) {
      auto& services = find_member(file->root, "services")->items;
      for (std::size_t i = 0; i < services.size(); ++i) {
        if (has_defaults &&
            (file->faulty_services[i] ? leave_out(services[i], *file) : take(services[i], *file)))
          continue;
        ++import_.left_out;
      }
    }
    if (has_defaults) check_lists();
    put(import_.root = container(YamlNode::Kind::Map, {}), "services", {}, std::move(services_));
    if (without_cps_ != nullptr) {
      without_cps_->sink.note({},
                              "services without 'cps' get what xinetd takes for it, [50, 10]; in the pause "
                              "the port stays open here: clients wait instead of being turned away");
    }
    if (with_libwrap_ != nullptr) {
      with_libwrap_->sink.note({},
                               "xinetd asks hosts.allow and hosts.deny about clients (unless it was built "
                               "without libwrap): 'libwrap: true' keeps that, and does nothing where these "
                               "files have no rules");
    }
    for (const auto& file : files_)
      report(*file);
    return std::move(import_);
  }

 private:
  // The first of all files counts. Without good ones nothing is known of what the services mean.
  bool choose_defaults() {
    for (const auto& file : files_) {
      YamlNode* const found = file->has_defaults ? find_member(file->root, "defaults") : nullptr;
      if (found == nullptr) continue;
      if (format_ == SourceFormat::Inetd) {
        defaults_ = std::move(*found);
        break;
      }
      if (defaults_file_ != nullptr) {
        file->sink.warning(found->where, "a second 'defaults' has no effect; the first one is in " +
                                             quoted(defaults_file_->path));
        continue;
      }
      defaults_file_ = file.get();
      defaults_ = std::move(*found);
      adapt_xinetd_defaults(defaults_, file->sink);
      if (!file->faulty) continue;
      file->sink.error(found->where,
                       "'defaults' is faulty, so no service is translated: xinetd does not even start");
      return false;
    }
    if (format_ == SourceFormat::Xinetd && defaults_file_ == nullptr) defaults_ = xinetd_defaults();
    // Whatever the defaults say that are over the file which is written.
    put(defaults_, "stderr", {}, scalar("socket", {}));
    keep_list("enabled", enabled_);
    keep_list("disabled", disabled_);
    return true;
  }

  void keep_list(std::string_view key, std::optional<ListedIds>& list) {
    if (YamlNode* const found = find_member(defaults_, key)) {
      list.emplace();
      for (const YamlNode& entry : found->items)
        list->emplace(to_lower(entry.scalar), entry.where);
    }
    drop_member(defaults_, key);
  }

  bool take(YamlNode& service, ForeignFile& file) {
    if (is_full_) return false;
    if (format_ == SourceFormat::Xinetd && !adapt_xinetd_service(service, file.sink))
      return leave_out(service, file);
    const bool is_program = starts_program(service);
    fold_defaults(
        service, defaults_, [&](std::string_view key) { return is_program || is_for_all_services(key); },
        file.sink);
    if (format_ == SourceFormat::Xinetd) {
      finish_xinetd_service(service, file.sink);
      const YamlNode* const cps = defaults_.find("cps");
      const bool is_implied = cps != nullptr && cps->where == Position{};
      if (is_implied && without_cps_ == nullptr && service.find("cps")->where == service.where)
        without_cps_ = &file;
      if (ask_libwrap(service) && with_libwrap_ == nullptr) with_libwrap_ = &file;
      apply_lists(service, file);
    }
    looked_at_ += count_nodes(service);
    if (looked_at_ > kMaxLookedAt) return is_one_too_many(service, file);
    if (!decodes(service, file)) return leave_out(service, file);
    if (format_ == SourceFormat::Xinetd && is_program) tell_of_names(service, file);
    if (!take_sockets(service, file)) return true;  // nothing is lost: it never ran
    if (!has_room(service, file)) return false;
    ids_.claim(service, file.sink);
    services_.items.push_back(std::move(service));
    return true;
  }

  bool leave_out(const YamlNode& service, ForeignFile& file) {
    const YamlNode* const name = service.find("service");
    if (format_ == SourceFormat::Xinetd && name != nullptr) {
      file.sink.error(service.where,
                      "the service " + quoted(name->scalar) + " is left out, since it has an error");
    }
    return false;
  }

  void tell_of_names(const YamlNode& service, ForeignFile& file) {
    const YamlNode* const server = service.find("server");
    if (server == nullptr || has_word(service, "flags", "NAMEINARGS") ||
        std::exchange(has_told_of_names_, true))
      return;
    file.sink.note(
        server->where,
        "programs get their whole path as argv[0], of xinetd only their name; where that matters say "
        "NAMEINARGS");
  }

  void apply_lists(YamlNode& service, ForeignFile& file) {
    const YamlNode* const id = service.find("id") != nullptr ? service.find("id") : service.find("service");
    const std::string name = text_of(id);
    known_.insert(name);
    const bool is_disabled = disabled_ && disabled_->contains(name);
    const bool is_enabled = !enabled_ || enabled_->contains(name);
    if (!is_disabled && is_enabled) return;
    const YamlNode* const said = service.find("disable");
    if (said != nullptr && text_of(said) == "yes") return;
    file.sink.note(service.where, is_disabled
                                      ? "switched off, since 'disabled' of 'defaults' names it"
                                      : "switched off, since 'enabled' of 'defaults' does not name it");
    drop_member(service, "disable");
    put(service, "disable", service.where, scalar("true", service.where));
  }

  void check_lists() {
    for (const auto* const list : {&enabled_, &disabled_}) {
      if (!*list) continue;
      for (const auto& [id, where] : **list) {
        if (!known_.contains(id)) defaults_file_->sink.warning(where, "no service has the id " + quoted(id));
      }
    }
  }

  // As a service file would be read, by itself.
  bool decodes(const YamlNode& service, ForeignFile& file) {
    YamlNode root = container(YamlNode::Kind::Map, {1, 1});
    YamlNode list = container(YamlNode::Kind::List, {1, 1});
    list.items.push_back(service);
    put(root, "services", {1, 1}, std::move(list));
    DiagnosticSink sink(file.path, file.text, DiagnosticSink::Extent::All);
    (void)decode_service_file(root, "service", Inherited{}, DecodeRules{file.path, {}, true}, sink);
    bool is_good = true;
    for (Diagnostic& one : sink.take()) {
      if (is_for_later(one)) continue;
      is_good = is_good && one.severity != Severity::Error;
      file.sink.add(one.severity, one.where, std::move(one.message));
    }
    return is_good;
  }

  // Nothing is wrong with the service then.
  static bool is_for_later(const Diagnostic& one) {
    return one.message.find(" is not available yet in this version") != std::string::npos;
  }

  // The second one of a socket is never served.
  bool take_sockets(const YamlNode& service, ForeignFile& file) {
    if (text_of(service.find("disable")) == "yes" || text_of(service.find("disable")) == "true") return true;
    const std::vector<std::string> sockets = sockets_of(service);
    for (const std::string& socket : sockets) {
      const auto place = sockets_.find(socket);
      if (place == sockets_.end()) continue;
      file.sink.warning(service.where, "the socket is that of the service at " + place->second +
                                           ", so this one is never served; it is left out");
      return false;
    }
    for (const std::string& socket : sockets)
      sockets_.emplace(socket, file.path + ":" + std::to_string(service.where.line));
    return true;
  }

  // What is written must be one file that can be read.
  bool has_room(const YamlNode& service, ForeignFile& file) {
    const std::string text = write_yaml(service);
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    const std::size_t bytes = text.size() + (lines + 1) * kIndent;
    const std::size_t nodes = count_nodes(service);
    if (services_.items.size() >= kMaxServices || nodes_ + nodes > kMaxNodes || bytes_ + bytes > kMaxFileSize)
      return is_one_too_many(service, file);
    bytes_ += bytes;
    nodes_ += nodes;
    return true;
  }

  bool is_one_too_many(const YamlNode& service, ForeignFile& file) {
    is_full_ = true;
    file.sink.error(service.where,
                    "this service and those behind it are left out: they are more than fit into one file of "
                    "services; import fewer files at a time");
    return false;
  }

  void report(ForeignFile& file) {
    std::vector<Diagnostic> all = file.sink.take();
    std::stable_sort(all.begin(), all.end(),
                     [](const Diagnostic& a, const Diagnostic& b) { return is_before(a.where, b.where); });
    std::move(all.begin(), all.end(), std::back_inserter(import_.report));
  }

  SourceFormat format_;
  std::vector<std::unique_ptr<ForeignFile>> files_;
  YamlNode defaults_;
  ForeignFile* defaults_file_ = nullptr;
  std::optional<ListedIds> enabled_;
  std::optional<ListedIds> disabled_;
  std::unordered_set<std::string> known_;  ///< ids that 'enabled' and 'disabled' can name
  YamlNode services_;
  UniqueIds ids_;
  std::unordered_map<std::string, std::string> sockets_;  ///< with who has them
  std::size_t looked_at_ = 0;                             ///< nodes of all services, good or not
  std::size_t nodes_ = 3;                                 ///< of the map, its key and the list
  std::size_t bytes_ = 256;                               ///< for the head of the file
  bool is_full_ = false;
  bool has_told_of_names_ = false;
  ForeignFile* without_cps_ = nullptr;   ///< the first with a service that has what xinetd takes for 'cps'
  ForeignFile* with_libwrap_ = nullptr;  ///< the first with a service whose clients these files decide about
  Import import_;
};

}  // namespace

bool Import::is_complete() const noexcept {
  return std::none_of(report.begin(), report.end(),
                      [](const Diagnostic& one) { return one.severity == Severity::Error; });
}

Import import_files(SourceFormat format, std::vector<std::unique_ptr<ForeignFile>> files) {
  return Importer(format, std::move(files)).import();
}

Import import_files(SourceFormat format, std::span<const std::string> paths) {
  return import_files(format, read_foreign_files(format, paths));
}

std::string format_import(const Import& import, std::span<const std::string> paths) {
  std::string out = "# from";
  for (const std::string& path : paths) {
    out += ' ';
    append_escaped(out, path);
  }
  return out + "\n" + write_yaml(import.root);
}

std::string format_report(const Import& import, bool json) {
  std::string out;
  std::size_t counts[3] = {};
  for (const Diagnostic& one : import.report) {
    out += json ? format_diagnostic_json(one) : format_diagnostic(one);
    ++counts[static_cast<std::size_t>(one.severity)];
  }
  if (json) return out;
  const auto number = [](std::size_t count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
  };
  return out + number(import.root.find("services")->items.size(), "service") + ", " +
         number(counts[static_cast<std::size_t>(Severity::Note)], "note") + ", " +
         number(counts[static_cast<std::size_t>(Severity::Warning)], "warning") + ", " +
         std::to_string(import.left_out) + " not translated\n";
}

}  // namespace xsd::config
