#!/usr/bin/env bash
# run_fuzzers.sh BUILD SECONDS : build every *_fuzz target and run each for SECONDS, as many at once as there are cores.
# A finding fails and leaves its input in BUILD/findings; new inputs are kept in BUILD/corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# run_one BUILD SECONDS PROGRAM : prints one line, after it the end of the log when something was found.
# Seeds are read from <folder of the source>/<target>_seeds where that exists.
run_one() {
  local build=$1 seconds=$2 program=$3 target corpora
  target=$(basename "$program")
  corpora=("$build/corpus/$target")
  mkdir -p "${corpora[0]}"
  if [[ -d ${program}_seeds ]]; then corpora+=("${program}_seeds"); fi
  if "$build/$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -verbosity=0 \
    -artifact_prefix="$build/findings/$target-" "${corpora[@]}" >"$build/$target.log" 2>&1; then
    echo "passed $target: $(find "${corpora[0]}" -type f | wc -l) inputs kept"
  else
    echo "FAILED $target: see $build/findings"
    tail -n 40 "$build/$target.log"
    return 1
  fi
}

if [[ $1 == --one ]]; then
  shift
  run_one "$@"
  exit
fi
build=$1 seconds=$2
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "usage: ./dev fuzz [SECONDS]" >&2; exit 2; }
ninja -C "$build" --quiet build.ninja
mapfile -t programs < <(ninja -C "$build" -t targets all | sed -n 's/_fuzz: CXX_EXECUTABLE_LINKER.*/_fuzz/p' | sort)
sources=$(find src engines -name '*_fuzz.cc' | wc -l)
if ((${#programs[@]} == 0 || ${#programs[@]} != sources)); then
  echo "fuzz: ${#programs[@]} targets for $sources *_fuzz.cc files: each needs its target" >&2
  exit 1
fi

ninja -C "$build" --quiet "${programs[@]}"
mkdir -p "$build/findings"
echo "fuzz: ${#programs[@]} targets, $seconds s each"
if printf '%s\0' "${programs[@]}" | xargs -0 -n 1 -P "$(nproc)" "${BASH_SOURCE[0]}" --one "$build" "$seconds"; then
  echo "fuzz: ${#programs[@]} passed, 0 failed"
else
  echo "fuzz: findings, see above"
  exit 1
fi
