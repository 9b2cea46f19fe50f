#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build-deb.sh FOLDER [COMMIT]: builds the Debian packages of a commit, by default HEAD, in FOLDER, which is emptied. What comes
# of it, and the log (build.log), is there. The sources are an export of the commit: what is not committed is not in it.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
commit=$(git -C "$top" rev-parse "${2:-HEAD}")
of_commit() {
  git -C "$top" show "$commit:$1"
}
disagree() {
  echo "packaging/debian/changelog does not agree with $1" >&2
  exit 1
}
entry=$(of_commit packaging/debian/changelog | head -n 1)
version=$(echo "$entry" | sed -n 's/.*(\(.*\)-[^-]*).*/\1/p')
[ "$version" = "$(of_commit CMakeLists.txt | sed -n 's/^project(xsd VERSION \([0-9.]*\) .*/\1/p')" ] || disagree 'CMakeLists.txt on the version'
heading=$(of_commit CHANGELOG.md | grep -m 1 '^## ')
case $heading in
  "## $version" | "## $version "*) ;;
  *) disagree 'CHANGELOG.md on the version' ;;
esac
# "UNRELEASED" is what Debian says of a version that is none yet.
case "$heading/$entry" in
  *'(not released)/'*' UNRELEASED;'*) ;;
  *'(not released)/'* | *' UNRELEASED;'*) disagree 'CHANGELOG.md on whether it is released' ;;
esac

rm -rf "$1"
mkdir -p "$1"
folder=$(cd "$1" && pwd)
echo "$commit" >"$folder/commit"
git -C "$top" archive --prefix="xsd-$version/" "$commit" | gzip -9n >"$folder/xsd_$version.orig.tar.gz"
tar -C "$folder" -xf "$folder/xsd_$version.orig.tar.gz"
cd "$folder/xsd-$version"
cp -R packaging/debian debian

# debhelper has a HOME of its own, where the compiler's cache would not be found. Without a base folder, which makes paths relative
# before the compiler sees them: debug information would say where they stood, and the packages would not be those that dpkg builds.
unset CCACHE_BASEDIR CCACHE_NOHASHDIR
if [ -n "${XSD_DEB_CCACHE-yes}" ] && command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  CCACHE_DIR=${CCACHE_DIR:-$(ccache --get-config cache_dir)}
  export CCACHE_DIR
fi
if ! dpkg-buildpackage --no-sign >"$folder/build.log" 2>&1; then
  tail -n 40 "$folder/build.log" >&2
  exit 1
fi
