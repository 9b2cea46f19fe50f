#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# no_libraries.sh FOLDER LIBRARY: files in FOLDER that are named like plugins and cannot be loaded.
set -eu
cd "$1"
: >empty.so
echo "This is a text." >text.so
head -c 1000 "$2" >truncated.so
# An ELF header for a processor of the other word size: byte 4 is the class, 1 or 2.
class=$(od -An -t u1 -j 4 -N 1 "$2")
{
  head -c 4 "$2"
  printf "\\00$((3 - class))"
  tail -c +6 "$2"
} >other_class.so
