# SPDX-License-Identifier: Apache-2.0
# For the scripts that run inside (inside.sh).
LOG=/var/log/xsd/test.log

fail() {
  echo "FAILED: $*"
  if [ -e "$LOG" ]; then tail -n 30 "$LOG"; fi
  exit 1
}
step() {
  printf '  %s\n' "$*"
}
# within_10s COMMAND...: tries until it succeeds.
within_10s() {
  limit=$(($(date +%s) + 10))
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$limit" ] || return 1
  done
}
# echoes PORT
echoes() {
  [ "$(echo hello | nc -N -w 5 127.0.0.1 "$1")" = hello ]
}
is_closed() {
  ! nc -z 127.0.0.1 "$1"
}
# listens PORT: without a connection.
listens() {
  ss -Hltn "sport = :$1" | grep -q .
}
# service NAME PORT: an echo of that name.
service() {
  printf 'service: %s\nplugin: echo\nlisten: ["tcp://127.0.0.1:%s"]\n' "$1" "$2"
}
# package NAME FOLDER: a package of what is in the folder.
package() {
  mkdir -p "$2/DEBIAN"
  printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: a test <test@localhost>\nDescription: of a test\n' "$1" >"$2/DEBIAN/control"
  dpkg-deb --root-owner-group --build "$2" "/material/$1.deb" >/dev/null
}
# next_version DEB RESULT: the same with a version that is one higher, and another text in one conffile.
next_version() {
  rm -rf /material/next
  dpkg-deb -R "$1" /material/next
  sed -i 's/^Version: .*/&+1/' /material/next/DEBIAN/control
  echo '# next' >>/material/next/etc/xsd/conf.d/time.yaml
  echo '# next' >>/material/next/etc/xsd/conf.d/echo.yaml
  (cd /material/next && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
  dpkg-deb --root-owner-group --build /material/next "$2" >/dev/null
}
# tree: all that is on the disk, but for what dpkg and apt write for themselves. The user stays, as Debian has it.
tree() {
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /material -o -path /var/lib/dpkg -o -path /var/log \
    -o -path /var/cache -o -path /run/systemd -o -path /var/lib/systemd/timers -o -path '/run/*' -type s \) -prune -o -printf '%p %y %m %U:%G %l\n' |
    grep -v -E '^/(etc/(passwd|group|shadow|gshadow)-?|etc/\.pwd\.lock|run|run/lock|etc) ' | sort
  find /var/log /var/lib/dpkg/info /run/xsd /var/lib/systemd/deb-systemd-helper-enabled /etc/systemd 2>/dev/null |
    grep -v -E '^/var/log/(dpkg|alternatives|journal|apt|wtmp|lastlog|btmp)' | sort
  find /etc -xdev -type f ! -name 'passwd*' ! -name 'group*' ! -name 'shadow*' ! -name 'gshadow*' ! -name machine-id -exec sha256sum {} + | sort -k 2
  grep -h -v '^xsd:' /etc/passwd /etc/group
  dpkg-query -W
  cat /var/lib/dpkg/triggers/File
}
