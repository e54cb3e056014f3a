"""Adapters for closed tools: compilers that are programs, runtimes that are libraries. Thin names over axle's engine descriptions.

What a caller names is written as a description (docs/formats/engine-description.md) and run by axle: through its cache, in processes of
their own, with the log kept, and judged by exit code, files and log together.
"""

from __future__ import annotations

import os
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

import axle
from rm_abstract.core.resource import BuildArtifact, BuildProfile, file_digest

Progress = Callable[[str, float], object]

_NS_PER_S = 1_000_000_000
_LOG = "axle-log.txt"

# The C functions that a runtime has unless others are named: the words are those of engine descriptions.
DEFAULT_FUNCTIONS = {
    "load": ("npu_load", "handle(path)"),
    "run": ("npu_run", "status(handle, inputs, input_sizes, input_count, outputs, output_sizes, output_count)"),
    "unload": ("npu_unload", "void(handle)"),
}


class _Engine:
    """An engine made from a black box, in a runtime of its own that sees nothing else."""

    def __init__(self, box: axle.BlackBox):
        self.name = box.name
        self._folder = tempfile.TemporaryDirectory(prefix="rm_abstract-")
        file = Path(self._folder.name) / f"{box.name}.toml"
        file.write_text(box.describe(), encoding="utf-8")
        file.chmod(0o600)
        self.runtime = axle.Runtime.create(engines=[box.name], engine_descriptions=[str(file)])
        states = {state.name: state for state in self.runtime.engine_states()}
        state = states.get(box.name)
        if state is None:
            raise axle.UnavailableError(
                f"axle has no plugin for described engines, so '{box.name}' cannot be made", hint="; ".join(self.runtime.problems())
            )
        if not state.present:
            raise axle.UnavailableError(state.reason, hint=state.install_command)
        self.version = state.info.library.version if state.info.library else ""

    def plan(self, model: axle.Model, precision: str) -> axle.Plan:
        return axle.plan_on_engine(self.runtime, model, self.name, precision=precision)


class BinaryCompilerAdapter(ABC):
    """What compiles a model for a resource without showing how."""

    def __init__(self, build_profile: BuildProfile):
        self.build_profile = build_profile

    @abstractmethod
    def compile(self, input_path: str | os.PathLike[str], output_path: str | os.PathLike[str], model_id: str) -> BuildArtifact:
        """Compile a model into a file."""

    @abstractmethod
    def is_available(self) -> bool:
        """Say whether the compiler is here."""


class CLICompilerAdapter(BinaryCompilerAdapter):
    """A compiler that is a program with flags.

    It is called as ``PROGRAM --input MODEL --output FILE --precision fp16 --optimization-level 3 ...``, with the profile's flags in their
    order of name, or with `arguments`.

    Args:
        build_profile: how to build; its flags are the command line's.
        cli_name: the program's file name, or a path.
        search_paths: folders to look in before PATH.
        arguments: words of another command line, in which ``{input}``, ``{output}`` and ``{flag}`` are replaced.
        version_arguments: what makes the program print its version, and
        version_pattern: the pattern whose first group it is. Then the profile's `compiler_version` must be the one that is found.
        log_must: patterns that its output must have to be believed.
        pci_ids: of the devices that it compiles for ("1e60:2864"). Without any, what is built is called simulated.
        timeout_s: what it may take.

    """

    def __init__(
        self,
        build_profile: BuildProfile,
        cli_name: str,
        search_paths: Iterable[str] = (),
        *,
        arguments: Iterable[str] | None = None,
        version_arguments: Iterable[str] = (),
        version_pattern: str = "",
        log_must: Iterable[str] = (),
        pci_ids: Iterable[str] = (),
        timeout_s: float = 600,
    ):
        super().__init__(build_profile)
        box = axle.BlackBox()
        program = Path(cli_name)
        box.name = axle.BlackBox.engine_name_of(build_profile.compiler or program.name)
        box.vendor = build_profile.compiler or program.name
        box.kind = build_profile.target_resource_type.value
        box.pci_ids = list(pci_ids)
        box.precision = build_profile.precision
        box.program = program.name
        folders = [str(program.parent)] if program.name != cli_name else []
        box.search_paths = folders + [os.fspath(folder) for folder in search_paths]
        box.flags = build_profile.flag_texts()
        box.arguments = list(self._default_arguments(box.flags) if arguments is None else arguments)
        box.version_arguments = list(version_arguments)
        box.version_pattern = version_pattern
        if box.version_arguments and build_profile.compiler_version:
            box.versions = f"={build_profile.compiler_version}"
        box.log_must = list(log_must)
        box.timeout_ns = round(timeout_s * _NS_PER_S)
        self._box = box
        self._engine: _Engine | None = None

    @staticmethod
    def _default_arguments(flags: Mapping[str, str]) -> list[str]:
        return ["--input", "{input}", "--output", "{output}", *axle.BlackBox.flag_arguments(dict(flags))]

    def description(self) -> str:
        """Give the engine description that this adapter is."""
        return self._box.describe()

    def _open(self) -> _Engine:
        if self._engine is None:
            self._engine = _Engine(self._box)
        return self._engine

    def is_available(self) -> bool:
        """Say whether the program is found here, in a version that the profile accepts."""
        try:
            self._open()
        except axle.UnavailableError:
            return False
        return True

    def compile(
        self,
        input_path: str | os.PathLike[str],
        output_path: str | os.PathLike[str],
        model_id: str,
        *,
        progress: Progress | None = None,
        cancel: axle.CancelToken | None = None,
    ) -> BuildArtifact:
        """Compile a model into a file, once: what axle's cache has is not compiled again.

        Args:
            input_path: the model; its shapes must be fixed.
            output_path: where the compiled file goes; ``OUTPUT.axle.json`` beside it says what it was made from.
            model_id: the caller's name for the model.
            progress: called as ``progress(what, fraction)``; the fraction is negative when unknown.
            cancel: a token that ends it.

        Raises:
            axle.UnavailableError: the program is not here; the hint says what to do.
            axle.Error: the program failed; nothing is written. What it printed is in `axle.build_logs`.

        """
        engine = self._open()
        model = engine.runtime.open_model(os.fspath(input_path))
        plan = engine.plan(model, self.build_profile.precision)
        (part,) = axle.compile_plan(engine.runtime, model, plan, progress=progress, cancel=cancel)
        cache = engine.runtime.cache()
        if cache is None or not part.key_digest:
            raise axle.FailedPreconditionError("there is no cache to compile into", hint="; ".join(engine.runtime.problems()))
        target = Path(output_path).absolute()
        with tempfile.TemporaryDirectory(prefix="rm_abstract-", dir=target.parent) as folder:
            axle.write_artefact_files(cache, part.key_digest, folder)
            log = (Path(folder) / _LOG).read_text(encoding="utf-8", errors="replace")
            (Path(folder) / self._box.output).replace(target)
        metadata = {
            "key": part.key_digest,
            "digest": file_digest(target),
            "model_path": str(Path(input_path).absolute()),
            "model_digest": model.digest,
            "cache": part.cache,
            "compile_ms": part.compile_ns / 1e6,
            "compiler_version": engine.version,
            "created_unix_s": int(time.time()),
            "log": log,
        }
        artifact = BuildArtifact(str(target), model_id, self.build_profile, metadata)
        artifact.save()
        return artifact


class ConfigFileCompilerAdapter(CLICompilerAdapter):
    """A compiler that reads a file: called as ``PROGRAM --config FILE``, or with `arguments` in which ``{config}`` is the file.

    Args:
        build_profile: how to build.
        cli_name: the program's file name, or a path.
        config_template: text of the file, in which ``{input}``, ``{output}`` and ``{flag}`` are replaced; None = lines ``name=value`` of
            input, output and the profile's flags.
        search_paths: folders to look in before PATH.
        arguments: words of the command line.
        **more: as `CLICompilerAdapter`.

    """

    def __init__(
        self,
        build_profile: BuildProfile,
        cli_name: str,
        config_template: str | None = None,
        search_paths: Iterable[str] = (),
        *,
        arguments: Iterable[str] = ("--config", "{config}"),
        **more: Any,
    ):
        super().__init__(build_profile, cli_name, search_paths, arguments=arguments, **more)
        lines = ["input={input}", "output={output}", *(f"{name}={{{name}}}" for name in sorted(build_profile.flags))]
        self._box.config = "\n".join(lines) + "\n" if config_template is None else config_template


class BinaryRuntimeAdapter:
    """A runtime that is a library with C functions, and a compiled file that it runs.

    Args:
        engine_path: a file that a compiler adapter wrote, with its record beside it.
        device_id: which device; 0 is the only one that a runtime of plain functions can be told.
        runtime_so: the library: a path, or a name that the system finds.
        functions: ``{verb: (symbol, signature)}`` of load, run, unload and last_error, in the words of engine descriptions;
            None = ``npu_load(path)``, ``npu_run(handle, inputs, ...)``, ``npu_unload(handle)``.
        model: the model that the file was compiled from, when it is not where it was.
        pci_ids: of the device. Without any nothing shows that a device computes, and the results are called simulated.

    """

    def __init__(
        self,
        engine_path: str | os.PathLike[str],
        device_id: int = 0,
        runtime_so: str = "",
        *,
        functions: Mapping[str, tuple[str, str]] | None = None,
        model: str | os.PathLike[str] | None = None,
        pci_ids: Iterable[str] = (),
    ):
        if device_id != 0:
            raise axle.UnimplementedError(
                f"device {device_id}: functions of a library have no argument for a device", hint="describe each device as an engine"
            )
        self.engine_path = str(Path(engine_path).absolute())
        self.device_id = device_id
        self.runtime_so = runtime_so
        self._functions = dict(DEFAULT_FUNCTIONS if functions is None else functions)
        self._model = model
        self._pci_ids = list(pci_ids)
        self._engine: _Engine | None = None
        self.session: axle.Session | None = None

    def load(self) -> None:
        """Check the compiled file against its record and load it into the runtime, in a process of its own.

        Raises:
            axle.UnavailableError: the library is not here.
            axle.DataLossError: the file is not the one that was compiled.
            axle.Error: the runtime refused it.

        """
        if not self.runtime_so:
            raise axle.InvalidArgumentError("runtime_so names no library", hint='for example runtime_so="libnpu_runtime.so"')
        artifact = BuildArtifact.load(self.engine_path)
        box = axle.BlackBox()
        box.name = axle.BlackBox.engine_name_of(f"{artifact.profile.compiler}_runtime")
        box.vendor = artifact.profile.compiler
        box.kind = artifact.profile.target_resource_type.value
        box.pci_ids = self._pci_ids
        box.precision = artifact.profile.precision
        box.engine_file = self.engine_path
        box.engine_digest = str(artifact.metadata["digest"])
        box.runtime_library = self.runtime_so
        box.functions = self._functions
        engine = _Engine(box)
        model = engine.runtime.open_model(os.fspath(self._model or artifact.metadata["model_path"]))
        if model.digest != artifact.metadata["model_digest"]:
            raise axle.FailedPreconditionError(
                f"{self.engine_path} was compiled from another model than {model.path}", hint="compile it again, or pass model="
            )
        self.session = axle.Session.load(model, engine.plan(model, box.precision), runtime=engine.runtime)
        self._engine = engine

    def run(self, inputs: Mapping[str, Any], max_tokens: int | None = None) -> dict[str, np.ndarray]:
        """Run once; outputs by name.

        Args:
            inputs: ``{input name: array}``.
            max_tokens: a bound on what a model that makes tokens may make; one call of a compiled file makes no more than one.

        Raises:
            axle.FailedPreconditionError: it is not loaded.
            axle.InvalidArgumentError: inputs that do not fit, or a bound below 1.

        """
        if self.session is None:
            raise axle.FailedPreconditionError(f"{self.engine_path} is not loaded", hint="call load() first")
        if max_tokens is not None and max_tokens < 1:
            raise axle.InvalidArgumentError(f"max_tokens is {max_tokens}, wanted at least 1")
        return self.session.run(inputs)

    def unload(self) -> None:
        """Let the runtime and its process go; nothing happens when it is not loaded."""
        self.session = None
        self._engine = None

    def __enter__(self) -> Self:
        self.load()
        return self

    def __exit__(self, *_: object) -> None:
        self.unload()


class DummyRuntimeAdapter(BinaryRuntimeAdapter):
    """No runtime at all: for tests of programs that use one. What it gives out was computed by no device, and `simulated` says so.

    Args:
        engine_path: a file that has to be there; nothing reads it.
        device_id: any.
        answer: computes the outputs of the inputs; None = the outputs are the inputs.

    """

    simulated = True

    def __init__(
        self,
        engine_path: str | os.PathLike[str],
        device_id: int = 0,
        answer: Callable[[Mapping[str, np.ndarray]], Mapping[str, Any]] | None = None,
    ):
        super().__init__(engine_path)
        self.device_id = device_id
        self._answer = answer
        self._loaded = False

    def load(self) -> None:
        """Check that the file is there.

        Raises:
            axle.NotFoundError: it is not.

        """
        if not Path(self.engine_path).is_file():
            raise axle.NotFoundError(f"there is no file {self.engine_path}", hint="compile the model first")
        self._loaded = True

    def run(self, inputs: Mapping[str, Any], max_tokens: int | None = None) -> dict[str, np.ndarray]:
        """Outputs by name, fresh arrays.

        Raises:
            axle.FailedPreconditionError: it is not loaded.
            axle.InvalidArgumentError: a bound below 1.

        """
        if not self._loaded:
            raise axle.FailedPreconditionError(f"{self.engine_path} is not loaded", hint="call load() first")
        if max_tokens is not None and max_tokens < 1:
            raise axle.InvalidArgumentError(f"max_tokens is {max_tokens}, wanted at least 1")
        given = {name: np.asarray(value) for name, value in inputs.items()}
        outputs = given if self._answer is None else self._answer(given)
        return {name: np.array(value) for name, value in outputs.items()}

    def unload(self) -> None:
        """Nothing runs until it is loaded again."""
        self._loaded = False
