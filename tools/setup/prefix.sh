#!/usr/bin/env bash
# prefix.sh VENV : one prefix (include/, lib/) over the onnx C++ library and the engines' headers, for -DAXLE_DEPS_PREFIX; prints it.
set -euo pipefail
# shellcheck source=tools/setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [[ ${1:-} == --into ]]; then
  onnx=$2 headers=$3 venv=$4 into=$5
  openvino=$(echo "$venv"/lib/python3*/site-packages/openvino)
  mkdir "$into/include"
  ln -s "$onnx/include/onnx" "$into/include/onnx"
  ln -s "$headers/onnxruntime" "$into/include/onnxruntime"
  ln -s "$openvino/include/openvino" "$into/include/openvino"
  ln -s "$onnx/lib" "$into/lib"
  ln -s "$openvino" "$into/openvino"
  ln -s "$venv" "$into/venv"
  exit
fi
venv=$1
headers=$("$AXLE_ROOT/tools/setup/onnxruntime_headers.sh")
onnx=$("$AXLE_ROOT/tools/setup/onnx_library.sh" "$venv")
dir=$AXLE_DEV_CACHE/prefix-$(key "${BASH_SOURCE[0]}" "$onnx" "$headers" "$venv")
make_once "$dir" "${BASH_SOURCE[0]}" --into "$onnx" "$headers" "$venv"
echo "$dir"
