"""What every suite uses: programs, libraries, models, a scratch folder, and how results are reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from inputs import write_flat

ROOT = Path(__file__).resolve().parents[1]
ENGINES = ("onnxruntime", "openvino")
REAL_MODELS = (
    "efficientnet-lite0",
    "efficientnet-lite0/model.qdq",
    "ultraface-rfb-320",
    "all-minilm-l6-v2",
    "magika",
    "basic-pitch",
    "silero-vad/silero_vad_op18_ifless",
    "breast-cancer-mlp",
    "ncf-recommender",
)


# Inputs of models that come without a file of them: one chunk of audio and the state before the first.
GENERATED = {
    "silero-vad": lambda: {
        "input": np.random.default_rng(3).standard_normal((1, 576)).astype(np.float32) * 0.1,
        "sr": np.array(16000, dtype=np.int64),
        "state": np.zeros((2, 1, 128), dtype=np.float32),
    }
}


class SkipError(Exception):
    """A suite, or a case of it, that cannot run here; the text says why."""


@dataclass
class Row:
    """One line of the table."""

    case: str
    ours: str
    theirs: str
    ratio: str
    goal: str
    verdict: str  # "met", "missed", "not measured", "" = no goal
    note: str = ""


@dataclass
class Report:
    """What a suite found."""

    suite: str
    rows: list[Row] = field(default_factory=list)
    data: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class RealModel:
    """A model with inputs, both as .npz and flat."""

    name: str
    model: Path
    npz: Path
    flat: Path


class Context:
    """Where things are, and how programs are started."""

    def __init__(self, build: Path, models: Path | None, *, quick: bool, only_models: list[str], only_gates: list[str]) -> None:
        self.build = build.resolve()
        self.models = models
        self.quick = quick
        self.only_models = only_models
        self.only_gates = only_gates
        self._scratch = tempfile.TemporaryDirectory(prefix="axle-benchmarks-")
        self.scratch = Path(self._scratch.name)
        self.cores = len(os.sched_getaffinity(0))

    def program(self, name: str) -> Path:
        """A built program; SkipError says how to build it."""
        path = self.build / "benchmarks" / f"axle_benchmark_{name}"
        if not path.exists():
            raise SkipError(f"{path.name} is not built: configure with -DAXLE_BUILD_BENCHMARKS=ON (the engines' headers are needed)")
        return path

    def command(self) -> Path:
        """The command line."""
        path = self.build / "bin" / "axle"
        if not path.exists():
            raise SkipError(f"{path} is not built")
        return path

    def library(self, engine: str) -> Path:
        """The vendor's library: the one axle is told to use, else the one of this Python environment."""
        explicit = os.environ.get(f"AXLE_{engine.upper()}_LIBRARY")
        if explicit:
            return Path(explicit)
        pattern = {"onnxruntime": "onnxruntime/capi/libonnxruntime.so*", "openvino": "openvino/libs/libopenvino_c.so*"}[engine]
        for folder in map(Path, sys.path):
            found = sorted(folder.glob(pattern))
            if found:
                return found[-1]
        raise SkipError(f"{engine} is not installed in this Python environment")

    def environment(self, cache: Path) -> dict[str, str]:
        """The environment that axle runs in: a cache of its own, engines from this Python environment."""
        environment = {**os.environ, "AXLE_CACHE_DIR": str(cache), "AXLE_LOG": "error"}
        environment.setdefault("VIRTUAL_ENV", sys.prefix)
        return environment

    def call(self, arguments: list[str], *, cache: Path, timeout: int = 600) -> dict[str, Any]:
        """Start a program that prints one JSON document."""
        done = subprocess.run(arguments, capture_output=True, text=True, env=self.environment(cache), timeout=timeout, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments[:3])} failed ({done.returncode}): {(done.stderr or done.stdout).strip()[-600:]}")
        return json.loads(done.stdout)

    def flat(self, name: str, arrays: Mapping[str, np.ndarray]) -> Path:
        """`arrays` as a file that the programs read."""
        return write_flat(self.scratch / f"{name.replace('/', '_')}.flat", arrays)

    def real_models(self) -> list[RealModel]:
        """The real models that are here and can be compared; a SkipError when there are none."""
        if self.models is None or not self.models.is_dir():
            raise SkipError("no real models: give --models DIR (folders with model.onnx and input.npz)")
        found = []
        for name in REAL_MODELS:
            if self.only_models and name not in self.only_models:
                continue
            folder, _, stem = name.partition("/")
            path, npz = self.models / folder / f"{stem or 'model'}.onnx", self.models / folder / "input.npz"
            if not npz.exists() and folder in GENERATED:
                npz = self.scratch / f"{folder}.npz"
                np.savez(npz, **GENERATED[folder]())
            if path.exists() and npz.exists():
                found.append(RealModel(name, path, npz, self.flat(name, dict(np.load(npz)))))
        if not found:
            raise SkipError(f"no model of {', '.join(REAL_MODELS)} in {self.models}")
        return found

    def cache(self, name: str) -> Path:
        """A fresh cache folder."""
        folder = Path(tempfile.mkdtemp(prefix=f"cache-{name.replace('/', '_')}-", dir=self.scratch))
        folder.chmod(0o700)
        return folder


def progress(text: str) -> None:
    """Say on stderr what has been done: a suite takes minutes."""
    print(f"  . {text}", file=sys.stderr, flush=True)


def microseconds(nanoseconds: float) -> str:
    """A time for the table."""
    if nanoseconds < 1e3:
        return f"{nanoseconds:.0f} ns"
    if nanoseconds < 1e6:
        return f"{nanoseconds / 1e3:.2f} us"
    return f"{nanoseconds / 1e6:.2f} ms"


def ratio_text(ratio: float, interval: list[float]) -> str:
    """A ratio with its 95 % interval."""
    if interval[1] <= 0:
        return f"{ratio:.3f} [too few pairs]"
    return f"{ratio:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def met(condition: bool, rounds: int = 1000) -> str:
    """The word of the table; fewer than 4 rounds say nothing."""
    if rounds < 4:
        return "not measured"
    return "met" if condition else "missed"


def bootstrap(values: list[float]) -> tuple[float, float, float]:
    """Median with its 95 % bootstrap interval."""
    random = np.random.default_rng(1)
    medians = np.sort(np.median(random.choice(values, (1000, len(values))), axis=1))
    return float(np.median(values)), float(medians[25]), float(medians[974])


def core_speeds(context: Context) -> list[str]:
    """What is known of the cores at their best, from program to program: a machine that is shared all along is not taken for quiet."""
    return ["--core-speeds", str(context.scratch / "core-speeds")]


def conditions(document: dict[str, Any]) -> str:
    """What must be known to believe a pair."""
    return (
        f"{document['rounds']} rounds, {document['disturbed_rounds']} disturbed"
        + (" and counted" if document["noisy"] else "")
        + (f", {document['processes']} processes" if "processes" in document else "")
    )
