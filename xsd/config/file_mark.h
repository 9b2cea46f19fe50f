// SPDX-License-Identifier: Apache-2.0
//
// What the loader remembers of a file to tell whether it changed, without keeping its text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "xsd/base/clock.h"
#include "xsd/config/source_file.h"

namespace xsd::config {

// File times tick coarsely: a file that changed this recently may change again and keep its stamp. Local file
// systems tick with the kernel (10 ms at most); where the fraction of a second is zero it is one that counts
// whole seconds, or two.
inline constexpr Duration kYoung = std::chrono::milliseconds(50);
inline constexpr Duration kYoungInWholeSeconds = std::chrono::seconds(3);
inline bool is_young(const FileStamp& stamp, WallTime now) {
  const auto time = [](const timespec& t) {
    return WallTime(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
  };
  const bool whole_seconds = stamp.changed.tv_nsec == 0 || stamp.modified.tv_nsec == 0;
  return now - std::max(time(stamp.modified), time(stamp.changed)) <
         (whole_seconds ? kYoungInWholeSeconds : kYoung);
}

// The text of a file as far as it is known, without keeping it.
struct TextMark {
  FileStamp stamp;
  bool young = true;
  std::size_t size = 0;
  std::size_t hash = 0;
  bool has_text(const std::string& text) const {
    return size == text.size() && hash == std::hash<std::string_view>{}(text);
  }
};

inline TextMark mark_of(const SourceFile& source, WallTime now) {
  return {source.stamp, is_young(source.stamp, now), source.text.size(),
          std::hash<std::string_view>{}(source.text)};
}

}  // namespace xsd::config
