#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh OUT ROOTS: all tests of the packages in OUT (build-deb.sh); the small systems to test them in are kept in ROOTS. What cannot be
# had here is skipped, and why is said.
set -eu
out=$1
roots=$2
here=$(cd "$(dirname "$0")" && pwd)
faults=0

# test NAME COMMAND...
test_of() {
  name=$1
  shift
  echo "== $name"
  "$@" && status=0 || status=$?
  [ "$status" = 0 ] || [ "$status" = 77 ] || { echo "== $name: FAILED"; faults=$((faults + 1)); }
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

test_of 'lintian, blhc, hardening-check, sizes, units' "$here/static.sh" "$out"
test_of 'the life of the package' in_base "$roots/base" '' \
  "$here/inside.sh" chroot "$roots/base" "$here/life.sh" "$here/common.sh" "$out"/xsd_*.deb
test_of 'under systemd' in_base "$roots/base" '' \
  "$here/inside.sh" boot "$roots/base" "$here/booted.sh" "$here/common.sh" "$out"/xsd_*.deb "$out"/xsd-inetd_*.deb
test_of 'debian/tests' in_base "$roots/base-tests" 'cmake g++ make pkg-config xinetd' \
  "$here/inside.sh" chroot "$roots/base-tests" "$here/autopkgtest.sh" "$here/common.sh" "$here/../debian/tests" "$out"/xsd_*.deb "$out"/xsd-dev_*.deb
exit "$((faults > 0))"
