#!/bin/sh
# SPDX-License-Identifier: MIT
# archive.sh OUT OBJCOPY AR PART.a... -- CC...: one static library of several, that shows what is public only.
set -eu
out=$1 objcopy=$2 ar=$3
shift 3
parts=
while [ "$1" != -- ]; do
  parts="$parts $1"
  shift
done
shift
rm -f "$out"
# shellcheck disable=SC2086  # a list of words
"$@" -r -nostdlib -o "$out.o" -Wl,--whole-archive $parts -Wl,--no-whole-archive
"$objcopy" --localize-hidden "$out.o"
"$ar" rcsD "$out" "$out.o"
rm "$out.o"
