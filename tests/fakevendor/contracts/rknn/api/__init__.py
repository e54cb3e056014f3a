"""FAKE: the contract of Rockchip's RKNN toolkit. Calls give 0 for success."""

from __future__ import annotations

import fake_npu


class RKNN:
    """One model on its way."""

    def __init__(self, verbose: bool = False) -> None:
        self.model = ""
        print(f"FAKE rknn toolkit, verbose {verbose}")

    def config(self, target_platform: str) -> None:
        """Say what it is for."""
        print(f"FAKE rknn: for {target_platform}")

    def load_onnx(self, model: str) -> int:
        """Read the model."""
        self.model = model
        return 0

    def build(self, do_quantization: bool) -> int:
        """Prepare; nothing is quantised here."""
        return 1 if do_quantization else 0

    def export_rknn(self, path: str) -> int:
        """Write the artefact."""
        try:
            fake_npu.compile_file(self.model, path)
        except RuntimeError as error:
            print(f"E RKNN: {error}")
            return -1
        return 0

    def release(self) -> None:
        """Nothing is held."""
