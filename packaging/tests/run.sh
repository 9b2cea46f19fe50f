#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh OUT ROOTS: all tests of the packages in OUT (build-deb.sh); the small systems to test them in are kept in ROOTS. What cannot be
# had here is skipped, which is said at the end, with the reason; with XSD_DEB_MUST=1 it is a fault.
set -eu
out=$1
roots=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/skipped"
faults=0

# test NAME COMMAND...: a line "skipped: WHY" in what it prints is one more that is skipped.
test_of() {
  name=$1
  shift
  begin=$(date +%s)
  echo "== $name"
  echo 1 >"$work/status"
  { "$@" && status=0 || status=$?; echo "$status" >"$work/status"; } 2>&1 | tee "$work/output"
  status=$(cat "$work/status")
  sed -n "s|^skipped: |$name: |p" "$work/output" >>"$work/skipped"
  if [ "$status" = 77 ] && grep -q '^skipped: ' "$work/output"; then status=0; fi
  [ "$status" = 0 ] || { echo "== $name: FAILED"; faults=$((faults + 1)); }
  echo "== $name: $(($(date +%s) - begin)) s"
}
# in_base BASE PACKAGES COMMAND...: if there is such a base.
in_base() {
  base=$1
  packages=$2
  shift 2
  # shellcheck disable=SC2086 # words
  "$here/base.sh" "$base" $packages || return
  "$@"
}
# What xsd depends on, and what the tests use.
every='iproute2 libboost-program-options1.74.0 libcap2 libfmt9 libseccomp2 libspdlog1.10 libyaml-cpp0.7 netcat-openbsd procps'
machine="$every dbus logrotate systemd systemd-sysv update-inetd"

test_of 'lintian, blhc, hardening-check, sizes, units' "$here/static.sh" "$out"
test_of 'the life of the package' in_base "$roots/base" "$machine" \
  "$here/inside.sh" chroot "$roots/base" "$here/life.sh" "$here/common.sh" "$out"/xsd_*.deb
test_of 'under systemd' in_base "$roots/base" "$machine" \
  "$here/inside.sh" boot "$roots/base" "$here/booted.sh" "$here/common.sh" "$out"/xsd_*.deb "$out"/xsd-inetd_*.deb
test_of 'in a container' in_base "$roots/base-container" "$every systemd-standalone-sysusers" \
  "$here/inside.sh" chroot "$roots/base-container" "$here/container.sh" "$here/common.sh" "$here/../container/Dockerfile" "$out"/xsd_*.deb
test_of 'debian/tests' in_base "$roots/base-tests" "$machine cmake g++ make pkg-config xinetd" \
  "$here/inside.sh" chroot "$roots/base-tests" "$here/autopkgtest.sh" "$here/common.sh" "$here/../debian/tests" "$out"/xsd_*.deb "$out"/xsd-dev_*.deb

skips=$(wc -l <"$work/skipped")
echo "== $faults failed, $skips skipped"
sed 's/^/skipped: /' "$work/skipped"
if [ "${XSD_DEB_MUST-}" = 1 ]; then faults=$((faults + skips)); fi
exit "$((faults > 0))"
