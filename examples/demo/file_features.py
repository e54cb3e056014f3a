"""The byte features of the Magika file-type model.

The model reads 2,048 integers per file: the first 1,024 bytes after leading white space and the last 1,024 before trailing white
space, taken from at most ``block_size`` bytes at either end, each a value 0..255, padded with ``padding_token``.
Source: the configuration file that ships with the model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class MagikaModel:
    """The model file inside the installed ``magika`` package and what is needed to feed and read it."""

    path: Path
    labels: list[str]
    beg_size: int
    end_size: int
    block_size: int
    padding_token: int

    @classmethod
    def find(cls) -> MagikaModel:
        """Locate the model without importing the package. Raises FileNotFoundError where it is not installed."""
        spec = find_spec("magika")
        if spec is None or spec.origin is None:
            raise FileNotFoundError("the Python package 'magika' is not installed; run ./dev setup run")
        folders = sorted((Path(spec.origin).parent / "models").glob("*/model.onnx"))
        if len(folders) != 1:
            raise FileNotFoundError(f"expected one model in the package 'magika', found {len(folders)}")
        config = json.loads(folders[0].with_name("config.min.json").read_text())
        sizes = {key: config[key] for key in ("beg_size", "end_size", "block_size", "padding_token")}
        return cls(path=folders[0], labels=config["target_labels_space"], **sizes)

    def features(self, content: bytes) -> np.ndarray:
        """One row of features: int32, shape (beg_size + end_size,)."""
        begin = content[: self.block_size].lstrip()[: self.beg_size]
        end = content[-self.block_size :].rstrip()[-self.end_size :]
        row = np.full(self.beg_size + self.end_size, self.padding_token, np.int32)
        row[: len(begin)] = np.frombuffer(begin, np.uint8)
        row[len(row) - len(end) :] = np.frombuffer(end, np.uint8)
        return row
