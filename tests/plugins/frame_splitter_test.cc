// SPDX-License-Identifier: Apache-2.0
#include "logd/frame_splitter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace logd {
namespace {

using Frames = std::vector<std::string>;

/// The frames of a stream that comes in pieces of `step` bytes. Those that were cut end with "|cut".
Frames frames_of(std::string_view stream, std::size_t step, std::size_t longest,
                 std::size_t* most_held = nullptr) {
  Frames frames;
  const FrameSplitter::Sink sink = [&](const FrameSplitter::Frame& frame) {
    frames.push_back(std::string(frame.bytes) + (frame.cut ? "|cut" : ""));
  };
  FrameSplitter splitter(longest);
  for (; !stream.empty(); stream.remove_prefix(std::min(step, stream.size()))) {
    splitter.feed(stream.substr(0, step), sink);
    if (most_held != nullptr) *most_held = std::max(*most_held, splitter.held());
  }
  splitter.end(sink);
  return frames;
}

/// The same however the stream is cut.
Frames frames_of(std::string_view stream, std::size_t longest = 64) {
  Frames whole = frames_of(stream, stream.size() + 1, longest);
  for (std::size_t step = 1; step < stream.size(); ++step)
    EXPECT_EQ(frames_of(stream, step, longest), whole) << "in pieces of " << step;
  return whole;
}

TEST(FrameSplitter, divides_at_line_feeds) {
  EXPECT_EQ(frames_of("<1>a\n<2>b\r\n\n\r\n<3>c"), (Frames{"<1>a", "<2>b", "<3>c"}));
  EXPECT_EQ(frames_of("<1>a\rb\n"), (Frames{"<1>a\rb"}));
  EXPECT_EQ(frames_of(""), Frames{});
}

TEST(FrameSplitter, counts_octets) {
  EXPECT_EQ(frames_of("5 <1>a\n4 <2>b13 <3>\nlines\n..."), (Frames{"<1>a\n", "<2>b", "<3>\nlines\n..."}));
}

TEST(FrameSplitter, detects_the_framing_of_each_record) {
  EXPECT_EQ(frames_of("4 <1>a<2>b\n4 <3>c5 <4>d\n<5>e\n"),
            (Frames{"<1>a", "<2>b", "<3>c", "<4>d\n", "<5>e"}));
}

TEST(FrameSplitter, takes_numbers_that_count_nothing_for_text) {
  EXPECT_EQ(frames_of("12 monkeys\n2026-11-22 x\n04 <1>a\n123456789 <1>a\n12\n12 \n1"),
            (Frames{"12 monkeys", "2026-11-22 x", "04 <1>a", "123456789 <1>a", "12", "12 ", "1"}));
}

TEST(FrameSplitter, cuts_what_is_too_long) {
  EXPECT_EQ(frames_of("12345678\n123456789\nabcdefgh\r\nabcdefgh\rx\nxx\n", 8),
            (Frames{"12345678", "12345678|cut", "abcdefgh", "abcdefgh|cut", "xx"}));
  EXPECT_EQ(frames_of("8 <1>abcde9 <2>abcdefxx\n", 8), (Frames{"<1>abcde", "<2>abcde|cut", "xx"}));
  EXPECT_EQ(frames_of("99999999 <1>abcdefgh", 8), (Frames{"<1>abcde|cut"}));
}

TEST(FrameSplitter, marks_a_counted_record_without_its_end) {
  EXPECT_EQ(frames_of("10 <1>abc"), (Frames{"<1>abc|cut"}));
}

TEST(FrameSplitter, holds_no_more_than_a_record) {
  for (const char* const beginning : {"", "99999999 <"}) {
    std::size_t most = 0;
    const std::string stream = beginning + std::string(100000, 'x');
    EXPECT_EQ(frames_of(stream, 777, 480, &most).size(), 1U);
    EXPECT_LE(most, 481U);
  }
}

TEST(FrameSplitter, holds_nothing_between_records) {
  FrameSplitter splitter(64);
  splitter.feed("<1>a", [](const FrameSplitter::Frame&) { FAIL(); });
  EXPECT_EQ(splitter.held(), 4U);
  int frames = 0;
  splitter.feed("\n3 <2", [&](const FrameSplitter::Frame&) { ++frames; });
  EXPECT_EQ(frames, 1);
  splitter.feed(">", [&](const FrameSplitter::Frame&) { ++frames; });
  EXPECT_EQ(frames, 2);
  EXPECT_EQ(splitter.held(), 0U);
}

}  // namespace
}  // namespace logd
