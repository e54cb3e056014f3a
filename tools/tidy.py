#!/usr/bin/env python3
"""Run clang-tidy over a compilation database, skipping what was clean before and has not changed since.

A source counts as unchanged when the source, every header it includes (as ninja recorded them), its command, .clang-tidy and
clang-tidy itself are the same. Results are kept in the development cache. Usage: tidy.py BUILD_FOLDER [SOURCE...].
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def digest_of(path: str) -> str:
    """Digest of a file, "-" when it is gone."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return "-"


def recorded_headers(build: Path) -> dict[str, list[str]]:
    """For each object file, the files of this tree that its compilation read; ninja keeps them once it compiled."""
    listing = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], capture_output=True, text=True, check=True).stdout
    headers: dict[str, list[str]] = {}
    for block in listing.split("\n\n"):
        first, *rest = block.strip().splitlines() or [""]
        files = [os.path.normpath(build / line.strip()) for line in rest]
        headers[first.split(":")[0]] = sorted(file for file in files if file.startswith(f"{ROOT}/"))
    return headers


def stamp_of(entry: dict[str, str], headers: list[str], tool: str) -> str:
    """Digest over everything that decides what clang-tidy says about this source."""
    state = hashlib.sha256(f"{tool}\n{digest_of(str(ROOT / '.clang-tidy'))}\n{entry['command'].replace(str(ROOT), '.')}\n".encode())
    for file in [entry["file"], *headers]:
        state.update(f"{os.path.relpath(file, ROOT)} {digest_of(file)}\n".encode())
    return state.hexdigest()


def check(entry: dict[str, str], build: Path, stamp: Path | None) -> str:
    """Return what clang-tidy has to say, "" when the source is clean."""
    if stamp is not None and stamp.exists():
        return ""
    command = ["clang-tidy", "--quiet", "-p", str(build), entry["file"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0 and "warning:" not in done.stdout:
        if stamp is not None:
            stamp.touch()
        return ""
    return done.stdout or done.stderr


def sources(build: Path, wanted: list[Path]) -> list[dict[str, str]]:
    """Entries of the database for the wanted sources; when none are named, for all of this tree that ship (no tests: time)."""
    unique = {entry["file"]: entry for entry in json.loads((build / "compile_commands.json").read_text())}
    if wanted:
        return [unique[str(path.resolve())] for path in wanted]
    skipped = re.compile(r"^(build|tests|benchmarks)/|_(test|fuzz)\.cc$|/testing/")
    ours = {os.path.relpath(file, ROOT): entry for file, entry in unique.items() if file.startswith(f"{ROOT}/")}
    return [entry for name, entry in sorted(ours.items()) if not skipped.search(name)]


def main() -> int:
    """Check the sources; 1 when clang-tidy complains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("sources", nargs="*", type=Path)
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    cache = Path(os.environ.get("AXLE_DEV_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "axle-dev") / "tidy"
    cache.mkdir(parents=True, exist_ok=True)
    tool = subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True, check=True).stdout
    headers = recorded_headers(build)
    entries = sources(build, arguments.sources)

    def check_entry(entry: dict[str, str]) -> str:
        output = re.search(r" -o (\S+)", entry["command"])
        known = headers.get(output[1]) if output else None
        # Without recorded headers (never compiled here) nothing can be said about a later run.
        return check(entry, build, cache / stamp_of(entry, known, tool) if known is not None else None)

    failed, shown, last = 0, sys.stderr.isatty(), time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, text in enumerate(pool.map(check_entry, entries), 1):
            if text:
                failed += 1
                print(text, flush=True)
            if time.monotonic() - last > (0.5 if shown else 20):
                last = time.monotonic()
                print(f"[axle]   clang-tidy {number}/{len(entries)}", file=sys.stderr, flush=True)
    print(f"clang-tidy: {len(entries)} sources, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
