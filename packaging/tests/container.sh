# SPDX-License-Identifier: Apache-2.0
# Inside a root without systemd: what the Dockerfile makes, started as it says, as process 1.
. /material/common.sh
LOG=/material/log
[ ! -e /bin/systemctl ] || fail 'this root has systemd'

step 'process 1 answers, and logs to standard output'
dpkg -i /material/xsd_*.deb >/material/dpkg.log 2>&1 || fail "$(cat /material/dpkg.log)"
sed -n 's/^ENTRYPOINT \[\(.*\)\]$/\1/p; s/^CMD \[\(.*\)\]$/\1/p' /material/Dockerfile | tr -d '",' | tr '\n' ' ' >/material/line
[ -s /material/line ] || fail 'no ENTRYPOINT'
service own 2007 >/etc/xsd/conf.d/own.yaml
# What docker gives a container as its output.
mkfifo /material/pipe
cat /material/pipe >"$LOG" &
# shellcheck disable=SC2046 # words
unshare --pid --fork --kill-child --mount-proc --propagation unchanged $(cat /material/line) >/material/pipe 2>&1 &
container=$!
within_10s echoes 7 || fail 'echo does not answer'
echoes 2007 || fail 'a service in conf.d does not answer'
within_10s test -s "$LOG" || fail 'nothing on standard output'

step 'TERM, as docker stop sends it, ends it with 0'
pid=$(pgrep --parent "$container")
[ "$(sed -n 's/^NSpid:.*\t//p' "/proc/$pid/status")" = 1 ] || fail 'it is not process 1'
kill "$pid"
wait "$container" && status=0 || status=$?
[ "$status" = 0 ] || fail "it ends with $status"
is_closed 7 || fail 'it runs on'
