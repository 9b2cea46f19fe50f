// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/recipe.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/integration/harness/temp_folder.h"

namespace xsd::test {

std::filesystem::path source_folder() {
  return XSD_SOURCE_FOLDER;
}

std::string recipe(std::string_view name,
                   const std::vector<std::pair<std::string, std::string>>& replacements) {
  const std::filesystem::path path = source_folder() / "conf.d" / name;
  std::string text = read_file(path);
  const auto replace = [&](const std::string& what, const std::string& with) {
    const std::size_t place = text.find(what);
    if (place == std::string::npos) {
      ADD_FAILURE() << path << " has no '" << what << "'";
    } else {
      text.replace(place, what.size(), with);
    }
  };
  replace("disable: yes\n", "");
  for (const auto& [what, with] : replacements)
    replace(what, with);
  return text;
}

std::string find_program(std::string_view name) {
  for (const char* const folder : {"/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/", "/usr/local/bin/"}) {
    std::string path = folder + std::string(name);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

std::string why_missing(const std::vector<std::string>& programs) {
  for (const std::string& name : programs) {
    if (find_program(name).empty()) return name + " is not installed";
  }
  return {};
}

}  // namespace xsd::test
