// SPDX-License-Identifier: Apache-2.0
//
// Answers about names as bytes, for the pipe between the helper process that asks and us. Both ends are the
// same program on the same machine, so numbers are in its own order. One answer is
//
//     u32 length of what follows | u32 index of the question | u8 state | by state and kind:
//       Unknown        text: why
//       Found: User, UserAndGroups   u32 uid | u32 gid | u32 count | count x u32 groups | name
//              Group   u32 gid
//              TcpPort, UdpPort      u16
//              Host    for each address: u8 length | sockaddr_in or sockaddr_in6
//
// The helper ran the machine's NSS modules on what a network said, so the reader believes nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/config/names.h"

namespace xsd::config {

/// One answer with all that belongs to it; one that is larger is sent as Unknown.
inline constexpr std::size_t kLargestNameAnswer = std::size_t{512} * 1024;

/// Appends the answer to question `index`, which is of `kind`.
void append_answer(std::string& out, std::size_t index, NameQuestion::Kind kind, const NameAnswer& answer);

class AnswerReader {
 public:
  /// `answers` is borrowed: it has the questions and gets the answers.
  explicit AnswerReader(NameAnswers& answers)
      : answers_(answers), is_answered_(answers.questions().size(), false) {}

  /// Takes the next bytes, in pieces of any size. False if they are not what append_answer makes, if the
  /// question is not there or was answered before; then nothing more is taken.
  bool feed(std::string_view bytes);
  /// Every question has its answer.
  bool complete() const noexcept { return answered_ == is_answered_.size(); }

 private:
  bool take(std::string_view frame);

  NameAnswers& answers_;
  std::vector<bool> is_answered_;
  std::size_t answered_ = 0;
  std::string rest_;  ///< the beginning of an answer
  bool is_broken_ = false;
};

}  // namespace xsd::config
