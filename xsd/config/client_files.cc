// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/client_files.h"

#include <cerrno>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xsd/base/number.h"
#include "xsd/base/time_zone.h"
#include "xsd/base/unique_fd.h"

namespace xsd::config {
namespace {

std::string fault_text(int number) {
  if (number == ENOENT || number == ENOTDIR) return "not found";
  return "cannot be read (" + errno_text(number) + ")";
}

Result<std::string> read_bounded(const std::string& path, std::size_t most) {
  // Without blocking: what is there may be a FIFO.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (!fd || fstat(fd.get(), &info) != 0) return Error(fault_text(errno));
  if (!S_ISREG(info.st_mode)) return Error("is no regular file");
  std::string bytes(most + 1, '\0');
  std::size_t length = 0;
  while (length < bytes.size()) {
    const ssize_t got = read(fd.get(), bytes.data() + length, bytes.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error(fault_text(errno));
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  if (length > most) return Error("is larger than " + format_size(most));
  bytes.resize(length);
  bytes.shrink_to_fit();
  return bytes;
}

Result<ClientFiles::Text> shared(Result<std::string> text) {
  if (!text) return std::move(text.error());
  return std::make_shared<const std::string>(std::move(*text));
}

Result<std::string> read_zone(const std::string& name) {
  if (name.empty()) return TimeZone::read_local();
  auto text = TimeZone::read(name);
  if (!text && text.error().number() != 0) return Error(fault_text(text.error().number()));
  if (!text) return Error("cannot be used: " + text.error().text());
  return text;
}

}  // namespace

const Result<ClientFileReader::Text>& ClientFileReader::banner(const std::string& path) {
  const auto found = banners_.find(path);
  if (found != banners_.end()) return found->second;
  return banners_.emplace(path, shared(read_bounded(path, kMaxBanner))).first->second;
}

const Result<ClientFileReader::Text>& ClientFileReader::zone(const std::string& name) {
  const auto found = zones_.find(name);
  if (found != zones_.end()) return found->second;
  return zones_.emplace(name, shared(read_zone(name))).first->second;
}

void ClientFileReader::clear() noexcept {
  banners_.clear();
  zones_.clear();
}

}  // namespace xsd::config
