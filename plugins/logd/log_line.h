// SPDX-License-Identifier: Apache-2.0
//
// The text of logd's file. One record is one line, whatever bytes it holds:
//
//   2026-11-22T01:10:47.123Z auth.crit host su[123]#ID47 [origin ip="192.0.2.7"] message
//   2026-11-22T01:10:47.123Z malformed 192.0.2.7 - all bytes of what was no record
//
// received; facility and severity, or `malformed`; the record's host, or who sent it; application, process
// and message id, as far as the record has them, else '-'; structured data, if any; the message.
//
// A backslash is \\, LF \n, CR \r, TAB \t; controls, bytes that are no UTF-8, and the controls and line
// separators of Unicode are \xNN, byte by byte. So ` \cut` at the end, the mark of a record that has lost its
// end, cannot be part of a record.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "logd/syslog_parser.h"

namespace logd {

inline constexpr std::string_view kCutMark = " \\cut";

/// A line with its LF. `time` is text of append_time; `peer` may be empty: this machine.
void append_line(std::string& out, std::string_view time, const SyslogRecord& record, std::string_view peer,
                 bool cut);

/// RFC 3339 in UTC with milliseconds.
void append_time(std::string& out, std::int64_t seconds, std::int32_t nanoseconds);

void append_escaped(std::string& out, std::string_view text);

}  // namespace logd
