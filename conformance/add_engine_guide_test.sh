#!/usr/bin/env bash
# Executes the commands of docs/guides/add-an-engine.md as they stand, in an empty folder.
# usage: add_engine_guide_test.sh CHECKOUT FOLDER_OF_AXLE_CONFORMANCE CMAKE
set -euo pipefail
export AXLE_ROOT=$1
cmake_folder=$(dirname "$3")
export PATH="$2:$cmake_folder:$PATH"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The ```sh blocks, one after the other.
awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$AXLE_ROOT/docs/guides/add-an-engine.md" > "$folder/guide.sh"
[ -s "$folder/guide.sh" ] || { echo "the guide holds no commands" >&2; exit 1; }
cd "$folder"
bash -euxo pipefail guide.sh
# Nothing of the skeleton's name may be left in the copy but the mention of what it was made from.
if grep -rn 'axle_engine(null\|NullEngine\|null_program' acme/*.cc acme/*.h acme/CMakeLists.txt; then
  echo "the guide leaves the skeleton's names behind" >&2
  exit 1
fi
