// SPDX-License-Identifier: Apache-2.0
//
// A plugin's `settings` as bytes, for another process of this program: what the file says with its places, so
// that a fault found there is shown here. One node, with all below it, is
//
//     u8 kind | u32 line, u32 column: of the node | u32 line, u32 column: of its name in a map | by kind:
//       Null    nothing
//       Scalar  text (base/wire.h)
//       List    u32 count | nodes
//       Map     u32 count | for each member: text: name | node
//
// The reader believes nothing: what it takes is no deeper, larger and has no more nodes than a file can have.
#pragma once

#include <string>

#include "xsd/base/wire.h"
#include "xsd/config/definitions.h"

namespace xsd::config {

/// Appends a node of a file that was read.
void put_settings(std::string& out, const SettingsNode& node);

/// A null node if the reader has failed, which it also has if these are not the bytes of a node, or hold a
/// text with a NUL.
SettingsNode get_settings(WireReader& reader);

}  // namespace xsd::config
