// SPDX-License-Identifier: Apache-2.0
#include "xsd/base/datagram_target.h"

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

namespace xsd::log {
namespace {

constexpr std::size_t kLongestHost = 255;  // RFC 5424, 6: HOSTNAME

// RFC 5424 wants printable ASCII without blanks; "-" where there is no name.
std::string own_host() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "-";
  std::string host = name.data();
  for (char& byte : host) {
    if (byte <= ' ' || byte > '~') byte = '?';
  }
  return host.empty() ? "-" : host;
}

// Not in the middle of a character.
std::string_view cut(std::string_view text, std::size_t most) noexcept {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80)
    --most;
  return text.substr(0, most);
}

}  // namespace

DatagramTarget::DatagramTarget(Form form, UniqueFd fd, std::string address, std::string host)
    : form_(form),
      fd_(std::move(fd)),
      address_(std::move(address)),
      host_(std::move(host)),
      facility_(LOG_DAEMON) {}

Result<std::unique_ptr<DatagramTarget>> DatagramTarget::open_unix(Form form, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error::from_errno(ENAMETOOLONG, path);
  path.copy(address.sun_path, path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Error::from_errno(errno, "socket");
  return std::unique_ptr<DatagramTarget>(
      new DatagramTarget(form, raise_fd(std::move(fd)),
                         std::string(reinterpret_cast<const char*>(&address), sizeof address), {}));
}

Result<std::unique_ptr<LogTarget>> DatagramTarget::syslog(const std::string& path) {
  auto made = open_unix(Form::Syslog, path);
  if (!made) return std::move(made.error());
  return std::move(*made);
}

Result<std::unique_ptr<LogTarget>> DatagramTarget::syslog_as(int facility, int level,
                                                             const std::string& path) {
  auto made = open_unix(Form::Syslog, path);
  if (!made) return std::move(made.error());
  (*made)->facility_ = facility;
  (*made)->level_ = level;
  return std::move(*made);
}

Result<std::unique_ptr<LogTarget>> DatagramTarget::journal(const std::string& path) {
  auto made = open_unix(Form::Journal, path);
  if (!made) return std::move(made.error());
  return std::move(*made);
}

Result<std::unique_ptr<LogTarget>> DatagramTarget::udp(const std::string& address) {
  sa_family_t family = AF_UNSPEC;
  if (address.size() < sizeof family || address.size() > sizeof(sockaddr_storage))
    return Error("udp: there is no address");
  std::memcpy(&family, address.data(), sizeof family);
  UniqueFd fd(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Error::from_errno(errno, "udp: socket");
  return std::unique_ptr<LogTarget>(
      new DatagramTarget(Form::Udp, raise_fd(std::move(fd)), address, own_host()));
}

void DatagramTarget::put_parts(std::string& out) const {
  put_number(out, TargetParts::Datagram);
  put_number(out, form_);
  put_text(out, address_);
  put_text(out, host_);
  put_number(out, static_cast<std::int32_t>(facility_));
  put_number(out, static_cast<std::int32_t>(level_));
}

Result<std::unique_ptr<LogTarget>> DatagramTarget::restore(WireReader& parts, UniqueFd fd) {
  const auto form = parts.choice(Form::Udp);
  std::string address(parts.text(sizeof(sockaddr_storage)));
  std::string host(parts.text(kLongestHost));
  const int facility = parts.get<std::int32_t>();
  const int level = parts.get<std::int32_t>();
  if (parts.failed() || !fd) return Error("a log target that makes no sense");
  std::unique_ptr<DatagramTarget> made(
      new DatagramTarget(form, std::move(fd), std::move(address), std::move(host)));
  made->facility_ = facility;
  made->level_ = level;
  return made;
}

void DatagramTarget::begin(pid_t sender, Level level, std::string& out) const {
  const std::string process = std::to_string(sender);
  const int number = level_ == kOfLine ? severity(level) : level_;
  const std::string priority = std::to_string(facility_ | number);
  switch (form_) {
    case Form::Syslog:
      out = "<" + priority + ">xsd[" + process + "]: ";
      return;
    case Form::Udp:
      out = "<" + priority + ">1 ";
      append_rfc3339(out, SystemClock().wall());
      out += " " + host_ + " xsd " + process + " - - ";
      return;
    case Form::Journal:
      // systemd.journal-fields(7); the trusted fields say who sends, which is not who has written it.
      out = "PRIORITY=" + std::to_string(number) + "\nSYSLOG_FACILITY=" + std::to_string(facility_ >> 3) +
            "\nSYSLOG_IDENTIFIER=xsd\nSYSLOG_PID=" + process + "\nMESSAGE=";
      return;
  }
}

void DatagramTarget::write_from(pid_t sender, Level level, std::string_view lines) noexcept {
  begin(sender, level, datagram_);
  const std::size_t head = datagram_.size();
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n') + 1);
    std::string_view text = line.substr(0, line.size() - 1);
    if (form_ == Form::Udp) text = cut(text, kMaxUdp - head);
    if (form_ == Form::Journal) text = cut(text, kMaxJournal - head);
    datagram_ += text;
    if (form_ == Form::Journal) datagram_ += '\n';
    if (sendto(fd_.get(), datagram_.data(), datagram_.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(address_.data()),
               static_cast<socklen_t>(address_.size())) < 0)
      drop_lines(line, errno);
    datagram_.resize(head);
    lines.remove_prefix(line.size());
  }
}

}  // namespace xsd::log
