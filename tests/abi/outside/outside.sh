#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# outside.sh BUILD CMAKE: installs the build into an empty folder, and builds there what plugin-guide.md shows, word for word, and a plugin
# in C++ with much of the standard library, by CMake and by compiler and pkg-config, with no file of this tree. Each must export its entry and nothing else.
set -eu
build=$1
cmake=$2
here=$(cd "$(dirname "$0")" && pwd)
guide=$here/../../../packaging/doc/plugin-guide.md
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
    inside' "$guide"
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
for shipped in "$plugindir"/chat.so "$plugindir"/logd.so "$plugindir"/httpd.so; do
  check_exports "$shipped"
done

mkdir "$work/hello"
cd "$work/hello"
block c 1 >hello.c
block cpp 1 >hello++.cc
block cmake 1 >CMakeLists.txt
cp "$here/shout.cc" .
printf '%s\n' 'xsd_add_plugin(hello2 hello++.cc)' 'xsd_add_plugin(shout shout.cc)' >>CMakeLists.txt
grep -q xsd_plugin_entry hello.c hello++.cc CMakeLists.txt && fail "the guide goes round its own macro"

strict="-Wall -Wextra -Wpedantic -Werror"
CFLAGS=$strict CXXFLAGS=$strict "$cmake" -S . -B by-cmake -DCMAKE_PREFIX_PATH="$work/prefix" >cmake.log 2>&1 || { cat cmake.log; fail "cmake"; }
"$cmake" --build by-cmake >build.log 2>&1 || { cat build.log; fail "cmake --build"; }
# shellcheck disable=SC2046,SC2086 # words
cc -std=c11 $strict -shared -fPIC $(pkg-config --cflags xsd-plugin) hello.c $(pkg-config --libs xsd-plugin) -o hello.so
# shellcheck disable=SC2046,SC2086
c++ -std=c++17 $strict -shared -fPIC $(pkg-config --cflags xsd-plugin) shout.cc $(pkg-config --libs xsd-plugin) -o shout.so
for plugin in hello.so shout.so by-cmake/hello.so by-cmake/hello2.so by-cmake/shout.so; do
  check_exports "$plugin"
done

# A plugin that calls what it will not find is told of when it is built.
sed 's/^  free(state);/  (void)state; xsd_function_that_nobody_has();/; s/^struct hello {/void xsd_function_that_nobody_has(void);\n&/' hello.c >missing.c
# shellcheck disable=SC2046
if cc -shared -fPIC $(pkg-config --cflags xsd-plugin) missing.c $(pkg-config --libs xsd-plugin) -o missing.so 2>/dev/null; then
  fail "a library with an undefined symbol was built"
fi

# Served by the daemon, with the files of the guide but for the path of the folder and the port. As root, plugins are hosted in workers
# only, and the guide is about --workers 0.
command -v nc >/dev/null || exit 0
as_user=
[ "$(id -u)" != 0 ] || as_user="setpriv --reuid 65534 --regid 65534 --clear-groups"
chmod 755 "$work"
mkdir -m 777 run
block yaml 1 | sed "s|tcp://127.0.0.1:7000|unix://$work/hello/run/socket|" >hello.yaml
block yaml 2 | sed "s|/home/you/hello|$work/hello|" >xsd.yaml
grep -q "$work/hello/run/socket" hello.yaml && grep -q "plugin_dirs: \[$work/hello\]" xsd.yaml || fail "the guide has other files now"
xsd=$(find "$work/prefix" -path '*bin/xsd')
$as_user "$xsd" --version >/dev/null 2>&1 || exit 0 # the folder for temporary files is closed to others
"$xsd" --check -c xsd.yaml || fail "--check"
$as_user "$xsd" -d -c xsd.yaml --pid-file run/pid --log-file run/log --workers 0 || { cat run/log; fail "the daemon does not start"; }
trap 'kill "$(cat "$work/hello/run/pid")"; rm -rf "$work"' EXIT
answer=$(echo Ann | nc -N -U run/socket)
[ "$answer" = "good day
you said: Ann" ] || { cat run/log; fail "hello answers: $answer"; }
