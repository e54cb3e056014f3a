#!/usr/bin/env bash
# lint.sh [--fix | --fast] : formatting, static analysis, spelling, layers, sizes; every check runs, then the verdict. --fast leaves
# clang-tidy out. Called by ./dev lint, which has configured and built what clang-tidy reads.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
fix=${1:-}
[[ -z $fix || $fix == --fix || $fix == --fast ]] || { echo "usage: ./dev lint [--fix | --fast]" >&2; exit 2; }
fast=''
if [[ $fix == --fast ]]; then fix='' fast=1; fi

files() { git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do [[ -e $file ]] && echo "$file"; done; }
mapfile -t cxx < <(files '*.h' '*.hpp' '*.c' '*.cc' '*.cpp')
mapfile -t shell < <(files dev .ci/run '*.sh')

clang_format() {
  local wrong
  if [[ $fix ]]; then
    clang-format -i "${cxx[@]}"
    return
  fi
  wrong=$(clang-format --dry-run --Werror "${cxx[@]}" 2>&1 | grep -E 'error:' | cut -d: -f1 | sort | uniq -c)
  [[ -z $wrong ]] || { echo "$wrong"; return 1; }
}
ruff_check() { if [[ $fix ]]; then ruff check --quiet --fix . && ruff format --quiet .; else ruff check . && ruff format --check .; fi; }

# A file over 400 lines says in its first lines why: "Long file: <reason>".
sizes() {
  local file bad=0
  while read -r file; do
    if (($(wc -l <"$file") > 400)) && ! head -n 5 "$file" | grep -q 'Long file:'; then
      echo "$file: $(wc -l <"$file") lines; split it by noun, or say why not in a comment 'Long file: ...' in its first lines"
      bad=1
    fi
  done < <(files '*.h' '*.hpp' '*.c' '*.cc' '*.cpp' '*.py')
  return "$bad"
}

failed=()
check() {
  local name=$1 start=$SECONDS
  shift
  echo "== $name"
  if ! "$@"; then failed+=("$name"); fi
  echo "   ($((SECONDS - start)) s)"
}
check clang-format clang_format
check ruff ruff_check
check typos typos --config typos.toml
check shellcheck shellcheck -x "${shell[@]}"
check layers python tools/check_layers.py
check architecture python tools/check_architecture.py
check sizes sizes
[[ $fast ]] || check clang-tidy python tools/tidy.py build/release
if ((${#failed[@]})); then
  echo "lint: failed: ${failed[*]}"
  [[ $fix ]] || echo "lint: ./dev lint --fix mends formatting"
  exit 1
fi
echo "lint: all checks passed"
