# shellcheck shell=bash
# Shared by the set-up scripts: where things are cached, how a cached thing is keyed and made. Sourced, not run.
# shellcheck disable=SC2034
AXLE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
AXLE_DEV_CACHE=${AXLE_DEV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/axle-dev}

say() { printf '[axle] %s\n' "$*" >&2; }
die() { printf '[axle] error: %s\n' "$*" >&2; exit 1; }

# key WORD_OR_FILE... : 16 hex digits over the contents of the files and over the words themselves.
key() {
  local item
  for item in "$@"; do
    if [[ -f $item ]]; then cat "$item"; else printf '%s\n' "$item"; fi
  done | sha256sum | cut -c1-16
}

# progress WHAT LOG : print every 10 s how long WHAT has taken and ninja's last counter in LOG; runs until killed.
progress() {
  local start=$SECONDS
  while sleep 10; do
    say "  $1: $((SECONDS - start)) s$(grep -aoE '\[[0-9]+/[0-9]+\]' "$2" | tail -n 1 | sed 's/^/ /')"
  done
}

# run_logged WHAT COMMAND... : run with a sign of life every 10 s; the output is shown only when the command fails.
run_logged() {
  local what=$1 log ticker start=$SECONDS rc=0
  shift
  log=$(mktemp)
  say "$what ..."
  progress "$what" "$log" &
  ticker=$!
  "$@" >"$log" 2>&1 || rc=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  if ((rc != 0)); then
    tail -n 60 "$log" >&2
    say "$what failed (exit $rc)"
  else
    say "$what: done in $((SECONDS - start)) s"
  fi
  rm -f "$log"
  return "$rc"
}

# make_once DIR COMMAND... : unless DIR is complete, run COMMAND with a new folder as its last argument and rename that to DIR.
# One process makes it while others wait; an interrupted attempt leaves nothing that looks finished.
make_once() {
  local dir=$1
  shift
  [[ -e $dir/.complete ]] && return 0
  mkdir -p "$AXLE_DEV_CACHE"
  (
    flock 9
    [[ -e $dir/.complete ]] && exit 0
    rm -rf "$dir"
    making=$(mktemp -d "$dir.XXXXXX")
    trap 'rm -rf "$making"' EXIT
    chmod 755 "$making"
    "$@" "$making" || exit 1
    touch "$making/.complete"
    mv "$making" "$dir"
  ) 9>"$dir.lock"
}
