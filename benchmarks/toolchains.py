"""Tables of docs/guides/npu-toolchains.md: what vendors' toolchains do here with small models, through the command line.

    AXLE_COMMAND=build/release/bin/axle python benchmarks/toolchains.py [vgf sophgo sophgo_bm]

Functional evidence, no speed: every one of these computes on this machine's CPU by an emulation. For each model: compiled into an empty
cache, loaded again by another process, run; the results against numpy. A toolchain that is not installed is said to be so and left out.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import top_modules  # noqa: E402
import tosa_modules  # noqa: E402

HEAD = "| model | precision | compile | reload | run | whole second command | artefact | error |\n|---|---|---|---|---|---|---|---|"


class Toolchain:
    """One engine description, taken into use in a folder of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "AXLE_CACHE_DIR": str(folder / "cache")}

    def call(self, *arguments: object) -> tuple[int, str, str]:
        """The command: exit code and what it printed."""
        command = [os.environ.get("AXLE_COMMAND", "axle"), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=600, check=False)
        return done.returncode, done.stdout, done.stderr

    def missing(self) -> str:
        """Why it cannot be used; "" when it can."""
        code, _, err = self.call("engines", "add", ROOT / "descriptions" / f"{self.name}.toml")
        if code != 0:
            return err.strip()
        code, _, err = self.call("engines", "check", ROOT / "descriptions" / f"{self.name}.toml")
        return err.splitlines()[0] if code != 0 else ""

    def row(self, module, path: Path, precision: str) -> str:
        """One line of the table."""
        common = (path, "--engine", self.name, "--device", "npu#sim", "--precision", precision, "--json")
        code, out, err = self.call("compile", *common)
        if code != 0:
            error = json.loads(out)["error"] if out.startswith("{") else {"code": "?", "message": err}
            return f"| {module.name} | {precision} | refused: {error['code']}: {short(error['message'])} | | | | | |"
        compiled = json.loads(out)["timing"]
        run = ("run", *common, "--inputs", path.parent / "in.npz", "--output-dir", path.parent / "out")
        reload = json.loads(self.check(*run))["timing"]
        begin = time.perf_counter()
        second = json.loads(self.check(*run))["timing"]
        whole = time.perf_counter() - begin
        made = [np.load(path.parent / "out" / f"output{index}.npy") for index in range(len(outputs_of(module)))]
        error = max(
            np.abs(a.astype(np.float64) - b).max() / max(np.abs(b).max(), 1e-30) for a, b in zip(made, outputs_of(module), strict=True)
        )
        assert reload["cache"] == second["cache"] == "hit"
        size = sum(file.stat().st_size for file in (self.folder / "cache").rglob("*") if file.is_file() and "objects" in file.parts)
        times = (compiled["compile_ms"] / 1e3, reload["load_ms"] / 1e3, second["run_us"] / 1e6, whole)
        cells = [module.name, precision, *map(seconds, times), f"{size / 1024:.0f} KiB", "exact" if error == 0 else f"{error:.1e}"]
        return f"| {' | '.join(cells)} |"

    def check(self, *arguments: object) -> str:
        """Output of a call that must succeed."""
        code, out, err = self.call(*arguments)
        if code != 0:
            raise RuntimeError(out + err)
        return out


def outputs_of(module) -> list[np.ndarray]:
    """What numpy says."""
    return module.expected() if callable(module.expected) else [module.expected]


def seconds(value: float) -> str:
    """For a cell."""
    return f"{value:.2f} s" if value >= 0.1 else f"{value * 1e3:.0f} ms"


def short(text: str) -> str:
    """The vendor's last words, for a cell."""
    return text.rsplit("it printed last: ", 1)[-1].replace("|", "/")[:90]


def odd_module() -> top_modules.TopModule:
    """An operator that the dialect lacks."""
    module = top_modules.TopModule("no_such_operator")
    module.outputs = [module.unknown(module.input(1, 4))]
    return module


TOP = (top_modules.small_cnn, top_modules.mlp, top_modules.two_by_two)
TOSA = (tosa_modules.max_pool, tosa_modules.add_and_clamp, tosa_modules.reduce_sum, tosa_modules.no_such_operator)
CASES = {
    "vgf": [(make, "f32") for make in TOSA],
    "sophgo": [(make, precision) for make in TOP for precision in ("bf16", "int8")] + [(odd_module, "bf16")],
    "sophgo_bm": [(make, precision) for make in TOP for precision in ("f32", "f16", "bf16", "int8")] + [(odd_module, "f32")],
}


def erf(x: np.ndarray) -> np.ndarray:
    """By its series: numpy has none."""
    return np.vectorize(math.erf)(x)


# One operator on f32 each, by its name in the two dialects.
OPERATORS = {
    "abs Abs": np.abs,
    "ceil Ceil": np.ceil,
    "cos Cos": np.cos,
    "erf Erf": erf,
    "exp Exp": np.exp,
    "floor Floor": np.floor,
    "log Log": np.log,
    "reciprocal -": lambda x: 1 / x,
    "rsqrt -": lambda x: 1 / np.sqrt(x),
    "sigmoid Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "sin Sin": np.sin,
    "tanh Tanh": np.tanh,
    "- Sqrt": np.sqrt,
    "- Softplus": lambda x: np.log1p(np.exp(x)),
    "- GELU": lambda x: x * (1 + erf(x / np.sqrt(2))) / 2,
    "- Swish": lambda x: x / (1 + np.exp(-x)),
    "- Mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
}


def one_operator(name: str, dialect: str, compute):
    """A module of one operator, on positive numbers."""
    x = np.linspace(0.1, 2, 64, dtype=np.float32).reshape(1, 4, 4, 4)
    if dialect == "tosa":
        kind = tosa_modules.tensor(x)
        return tosa_modules.TosaModule(name, [x], compute(x).astype(np.float32), [f"%0 = tosa.{name} %arg0 : ({kind}) -> {kind}"])
    module = top_modules.TopModule(name)
    given = module.input(*x.shape)
    module.inputs["arg0"] = module.values[given] = x
    module.outputs = [module.unary(given, name, compute(x))]
    return module


def sweep(name: str, precision: str) -> None:
    """Prints which operators ran, were wrong by more than a hundredth, or were refused, and how."""
    found: dict[str, list[str]] = {"ran": [], "wrong": [], "refused": []}
    for names, compute in OPERATORS.items():
        operator = names.split()[0 if name == "vgf" else 1]
        if operator == "-":
            continue
        with tempfile.TemporaryDirectory() as folder:
            toolchain = Toolchain(name, Path(folder))
            if toolchain.missing():
                return
            module = one_operator(operator, "tosa" if name == "vgf" else "top", compute)
            row = toolchain.row(module, module.write(Path(folder) / "model"), precision)
            last = row.split("|")[-2].strip()
            kind = "refused" if "refused" in row else "ran" if last == "exact" or float(last) < 1e-2 else "wrong"
            found[kind].append(operator if kind != "wrong" else f"{operator} ({last})")
    print(f"\nOne operator, {precision}: " + "; ".join(f"{kind}: {', '.join(names) or 'none'}" for kind, names in found.items()) + ".")


def main() -> None:
    """Prints a table for each toolchain."""
    for name in sys.argv[1:] or CASES:
        print(f"\n### {name}\n")
        for index, (make, precision) in enumerate(CASES[name]):
            with tempfile.TemporaryDirectory() as folder:
                toolchain = Toolchain(name, Path(folder))
                if why := toolchain.missing():
                    print(f"not installed: {why}")
                    break
                if index == 0:
                    print(HEAD)
                module = make()
                options = {"table": True} if precision == "int8" and name != "vgf" else {}
                print(toolchain.row(module, module.write(Path(folder) / "model", **options), precision), flush=True)
        sweep(name, "bf16" if name == "sophgo" else "f32")


if __name__ == "__main__":
    main()
