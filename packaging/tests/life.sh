# SPDX-License-Identifier: Apache-2.0
# Inside, without systemd running: the life of the package, from the first install to the purge, and what other packages drop.
. /material/common.sh
xsd=$(echo /material/xsd_*.deb)
next_version "$xsd" /material/next.deb

start() {
  xsd -d --log-file "$LOG"
}
reloads() {
  grep -c 'info: reload: started [0-9]' "$LOG" || true
}
logged() {
  grep -q "$1" "$LOG"
}
# as_before: since the last `tree` nothing has changed.
as_before() {
  tree >/material/after
  diff -U0 /material/before /material/after || fail "$1 leaves something"
}

tree >/material/before
step 'installed; it answers'
begin=$(date +%s%N)
dpkg -i "$xsd" >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
start
within_10s echoes 7 || fail 'echo does not answer'
step "... after $((($(date +%s%N) - begin) / 1000000)) ms"
date | nc -N 127.0.0.1 9 || fail 'discard'
nc -N 127.0.0.1 13 </dev/null | grep -q "$(date +%Y)" || fail 'daytime'
ss -Hltn | grep -v 127.0.0.1 && fail 'a port is open to others'
xsd --check >/dev/null || fail "--check"
[ "$(ps -eo user=,args= | grep -c '^xsd .*xsd: [wl]')" = 2 ] || fail "roles run as: $(ps -eo user=,args=)"
logrotate --force --state /material/rotated /etc/logrotate.d/xsd || fail 'logrotate'
[ -e "$LOG.1" ] || fail 'logrotate does not rotate'
within_10s test -s "$LOG" || fail 'the log is not opened anew'

step 'logrotate wakes the daemon of xsd-inetd too, and nobody else'
rotated() {
  echo line >>"$LOG"
  logrotate --force --state /material/rotated /etc/logrotate.d/xsd >/material/logrotate.log 2>&1 ||
    fail "logrotate, $1: $(cat /material/logrotate.log)"
}
mv /run/xsd/xsd.pid /run/xsd/inetd.pid
rotated 'with the number of xsd-inetd'
within_10s logged 'reload: started [0-9]' || fail 'the daemon of xsd-inetd does not hear of it'
# HUP ends it.
nc -l 127.0.0.1 1099 &
bystander=$!
within_10s listens 1099 || fail 'nc'
echo "$bystander" >/run/xsd/xsd.pid
rotated "with somebody else's number"
kill -0 "$bystander" || fail 'logrotate wakes a bystander'
rm /run/xsd/xsd.pid
kill "$bystander"
wait "$bystander" 2>/dev/null || true
echo "$bystander" >/run/xsd/xsd.pid
rotated "with nobody's number"
mv /run/xsd/inetd.pid /run/xsd/xsd.pid

step 'installed again; upgraded; back; each twice'
echo '# mine' >>/etc/xsd/conf.d/echo.yaml
cp /etc/xsd/conf.d/echo.yaml /material/mine.yaml
service own 1007 >/etc/xsd/conf.d/own.yaml
for deb in "$xsd" "$xsd" /material/next.deb /material/next.deb "$xsd" "$xsd"; do
  dpkg -i --force-confdef --force-confold "$deb" >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
  cmp /etc/xsd/conf.d/echo.yaml /material/mine.yaml || fail 'a conffile is not kept'
  echoes 7 || fail 'a daemon that the package has not started is disturbed'
done
dpkg -i --force-confdef --force-confold /material/next.deb >/dev/null 2>&1
grep -q next /etc/xsd/conf.d/time.yaml || fail 'a conffile that nobody has touched is not replaced'

step 'files of other packages: one reload, a broken one harms nobody'
mkdir -p /material/good/usr/share/xsd/conf.d /material/bad/etc/xsd/conf.d
service good 2007 >/material/good/usr/share/xsd/conf.d/good.yaml
printf 'service: bad\nplugin: [\n' >/material/bad/etc/xsd/conf.d/bad.yaml
package good /material/good
package bad /material/bad
# The line comes after what it tells of.
reloads_are() {
  [ "$(reloads)" = "$1" ]
}
count=$(reloads)
dpkg -i /material/good.deb /material/bad.deb >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
within_10s echoes 2007 || fail 'the file of another package is not taken over'
echoes 7 || fail 'a broken file of another package stops others'
echoes 1007 || fail 'a broken file of another package stops others'
within_10s reloads_are $((count + 1)) || fail "$(reloads) reloads, and there were $count"
grep -q 'bad.yaml:.*error' "$LOG" || fail 'the broken file is not told of'
dpkg --purge good bad >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
within_10s is_closed 2007 || fail 'the file of another package is gone, its service is not'
within_10s reloads_are $((count + 2)) || fail "$(reloads) reloads, and there were $count"
[ ! -e /etc/xsd/conf.d/bad.yaml ] || fail 'bad.yaml'

step 'a policy that forbids it'
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
dpkg -i /material/good.deb >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
dpkg --purge good >/dev/null
[ "$(reloads)" = $((count + 2)) ] || fail 'it was reloaded all the same'
rm /usr/sbin/policy-rc.d

step 'stopped; removed; installed again; removed; purged, twice'
pid=$(cat /run/xsd/xsd.pid)
kill "$pid"
within_10s test ! -e "/proc/$pid" || fail 'it does not stop'
dpkg --remove xsd >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
[ -e /etc/xsd/xsd.yaml ] || fail 'remove takes the configuration'
dpkg -i --force-confdef --force-confold "$xsd" >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
start
echoes 1007 || fail 'own service after a reinstall'
kill "$(cat /run/xsd/xsd.pid)"
within_10s is_closed 7
dpkg --remove xsd >/dev/null 2>&1
dpkg --purge xsd >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
as_before purge

step "purged, with files of others there: odd names, empty folders, mounts, /etc/xsd a link"
purged() {
  dpkg --purge xsd >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
}
# What was there before is there after, and nothing else.
is_left() {
  (cd / && find "$1" -xdev | sort) >/material/is
  printf '%s\n' "$@" | sort | diff -U0 - /material/is || fail "what is left of $1"
}
mkdir -p /material/odd/etc/xsd/conf.d /material/odd/etc/xsd/empty /material/odd/var/log/xsd/odd /material/odd/DEBIAN
: >'/material/odd/etc/xsd/conf.d/a[b].yaml'
: >'/material/odd/etc/xsd/conf.d/with space.yaml'
: >'/material/odd/etc/xsd/conf.d/of, odd: file'
printf '%s\n' '/etc/xsd/conf.d/a[b].yaml' '/etc/xsd/conf.d/with space.yaml' >/material/odd/DEBIAN/conffiles
package odd /material/odd
dpkg -i "$xsd" /material/odd.deb >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
mkdir /etc/xsd/own
for own in '/etc/xsd/own/*' '/etc/xsd/conf.d/?[b].yaml' '/etc/xsd/conf.d/own
/etc/xsd/conf.d/a[b].yaml' /etc/xsd/conf.d/-own "/etc/xsd/conf.d/'own" /var/log/xsd/own.log; do
  mkdir -p "${own%/*}"
  echo own >"$own"
done
ln -s ../empty /etc/xsd/conf.d/link
purged
is_left /etc/xsd /etc/xsd/conf.d '/etc/xsd/conf.d/a[b].yaml' '/etc/xsd/conf.d/of, odd: file' '/etc/xsd/conf.d/with space.yaml' /etc/xsd/empty
is_left /var/log/xsd /var/log/xsd/odd
dpkg --remove odd >/dev/null
dpkg -i "$xsd" >/dev/null 2>&1
# Conffiles of a package that is removed are its own still.
purged
is_left /etc/xsd /etc/xsd/conf.d '/etc/xsd/conf.d/a[b].yaml' '/etc/xsd/conf.d/with space.yaml'
dpkg --purge odd >/dev/null
as_before 'that of others'

dpkg -i "$xsd" >/dev/null 2>&1
mkdir -p /material/elsewhere /etc/xsd/mounted /etc/xsd/bound
mount -t tmpfs none /etc/xsd/mounted
mount --bind /material/elsewhere /etc/xsd/bound
echo kept >/etc/xsd/mounted/kept
echo kept >/material/elsewhere/kept
purged
[ -e /etc/xsd/mounted/kept ] && [ -e /material/elsewhere/kept ] || fail 'purge crosses a mount'
umount /etc/xsd/mounted /etc/xsd/bound
rm -r /etc/xsd
as_before 'where something was mounted'

mkdir /material/linked
ln -s /material/linked /etc/xsd
dpkg -i "$xsd" >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
service own 1007 >/etc/xsd/conf.d/own.yaml
purged
[ -L /etc/xsd ] && [ -e /material/linked/conf.d/own.yaml ] || fail 'what is behind a link of the administrator is removed'
[ ! -e /material/linked/conf.d/echo.yaml ] || fail 'conffiles behind a link stay'
rm -r /etc/xsd /material/linked
as_before 'behind a link'

step 'purged, where the lists of dpkg cannot be had'
dpkg -i "$xsd" >/dev/null 2>&1
service own 1007 >/etc/xsd/conf.d/own.yaml
printf '#!/bin/sh\nexit 2\n' >/usr/local/bin/dpkg-query
chmod 755 /usr/local/bin/dpkg-query
PATH=/usr/local/bin:$PATH dpkg --purge xsd >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
[ -e /etc/xsd/conf.d/own.yaml ] || fail 'it is removed all the same'
rm -r /usr/local/bin/dpkg-query /etc/xsd /var/log/xsd /run/xsd
as_before 'a purge without the lists'

dpkg -i "$xsd" >/dev/null 2>&1
dpkg --purge xsd >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
as_before 'the second purge'
