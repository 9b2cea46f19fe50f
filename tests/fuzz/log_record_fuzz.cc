// SPDX-License-Identifier: Apache-2.0
//
// A stream of syslog, and the same bytes as one datagram: the records do not depend on how the stream is cut,
// what is held and what comes out is bounded, and every record is one line without controls.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "logd/frame_splitter.h"
#include "logd/log_line.h"
#include "logd/syslog_parser.h"
#include "xsd/base/assert.h"
#include "xsd/base/text.h"

namespace {

struct Frame {
  std::string bytes;
  bool cut;
  bool operator==(const Frame&) const = default;
};

constexpr std::size_t kLongestHeader = 10;
constexpr std::size_t kRestOfLine = 128;  // time, names of facility and severity, peer, punctuation

std::vector<Frame> frames_of(std::string_view stream, std::size_t step, std::size_t longest) {
  std::vector<Frame> frames;
  const logd::FrameSplitter::Sink sink = [&](const logd::FrameSplitter::Frame& frame) {
    XSD_ASSERT(!frame.bytes.empty() && frame.bytes.size() <= longest);
    frames.push_back({std::string(frame.bytes), frame.cut});
  };
  logd::FrameSplitter splitter(longest);
  for (; !stream.empty(); stream.remove_prefix(std::min(step, stream.size()))) {
    splitter.feed(stream.substr(0, step), sink);
    XSD_ASSERT(splitter.held() <= std::max(longest + 1, kLongestHeader));
  }
  splitter.end(sink);
  XSD_ASSERT(splitter.held() == 0);
  return frames;
}

void check_line(std::string_view bytes, bool cut) {
  std::string line;
  logd::append_line(line, "2026-11-22T01:10:47.123Z", logd::parse_syslog(bytes), "2001:db8::1", cut);
  XSD_ASSERT(line.size() <= 4 * bytes.size() + kRestOfLine);
  XSD_ASSERT(line.ends_with('\n'));
  line.pop_back();
  XSD_ASSERT(std::count(line.begin(), line.end(), ' ') >= 3);
  XSD_ASSERT(line.ends_with(logd::kCutMark) == cut);
  // The daemon's own idea of what is harmless: nothing is left for it to escape but the backslashes.
  std::string escaped;
  xsd::append_escaped(escaped, line);
  XSD_ASSERT(escaped.size() ==
             line.size() + static_cast<std::size_t>(std::count(line.begin(), line.end(), '\\')));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_line(bytes, false);
  for (const std::size_t longest : {std::size_t{8}, std::size_t{100}, std::size_t{8192}}) {
    const std::vector<Frame> whole = frames_of(bytes, size + 1, longest);
    XSD_ASSERT(frames_of(bytes, 1, longest) == whole);
    XSD_ASSERT(frames_of(bytes, 2 + size % 13, longest) == whole);
    for (const Frame& frame : whole)
      check_line(frame.bytes, frame.cut);
  }
  return 0;
}
