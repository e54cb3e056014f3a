"""The demo's features are the ones that the model was made for, and its labels stand in the right order."""

import os
import sys
import unittest
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = Path(os.environ.get("AXLE_SHARED_MODELS", ROOT.parent / "shared" / "models"))


@unittest.skipIf(find_spec("magika") is None, "the Python package 'magika' is not installed")
class DemoFeatures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sys.path.insert(0, str(ROOT / "examples" / "demo"))
        from file_features import MagikaModel

        cls.model = MagikaModel.find()

    def assert_features_of(self, content: bytes) -> None:
        import io

        from magika import Magika
        from magika.types.seekable import Seekable

        expected = Magika._extract_features_from_seekable(
            Seekable(io.BytesIO(content)),
            self.model.beg_size, 0, self.model.end_size, self.model.padding_token, self.model.block_size, False,
        )  # fmt: skip
        self.assertEqual(self.model.features(content).tolist(), expected.beg + expected.end)

    def test_match_those_of_the_models_own_package(self):
        block = self.model.block_size
        for content in [
            b"0123456789",
            b"  \n both sides \t ",
            bytes(range(256)) * 3,
            b"x" * 1024,
            b" " * 2000 + b"late start" + b"y" * 6000 + b"\n" * 1500,
            b" " * block + b"z" * block,
            (ROOT / "dev").read_bytes(),
        ]:
            with self.subTest(length=len(content)):
                self.assert_features_of(content)

    @unittest.skipUnless((MODELS / "magika" / "input.npz").exists(), f"no models in {MODELS}: set AXLE_SHARED_MODELS")
    def test_labels_match_the_recorded_outputs(self):
        import numpy as np

        with np.load(MODELS / "magika" / "expected.npz") as expected:
            best = expected["target_label"].argmax(axis=1)
        truth = [line.split("\t")[0] for line in (MODELS / "magika" / "expected_labels.txt").read_text().splitlines()]
        self.assertEqual([self.model.labels[index] for index in best], truth)


if __name__ == "__main__":
    unittest.main()
