#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# base.sh FOLDER [PACKAGE...]: makes a small Debian 12 in FOLDER, with what xsd depends on and the tests use, and the packages; keeps
# one that is there. From where the machine has its own packages. Exit status 77: it cannot be had here.
set -eu
folder=$1
shift
[ ! -e "$folder/.complete" ] || exit 0
skip() {
  echo "skipped: $*"
  exit 77
}
[ "$(id -u)" = 0 ] || skip 'a root for the package needs root'
command -v debootstrap >/dev/null || skip 'no debootstrap'
# shellcheck disable=SC2016 # apt's own variables
from=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)/$(COMPONENT)' 'Created-By: Packages' | sed -n 's| bookworm/main$||p' | head -n 1)
[ -n "$from" ] || skip 'this machine has no packages of Debian 12'

rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
debootstrap --variant=minbase bookworm "$folder" "$from" >"$folder.log" 2>&1 || skip "debootstrap: see $folder.log"
printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
chmod 755 "$folder/usr/sbin/policy-rc.d"
chroot "$folder" env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -qq && apt-get install -qq --no-install-recommends "$@" && apt-get clean' - \
  dbus iproute2 logrotate netcat-openbsd procps systemd systemd-sysv \
  libboost-program-options1.74.0 libcap2 libfmt9 libseccomp2 libspdlog1.10 libyaml-cpp0.7 "$@" >>"$folder.log" 2>&1 || skip "apt: see $folder.log"
rm "$folder/usr/sbin/policy-rc.d"
touch "$folder/.complete"
