// SPDX-License-Identifier: Apache-2.0
//
// InetdText: the text of an inetd.conf(5) to the words of its entries, in file order. Nothing is given a
// meaning here; that is inetd_reader.h.
//
// There is no one grammar: BSD's takes an indented line for the rest of the entry before it, others for an
// entry, some continue a line that ends in a backslash; FreeBSD and NetBSD know quotes; busybox ends a line
// at a word that begins with #. So what was meant is taken, and where inetds differ a note or a warning says
// it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "xsd/config/diagnostic.h"

namespace xsd::config {

struct InetdWord {
  std::string text;  ///< without the quotes
  Position where;
};

/// One entry: at least one word.
using InetdLine = std::vector<InetdWord>;

/// Never fails as a whole. At most kMaxServices + 1 entries: with the last one there are too many.
std::vector<InetdLine> read_inetd(std::string_view text, DiagnosticSink& sink);

}  // namespace xsd::config
