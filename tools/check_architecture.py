#!/usr/bin/env python3
"""Check that ARCHITECTURE.md lists the folders of this tree, that module READMEs are short, and that each dependency is described."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# Folders whose own subfolders are listed one by one.
OPENED = {"src", "include", "engines", "tests", "docs"}
README_LINES = 30
# Modules that are not folders of src/ or engines/.
OTHER_MODULES = ("cli", "ai_vmm", "rm_abstract")


def has_file(folder: Path) -> bool:
    """Whether a folder has furniture: any file but generated Python caches."""
    return any(path.is_file() and "__pycache__" not in path.parts for path in folder.rglob("*"))


def folders_of(root: Path) -> set[str]:
    """The folders that the list must name, written as it writes them ("src/base/")."""
    ignored = {"build", "dist", "__pycache__"}
    found: set[str] = set()
    for folder in root.iterdir():
        if not folder.is_dir() or folder.name.startswith(".") or folder.name in ignored or folder.name.endswith(".egg-info"):
            continue
        inner = [child for child in folder.iterdir() if child.is_dir() and child.name not in ignored] if folder.name in OPENED else []
        if not has_file(folder):
            continue
        found.update(f"{folder.name}/{child.name}/" for child in inner if has_file(child))
        if not inner or any(path.is_file() for path in folder.iterdir()):
            found.add(f"{folder.name}/")
    return found


def folders_listed(text: str) -> set[str]:
    """The folders that lines such as ``| `src/base/` | ... |`` name."""
    return set(re.findall(r"^\| `([\w./-]+/)` \|", text, re.MULTILINE))


def check_folders(root: Path) -> Iterator[str]:
    """Folders that are not listed, and the other way round."""
    listed, found = folders_listed((root / "ARCHITECTURE.md").read_text(encoding="utf-8")), folders_of(root)
    for folder in sorted(found - listed):
        # The line of an opened folder's own files may be left out when each subfolder is listed.
        if folder.rstrip("/") not in OPENED:
            yield f"ARCHITECTURE.md: '{folder}' is in the tree but not in the list: add a line for it"
    for folder in sorted(listed - found):
        if not (root / folder).is_dir() or not has_file(root / folder):
            yield f"ARCHITECTURE.md: '{folder}' is in the list but not in the tree: remove its line"


def check_readmes(root: Path) -> Iterator[str]:
    """Modules without a README, and READMEs that are no longer short."""
    others = [root / name for name in OTHER_MODULES]
    for module in sorted([*(root / "src").iterdir(), *(root / "engines").iterdir(), *others]):
        if not module.is_dir() or not has_file(module):
            continue
        readme = module / "README.md"
        name = readme.relative_to(root)
        if not readme.exists():
            yield f"{name}: missing: purpose, key types, invariants, what the module must not do"
        elif (lines := len(readme.read_text(encoding="utf-8").splitlines())) > README_LINES:
            yield f"{name}: {lines} lines; a module's README has at most {README_LINES}"


def check_dependencies(root: Path) -> Iterator[str]:
    """Packages that the build or the locks name and docs/dependencies.md does not."""
    described = (root / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    wanted: dict[str, str] = {}
    for lock in sorted((root / "requirements").glob("*.in")):
        for name in re.findall(r"^([a-z][\w-]*)", lock.read_text(encoding="utf-8"), re.MULTILINE):
            wanted[name] = f"requirements/{lock.name}"
    script = (root / "tools" / "setup" / "system_packages.sh").read_text(encoding="utf-8")
    for names in re.findall(r'^    \w+\) echo "([^"]*)"', script, re.MULTILINE):
        wanted.update(dict.fromkeys(names.split(), "tools/setup/system_packages.sh"))
    for name, source in sorted(wanted.items()):
        if f"`{name}`" not in described:
            yield f"docs/dependencies.md: `{name}` ({source}) has no line"


def main() -> int:
    """Check the tree; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    root = parser.parse_args().root
    complaints = [*check_folders(root), *check_readmes(root), *check_dependencies(root)]
    print("\n".join(complaints) if complaints else "architecture: folders, READMEs and dependencies are as described")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
