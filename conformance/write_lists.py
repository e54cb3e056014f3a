"""Writes conformance/check_lists/ENGINE.txt: which checks of the suite an engine does not pass here, each with what it said.

usage: write_lists.py BUILD_FOLDER ENGINE...

The engine's package must be installed where it is looked for (AXLE_PYTHON_SITE, the engine's own variables). Read what it writes before
you commit it: a line says that the engine lacks something, and a fault of ours is no lack of its.
"""

import os
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent / "check_lists"


def lines_of(build: pathlib.Path, engine: str) -> tuple[str, list[str]]:
    """Run every check of the engine without judging: its version, and a line for each that fails."""
    out = build / f"{engine}.check_list"
    out.unlink(missing_ok=True)
    environment = {**os.environ, "AXLE_CHECK_LIST_OUT": str(out)}
    description = FOLDER.parents[1] / "descriptions" / f"{engine}.toml"
    if description.exists():
        environment["AXLE_ENGINE_DESCRIPTIONS"] = str(description)
    program = next(build.rglob("axle_conformance"))
    done = subprocess.run([program, engine], capture_output=True, text=True, env=environment, check=False, timeout=900)
    if done.returncode != 0:
        sys.exit(f"the checks of {engine} cannot be run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    head, *lines = out.read_text(encoding="utf-8").splitlines()
    return head.removeprefix(f"# {engine} "), sorted(lines)


def without_places(line: str) -> str:
    """What a folder of this run is called tells nobody anything."""
    return re.sub(r"(?<![\w.])/(?:[\w.+-]+/)+[\w.+-]*", "FILE", line)


def main() -> None:
    """One file for each engine that is named."""
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    FOLDER.mkdir(exist_ok=True)
    for engine in sys.argv[2:]:
        version, found = lines_of(build, engine)
        lines = [without_places(line) for line in found]
        head = f"# Checks that {engine} ({version}) does not pass, written by write_lists.py: each must fail.\n"
        (FOLDER / f"{engine}.txt").write_text(head + "".join(line.rstrip() + "\n" for line in lines), encoding="utf-8")
        print(f"{engine}: {len(lines)} lines")


if __name__ == "__main__":
    main()
