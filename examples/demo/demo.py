"""Recognise the type of files of this checkout with the Magika model, run by the axle command line.

Three commands do all the work, as anyone would type them: ``axle tune`` measures what this machine offers (once: evidence is
kept), ``axle run`` picks and runs, ``axle explain`` says why. This script only turns files into the model's input and its
output into words.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from file_features import MagikaModel

ROOT = Path(__file__).resolve().parents[2]
# A person can tell that these are right; the demo fails when the model says otherwise.
FILES = {
    "dev": "shell",
    "README.md": "markdown",
    "LICENSE": "txt",
    "CMakeLists.txt": "cmake",
    "CMakePresets.json": "json",
    "src/base/status.cc": "cpp",
    "examples/demo/demo.py": "python",
}


def call(axle: Path, *arguments: str | Path, capture: bool = False) -> str:
    """Print and run one axle command; ends the demo with the command's exit code when it fails."""
    command = [str(axle), *map(str, arguments)]
    shown = [f"./{Path(part).relative_to(ROOT)}" if part.startswith(f"{ROOT}/") else part for part in command]
    print(f"\n$ {shlex.join(['axle', *shown[1:]])}", flush=True)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE if capture else None, text=True, check=False)
    if done.returncode != 0:
        sys.stderr.write(error_text(done.stdout or ""))
        sys.exit(done.returncode)
    return done.stdout or ""


def error_text(output: str) -> str:
    """What a failed command with --json has to say, for a person."""
    try:
        error = json.loads(output)["error"]
        return f"axle: {error['message']}\n{error.get('hint', '')}\n"
    except (ValueError, KeyError):
        return output


def tune_once(axle: Path, model: MagikaModel, inputs: Path, budget: str) -> None:
    """Measure, unless this very axle has already measured this very input."""
    state = hashlib.sha256(inputs.read_bytes())
    for binary in sorted([axle, *axle.parent.parent.glob("lib/axle/engines/*.so")]):
        stat = binary.stat()
        state.update(f"{binary} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    stamp = inputs.with_name(f"tuned-{state.hexdigest()[:16]}")
    if not stamp.exists():
        call(axle, "tune", model.path, "--inputs", inputs, "--budget", budget)
        stamp.touch()


def show_labels(model: MagikaModel, names: list[str], scores: np.ndarray) -> bool:
    """Print the best label per file; True when all are what FILES says."""
    right = True
    for name, row in zip(names, scores, strict=True):
        best = int(row.argmax())
        label = model.labels[best]
        note = "" if label == FILES[name] else f"   expected {FILES[name]}"
        right = right and not note
        print(f"  {name:<26} -> {label:<10} {100 * float(row[best]):5.1f} %{note}")
    return right


def main() -> int:
    """Run the demo; the exit code is 0 only when every label is right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--axle", type=Path, required=True, help="the axle command to use")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "demo", help="where inputs and outputs are written")
    parser.add_argument("--budget", default="5s", help="how long to measure, the first time")
    arguments = parser.parse_args()
    axle, folder = arguments.axle.resolve(), arguments.folder.resolve()

    model = MagikaModel.find()
    names = list(FILES)
    features = np.stack([model.features((ROOT / name).read_bytes()) for name in names])
    folder.mkdir(parents=True, exist_ok=True)
    inputs = folder / "inputs.npz"
    np.savez(inputs, bytes=features)
    print(f"[demo] {len(names)} files of this checkout -> {inputs.relative_to(ROOT) if inputs.is_relative_to(ROOT) else inputs}")

    tune_once(axle, model, inputs, arguments.budget)
    started = time.monotonic()
    outputs = folder / "outputs"
    document = json.loads(call(axle, "run", model.path, "--inputs", inputs, "--output-dir", outputs, "--json", capture=True))
    seconds = time.monotonic() - started
    candidates = ", ".join(partition["candidate"] for partition in document["plan"]["partitions"])
    print(f"ran as {candidates} in {seconds:.2f} s from process start to results on disk:")
    right = show_labels(model, names, np.load(outputs / "target_label.npy"))

    call(axle, "explain", model.path, "--inputs", inputs)
    if not right:
        print("\n[demo] a file was not recognised as what it is: see above", file=sys.stderr)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
