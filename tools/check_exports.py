#!/usr/bin/env python3
"""Check what a built shared library exports.

``check_exports.py library FILE``: libaxle exports only what the headers in include/ declare: names in namespaces axle, ai_vmm, rm_abstract,
and C functions.
``check_exports.py plugin FILE...``: an engine plugin exports its one query function and nothing else.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLUGIN_SYMBOL = "axle_engine_query"
# What the compiler derives from an exported class.
DERIVED = re.compile(r"^(?:vtable|VTT|typeinfo|typeinfo name|guard variable|construction vtable|(?:non-)?virtual thunk) (?:for|to) ")
# What a public class keeps to itself is a nested type, which has the visibility of its class.
PRIVATE_HALVES = {"Impl", "State"}
# The linker's own marks, without a type that matters.
LINKER = {"_init", "_fini", "_edata", "_end", "__bss_start"}


def exported(library: Path) -> list[tuple[str, str]]:
    """(mangled, demangled) of every symbol that the dynamic table of ``library`` defines."""
    listing = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", str(library)], capture_output=True, text=True, check=True)
    names = [line.split()[0].split("@")[0] for line in listing.stdout.splitlines() if line]
    plain = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout.splitlines()
    return [pair for pair in zip(names, plain, strict=True) if pair[0] not in LINKER]


def declared_words(include: Path) -> set[str]:
    """Every identifier that the public headers use."""
    words: set[str] = set()
    for header in [*include.rglob("*.h"), *include.rglob("*.hpp")]:
        words.update(re.findall(r"[A-Za-z_]\w*", header.read_text(encoding="utf-8")))
    return words


def is_declared(mangled: str, plain: str, words: set[str]) -> bool:
    """Whether a public header can have declared this symbol: every part of its qualified name must occur there."""
    if not mangled.startswith("_Z"):
        return mangled.startswith("axle_") and mangled in words
    name = re.sub(r"\[abi:\w+\]", "", DERIVED.sub("", plain))
    # A template's instantiation starts with its result type: the name is what holds the first axle:: outside of brackets.
    match = re.match(r"(?:[\w:<>,\s*&]*\s)?((?:axle|ai_vmm|rm_abstract)(?:::~?\w+)+)", name)
    if match is None:
        return False
    parts = [part.removeprefix("~") for part in match[1].split("::")[1:]]
    if any(part in PRIVATE_HALVES for part in parts[1:-1]):
        return True
    return all(part in words or part.startswith("operator") for part in parts)


def check_library(library: Path) -> list[str]:
    """Complaints about libaxle."""
    words = declared_words(ROOT / "include")
    symbols = exported(library)
    if not symbols:
        return [f"{library.name} exports nothing at all"]
    wrong = [plain for mangled, plain in symbols if not is_declared(mangled, plain, words)]
    return [f"{library.name} exports '{plain}', which no public header declares" for plain in wrong]


def check_plugin(plugin: Path) -> list[str]:
    """Complaints about one engine plugin."""
    names = [mangled for mangled, _ in exported(plugin)]
    wrong = [f"{plugin.name} exports '{name}'; a plugin exports only {PLUGIN_SYMBOL}" for name in names if name != PLUGIN_SYMBOL]
    return wrong if PLUGIN_SYMBOL in names else [*wrong, f"{plugin.name} does not export {PLUGIN_SYMBOL}"]


def main() -> int:
    """Check the named files; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["library", "plugin"])
    parser.add_argument("files", nargs="+", type=Path)
    arguments = parser.parse_args()
    check = check_library if arguments.kind == "library" else check_plugin
    complaints = [complaint for file in arguments.files for complaint in check(file)]
    for complaint in complaints[:50]:
        print(complaint)
    print(f"{len(complaints)} wrong exports" if complaints else f"exports: {', '.join(file.name for file in arguments.files)} as declared")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
