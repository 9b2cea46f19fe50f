// SPDX-License-Identifier: Apache-2.0
//
// DirectoryStream: the owner of what opendir(3) gives. Empty where the folder cannot be read; errno says why.
#pragma once

#include <memory>
#include <string>

#include <dirent.h>

namespace xsd {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { (void)closedir(directory); }  // it was only read
};
using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

inline DirectoryStream open_directory(const std::string& path) {
  return DirectoryStream(opendir(path.c_str()));
}

}  // namespace xsd
