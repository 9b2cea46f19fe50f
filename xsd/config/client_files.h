// SPDX-License-Identifier: Apache-2.0
//
// ClientFileReader: reads the files that the rules about clients name: banners and time zones. Each is read
// once a load, however many services name it, and they share its text. Files are opened without blocking and
// are bounded; what keeps one from being read is for the resolver to say, in its words (`not found`).
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "xsd/base/result.h"
#include "xsd/config/definitions.h"

namespace xsd::config {

/// A fresh connection takes as much without anybody reading.
inline constexpr std::size_t kMaxBanner = std::size_t{64} << 10;

class ClientFileReader {
 public:
  using Text = ClientFiles::Text;

  /// What an error says follows the name of the file: "not found".
  const Result<Text>& banner(const std::string& path);
  /// By its name; empty: that of the machine, which is there always.
  const Result<Text>& zone(const std::string& name);
  /// A new load begins.
  void clear() noexcept;

 private:
  std::unordered_map<std::string, Result<Text>> banners_;
  std::unordered_map<std::string, Result<Text>> zones_;
};

}  // namespace xsd::config
