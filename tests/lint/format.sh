#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every source as .clang-format wants it.
set -eu
cd "$1"
tool=$(command -v clang-format-14 || command -v clang-format) || { echo "clang-format is missing: make deps"; exit 1; }
find xsd plugins include tests -name '*.h' -o -name '*.hpp' -o -name '*.cc' -o -name '*.c' | sort | xargs "$tool" --dry-run -Werror
