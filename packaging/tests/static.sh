#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# static.sh OUT: what can be said of the packages in OUT (build-deb.sh) and of the units without installing them.
set -euo pipefail
out=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0

fault() {
  echo "FAILED: $*"
  faults=$((faults + 1))
}
# have TOOL: or say that it is skipped.
have() {
  command -v "$1" >/dev/null || { echo "skipped: no $1"; return 1; }
}

if have lintian; then
  echo "lintian: errors and warnings are faults, the rest is shown"
  lintian --allow-root --fail-on error,warning --pedantic --display-info --tag-display-limit 0 "$out"/*.changes || fault lintian
fi
if have blhc; then
  blhc --all "$out/build.log" >"$work/blhc" || true
  echo "blhc: $(wc -l <"$work/blhc") lines"
  [ ! -s "$work/blhc" ] || { cat "$work/blhc"; fault blhc; }
fi

dpkg-deb -x "$out"/xsd_*.deb "$work/xsd"
# hardened OPTION FILE...
hardened() {
  hardening-check "$@" >"$work/hardening" || fault hardening-check
  sed "s|$work/xsd||" "$work/hardening"
}
if have hardening-check; then
  plugins=$(echo "$work"/xsd/usr/lib/*/xsd/plugins)
  # Debian 12's own start files have no marks of control flow integrity, so that nothing linked with them has. For
  # httpd.so the compiler can tell of each length that it fits, or of none, which looks as if nobody had asked it to.
  hardened --nocfprotection "$work/xsd/usr/sbin/xsd" "$plugins/chat.so" "$plugins/logd.so"
  hardened --nocfprotection --nofortify "$plugins/httpd.so"
fi

bytes=$(find "$work/xsd" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
echo "our own files: $((bytes / 1024)) KiB"
[ "$bytes" -le $((6 * 1024 * 1024)) ] || fault 'our own files are more than 6 MiB'
# Those that apt itself needs are on every Debian.
dpkg-deb -f "$out"/xsd_*.deb Depends | tr ',' '\n' | awk '{ print $1 }' | grep -v -x -E 'systemd|libc6|libgcc-s1|libseccomp2|libstdc\+\+6' |
  while read -r name; do
    provider=$(apt-cache showpkg "$name" 2>/dev/null | awk 'found { print $1; exit } /^Reverse Provides:/ { found = 1 }')
    apt-cache show --no-all-versions "${provider:-$name}" 2>/dev/null | awk '/^Package:/ { name = $2 } /^Installed-Size:/ { print "  needs " name ", " $2 " KiB" }'
  done

# check_score UNIT LIMIT: of systemd-analyze, times ten.
check_score() {
  local is
  is=$(systemd-analyze security --offline=yes --no-pager --threshold=100 "$1" 2>/dev/null |
    sed -n 's/.*exposure level for [^:]*: \([0-9]*\)\.\([0-9]\).*/\1\2/p')
  echo "systemd-analyze security, $(basename "$1"): ${is%?}.${is: -1}"
  [ "$is" -le "$2" ] || fault "$(basename "$1") is less strict than it was"
}
if have systemd-analyze; then
  if systemd-analyze security --help | grep -q -e --offline; then
    check_score "$work/xsd/lib/systemd/system/xsd.service" 30
    check_score "$work/xsd/lib/systemd/system/xsd@.service" 18
  else
    echo 'skipped: systemd-analyze cannot judge units that are not installed'
  fi
fi
exit "$((faults > 0))"
