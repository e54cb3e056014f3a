"""Converts a PyTorch model file to ONNX, in a process of its own: `axle-export.py versions` and `axle-export.py convert JOB.json`.

Started by axle (src/runtime/variants/convert.cc) with the Python of the user's environment. The last line on stdout is one JSON object:
the versions, {"inputs": [names]}, or {"error": text, "hint": text}. A PyTorch file may hold code, which loading it runs.

A job: `model` (path), `format` ("torchscript" or "torch-exported-program"), `output` (path of the .onnx), `inputs` (of the caller:
`name`, `dtype` as numpy calls it, `shape`, `file` with the elements as they lie in memory; may be empty: an exported program holds
its own, for TorchScript they are guessed). What was fixed or guessed stands in the ONNX model's metadata as axle.fixed.NAME,
axle.guessed_inputs and axle.state (docs/guides/convert-a-model.md).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import json
import operator
import sys
from pathlib import Path
from typing import Any

DISTRIBUTIONS = ("torch", "onnx", "onnxscript")
SCALARS = {"int": int, "float": float, "bool": bool}
NEXT = "_next"  # what an output is called that holds the new value of a state
SOUND = (576, 512, 1024, 4096, 16000)  # samples in a row: a chunk or a second of it, at 16 kHz
SAMPLE_RATE = 16000


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


def last_words(error: Exception) -> str:
    """What an error says in one line. TorchScript says first where and last what, if anything."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    told = lines[0] if lines else ""
    if "TorchScript interpreter" in told:
        here = [number for number, line in enumerate(lines) if "<--- HERE" in line]
        place = f" at `{lines[here[-1] - 1]}`" if here else ""
        told = lines[-1].removesuffix(":").removesuffix("RuntimeError").strip() + place
    return f"{type(error).__name__}: {told.strip()}"[:500]


class Script:
    """A TorchScript model: what its forward takes, and what it keeps between calls."""

    def __init__(self, path: str) -> None:
        import torch  # noqa: PLC0415  (versions() must work without it)

        self.torch = torch
        self.path = path
        self.module = torch.jit.load(path, map_location="cpu").eval()
        self.arguments = self.module.forward.schema.arguments[1:]
        self.written = self._written_attributes()
        self._start = {name: self._copy(self.get(name)) for name in self.written}

    def _written_attributes(self) -> list[str]:
        """Attributes that forward assigns to, as paths."""
        paths = set()
        graph = self.module.inlined_graph  # nodes live as long as it
        for node in graph.findAllNodes("prim::SetAttr"):
            steps, holder = [node.s("name")], node.inputsAt(0).node()
            while holder.kind() == "prim::GetAttr":
                steps.append(holder.s("name"))
                holder = holder.inputsAt(0).node()
            paths.add(".".join(reversed(steps)))
        return sorted(paths)

    def _copy(self, value: Any) -> Any:
        return value.detach().clone() if isinstance(value, self.torch.Tensor) else value

    def get(self, path: str) -> Any:
        """Value of an attribute."""
        return operator.attrgetter(path)(self.module)

    def set(self, path: str, value: Any) -> None:
        """Give an attribute another value."""
        holder, _, name = path.rpartition(".")
        setattr(operator.attrgetter(holder)(self.module) if holder else self.module, name, value)

    def reset(self) -> None:
        """Every attribute that forward assigns to is again what the file holds."""
        for name, value in self._start.items():
            self.set(name, self._copy(value))

    def state(self) -> list[str]:
        """The written attributes that are tensors: what a caller can carry from one call to the next."""
        return [name for name, value in self._start.items() if isinstance(value, self.torch.Tensor)]

    def call(self, feeds: dict[str, Any]) -> Any:
        """One call from the file's state, with those attributes set that `feeds` names."""
        self.reset()
        for name in self.state():
            if name in feeds:
                self.set(name, feeds[name])
        with self.torch.no_grad(), self.torch.jit.optimized_execution(should_optimize=False):
            return self.module(**{one.name: feeds[one.name] for one in self.arguments if one.name in feeds})


def tensors_of(torch: Any, result: Any) -> list[Any]:
    """The tensors of a result, in order."""
    import torch.utils._pytree as pytree  # noqa: PLC0415

    leaves = pytree.tree_leaves(result)
    for leaf in leaves:
        if not isinstance(leaf, torch.Tensor):
            raise ConversionError(
                f"the model gives a value of type {type(leaf).__name__} beside its tensors, which an ONNX model cannot",
                "save a module whose forward returns tensors only",
            )
    return leaves


def read_feeds(script: Script, specs: list[dict]) -> dict[str, Any]:
    """What the caller gave, by name: tensors, and plain values for arguments that are no tensors."""
    torch = script.torch
    wanted = {argument.name: argument for argument in script.arguments}
    named = ", ".join(wanted)
    feeds: dict[str, Any] = {}
    for spec in specs:
        name = spec["name"]
        if name not in wanted and name not in script.state():
            given = ", ".join(one["name"] for one in specs)
            raise ConversionError(f"the inputs given are {given}; the model takes {named}", "name them as the model's forward does")
        dtype = getattr(torch, spec["dtype"])
        data = bytearray(Path(spec["file"]).read_bytes())
        value = torch.frombuffer(data, dtype=dtype).reshape(spec["shape"]) if data else torch.zeros(spec["shape"], dtype=dtype)
        kind = str(wanted[name].type).removeprefix("Optional[").removesuffix("]") if name in wanted else "Tensor"
        feeds[name] = value if kind == "Tensor" else plain_value(name, kind, value)
    missing = [one.name for one in script.arguments if one.name not in feeds and not one.has_default_value()]
    if missing:
        raise ConversionError(f"the model takes {named}; {', '.join(missing)} was not given", "give every input: --inputs FILE.npz")
    return feeds


def plain_value(name: str, kind: str, value: Any) -> Any:
    """The number in a tensor of one element, for an argument that is a number in TorchScript."""
    if kind not in SCALARS:
        raise ConversionError(
            f"input '{name}' is {kind} in the model, which has no counterpart in ONNX",
            "save a module whose forward takes tensors and numbers",
        )
    fits = value.dtype.is_floating_point or kind != "int"
    if value.numel() != 1 or (kind == "int" and fits):
        raise ConversionError(
            f"input '{name}' is one {kind} in the model, not {str(value.dtype).removeprefix('torch.')}{list(value.shape)}",
            f"give one {kind}, as an array without axes",
        )
    return SCALARS[kind](value.item())


def likely_shapes(script: Script) -> list[tuple[int, ...]]:
    """Shapes that models take, those first that its first weights suggest."""
    shapes: list[tuple[int, ...]] = []
    for weight in itertools.islice(script.module.parameters(), 4):
        if weight.dim() == 4:
            shapes += [(1, weight.shape[1], 224, 224), (1, weight.shape[1], 64, 64)]
        elif weight.dim() == 2:
            shapes.append((1, weight.shape[1]))
    shapes += [(1, size) for size in (16, *SOUND)] + [(1, 3, 224, 224), (1, 1, 28, 28)]
    shapes += [(1, 1, size) for size in SOUND] + [(1, 16, 80), (16,), (SAMPLE_RATE,)]
    return list(dict.fromkeys(shapes))


def guess_feeds(script: Script) -> dict[str, Any]:
    """Inputs of the first shape that the model runs on, all tensors alike; TorchScript says nothing of shapes."""
    torch = script.torch
    names = ", ".join(one.name for one in script.arguments)
    kinds = {one.name: str(one.type) for one in script.arguments if not one.has_default_value()}
    ask = "give inputs of the shape to convert for: --inputs FILE.npz"
    unknown = [f"{name} ({kind})" for name, kind in kinds.items() if kind not in ("Tensor", *SCALARS)]
    if unknown:
        raise ConversionError(f"a TorchScript file does not say what its inputs look like: {', '.join(unknown)}", ask)
    shapes = likely_shapes(script)
    torch.manual_seed(1)
    for dtype, shape in itertools.product((torch.float32, torch.int64), shapes):
        tensor = torch.rand(shape) if dtype == torch.float32 else torch.ones(shape, dtype=dtype)
        rate = {name for name in kinds if name in ("sr", "fs") or "rate" in name}
        feeds = {name: tensor if kind == "Tensor" else SCALARS[kind](SAMPLE_RATE if name in rate else 1) for name, kind in kinds.items()}
        with contextlib.suppress(Exception):
            script.call(feeds)
            return feeds
    raise ConversionError(
        f"a TorchScript file does not say which shapes its inputs have, and of {len(shapes)} usual ones none runs: it takes {names}", ask
    )


def export_script(script: Script, feeds: dict[str, Any], output: str) -> list[str]:
    """By the exporter that keeps TorchScript's branches and loops; it knows neither numbers as inputs nor state."""
    names = [one.name for one in script.arguments if one.name in feeds]
    made = output_names(len(tensors_of(script.torch, script.call(feeds))))
    script.torch.onnx.export(
        script.module,
        tuple(feeds[name] for name in names),
        output,
        dynamo=False,
        input_names=names,
        output_names=made,
        opset_version=17,
    )
    return names


def export_trace(script: Script, feeds: dict[str, Any], output: str) -> list[str]:
    """By recording one call: what depends on shapes, numbers and state is settled, what depends on elements is refused."""
    from torch.fx.experimental.proxy_tensor import make_fx  # noqa: PLC0415

    torch = script.torch
    names = [name for name, value in feeds.items() if isinstance(value, torch.Tensor)]
    buffers = {name: buffer.clone() for name, buffer in script.module.named_buffers()}
    count = len(tensors_of(torch, script.call(feeds)))  # also lets TorchScript prepare its graph, which would be recorded else
    changed = [name for name, buffer in script.module.named_buffers() if not torch.equal(buffer, buffers[name])]
    if changed:
        raise ConversionError(
            f"the model changes {', '.join(changed)} in place on every call, which an ONNX model cannot",
            "save a module that returns what it changes",
        )

    def recorded(*tensors: Any) -> list[Any]:
        result = script.call({**feeds, **dict(zip(names, tensors, strict=True))})
        return [*tensors_of(torch, result), *(script.get(name) for name in script.state())]

    try:
        with torch.no_grad():
            program = make_fx(recorded)(*(feeds[name] for name in names)).eval()
    except Exception as error:
        raise RuntimeError(f"the call cannot be recorded (no branch on elements of a tensor can be): {last_words(error)}") from error
    torch.onnx.export(
        program,
        tuple(feeds[name] for name in names),
        output,
        dynamo=True,
        external_data=False,
        verbose=False,
        input_names=names,
        output_names=[*output_names(count), *(name + NEXT for name in script.state())],
    )
    return names


def output_names(count: int) -> list[str]:
    """TorchScript names no outputs."""
    return ["output"] if count == 1 else [f"output_{i}" for i in range(count)]


def say_of(feeds: dict[str, Any], torch: Any) -> str:
    """Inputs as a person reads them."""
    words = []
    for name, value in feeds.items():
        is_tensor = isinstance(value, torch.Tensor)
        words.append(f"{name} {str(value.dtype)[6:]}{list(value.shape)}" if is_tensor else f"{name} = {value}")
    return ", ".join(words)


def note_in(output: str, notes: dict[str, str]) -> None:
    """Write what the conversion settled into the model's metadata."""
    import onnx  # noqa: PLC0415

    if not notes:
        return
    model = onnx.load(output)
    for key, value in notes.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, output)


def convert_script(job: dict) -> list[str]:
    """TorchScript has neither shapes nor dtypes for its inputs: they are the caller's, or guessed."""
    script = Script(job["model"])
    torch = script.torch
    notes = {}
    if job["inputs"]:
        feeds = read_feeds(script, job["inputs"])
        try:
            script.call(feeds)
        except Exception as error:
            raise ConversionError(
                f"the model does not run on the inputs given ({say_of(feeds, torch)}): {last_words(error)}",
                "give inputs that it runs on in torch: --inputs FILE.npz",
            ) from error
    else:
        feeds = guess_feeds(script)
        notes["axle.guessed_inputs"] = say_of(feeds, torch)
    fixed = {name: value for name, value in feeds.items() if not isinstance(value, torch.Tensor)}
    notes |= {f"axle.fixed.{name}": json.dumps(value) for name, value in fixed.items()}
    if script.state():
        notes["axle.state"] = ", ".join(script.state())
    first = None
    if not script.written and not fixed:
        try:
            names = export_script(script, feeds, job["output"])
        except Exception as error:
            first = error
    if script.written or fixed or first is not None:
        try:
            names = export_trace(script, feeds, job["output"])
        except ConversionError:
            raise
        except Exception as error:
            if first is None or isinstance(error, ImportError):
                raise
            raise RuntimeError(f"{last_words(first)}; recording a call instead: {last_words(error)}") from error
    note_in(job["output"], notes)
    return names


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
        raise ConversionError(
            f"torch cannot export the model to ONNX: {last_words(error)}",
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
