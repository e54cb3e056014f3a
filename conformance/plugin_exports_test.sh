#!/usr/bin/env bash
# Every plugin in FOLDER exports axle_engine_query and nothing else, and needs nothing of libaxle.
# usage: plugin_exports_test.sh FOLDER
set -euo pipefail
found=0
for plugin in "$1"/libaxle_engine_*.so; do
  [ -e "$plugin" ] || continue
  found=1
  exported=$(nm -D --defined-only --format=posix "$plugin" | awk '{ print $1 }' | sort | tr '\n' ' ')
  if [ "$exported" != "axle_engine_query " ]; then
    echo "$plugin exports: $exported" >&2
    exit 1
  fi
  if readelf -d "$plugin" | grep -q 'NEEDED.*libaxle'; then
    echo "$plugin links libaxle" >&2
    exit 1
  fi
done
[ "$found" = 1 ] || { echo "no plugin in $1" >&2; exit 1; }
