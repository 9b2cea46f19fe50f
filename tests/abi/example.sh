#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# example.sh PAGE INCLUDE COMPILER: what xsd-plugin(3) has under EXAMPLES compiles as it stands there.
set -eu
page=$1
include=$2
compiler=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '/^\.Sh/ { there = $2 == "EXAMPLES" }
     there && /^\.Ed/ { inside = 0 }
     inside
     there && /^\.Bd/ { inside = 1 }' "$page" | sed 's/^\\&//; s/\\e/\\/g' >"$work/example.c"
grep -q XSD_PLUGIN_REGISTER "$work/example.c" || { echo "no example in $page" >&2; exit 1; }
"$compiler" -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Werror -fsyntax-only -I "$include" "$work/example.c"
