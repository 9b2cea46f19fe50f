# SPDX-License-Identifier: Apache-2.0
# What the tiers of CI share: read by them, from the root of the source.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

step() {
  local name=$1 begin=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@"
  printf '== %s: %d s\n' "$name" $((SECONDS - begin))
}
