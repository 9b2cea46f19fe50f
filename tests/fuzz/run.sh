#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD SECONDS JOBS [NAME...]: each fuzz target of the build folder, or those named, for so long, JOBS at once.
# New inputs stay in BUILD/fuzz/corpus, where the next run goes on from; what one finds lies in BUILD/fuzz/found.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "$1" != --one ]; then
  build=$1 seconds=$2 jobs=$3
  shift 3
  [ $# -gt 0 ] || set -- $(ls "$here/corpus")
  mkdir -p "$build/fuzz/found" "$build/fuzz/log"
  printf '%s\n' "$@" | xargs -P "$jobs" -n 1 "$here/run.sh" --one "$build" "$seconds" && exit
  echo "fuzz: what was found lies in $build/fuzz/found; BUILD/tests/fuzz/fuzz_NAME INPUT repeats it"
  exit 1
fi

build=$2 seconds=$3 name=$4
log=$build/fuzz/log/$name
mkdir -p "$build/fuzz/corpus/$name"
status=0
# A single input may take five seconds, no more; nor may it ask for 64 MiB at once.
UBSAN_OPTIONS=print_stacktrace=1 "$build/tests/fuzz/fuzz_$name" \
  -max_total_time="$seconds" -max_len=4096 -timeout=5 -rss_limit_mb=2048 -malloc_limit_mb=64 -print_final_stats=1 \
  -artifact_prefix="$build/fuzz/found/$name-" "$build/fuzz/corpus/$name" "$here/corpus/$name" >"$log" 2>&1 || status=$?
if [ "$status" -ne 0 ]; then
  echo "fuzz: $name: FAILED ($status); the end of $log:"
  tail -n 40 "$log"
  exit 1
fi
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
covered=$(sed -n 's/.* \(cov: [0-9]* ft: [0-9]* corp: [0-9]*\).*/\1/p' "$log" | tail -n 1)
echo "fuzz: $name: $runs runs, $covered"
