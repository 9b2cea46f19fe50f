// SPDX-License-Identifier: Apache-2.0
//
// xsd --plugins: what services can name in `plugin`: the built-in plugins, and the libraries in the folders
// of `plugin_dirs`, each as it says of itself, or with what is wrong with it.
#pragma once

#include "xsd/daemon/options.h"
#include "xsd/process/exec_plan.h"

namespace xsd::daemon {

/// Prints them, one a line; the exit status.
int list_plugins(const Options& options, const process::Inheritance& inheritance);

}  // namespace xsd::daemon
