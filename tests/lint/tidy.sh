#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over the daemon and the plugins, with the compile commands of the build folder $1. A file that was clean before and has not changed since
# (nor a header, nor the rules) is not looked at again.
set -eu
build=$(cd "$1" && pwd)
self=$(realpath "$0")
cd "$(dirname "$self")/../.."
tool=$(command -v clang-tidy-14 || command -v clang-tidy) || { echo "clang-tidy is missing: make deps"; exit 1; }
mkdir -p "$build/tidy"
rules=$(cat .clang-tidy $(find xsd include -name '*.h' | sort) | sha256sum)
check() {
  source=$1
  stamp="$build/tidy/$(echo "$rules" "$(sha256sum "$source")" | sha256sum | cut -d' ' -f1)"
  [ -e "$stamp" ] && return 0
  "$tool" -p "$build" --quiet --warnings-as-errors='*' "$source" 2>/dev/null || { echo "tidy: $source"; return 1; }
  : > "$stamp"
}
if [ "${2:-}" != "" ]; then
  check "$2"
  exit $?
fi
find xsd plugins -name '*.cc' -o -name '*.c' | sort | xargs -P "$(nproc)" -n 1 "$self" "$build"
