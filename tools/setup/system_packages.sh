#!/usr/bin/env bash
# system_packages.sh SET... : see that the Debian packages of the sets (run, test, lint, clang) are there: installs what is missing
# when it may (root, or sudo without a password), else prints the one command to run and fails.
set -euo pipefail
# shellcheck source=tools/setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

packages_of() {
  case $1 in
    run) echo "ca-certificates ccache g++ libcli11-dev libexpat1-dev libffi-dev libfmt-dev libprotobuf-dev libssl-dev libtomlplusplus-dev
      nlohmann-json3-dev pkg-config protobuf-compiler python3 python3-venv zlib1g-dev" ;;
    test) echo "libbenchmark-dev libgmock-dev libgtest-dev python3-dev" ;;
    lint) echo "git shellcheck" ;;
    clang) echo "clang-19 libclang-rt-19-dev" ;;
    *) die "'$1' is not a set; there are run, test, lint and clang" ;;
  esac
}

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

wanted=()
for set in "$@"; do
  names=$(packages_of "$set")
  read -r -d '' -a packages <<<"$names" || true
  wanted+=("${packages[@]}")
  # npm is only needed to fetch the engine headers, once; any npm will do.
  if [[ $set == run ]] && ! command -v npm >/dev/null && ! compgen -G "$AXLE_DEV_CACHE/onnxruntime-headers-*/.complete" >/dev/null; then
    wanted+=(npm)
  fi
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "this system has no apt; axle needs what Debian calls: ${wanted[*]}"
  exit 0
fi
missing=()
for package in "${wanted[@]}"; do
  is_installed "$package" || missing+=("$package")
done
# What looks at HTML pages in the tests. They are skipped, visibly, without it: not having it is no reason to fail.
has_browser() {
  local name
  for name in chromium chromium-browser chromium-headless-shell google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then return 0; fi
  done
  return 1
}
browser=()
if [[ " $* " == *" test "* ]] && ! has_browser; then browser=(chromium-headless-shell); fi
((${#missing[@]} + ${#browser[@]})) || exit 0

if ((EUID == 0)); then
  as_root=()
elif sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
elif ((${#missing[@]} == 0)); then
  say "no browser: the tests of HTML pages will be skipped; install one with sudo apt-get install -y --no-install-recommends ${browser[*]}"
  exit 0
else
  die "system packages are missing; install them with
  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}
and run this again"
fi
apt_get() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"; }
if ((${#missing[@]})); then
  say "system packages to install: ${missing[*]}"
  run_logged "system packages: update the lists" apt_get update
  run_logged "system packages: install" apt_get install -y --no-install-recommends "${missing[@]}"
fi
if ((${#browser[@]})); then
  say "a browser to install: ${browser[*]}"
  { apt_get update && apt_get install -y --no-install-recommends "${browser[@]}"; } >/dev/null 2>&1 ||
    say "no browser could be installed: the tests of HTML pages will be skipped"
fi
