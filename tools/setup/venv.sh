#!/usr/bin/env bash
# venv.sh SET... : the Python environment with the locked sets (run, test, lint) installed; prints its folder.
# An environment cannot be moved, so it is made in place; a set counts as installed only once its stamp is written.
set -euo pipefail
# shellcheck source=tools/setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The system's own interpreter first, so that the environment outlives any version manager; then what PATH offers.
find_python() {
  local candidate
  for candidate in "${AXLE_PYTHON:-}" /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
    [[ -n $candidate ]] || continue
    if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))'
      return
    fi
  done
  die "no Python 3.11 or newer with venv and ensurepip was found; install it (Debian: apt-get install python3-venv) or set AXLE_PYTHON"
}

install_set() {
  local set=$1 stamp=$venv/.installed-$1
  [[ -e $stamp ]] && return
  run_logged "Python packages: $set" "$venv/bin/python" -m pip install --disable-pip-version-check --no-input \
    --no-deps --only-binary :all: --require-hashes -r "$AXLE_ROOT/requirements/$set.txt"
  touch "$stamp"
}

python=$(find_python)
venv=$AXLE_DEV_CACHE/venv-$(key "$AXLE_ROOT"/requirements/{run,test,lint}.txt "$("$python" -VV)" "$python")
missing=()
for set in "$@"; do
  [[ -e $venv/.installed-$set ]] || missing+=("$set")
done
if ((${#missing[@]})); then
  mkdir -p "$AXLE_DEV_CACHE"
  exec 9>"$venv.lock"
  flock 9
  if [[ ! -e $venv/.created ]]; then
    rm -rf "$venv"
    run_logged "Python environment ($python)" "$python" -m venv "$venv"
    touch "$venv/.created"
  fi
  for set in "${missing[@]}"; do
    install_set "$set" 9>&-
  done
fi
echo "$venv"
