// SPDX-License-Identifier: Apache-2.0
//
// The target of a request (RFC 9112 3.2) made into a path that names a file or a program, and back into text
// for Location. Pure.
#pragma once

#include <string>
#include <string_view>

namespace httpd {

struct Target {
  /// Decoded: begins with '/', holds no empty segment, no "." or "..", no control character. It ends with '/'
  /// if the target names a folder.
  std::string path;
  std::string_view query;      ///< as sent, without '?'
  std::string_view authority;  ///< of the absolute form; else empty
  bool has_query = false;
  bool asterisk = false;  ///< "*": the server itself; path is empty
};

/// 0, or the status to answer with: 400 for what is no target or leaves the root, 404 for a path that can
/// name nothing because a segment has an encoded '/' in it. The views are those of `text`.
unsigned parse_target(std::string_view text, Target& target);

/// A host with or without a port, as in the field Host; "" is one (RFC 9112 3.2). Letters are not looked up.
bool is_host(std::string_view text) noexcept;
/// Without the port; an IPv6 address keeps its brackets.
std::string_view without_port(std::string_view host) noexcept;

/// Whether a segment of the path begins with a dot.
bool has_dot_segment(std::string_view path) noexcept;
/// What has no place in a path of a URI is encoded.
std::string encoded_path(std::string_view path);

}  // namespace httpd
