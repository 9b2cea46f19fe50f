// SPDX-License-Identifier: Apache-2.0
//
// XinetdText: the text of one file of xinetd's (xinetd.conf(5)) to its items, in file order: blocks with
// their attributes, and what they include. Nothing is given a meaning here; that is xinetd_reader.h.
//
// xinetd reads such a file line by line, and what it does not understand it skips, with a line in a log that
// nobody reads. People's files have grown with that. So this reader takes what was meant where there is one
// meaning only, and warns where xinetd itself takes it for something else; where a service is lost it is an
// error at its place, and the item is `faulty`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/config/diagnostic.h"

namespace xsd::config {

struct XinetdWord {
  std::string text;
  Position where;
};

struct XinetdAttribute {
  enum class Edit : std::uint8_t { Set, Add, Remove };  ///< = += -=
  std::string name;                                     ///< in lower case
  Position where;
  Edit edit = Edit::Set;
  std::vector<XinetdWord> values;  ///< all words of the line, comments too
};

struct XinetdItem {
  enum class Kind : std::uint8_t { Defaults, Service, Include, IncludeFolder };
  Kind kind = Kind::Service;
  XinetdWord argument;  ///< name of the service, path
  Position where;       ///< of the first word
  std::vector<XinetdAttribute> attributes;
  bool faulty = false;  ///< an error stands in it
};

/// Never fails as a whole. At most kMaxServices items; what follows them is an error.
std::vector<XinetdItem> read_xinetd(std::string_view text, DiagnosticSink& sink);

}  // namespace xsd::config
