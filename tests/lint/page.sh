#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# page.sh PAGE COMMAND...: the manual page is what COMMAND writes, and neither man nor, where it is there, mandoc has anything to say
# about it.
set -eu
page=$1
shift
"$@" | diff -u "$page" - || { echo "stale: cmake --build build --target manual" >&2; exit 1; }
said=$(man -l --warnings "$page" 2>&1 >/dev/null)
if command -v mandoc >/dev/null; then
  said="$said$(mandoc -T lint -W warning "$page" || true)"
fi
[ -z "$said" ] || { echo "$said" >&2; exit 1; }
