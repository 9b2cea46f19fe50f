#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# base.sh FOLDER PACKAGE...: makes a small Debian 12 with these packages in FOLDER; keeps one that is there and has them. The smallest one, of
# which it is a copy, is kept beside it. From where the machine has its own packages. Exit status 77: it cannot be had here.
set -eu
folder=$1
shift
if [ -e "$folder/.complete" ] && [ "$(cat "$folder/.complete")" = "$*" ]; then exit 0; fi
skip() {
  echo "skipped: $*"
  exit 77
}
[ "$(id -u)" = 0 ] || skip 'a root for the package needs root'
command -v debootstrap >/dev/null || skip 'no debootstrap'
# shellcheck disable=SC2016 # apt's own variables
from=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)/$(COMPONENT)' 'Created-By: Packages' | sed -n 's| bookworm/main$||p' | head -n 1)
[ -n "$from" ] || skip 'this machine has no packages of Debian 12'

smallest=$(dirname "$folder")/smallest
if [ ! -e "$smallest/.complete" ]; then
  rm -rf "$smallest"
  mkdir -p "$(dirname "$folder")"
  debootstrap --variant=minbase bookworm "$smallest" "$from" >"$smallest.log" 2>&1 || skip "debootstrap: see $smallest.log"
  printf '#!/bin/sh\nexit 101\n' >"$smallest/usr/sbin/policy-rc.d"
  chmod 755 "$smallest/usr/sbin/policy-rc.d"
  touch "$smallest/.complete"
fi

rm -rf "$folder"
cp -a --reflink=auto "$smallest" "$folder"
rm "$folder/.complete"
chroot "$folder" env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -qq && apt-get install -qq --no-install-recommends "$@" && apt-get clean' - \
  "$@" >"$folder.log" 2>&1 || skip "apt: see $folder.log"
rm "$folder/usr/sbin/policy-rc.d"
echo "$*" >"$folder/.complete"
