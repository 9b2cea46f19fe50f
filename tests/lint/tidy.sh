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
rules=$(cat "$self" .clang-tidy $(find xsd include -name '*.h' | sort) | sha256sum)
# How much of a function the analyzer looks at: an eighth of what it would by itself, in a third of the time. It is most of the work.
bound="--extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=30000"
# The compile commands may be for GCC.
bound="$bound --extra-arg=-Wno-unknown-warning-option"
check() {
  source=$1
  stamp="$build/tidy/$(echo "$rules" "$(sha256sum "$source")" | sha256sum | cut -d' ' -f1)"
  [ -e "$stamp" ] && return 0
  # shellcheck disable=SC2086
  "$tool" -p "$build" --quiet $bound --warnings-as-errors='*' "$source" 2>/dev/null || { echo "tidy: $source"; return 1; }
  : > "$stamp"
}
if [ "${2:-}" != "" ]; then
  check "$2"
  exit $?
fi
find xsd plugins -name '*.cc' -o -name '*.c' | sort | xargs -P "$(nproc)" -n 1 "$self" "$build"
