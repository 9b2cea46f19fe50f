# SPDX-License-Identifier: Apache-2.0
# Inside, without systemd running: what autopkgtest would do with debian/tests.
. /material/common.sh
LOG=/none
sed -n 's/^Tests: *//p' /material/tests/control | tr -d ',' >/material/names
# shellcheck disable=SC2013 # words
for name in $(cat /material/names); do
  step "$name"
  AUTOPKGTEST_TMP=$(mktemp -d)
  export AUTOPKGTEST_TMP
  dpkg -i /material/*.deb >"$AUTOPKGTEST_TMP/dpkg.log" 2>&1 || fail "$(cat "$AUTOPKGTEST_TMP/dpkg.log")"
  "/material/tests/$name" >"$AUTOPKGTEST_TMP/output" 2>&1 || fail "$(cat "$AUTOPKGTEST_TMP/output")"
done
