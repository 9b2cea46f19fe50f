// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/harness/nobody.h"

#include <unistd.h>

#include "tests/integration/harness/process.h"
#include "tests/integration/harness/service_text.h"

namespace xsd::test {

void become_nobody() {
  if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(99);
}

std::string why_not_as_nobody() {
  if (!is_root()) return "needs root";
  if (run_xsd({"--version"}, {.in_child = become_nobody}).status != 0)
    return "the build folder is closed to others";
  return {};
}

}  // namespace xsd::test
