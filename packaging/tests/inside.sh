#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# inside.sh chroot|boot BASE SCRIPT FILE...: runs SCRIPT in a copy of BASE, with the files in /material there, and a network and processes
# of its own: under chroot, or as a service of a systemd that is booted for it (systemd-nspawn). Its exit status is the script's; 77 where
# systemd does not boot. XSD_DEB_SECONDS: how long all of it may take under systemd.
set -eu
way=$1
base=$2
script=$3
shift 3
limit=${XSD_DEB_SECONDS:-300}
root=$(mktemp -d "$(dirname "$base")/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
cp -a --reflink=auto "$base/." "$root"
mkdir "$root/material"
cp -R "$script" "$@" "$root/material"
name=$(basename "$script")

case $way in
  chroot)
    # shellcheck disable=SC2016 # of the inner shell
    unshare --net --pid --mount --fork --kill-child sh -euc '
      ip link set lo up
      mount -t proc proc "$1/proc"
      exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive sh -eu "/material/$2"
    ' - "$root" "$name" && status=0 || status=$?
    ;;
  boot)
    cat >"$root/etc/systemd/system/material.service" <<UNIT
[Unit]
After=multi-user.target
[Service]
Type=oneshot
Environment=HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
ExecStart=/bin/sh -c 'sh -eu /material/$name >/material/output 2>&1; echo \$? >/material/status; systemctl --no-block poweroff'
[Install]
WantedBy=default.target
UNIT
    mkdir -p "$root/etc/systemd/system/default.target.wants"
    ln -s ../material.service "$root/etc/systemd/system/default.target.wants/"
    timeout --kill-after=30 "$limit" systemd-nspawn --quiet --register=no --keep-unit --boot --directory "$root" --private-network \
      --console=pipe </dev/null >"$root/material/console" 2>&1 || true
    if [ ! -e "$root/material/output" ]; then
      tail -n 20 "$root/material/console"
      echo 'skipped: systemd does not boot in a container here'
      exit 77
    fi
    cat "$root/material/output"
    if [ ! -e "$root/material/status" ]; then
      tail -n 20 "$root/material/console"
      echo "FAILED: no end of $name within $limit s"
      exit 1
    fi
    status=$(cat "$root/material/status")
    ;;
esac
exit "$status"
