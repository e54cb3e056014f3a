"""FAKE: the contract of HailoRT's Python interface. Tensors of four axes are NHWC here, as Hailo's are."""

from __future__ import annotations

import enum
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import fake_npu
import numpy as np

__version__ = fake_npu.VERSION


class FormatType(enum.Enum):
    """Of a stream's numbers."""

    FLOAT32 = 1


class HailoStreamInterface(enum.Enum):
    """How the device is reached."""

    PCIe = 1


@dataclass
class StreamInfo:
    """A stream's name, and its shape without the batch."""

    name: str
    shape: tuple[int, ...]


def _info(port) -> StreamInfo:
    name, shape = port
    return StreamInfo(f"model/{name}", (shape[2], shape[3], shape[1]) if len(shape) == 4 else tuple(shape[1:]))


class HEF:
    """An artefact."""

    def __init__(self, path: str) -> None:
        self.program = Path(path).read_bytes()
        self.inputs, self.outputs = fake_npu.ports(self.program)

    def get_input_vstream_infos(self):
        """In the model's order."""
        return [_info(port) for port in self.inputs]

    def get_output_vstream_infos(self):
        """In the model's order."""
        return [_info(port) for port in self.outputs]


class ConfigureParams:
    """How a network is put onto a device."""

    @staticmethod
    def create_from_hef(hef: HEF, interface: HailoStreamInterface):
        """The usual ones."""
        return {"hef": hef, "interface": interface}


class _Streams:
    @classmethod
    def make(cls, group, format_type: FormatType):
        """Of all of a network's streams."""
        return {"group": group, "format": format_type}


class InputVStreamParams(_Streams):
    """Of what goes in."""


class OutputVStreamParams(_Streams):
    """Of what comes out."""


class Group:
    """A network on a device."""

    def __init__(self, hef: HEF) -> None:
        self.hef = hef

    def create_params(self):
        """For activate."""
        return {}

    @contextmanager
    def activate(self, _params):
        """Nothing else runs meanwhile."""
        yield self


class VDevice:
    """The FAKE device."""

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        return None

    def configure(self, hef: HEF, _params) -> list[Group]:
        """One network for each of the artefact."""
        return [Group(hef)]


class InferVStreams:
    """Runs a network."""

    def __init__(self, group: Group, _inputs, _outputs) -> None:
        self.hef = group.hef

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        return None

    def infer(self, data):
        """Results by their streams' names."""
        values = []
        for (name, shape), info in zip(self.hef.inputs, self.hef.get_input_vstream_infos(), strict=True):
            value = data[f"model/{name}"]
            assert value.shape[1:] == info.shape
            values.append(value.transpose(0, 3, 1, 2) if len(shape) == 4 else value)
        made = fake_npu.run(self.hef.program, values)
        nhwc = [np.ascontiguousarray(value.transpose(0, 2, 3, 1)) if value.ndim == 4 else value for value in made]
        return {info.name: value for info, value in zip(self.hef.get_output_vstream_infos(), nhwc, strict=True)}
