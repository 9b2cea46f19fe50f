// SPDX-License-Identifier: Apache-2.0
//
// The service files that the project ships, taken from the source tree and adapted to a test, so that what is
// proved is what is shipped; and the programs that they and the tests need.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xsd::test {

std::filesystem::path source_folder();

/// `conf.d/NAME` enabled (without `disable: yes`), with each first text replaced by the second. A text that
/// is not in the file fails the test.
std::string recipe(std::string_view name,
                   const std::vector<std::pair<std::string, std::string>>& replacements = {});

/// The path of a program, or an empty text. The folders for administrators are searched too.
std::string find_program(std::string_view name);
/// Empty if all of them are there, else which is missing.
std::string why_missing(const std::vector<std::string>& programs);

}  // namespace xsd::test
