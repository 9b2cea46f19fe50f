// SPDX-License-Identifier: Apache-2.0
#include "xsd/config/name_wire.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <netinet/in.h>
#include <sys/socket.h>

#include "xsd/base/wire.h"

namespace xsd::config {
namespace {

constexpr std::size_t kHead = sizeof(std::uint32_t);
constexpr std::size_t kLongestName = 1024;
constexpr std::size_t kLongestWhy = 256;

bool is_text(std::string_view text, std::size_t longest) {
  return text.size() <= longest && text.find('\0') == std::string_view::npos;
}

bool read_user(WireReader& in, NameAnswer& answer) {
  answer.user.uid = in.get<std::uint32_t>();
  answer.user.gid = in.get<std::uint32_t>();
  const auto count = in.get<std::uint32_t>();
  if (in.failed() || count > in.left() / sizeof(std::uint32_t)) return false;
  answer.groups.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i)
    answer.groups.push_back(in.get<std::uint32_t>());
  const std::string_view name = in.take(in.left());
  answer.user.name = name;
  return !name.empty() && is_text(name, kLongestName);
}

bool read_addresses(WireReader& in, NameAnswer& answer) {
  while (in.left() > 0) {
    const auto length = in.get<std::uint8_t>();
    const std::string_view bytes = in.take(length);
    sockaddr_storage raw{};
    if (in.failed() || length > sizeof raw || length < sizeof raw.ss_family) return false;
    std::memcpy(&raw, bytes.data(), length);
    const bool is_whole = (raw.ss_family == AF_INET && length == sizeof(sockaddr_in)) ||
                          (raw.ss_family == AF_INET6 && length == sizeof(sockaddr_in6));
    if (!is_whole) return false;
    answer.addresses.emplace_back(reinterpret_cast<const sockaddr*>(&raw), length);
    answer.addresses.back().set_port(0);
  }
  return !answer.addresses.empty();
}

bool read_found(WireReader& in, NameQuestion::Kind kind, NameAnswer& answer) {
  switch (kind) {
    case NameQuestion::Kind::User:
    case NameQuestion::Kind::UserAndGroups:
      return read_user(in, answer);
    case NameQuestion::Kind::Group:
      answer.gid = in.get<std::uint32_t>();
      break;
    case NameQuestion::Kind::TcpPort:
    case NameQuestion::Kind::UdpPort:
      answer.port = in.get<std::uint16_t>();
      break;
    case NameQuestion::Kind::Network: {
      const in_addr address{in.get<std::uint32_t>()};
      const auto length = in.get<std::uint8_t>();
      if (length > net::Prefix::kV4Bits) return false;
      answer.network = net::Prefix::v4(address, length);
      break;
    }
    case NameQuestion::Kind::Host:
      return read_addresses(in, answer);
  }
  return !in.failed() && in.left() == 0;
}

void put_found(std::string& out, NameQuestion::Kind kind, const NameAnswer& answer) {
  switch (kind) {
    case NameQuestion::Kind::User:
    case NameQuestion::Kind::UserAndGroups:
      put_number<std::uint32_t>(out, answer.user.uid);
      put_number<std::uint32_t>(out, answer.user.gid);
      put_number(out, static_cast<std::uint32_t>(answer.groups.size()));
      for (const gid_t group : answer.groups)
        put_number<std::uint32_t>(out, group);
      out += answer.user.name;
      break;
    case NameQuestion::Kind::Group:
      put_number<std::uint32_t>(out, answer.gid);
      break;
    case NameQuestion::Kind::TcpPort:
    case NameQuestion::Kind::UdpPort:
      put_number(out, answer.port);
      break;
    case NameQuestion::Kind::Network: {
      const auto& bytes = answer.network.bytes();
      out.append(reinterpret_cast<const char*>(bytes.data()) + bytes.size() - sizeof(in_addr),
                 sizeof(in_addr));
      put_number(out, static_cast<std::uint8_t>(answer.network.length()));
      break;
    }
    case NameQuestion::Kind::Host:
      for (const net::SocketAddress& address : answer.addresses) {
        put_number(out, static_cast<std::uint8_t>(address.raw_length()));
        out.append(reinterpret_cast<const char*>(address.raw()), address.raw_length());
      }
      break;
  }
}

}  // namespace

void append_answer(std::string& out, std::size_t index, NameQuestion::Kind kind, const NameAnswer& answer) {
  const std::size_t begin = out.size();
  put_number(out, std::uint32_t{0});
  put_number(out, static_cast<std::uint32_t>(index));
  put_number(out, static_cast<std::uint8_t>(answer.state));
  if (answer.state == NameAnswer::State::Unknown) out.append(answer.why, 0, kLongestWhy);
  if (answer.found()) put_found(out, kind, answer);
  const std::size_t size = out.size() - begin - kHead;
  if (size > kLargestNameAnswer || answer.user.name.size() > kLongestName) {
    out.resize(begin);
    append_answer(out, index, kind, NameAnswer::unknown("the answer is too large"));
    return;
  }
  const auto length = static_cast<std::uint32_t>(size);
  std::memcpy(out.data() + begin, &length, sizeof length);
}

bool AnswerReader::feed(std::string_view bytes) {
  if (is_broken_) return false;
  rest_.append(bytes);
  std::string_view left = rest_;
  while (left.size() >= kHead) {
    const std::size_t length = WireReader(left).get<std::uint32_t>();
    is_broken_ = length > kLargestNameAnswer;
    if (is_broken_ || left.size() < kHead + length) break;
    is_broken_ = !take(left.substr(kHead, length));
    if (is_broken_) break;
    left.remove_prefix(kHead + length);
  }
  rest_.erase(0, rest_.size() - left.size());
  return !is_broken_;
}

bool AnswerReader::take(std::string_view frame) {
  WireReader in(frame);
  const std::size_t index = in.get<std::uint32_t>();
  const auto state = in.get<std::uint8_t>();
  if (in.failed() || index >= is_answered_.size() || is_answered_[index]) return false;
  NameAnswer answer;
  switch (state) {
    case static_cast<std::uint8_t>(NameAnswer::State::Unknown):
      answer.why = in.take(in.left());
      if (!is_text(answer.why, kLongestWhy)) return false;
      break;
    case static_cast<std::uint8_t>(NameAnswer::State::NotFound):
      if (in.left() > 0) return false;
      break;
    case static_cast<std::uint8_t>(NameAnswer::State::Found):
      if (!read_found(in, answers_.questions()[index].kind, answer)) return false;
      break;
    default:
      return false;
  }
  answer.state = static_cast<NameAnswer::State>(state);
  is_answered_[index] = true;
  ++answered_;
  answers_.set(index, std::move(answer));
  return true;
}

}  // namespace xsd::config
