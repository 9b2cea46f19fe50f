// SPDX-License-Identifier: Apache-2.0
//
// Content-Type by the end of a file's name, from a table that is compiled in. Pure.
#pragma once

#include <string_view>

namespace httpd {

/// "application/octet-stream" for what is not in the table. Text is UTF-8.
std::string_view media_type_of(std::string_view path) noexcept;

}  // namespace httpd
