#!/usr/bin/env bash
# onnx_library.sh VENV : the onnx C++ library (static, position independent, hidden symbols) against the system's protobuf;
# prints its prefix. VENV holds the run set: cmake, ninja and what pip needs to check the source package.
set -euo pipefail
# shellcheck source=tools/setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
venv=$1
lock=$AXLE_ROOT/requirements/onnx-source.txt

build() {
  local prefix=$2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  export PATH=$venv/bin:$PATH CCACHE_BASEDIR=$work CCACHE_NOHASHDIR=1
  run_logged "onnx: source package" "$venv/bin/python" -m pip download --disable-pip-version-check --no-input --no-deps \
    --no-binary onnx --no-build-isolation --require-hashes -r "$lock" -d "$work"
  tar -xzf "$work"/onnx-*.tar.gz -C "$work" --no-same-owner
  local launcher=()
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  run_logged "onnx: configure" cmake -G Ninja -S "$work"/onnx-*/ -B "$work/build" "${launcher[@]}" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
    -DCMAKE_CXX_FLAGS="-fvisibility=hidden -fvisibility-inlines-hidden" \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_SHARED_LIBS=OFF -DONNX_ML=ON \
    -DONNX_BUILD_PYTHON=OFF -DONNX_BUILD_TESTS=OFF -DONNX_USE_PROTOBUF_SHARED_LIBS=ON
  run_logged "onnx: build" cmake --build "$work/build"
  run_logged "onnx: install" cmake --install "$work/build" --strip
  cp "$work"/onnx-*/LICENSE "$prefix/LICENSE.onnx"
}

if [[ ${2:-} == --into ]]; then
  build "$venv" "$3"
  exit
fi
prefix=$AXLE_DEV_CACHE/onnx-$(key "$lock" "${BASH_SOURCE[0]}" "$(protoc --version)" "$(c++ -dumpfullversion -dumpmachine)")
make_once "$prefix" "${BASH_SOURCE[0]}" "$venv" --into
echo "$prefix"
