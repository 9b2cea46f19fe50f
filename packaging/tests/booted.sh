# SPDX-License-Identifier: Apache-2.0
# Inside a systemd that was booted for it: the units, and what an upgrade does to clients and programs.
. /material/common.sh
LOG=/none
xsd=$(echo /material/xsd_*.deb)
inetd=$(echo /material/xsd-inetd_*.deb)
next_version "$xsd" /material/next.deb

main_pid() {
  systemctl show --property MainPID --value "$1"
}
installs() {
  dpkg -i --force-confdef --force-confold "$@" >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
}
# says UNIT PATTERN: an extended regular expression.
says() {
  journalctl --sync
  journalctl --no-pager --unit "$1" | grep -q -E -e "$2"
}
tree >/material/before

# answers_after COMMAND...: milliseconds from a command that installs it to the answer of echo.
answers_after() {
  begin=$(date +%s%N)
  "$@" >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
  within_10s echoes 7 || fail "echo does not answer: $(journalctl --no-pager --unit xsd)"
  took=$((($(date +%s%N) - begin) / 1000000))
}
step 'from the install to an answer of echo'
answers_after apt-get install --yes --no-install-recommends "$xsd"
step "... $took ms, with what apt has to read before"
dpkg --purge xsd >/dev/null 2>&1
answers_after dpkg -i "$xsd"
step "... $took ms"
[ "$took" -le 2000 ] || fail "$took ms"
says xsd 'warning|error' && fail "something is wrong with a fresh install: $(journalctl --no-pager --unit xsd)"
[ "$(systemctl is-enabled xsd)" = enabled ] || fail 'it is not enabled'
[ -d /run/xsd ] || fail '/run/xsd'
[ "$(stat -c %U:%G /var/log/xsd/collected)" = xsd:adm ] || fail '/var/log/xsd/collected'

step 'an upgrade keeps waiting clients, and programs that are to be left'
cat >/etc/xsd/conf.d/own.yaml <<'YAML'
services:
  - {service: leave, listen: ["tcp://127.0.0.1:1001"], server: /bin/cat, user: nobody, on_stop: leave}
  - {service: end, listen: ["tcp://127.0.0.1:1002"], server: /bin/cat, user: nobody}
  - {service: free, listen: ["tcp://127.0.0.1:1004"], server: /bin/sh, user: root, no_new_privs: false, stderr: socket,
     server_args: [-c, "grep NoNewPrivs /proc/self/status; touch /usr/own && rm /usr/own && echo written; ls /proc/1/fd && echo seen"]}
  - {service: capabilities, listen: ["tcp://127.0.0.1:1003"], server: /bin/cat, server_args: [/proc/self/status], user: nobody}
YAML
systemctl reload xsd
within_10s echoes 1001 || fail 'own services'
mkfifo /material/in
nc -N 127.0.0.1 1001 </material/in >/material/left &
exec 8>/material/in
echo before >&8
within_10s grep -q before /material/left || fail 'cat'
nc 127.0.0.1 1002 </dev/zero >/dev/null &
ended=$!
old=$(main_pid xsd)
# Whoever comes meanwhile waits.
(until [ -e /material/upgraded ]; do echoes 7 || echo refused; done >/material/refused) &
clients=$!
installs /material/next.deb
[ "$(main_pid xsd)" != "$old" ] || fail 'an upgrade does not restart it'
touch /material/upgraded
wait "$clients"
[ ! -s /material/refused ] || fail 'clients are refused during an upgrade'
echoes 7 || fail 'echo after an upgrade'
[ "$(systemctl show --property NFileDescriptorStore --value xsd)" -ge 6 ] || fail 'no sockets are kept'
echo after >&8
within_10s grep -q after /material/left || fail 'a program with on_stop: leave was ended'
exec 8>&-
wait "$ended" || true
inode() {
  ss -Hltne "sport = :7" 2>/dev/null | grep -o 'ino:[0-9]*'
}
before=$(inode)
systemctl restart xsd
[ "$(inode)" = "$before" ] || fail "another socket after a restart: $before $(inode)"

step 'it is started again when it dies, and with a broken main file it stays away'
old=$(main_pid xsd)
kill -KILL "$old"
within_10s echoes 7 || fail 'after KILL'
new() {
  [ "$(main_pid xsd)" != "$old" ] && [ "$(main_pid xsd)" != 0 ]
}
within_10s new || fail 'it is not started again'
[ "$(inode)" = "$before" ] || fail 'another socket after KILL'
cp /etc/xsd/xsd.yaml /material/
echo 'nonsense: 1' >>/etc/xsd/xsd.yaml
systemctl restart xsd 2>/dev/null && fail 'it runs with a broken main file'
[ "$(systemctl show --property NRestarts --value xsd)" -lt 3 ] || fail 'it is restarted with a broken main file'
cp /material/xsd.yaml /etc/xsd/
systemctl start xsd

step 'files of other packages: one reload'
mkdir -p /material/good/usr/share/xsd/conf.d /material/bad/usr/share/xsd/conf.d
service good 2007 >/material/good/usr/share/xsd/conf.d/good.yaml
service bad 99999 >/material/bad/usr/share/xsd/conf.d/bad.yaml
package good /material/good
package bad /material/bad
reloads() {
  journalctl --sync
  journalctl --no-pager --unit xsd | grep -c 'info: reload: '
}
# The line comes after what it tells of.
reloads_are() {
  [ "$(reloads)" = "$1" ]
}
count=$(reloads)
installs /material/good.deb /material/bad.deb
within_10s echoes 2007 || fail 'the file of another package is not taken over'
echoes 7 || fail 'a broken file stops others'
within_10s reloads_are $((count + 1)) || fail "$(reloads) reloads, and there were $count"
dpkg --purge good bad >/dev/null

step 'the unprivileged unit'
mkdir -p /etc/xsd/low
cat >/etc/xsd/low/xsd.yaml <<'YAML'
services:
  - {service: echo, plugin: echo, listen: ["tcp://127.0.0.1:77"]}
  - {service: status, server: /bin/cat, server_args: [/proc/self/status], listen: ["tcp://127.0.0.1:78"]}
YAML
systemctl start xsd@low || fail "$(journalctl --no-pager --unit xsd@low)"
within_10s echoes 77 || fail "$(journalctl --no-pager --unit xsd@low)"
nc -N 127.0.0.1 78 </dev/null >/material/status.low
grep -q 'CapEff:.*0000000000000000' /material/status.low || fail "programs have capabilities: $(cat /material/status.low)"
says xsd@low warning && fail "$(journalctl --no-pager --unit xsd@low)"
systemctl reload xsd@low
systemctl restart xsd@low
within_10s echoes 77 || fail "$(journalctl --no-pager --unit xsd@low)"
old=$(main_pid xsd@low)
installs "$xsd"
[ "$(main_pid xsd@low)" != "$old" ] || fail 'an upgrade does not restart it'
within_10s echoes 77 || fail "$(journalctl --no-pager --unit xsd@low)"

step 'the drop-ins'
drop_in() {
  rm -rf /etc/systemd/system/xsd.service.d
  mkdir -p /etc/systemd/system/xsd.service.d
  [ $# = 0 ] || cp "/usr/share/doc/xsd/examples/systemd/$1" /etc/systemd/system/xsd.service.d/
  systemctl daemon-reload
  systemctl restart xsd || fail "$(journalctl --no-pager --unit xsd)"
  within_10s echoes 7 || fail "echo, with $*"
  within_10s echoes 1002 || fail "a program, with $*"
}
free() {
  nc -N -w 5 127.0.0.1 1004 </dev/null
}
says xsd 'no_new_privs: false has no effect.*: free$' || fail 'it does not say that programs gain nothing'
free | grep -q -E 'NoNewPrivs:.*1' || fail "$(free)"
free | grep -q -E 'written|seen' && fail "$(free)"
drop_in relaxed.conf
free | grep -q -E 'NoNewPrivs:.*0' || fail "relaxed: $(free)"
free | grep -q written || fail "relaxed: $(free)"
free | grep -q seen || fail "relaxed: $(free)"
cat >/etc/xsd/conf.d/container.yaml <<'YAML'
service: container
listen: ["tcp://127.0.0.1:1005"]
server: /usr/bin/unshare
server_args: [--mount, --uts, --pid, --fork, --mount-proc, sh, -c, "hostname inside && hostname"]
user: root
YAML
drop_in containers.conf
within_10s [ "$(nc -N -w 5 127.0.0.1 1005 </dev/null)" = inside ] || fail "containers: $(journalctl --no-pager --unit xsd | tail)"
rm /etc/xsd/conf.d/container.yaml
drop_in
rm -r /etc/systemd/system/xsd.service.d
systemctl daemon-reload

step 'a port that somebody else has'
systemd-run --quiet --unit holder nc -l -k 127.0.0.1 1006
held() {
  nc -z 127.0.0.1 1006
}
within_10s held || fail 'nobody has the port'
service wants 1006 >/etc/xsd/conf.d/wants.yaml
systemctl reload xsd
within_10s says xsd 'wants.*holder.service' || fail "the one who has it is not named: $(journalctl --no-pager --unit xsd | tail)"
systemctl stop holder
within_10s echoes 1006 || fail 'it is not tried again'
rm /etc/xsd/conf.d/wants.yaml
systemctl reload xsd

step 'a socket unit'
cp /usr/share/doc/xsd/examples/systemd/xsd.socket /etc/systemd/system/
systemctl daemon-reload
systemctl stop xsd
systemctl start xsd.socket
before=$(inode)
systemctl --quiet is-active xsd && fail 'it runs before somebody comes'
echoes 7 || fail 'it is not started by who comes'
[ "$(inode)" = "$before" ] || fail 'it has bound a socket of its own'
[ "$(echo datagram | nc -u -W 1 -w 5 127.0.0.1 7)" = datagram ] || fail 'a datagram by the socket unit'
systemctl stop xsd.socket xsd
rm /etc/systemd/system/xsd.socket
systemctl daemon-reload
systemctl start xsd

step 'in the place of inetd'
echo '1011 stream tcp nowait nobody /bin/cat cat' >/etc/inetd.conf
installs "$inetd"
within_10s echoes 1011 || fail "$(journalctl --no-pager --unit xsd-inetd)"
echo '1012 stream tcp nowait nobody /bin/cat cat' >>/etc/inetd.conf
within_10s echoes 1012 || fail "a change is not taken over: $(journalctl --no-pager --unit xsd-inetd --unit xsd-inetd-reload)"
echoes 7 || fail 'the other daemon'
dpkg --purge xsd-inetd >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
is_closed 1011 || fail 'it runs on'
rm /etc/inetd.conf

step 'removed, it stops; purged, nothing is left'
dpkg --remove xsd >/dev/null 2>&1
is_closed 7 || fail 'it runs on'
is_closed 77 || fail 'the unprivileged one runs on'
installs "$xsd"
within_10s echoes 7 || fail 'after a reinstall'
dpkg --purge xsd >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
tree >/material/after
diff -U0 /material/before /material/after || fail 'purge leaves something'
