// SPDX-License-Identifier: Apache-2.0
//
// YamlReader: YAML text to a tree of our own, the only place that knows yaml-cpp. The tree is built straight
// from the library's parser events; its node builder (which crashes on `a: &a [*a]`, takes the first of two
// equal keys and drops further documents) is never used. The limits on input are enforced while the events
// arrive: nesting 32, 64 k nodes, no anchors, aliases, merge keys, tags or second documents; UTF-8 without
// controls is checked before.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xsd/config/diagnostic.h"

namespace xsd::config {

inline constexpr std::size_t kMaxNesting = 32;
inline constexpr std::size_t kMaxNodes = 65536;

struct YamlNode {
  enum class Kind : std::uint8_t { Null, Scalar, List, Map };
  struct Member;

  Kind kind = Kind::Null;
  bool quoted = false;  ///< a scalar in quotes or a block scalar: it is text, never a number or null
  std::string scalar;   ///< as written (null: empty, "~" or "null", unquoted)
  Position where;
  std::vector<YamlNode> items;
  std::vector<Member> members;  ///< in file order, keys unique

  bool is_map() const noexcept { return kind == Kind::Map; }
  bool is_list() const noexcept { return kind == Kind::List; }
  bool is_scalar() const noexcept { return kind == Kind::Scalar; }
  bool is_null() const noexcept { return kind == Kind::Null; }
  /// The value of `key`, nullptr if there is none. Keys compare exactly.
  const YamlNode* find(std::string_view key) const noexcept;
};

struct YamlNode::Member {
  std::string key;
  Position where;  ///< of the key
  YamlNode value;
};

/// Parses one document. Every fault goes into `sink`; nullopt if there is no usable tree. An empty document
/// is a Null node. A duplicate key is an error that names both lines; the tree then has the first. Keys must
/// be scalars.
std::optional<YamlNode> read_yaml(std::string_view text, DiagnosticSink& sink);

/// For messages: "a list", "a map", "nothing", "'text'".
std::string describe(const YamlNode& node);

}  // namespace xsd::config
