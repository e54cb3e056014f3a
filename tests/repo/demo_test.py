"""The demo measures once, fails when a label is wrong, and passes on the exit code of a command that fails."""

import os
import subprocess
import sys
import tempfile
import unittest
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Stands in for the command line: writes down each call and answers `run` with the labels that the demo expects, or others.
FAKE_AXLE = """#!{python}
import json, os, pathlib, sys
sys.path.insert(0, {demo!r})
import numpy as np
from demo import FILES
from file_features import MagikaModel
folder = pathlib.Path(__file__).parents[1]
with open(folder / "calls", "a") as calls:
    calls.write(sys.argv[1] + "\\n")
if sys.argv[1] == os.environ.get("FAKE_FAILS"):
    sys.exit(6)
if sys.argv[1] == "run":
    labels = MagikaModel.find().labels
    scores = np.zeros((len(FILES), len(labels)), np.float32)
    wanted = list(FILES.values()) if "FAKE_WRONG" not in os.environ else ["elf"] * len(FILES)
    scores[np.arange(len(FILES)), [labels.index(label) for label in wanted]] = 1
    outputs = pathlib.Path(sys.argv[sys.argv.index("--output-dir") + 1])
    outputs.mkdir(exist_ok=True)
    np.save(outputs / "target_label.npy", scores)
    print(json.dumps({{"plan": {{"partitions": [{{"candidate": "fake@cpu:0/f32/t1/default"}}]}}}}))
"""


@unittest.skipIf(find_spec("magika") is None, "the Python package 'magika' is not installed")
class Demo(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.axle = self.folder / "bin" / "axle"
        self.axle.parent.mkdir()
        self.axle.write_text(FAKE_AXLE.format(python=sys.executable, demo=str(ROOT / "examples" / "demo")))
        self.axle.chmod(0o755)

    def demo(self, **environment: str) -> subprocess.CompletedProcess:
        command = [sys.executable, ROOT / "examples" / "demo" / "demo.py", "--axle", self.axle, "--folder", self.folder / "demo"]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)

    def test_tunes_the_first_time_only(self):
        for _ in range(2):
            done = self.demo()
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"dev +-> shell +100\.0 %\n")
        self.assertIn("ran as fake@cpu:0/f32/t1/default", done.stdout)
        self.assertEqual((self.folder / "calls").read_text().split(), ["tune", "run", "explain", "run", "explain"])

    def test_fails_when_a_label_is_wrong(self):
        done = self.demo(FAKE_WRONG="1")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"dev +-> elf +100\.0 % +expected shell")

    def test_passes_on_the_exit_code_and_measures_again_next_time(self):
        self.assertEqual(self.demo(FAKE_FAILS="tune").returncode, 6)
        self.assertEqual(self.demo(FAKE_FAILS="run").returncode, 6)
        self.assertEqual((self.folder / "calls").read_text().split(), ["tune", "tune", "run"])


if __name__ == "__main__":
    unittest.main()
