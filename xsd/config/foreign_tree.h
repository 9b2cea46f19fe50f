// SPDX-License-Identifier: Apache-2.0
//
// Building blocks of the readers of foreign files: parts of the tree that the same configuration would be in
// YAML. The places are those in the foreign file; {} stands for what is not written there. Nothing here can
// fail.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "xsd/config/yaml_reader.h"

namespace xsd::config {

/// Why a word cannot be one of the tree; empty if it can. It is UTF-8 without controls, and no byte order
/// mark is in it, which nobody sees.
std::string fault_of_word(std::string_view word);

YamlNode scalar(std::string text, Position where, bool quoted = false);
YamlNode container(YamlNode::Kind kind, Position where);
/// A list of texts that are written nowhere.
YamlNode text_list(std::initializer_list<std::string_view> texts);

void put(YamlNode& map, std::string_view key, Position where, YamlNode value);
YamlNode* find_member(YamlNode& map, std::string_view key) noexcept;
/// Drops the member, if there is one.
void drop_member(YamlNode& map, std::string_view key);

/// The word of the list below `key`, whatever its case; nullptr if it is not there.
const YamlNode* find_word(const YamlNode& map, std::string_view key, std::string_view word);
bool has_word(const YamlNode& map, std::string_view key, std::string_view word);

/// Whether xsd serves it itself where a file says INTERNAL.
bool is_internal_service(std::string_view name) noexcept;

/// An argument of a program as it stands there, for `server_args`: a percent sign is nothing special in
/// foreign files.
std::string literal_argument(std::string_view text);

}  // namespace xsd::config
