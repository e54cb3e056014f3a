#!/usr/bin/env bash
# onnxruntime_headers.sh : ONNX Runtime's C API headers, which its Python wheel lacks; prints the folder that holds onnxruntime/*.h.
# They come out of a pinned npm package; where npm cannot be had, out of a pinned Debian package (older API, same names).
set -euo pipefail
# shellcheck source=tools/setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

npm_package=com.github.asus4.onnxruntime@0.4.9
npm_sha256=e59788788818fdde1b2e522e766a21ba0f7d8391de55737abf81e32cc801785d
npm_headers=package/Plugins/iOS~/onnxruntime.xcframework/ios-arm64_x86_64-simulator/onnxruntime.framework/Headers
deb_path=pool/main/o/onnxruntime/libonnxruntime-dev_1.21.0+dfsg-1_amd64.deb
deb_sha256=14f7d959d5deacbcf1504830d4189f91fc67382b399ed9ae9d3aa9c4050ced08

check_sha256() {
  local actual
  actual=$(sha256sum "$1" | cut -d' ' -f1)
  [[ $actual == "$2" ]] || die "$1 has SHA-256 $actual, expected $2: the download is damaged or was changed; try again, then report it"
}

fetch_npm() {
  command -v npm >/dev/null &&
    run_logged "ONNX Runtime headers: npm package (150 MB)" npm pack --silent --pack-destination "$work" "$npm_package"
}

# The mirror is the one that apt is set to use.
fetch_debian() {
  local mirror
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1)
  [[ -n $mirror ]] &&
    run_logged "ONNX Runtime headers: Debian package" /usr/lib/apt/apt-helper download-file "${mirror%/}/$deb_path" "$work/headers.deb"
}

make_headers() {
  local into=$1
  mkdir "$into/onnxruntime"
  if fetch_npm; then
    check_sha256 "$work"/*.tgz "$npm_sha256"
    tar -xzf "$work"/*.tgz -C "$work" --no-same-owner "$npm_headers" package/LICENSE
    cp "$work/$npm_headers"/*.h "$into/onnxruntime/"
    cp "$work/package/LICENSE" "$into/onnxruntime/LICENSE.txt"
  elif fetch_debian; then
    check_sha256 "$work/headers.deb" "$deb_sha256"
    dpkg-deb -x "$work/headers.deb" "$work/deb"
    cp "$work"/deb/usr/include/onnxruntime/*.h "$into/onnxruntime/"
    cp "$work"/deb/usr/share/doc/libonnxruntime-dev/copyright "$into/onnxruntime/LICENSE.txt"
  else
    die "ONNX Runtime's headers could not be fetched: install npm (Debian: apt-get install npm), check the network, and run this again"
  fi
}

if [[ ${1:-} == --into ]]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  make_headers "$2"
  exit
fi
dir=$AXLE_DEV_CACHE/onnxruntime-headers-$(key "${BASH_SOURCE[0]}")
make_once "$dir" "${BASH_SOURCE[0]}" --into
echo "$dir"
