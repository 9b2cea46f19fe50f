// SPDX-License-Identifier: Apache-2.0
//
// PendingOutput: what waits to be sent on one connection, in order: bytes that the kernel did not take, and
// parts of files. Owns the bytes and the files. Exists only while there is something.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "xsd/base/unique_fd.h"

namespace xsd::plugin {

class PendingOutput {
 public:
  struct File {
    UniqueFd fd;
    std::uint64_t offset;
    std::uint64_t left;
    std::vector<char> after;  ///< bytes that follow it
  };

  void append(const char* data, std::size_t length) {
    if (files_.empty()) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(std::exchange(sent_, 0)));
      bytes_.insert(bytes_.end(), data, data + length);
    } else {
      files_.back().after.insert(files_.back().after.end(), data, data + length);
    }
    byte_count_ += length;
  }
  void append(UniqueFd fd, std::uint64_t offset, std::uint64_t length) {
    files_.push_back({std::move(fd), offset, length, {}});
    file_count_ += length;
  }

  bool empty() const noexcept { return byte_count_ == 0 && files_.empty(); }
  std::size_t byte_count() const noexcept { return byte_count_; }
  std::uint64_t file_byte_count() const noexcept { return file_count_; }
  std::size_t files() const noexcept { return files_.size(); }

  /// What is to be sent next: bytes, if there are any, else of `file`.
  const char* bytes() const noexcept { return bytes_.data() + sent_; }
  std::size_t next_bytes() const noexcept { return bytes_.size() - sent_; }
  File& file() noexcept { return files_.front(); }
  File& last_file() noexcept { return files_.back(); }

  void took_bytes(std::size_t count) noexcept {
    sent_ += count;
    byte_count_ -= count;
  }
  void took_of_file(std::uint64_t count) noexcept {
    File& first = files_.front();
    first.offset += count;
    first.left -= count;
    file_count_ -= count;
    if (first.left > 0) return;
    bytes_ = std::move(first.after);
    sent_ = 0;
    files_.pop_front();
  }

 private:
  std::vector<char> bytes_;  ///< before the first file
  std::size_t sent_ = 0;     ///< of bytes_
  std::deque<File> files_;
  std::size_t byte_count_ = 0;
  std::uint64_t file_count_ = 0;
};

}  // namespace xsd::plugin
