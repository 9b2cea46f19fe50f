#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# outside.sh BUILD CMAKE: installs the build into an empty folder, and builds there what plugins/README.md shows, word for word, and a plugin
# in C++, by CMake and by compiler and pkg-config, with no file of this tree. Each must export its entry and nothing else.
set -eu
build=$1
cmake=$2
here=$(cd "$(dirname "$0")" && pwd)
readme=$here/../../../plugins/README.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "$*" >&2
  exit 1
}
# block LANGUAGE NUMBER: a block of the guide.
block() {
  awk -v begin="\`\`\`$1" -v number="$2" '
    $0 == begin { inside = ++count == number; next }
    $0 == "```" { inside = 0 }
    inside' "$readme"
}
# Exactly one symbol.
check_exports() {
  found=$(nm -D --defined-only "$1" | awk '{ print $NF }')
  [ "$found" = xsd_plugin_entry_v1 ] || fail "$1 exports: $found"
}

"$cmake" --install "$build" --prefix "$work/prefix" >/dev/null
config=$(find "$work/prefix" -name xsd-plugin.pc)
[ -n "$config" ] || fail "no xsd-plugin.pc is installed"
export PKG_CONFIG_PATH="${config%/*}"
plugindir=$(pkg-config --variable=plugindir xsd-plugin)
for shipped in "$plugindir"/chat.so "$plugindir"/logd.so; do
  check_exports "$shipped"
done

mkdir "$work/hello"
cd "$work/hello"
block c 1 >hello.c
block cmake 1 >CMakeLists.txt
cp "$here/shout.cc" .
echo "xsd_add_plugin(shout shout.cc)" >>CMakeLists.txt
grep -q xsd_plugin_entry hello.c CMakeLists.txt && fail "the guide goes round its own macro"

strict="-Wall -Wextra -Wpedantic -Werror"
CFLAGS=$strict CXXFLAGS=$strict "$cmake" -S . -B by-cmake -DCMAKE_PREFIX_PATH="$work/prefix" >cmake.log 2>&1 || { cat cmake.log; fail "cmake"; }
"$cmake" --build by-cmake >build.log 2>&1 || { cat build.log; fail "cmake --build"; }
# shellcheck disable=SC2046,SC2086 # words
cc -std=c11 $strict -shared -fPIC $(pkg-config --cflags xsd-plugin) hello.c $(pkg-config --libs xsd-plugin) -o hello.so
# shellcheck disable=SC2046,SC2086
c++ -std=c++17 $strict -shared -fPIC $(pkg-config --cflags xsd-plugin) shout.cc $(pkg-config --libs xsd-plugin) -o shout.so
for plugin in hello.so shout.so by-cmake/hello.so by-cmake/shout.so; do
  check_exports "$plugin"
done

# A plugin that calls what it will not find is told of when it is built.
sed 's/^  free(state);/  (void)state; xsd_function_that_nobody_has();/; s/^struct hello {/void xsd_function_that_nobody_has(void);\n&/' hello.c >missing.c
# shellcheck disable=SC2046
if cc -shared -fPIC $(pkg-config --cflags xsd-plugin) missing.c $(pkg-config --libs xsd-plugin) -o missing.so 2>/dev/null; then
  fail "a library with an undefined symbol was built"
fi
