#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# reproducible.sh OUT: builds what is in OUT (build-deb.sh) once more: later, in another folder, with another time zone, language, file
# mode mask and one job, and without a cache of the compiler. Every package must be the same, byte by byte, that of the debugging
# symbols too.
set -eu
out=$1
top=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d /var/tmp/another-place.XXXXXX)
trap 'rm -rf "$folder"' EXIT

umask 077
chmod 755 "$folder"
XSD_DEB_CCACHE=${XSD_DEB_CCACHE-} TZ=Pacific/Kiritimati LC_ALL=C LANGUAGE=de DEB_BUILD_OPTIONS="parallel=${JOBS:-1}" \
  "$top/packaging/build-deb.sh" "$folder/out" "$(cat "$out/commit")"
faults=0
for one in xsd xsd-dbgsym xsd-dev xsd-inetd; do
  [ -e "$(echo "$out/$one"_*.deb)" ] || { echo "no $one in $out" >&2; faults=1; }
done
for one in "$out"/*.deb; do
  if cmp "$one" "$folder/out/$(basename "$one")"; then
    sha256sum "$one"
  else
    faults=1
  fi
done
exit "$faults"
