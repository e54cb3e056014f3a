"""Converts a PyTorch model file to ONNX, in a process of its own: `axle-export.py versions` and `axle-export.py convert JOB.json`.

Started by axle (src/runtime/convert.cc) with the Python of the user's environment. The last line on stdout is one JSON object:
the versions, {"inputs": [names]}, or {"error": text, "hint": text}. A PyTorch file may hold code, which loading it runs.

A job: `model` (path), `format` ("torchscript" or "torch-exported-program"), `output` (path of the .onnx), `inputs` (of the caller:
`name`, `dtype` as numpy calls it, `shape`; may be empty for an exported program, which holds its own).
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path

DISTRIBUTIONS = ("torch", "onnx", "onnxscript")


class ConversionError(Exception):
    """What went wrong, and what to do about it."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


def versions() -> dict:
    """Installed versions by distribution; None for what is missing. Imports nothing of it."""
    found: dict = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def convert_script(job: dict) -> list[str]:
    """TorchScript has neither shapes nor dtypes for its inputs: they are the caller's."""
    import torch  # noqa: PLC0415  (versions() must work without it)

    model = torch.jit.load(job["model"], map_location="cpu").eval()
    names = [argument.name for argument in model.forward.schema.arguments][1:]
    given = {spec["name"]: spec for spec in job["inputs"]}
    wanted = [name for name in names if name in given]
    if not given:
        raise ConversionError(
            f"a TorchScript file does not say which shapes its inputs have: it takes {', '.join(names)}",
            "give inputs of the shape to convert for: --inputs FILE.npz",
        )
    if len(wanted) != len(given):
        raise ConversionError(
            f"the inputs given are {', '.join(given)}; the model takes {', '.join(names)}", "name them as the model's forward does"
        )
    feeds = tuple(torch.ones(given[name]["shape"], dtype=getattr(torch, given[name]["dtype"])) for name in wanted)
    with torch.no_grad():
        made = model(*feeds)
    count = len(made) if isinstance(made, (tuple, list)) else 1
    outputs = ["output"] if count == 1 else [f"output_{i}" for i in range(count)]
    torch.onnx.export(model, feeds, job["output"], dynamo=False, input_names=wanted, output_names=outputs, opset_version=17)
    return wanted


def convert_program(job: dict) -> list[str]:
    """An exported program holds example inputs, names and the axes that may vary."""
    import torch  # noqa: PLC0415  (versions() must work without it)

    program = torch.export.load(job["model"])
    torch.onnx.export(program, (), job["output"], dynamo=True, external_data=False, verbose=False)
    return list(program.graph_signature.user_inputs)


def convert(job: dict) -> dict:
    """Writes the model as ONNX; returns the names of its inputs."""
    convert_one = convert_script if job["format"] == "torchscript" else convert_program
    try:
        return {"inputs": [str(name) for name in convert_one(job)]}
    except ConversionError:
        raise
    except ImportError as error:
        raise ConversionError(f"a package is missing: {error}", f"pip install {error.name or 'onnxscript'}") from error
    except Exception as error:
        first = str(error).strip().split("\n", 1)[0]
        raise ConversionError(
            f"torch cannot export the model to ONNX: {type(error).__name__}: {first[:500]}",
            "export it to ONNX yourself where the model was made, with torch.onnx.export",
        ) from error


def main(arguments: list[str]) -> int:
    """Run one command; the answer is the last line on stdout."""
    try:
        answer = versions() if arguments[:1] == ["versions"] else convert(json.loads(Path(arguments[1]).read_text()))
    except ConversionError as error:
        answer = {"error": str(error), "hint": error.hint}
    print("\n" + json.dumps(answer), flush=True)
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
