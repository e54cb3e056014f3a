#!/usr/bin/env bash
# run_fuzzers.sh BUILD SECONDS : build and run every *_fuzz target for SECONDS each; a finding fails and leaves its input in BUILD/findings.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1 seconds=$2
[[ $seconds =~ ^[0-9]+$ && $seconds != 0 ]] || { echo "usage: ./dev fuzz [SECONDS]" >&2; exit 2; }

mapfile -t sources < <(find src engines -name '*_fuzz.cc' | sort)
((${#sources[@]})) || { echo "fuzz: there are no fuzz targets"; exit 0; }
targets=()
for source in "${sources[@]}"; do targets+=("$(basename "$source" .cc)"); done
ninja -C "$build" --quiet "${targets[@]}"

mkdir -p "$build/findings"
failed=0
for index in "${!targets[@]}"; do
  target=${targets[index]}
  program=$(find "$build" -name "$target" -type f -perm -u+x -print -quit)
  corpus=$build/corpus/$target
  seeds=${sources[index]%.cc}_seeds
  mkdir -p "$corpus"
  if [[ -d $seeds ]]; then corpora=("$corpus" "$seeds"); else corpora=("$corpus"); fi
  echo "== $target ($seconds s)"
  if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -print_final_stats=0 -verbosity=0 \
    -artifact_prefix="$build/findings/$target-" "${corpora[@]}" >"$build/$target.log" 2>&1; then
    echo "   passed: $(find "$corpus" -type f | wc -l) inputs kept"
  else
    failed=$((failed + 1))
    tail -n 40 "$build/$target.log"
  fi
done
echo "fuzz: $((${#targets[@]} - failed)) passed, $failed failed"
((failed == 0))
