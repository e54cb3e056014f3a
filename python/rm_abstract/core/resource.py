"""The resource model: what can execute, what it can do, how a model is built for it, and what was built. Values.

They are axle's own things under this front door's names: a `Resource` is an `axle.Resource`, a `BuildArtifact` an entry of axle's cache
that was written to a file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Self

import axle

_RECORD = ".axle.json"

# This front door's words for element types and axle's.
_DTYPES = {"fp64": "f64", "fp32": "f32", "fp16": "f16", "uint8": "u8", "uint16": "u16", "int16": "i16", "int32": "i32", "int64": "i64"}
_WORDS = {ours: theirs for theirs, ours in _DTYPES.items()}


def axle_precision(dtype: str) -> str:
    """Give axle's word for a precision: ``"fp16"`` is ``"f16"``."""
    return _DTYPES.get(dtype.lower(), dtype.lower())


class ResourceType(Enum):
    """What kind of thing executes."""

    GPU = "gpu"
    NPU = "npu"
    PIM = "pim"
    CPU = "cpu"
    REMOTE = "remote"
    HYBRID = "hybrid"


@dataclass
class Resource:
    """A thing that can execute.

    Attributes:
        id: unique in its pool; of a resource that axle found, axle's selector of it ("npu:0").
        type: its kind.
        attributes: facts by name: ``vendor``, ``name``, ``memory_gb``, ``driver``, ``pci_id``, ...
        tags: words that selection may ask for ("low-latency", "integrated"); ``"sim"`` marks a simulated one.

    """

    id: str
    type: ResourceType
    attributes: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)

    @property
    def simulated(self) -> bool:
        """Whether no real device computes."""
        return "sim" in self.tags

    def has_tags(self, *tags: str) -> bool:
        """Say whether it has all of these tags."""
        return all(tag in self.tags for tag in tags)

    @classmethod
    def from_axle(cls, resource: axle.Resource) -> Self:
        """Give a resource that axle found."""
        attributes: dict[str, Any] = {"vendor": resource.vendor, "name": resource.name, "driver": resource.driver}
        if resource.memory_bytes:
            attributes["memory_gb"] = resource.memory_bytes / 2**30
        attributes.update(resource.attributes)
        tags = list(resource.tags)
        if resource.simulated and "sim" not in tags:
            tags.append("sim")
        return cls(resource.id, ResourceType(resource.kind), {k: v for k, v in attributes.items() if v != ""}, tags)


@dataclass
class Capability:
    """What can be done on a resource; None = not known, which no requirement is taken to be met by.

    Attributes:
        max_batch_size: most samples at once.
        max_seq_len: longest sequence.
        dtype: precisions it computes in: "fp32", "fp16", "int8", ...
        requires_precompile: it runs only what was compiled before.
        optimized_for: objectives it was made for: "latency", "throughput", "energy", "cost".
        formats: model formats it reads, in axle's words.

    """

    max_batch_size: int | None = None
    max_seq_len: int | None = None
    dtype: list[str] = field(default_factory=list)
    requires_precompile: bool = False
    optimized_for: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)

    def supports(self, dtype: str | None = None, batch_size: int | None = None, seq_len: int | None = None) -> bool:
        """Say whether it is known to do all of this."""
        if dtype is not None and axle_precision(dtype) not in [axle_precision(own) for own in self.dtype]:
            return False
        return all(
            wanted is None or (limit is not None and wanted <= limit)
            for wanted, limit in ((batch_size, self.max_batch_size), (seq_len, self.max_seq_len))
        )

    @classmethod
    def from_axle(cls, capability: axle.Capability) -> Self:
        """Give what an engine says of a resource. Batch and sequence follow from a model's shapes there: not known here."""
        dtypes = [_WORDS.get(precision.name, precision.name) for precision in capability.precisions]
        return cls(dtype=dtypes, requires_precompile=capability.needs_compile, formats=list(capability.formats))


@dataclass
class BuildProfile:
    """How a model is built for a kind of resource.

    Attributes:
        target_resource_type: what it is built for.
        compiler: the compiler's name; of axle's own plugins, the engine's.
        compiler_version: that was asked for or found; "" = any.
        flags: what the compiler is told; ``precision`` is also what the result computes in.
        interface: "cli" (flags on a command line), "config" (a file that the compiler reads), "engine" (an engine of axle).

    """

    target_resource_type: ResourceType
    compiler: str
    compiler_version: str = ""
    flags: dict[str, Any] = field(default_factory=dict)
    interface: str = "cli"

    @property
    def precision(self) -> str:
        """What the result computes in, in axle's word."""
        return axle_precision(str(self.flags.get("precision", "f32")))

    def flag_texts(self) -> dict[str, str]:
        """Give the flags as texts; booleans are "true" and "false"."""
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in self.flags.items()}


def file_digest(path: str | os.PathLike[str]) -> str:
    """Give "sha256:..." of a file's content."""
    with Path(path).open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class BuildArtifact:
    """A compiled model in a file, with what it was made from beside it (PATH.axle.json).

    Attributes:
        path: the compiled file.
        model_id: the caller's name for the model.
        profile: how it was built.
        metadata: ``key`` (of the entry in axle's cache), ``digest`` (of the file), ``model_path``, ``model_digest``, ``cache`` ("hit",
            "miss"), ``compile_ms``, ``log``.

    """

    path: str
    model_id: str
    profile: BuildProfile
    metadata: dict[str, Any] = field(default_factory=dict)

    def save(self) -> None:
        """Write the record beside the file, whole or not at all."""
        record = asdict(self)
        record["profile"]["target_resource_type"] = self.profile.target_resource_type.value
        target = Path(self.path + _RECORD)
        part = target.with_name(target.name + ".part")
        part.write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
        part.replace(target)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read the record of a compiled file and check the file against it.

        Raises:
            axle.NotFoundError: there is no record.
            axle.DataLossError: the record cannot be read, or the file is not the one that it was written for.

        """
        record = Path(os.fspath(path) + _RECORD)
        try:
            facts = json.loads(record.read_text(encoding="utf-8"))
            facts["profile"]["target_resource_type"] = ResourceType(facts["profile"]["target_resource_type"])
            made = cls(os.fspath(path), facts["model_id"], BuildProfile(**facts["profile"]), facts["metadata"])
        except FileNotFoundError:
            raise axle.NotFoundError(f"{record} is not there", hint="a compiled file is used with the record it was written with") from None
        except (ValueError, KeyError, TypeError) as error:
            raise axle.DataLossError(f"{record} cannot be read: {error}", hint="compile the model again") from error
        made.validate()
        return made

    def validate(self) -> None:
        """Check the file's content; DataLossError when it is not what was compiled, NotFoundError when it is gone."""
        if not Path(self.path).is_file():
            raise axle.NotFoundError(f"{self.path} is not there", hint="compile the model again")
        digest = file_digest(self.path)
        if digest != self.metadata.get("digest"):
            raise axle.DataLossError(f"{self.path} is not the file that was compiled: {digest}", hint="compile the model again")


class ResourcePool:
    """Resources by their ids, in the order they were added."""

    def __init__(self, resources: Iterable[Resource] = ()):
        self._resources: dict[str, Resource] = {}
        for resource in resources:
            self.add(resource)

    @classmethod
    def discover(cls, runtime: axle.Runtime | None = None) -> Self:
        """Give this machine's resources, and the simulated ones that engines bring."""
        return cls(Resource.from_axle(resource) for resource in axle.devices(runtime))

    def add(self, resource: Resource) -> None:
        """Add a resource; AlreadyExistsError for an id that is taken."""
        if resource.id in self._resources:
            raise axle.AlreadyExistsError(f"the pool has a resource '{resource.id}' already")
        self._resources[resource.id] = resource

    def remove(self, resource_id: str) -> Resource:
        """Take a resource out; NotFoundError when it is not there."""
        self.get(resource_id)
        return self._resources.pop(resource_id)

    def get(self, resource_id: str) -> Resource:
        """Give a resource; NotFoundError names those that are there."""
        if resource_id not in self._resources:
            known = ", ".join(self._resources) or "nothing"
            raise axle.NotFoundError(f"the pool has no resource '{resource_id}'", hint=f"it has: {known}")
        return self._resources[resource_id]

    def select(self, type: ResourceType | None = None, tags: Iterable[str] = (), simulated: bool = False) -> list[Resource]:
        """Give those of a type with all of these tags; simulated ones only when they are asked for."""
        wanted = list(tags)
        return [
            resource
            for resource in self
            if (type is None or resource.type is type)
            and resource.has_tags(*wanted)
            and (simulated or "sim" in wanted or not resource.simulated)
        ]

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources.values())

    def __len__(self) -> int:
        return len(self._resources)

    def __contains__(self, resource_id: object) -> bool:
        return resource_id in self._resources
