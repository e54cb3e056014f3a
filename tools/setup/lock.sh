#!/usr/bin/env bash
# Recompile requirements/*.in into hash-checked locks. Run by hand after editing an .in file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../requirements"

uv_dir=$(mktemp -d)
trap 'rm -rf "$uv_dir"' EXIT
python3 -m venv "$uv_dir"
"$uv_dir/bin/pip" install -q uv==0.13.8

for set in onnx-source run test lint; do
  options=()
  if [[ $set == onnx-source ]]; then options=(--no-deps --no-binary onnx); fi
  UV_SYSTEM_CERTS=1 "$uv_dir/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --custom-compile-command tools/setup/lock.sh "${options[@]}" "$set.in" -o "$set.txt"
done

# What `axle engines install` installs: exactly the packages named, without what Python programs would need beside them. The lines
# that begin with "#:" are shown to users; "#: python" names the Python that the packages are for, where only their programs are used.
for list in engines/*.in; do
  python=$(sed -n 's/^#: python //p' "$list")
  compiled=$(UV_SYSTEM_CERTS=1 "$uv_dir/bin/uv" pip compile --quiet --universal --python-version "${python:-3.11}" --generate-hashes --no-deps \
    --custom-compile-command tools/setup/lock.sh "$list")
  { grep '^#:' "$list"; printf '%s\n' "$compiled"; } > "${list%.in}.txt"
done
