#!/usr/bin/env python3
"""Check, from the includes, that every folder uses only the layers below it.

The list here is the one in ARCHITECTURE.md. A file of ``src/<layer>`` may include its own layer and the layers that ALLOWED gives
it; what stands in ``include/axle`` belongs to a layer too (PUBLIC). The outer rooms see only the public headers.
Usage: check_layers.py [ROOT]; prints ``file:line: message`` and exits with 1 when something is wrong.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ORDER = ["base", "spec", "trace", "tensor", "model", "policy", "planner", "probe", "cache", "engine", "runtime", "explain", "llm", "serve"]
# Layers that may use less than everything that stands before them.
NARROW = {
    "planner": {"base", "spec", "model", "policy"},
    "probe": {"base", "spec"},
    "cache": {"base", "spec"},
}
# The layer that a public header belongs to. Plain data that recorded rows are made of counts as spec.
PUBLIC = {
    "export": "base",
    "status": "base",
    "cancel": "base",
    "version": "base",
    "device": "spec",
    "device_profile": "spec",
    "drift": "spec",
    "engine": "spec",
    "engine_abi": "spec",
    "engine_kit": "spec",
    "evidence": "spec",
    "plan": "spec",
    "policy": "spec",
    "qos": "spec",
    "tensor": "spec",
    "profile": "trace",
    "dlpack": "tensor",
    "model": "model",
    "cache": "cache",
    "build_log": "cache",
    "evidence_store": "cache",
    "engine_description": "engine",
    "black_box": "engine",
    "lock": "planner",
    "plan_diff": "planner",
    "runtime": "runtime",
    "compile": "runtime",
    "convert": "runtime",
    "engine_packages": "runtime",
    "session": "runtime",
    "lock_check": "runtime",
    "tune": "runtime",
    "bench": "runtime",
    "explain": "explain",
}
# Rooms outside src/: which public headers they may include (None: all of them).
ROOMS: dict[str, set[str] | None] = {
    "cli": None,
    "ai_vmm": None,
    "rm_abstract": None,
    "examples": None,
    "python": None,
    "engines": {"engine_abi", "engine_kit", "export"},
}
# The one plugin that stands on parts of the host: it runs programs and reads and writes files for vendors that have no library of
# their own to link (docs/decisions/0019).
ENGINE_LAYERS = {"described": {"base", "tensor"}}
ENGINE_NOUNS = {"described": {"status", "cancel", "tensor"}}
FRONT_DOORS = ("ai_vmm/", "rm_abstract/")
SOURCES = {".h", ".hpp", ".c", ".cc", ".cpp"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
VENDOR_SWITCH = re.compile(r"^\s*#\s*(?:el)?if.*\b(?:USE_|WITH_|HAVE_|__)?(?:CUDA|HIP|ROCM|OPENVINO|TENSORRT|QNN|SYCL)\w*\b")


def allowed_layers(layer: str) -> set[str]:
    """The layers that ``layer`` may include, itself among them."""
    below = NARROW.get(layer)
    if below is None:
        below = set(ORDER[: ORDER.index(layer)])
    return below | {layer}


def public_noun(include: str) -> str:
    """``axle/engine_kit/base.h`` and ``axle/engine_kit.h`` are both ``engine_kit``."""
    return include.split("/")[1].removesuffix(".h").removesuffix(".hpp")


def layer_of(include: str) -> str | None:
    """The layer of an included header of ours; None for any other header."""
    first = include.split("/", 1)[0]
    if first == "axle" and "/" in include:
        return PUBLIC.get(public_noun(include), "unlisted")
    return first if first in ORDER and "/" in include else None


def check_src(layer: str, include: str) -> str | None:
    """Complaint about an include in src/<layer>."""
    used = layer_of(include)
    if used == "unlisted":
        return f"'{include}' is in no layer: add it to PUBLIC in tools/check_layers.py"
    if include.startswith(FRONT_DOORS):
        return f"src/{layer} includes '{include}', a front door"
    if used is not None and used not in allowed_layers(layer):
        return f"src/{layer} includes '{include}' of layer {used}; it may use: {' '.join(sorted(allowed_layers(layer), key=ORDER.index))}"
    return None


def check_room(room: str, include: str, engine: str = "") -> str | None:
    """Complaint about an include in a folder outside src/; of a plugin ``engine`` is the folder."""
    used = layer_of(include)
    if used is None or (not include.startswith("axle/") and used in ENGINE_LAYERS.get(engine, set())):
        return None
    if include.startswith("axle/") and public_noun(include) in ENGINE_NOUNS.get(engine, set()):
        return None
    if not include.startswith("axle/"):
        return f"{room}/ includes '{include}' of src/; it sees only include/"
    nouns = ROOMS[room]
    if nouns is not None and public_noun(include) not in nouns:
        return f"{room}/ includes '{include}'; it sees only: {' '.join(sorted(nouns))}"
    return None


def check_public(header: str, bracket: str, include: str) -> str | None:
    """Complaint about an include in include/: no third-party type, and no public header of a higher layer."""
    if bracket == "<":
        is_standard = "/" not in include and (not include.endswith(".h") or include in {"stddef.h", "stdint.h", "stdbool.h"})
        return None if is_standard else f"public header includes '<{include}>', which is neither axle's nor the standard library's"
    if any(include.startswith(door) and header.startswith(door) for door in FRONT_DOORS):
        return None
    used = layer_of(include)
    if used == "unlisted":
        return f"'{include}' is in no layer: add it to PUBLIC in tools/check_layers.py"
    if used is None or not include.startswith("axle/"):
        return f"public header includes '{include}', which is not a public header"
    own = layer_of(header)
    if own not in (None, "unlisted") and used not in allowed_layers(own):
        return f"public header of layer {own} includes '{include}' of layer {used}"
    return None


def is_engine_test(path: Path) -> bool:
    """Whether the file tests an engine: such a file drives it through the host."""
    return path.parts[0] == "engines" and (path.stem.endswith("_test") or "testing" in path.parts)


def complaint(path: Path, bracket: str, include: str) -> str | None:
    """Complaint about one include of the file at ``path`` (relative to the root)."""
    room = path.parts[0]
    if room == "src":
        return check_src(path.parts[1], include) if len(path.parts) > 2 and path.parts[1] in ORDER else None
    if room == "include":
        return check_public("/".join(path.parts[1:]), bracket, include)
    engine = path.parts[1] if room == "engines" and len(path.parts) > 2 else ""
    return None if is_engine_test(path) else check_room(room, include, engine)


def check_tree(root: Path) -> Iterator[str]:
    """All complaints about the tree under ``root``, in order of path and line."""
    for room in ["src", "include", *ROOMS]:
        for file in sorted((root / room).rglob("*")):
            if file.suffix not in SOURCES or not file.is_file():
                continue
            path = file.relative_to(root)
            if room == "src" and len(path.parts) > 2 and path.parts[1] not in ORDER:
                yield f"{path}:1: src/{path.parts[1]} is in no layer: add it to ORDER in tools/check_layers.py"
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                match = INCLUDE.match(line)
                message = complaint(path, match[1], match[2]) if match else None
                if message is None and VENDOR_SWITCH.match(line) and room != "engines" and path.parts[:2] != ("src", "probe"):
                    message = "vendor switch outside engines/ and src/probe"
                if message is not None:
                    yield f"{path}:{number}: {message}"


def main() -> int:
    """Check the tree; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    complaints = list(check_tree(parser.parse_args().root))
    print("\n".join(complaints) if complaints else "layers: every include goes down")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
