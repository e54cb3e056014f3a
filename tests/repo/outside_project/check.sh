#!/usr/bin/env bash
# check.sh BUILD CMAKE : install the build into a new folder, move it, and build and run an outside project, an outside engine plugin
# and programs found through pkg-config against it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1 cmake=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build" --prefix "$work/first" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
# What was installed must not depend on where.
mv "$work/first" "$work/axle"
prefix=$work/axle

"$cmake" -S "$here" -B "$work/outside" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" || { cat "$work/log"; exit 1; }
"$cmake" --build "$work/outside"
"$work/outside/outside" "$work/plugin/lib/axle/engines"
mkdir "$work/vmm"
"$work/outside/outside_vmm" "$work/vmm"

mkdir "$work/rm" "$work/rm_by_pkg_config"
kit=$build/lib/axle/testing/fakenpu
vendor=()
if [[ -x $kit/bin/fakenpu-compile ]]; then vendor=("$kit"); else echo "the FAKE vendor is not built (target axle_fakenpu): nothing is compiled"; fi
"$work/outside/outside_rm" "$work/rm" "${vendor[@]}"

"$cmake" -S "$here/../../../examples/ai_vmm" -B "$work/example" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" || { cat "$work/log"; exit 1; }
"$cmake" --build "$work/example"
AXLE_CACHE_DIR=$work/vmm/cache "$work/example/deploy" "$work/vmm/relu.onnx"

"$cmake" -S "$here/../../../engines/null" -B "$work/plugin" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" || { cat "$work/log"; exit 1; }
"$cmake" --build "$work/plugin"
find "$work/plugin" -name 'libaxle_engine_null.so' | grep -q .

pc=$(find "$prefix" -name pkgconfig -type d)
export PKG_CONFIG_PATH=$pc
read -r -a flags <<<"$(pkg-config --cflags --libs axle)"
c++ -std=c++20 "$here/main.cc" "${flags[@]}" -o "$work/by_pkg_config"
LD_LIBRARY_PATH=$(dirname "$pc") "$work/by_pkg_config"
read -r -a flags <<<"$(pkg-config --cflags --libs axle_rm_abstract)"
c++ -std=c++20 "$here/rm.cc" "${flags[@]}" -o "$work/rm_by_pkg_config/rm"
LD_LIBRARY_PATH=$(dirname "$pc") "$work/rm_by_pkg_config/rm" "$work/rm_by_pkg_config" "${vendor[@]}"

"$prefix/bin/axle" version
[[ -s $prefix/share/man/man1/axle.1 ]] || { echo "no manual page was installed"; exit 1; }
