"""PyTorch files are converted to ONNX by torch, in a process of the Python that is found; without torch the error says what to install.

The tests that convert need a Python with torch, onnx and onnxscript: name it with AXLE_TEST_TORCH_PYTHON, or install them here.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

MAKE_SCRIPT = """
import sys
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(4, 8)
        self.second = torch.nn.Linear(8, 3)

    def forward(self, x, scale):
        return torch.softmax(self.second(torch.relu(self.first(x))) * scale, -1)

torch.manual_seed(1)
net = Net().eval()
torch.jit.script(net).save(sys.argv[1])
x = torch.linspace(-1, 1, 8).reshape(2, 4)
scale = torch.tensor([0.5])
import numpy as np
np.savez(sys.argv[2], x=x.numpy(), scale=scale.numpy())
np.save(sys.argv[3], net(x, scale).detach().numpy())
"""


def has_torch(python: str) -> bool:
    wanted = "import importlib.metadata as m; [m.version(n) for n in ('torch', 'onnx', 'onnxscript')]"
    return subprocess.run([python, "-c", wanted], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def torch_python() -> str:
    python = os.environ.get("AXLE_TEST_TORCH_PYTHON", sys.executable)
    if not has_torch(python):
        pytest.skip(f"{python} has no torch, onnx and onnxscript: name a Python that has with AXLE_TEST_TORCH_PYTHON")
    return python


@pytest.mark.parametrize(
    ("model", "format"), [("crepe-tiny/model.pt2", "torch-exported-program"), ("silero-vad/silero_vad.jit", "torchscript")]
)
def test_without_torch_the_error_says_what_to_install(axle, models, tmp_path, model, format):
    if not (models / model).exists():
        pytest.skip(f"no {model}")
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    for environment in ({"AXLE_PYTHON": str(bare / "bin" / "python")}, {"AXLE_PYTHON": "", "VIRTUAL_ENV": str(bare)}):
        answer = axle("run", models / model, "--random", "1", "--json", **environment)
        assert answer.code == 6, answer.out + answer.err
        error = answer.json["error"]
        assert error["code"] == "UNAVAILABLE"
        assert f"no engine reads {format}" in error["message"]
        assert "torch" in error["message"]
        assert "-m pip install torch==" in error["hint"]
    assert axle("inspect", models / model, "--json", AXLE_PYTHON=str(bare / "bin" / "python")).json["format"] == format


def test_a_python_that_is_not_there_is_named(axle, models):
    path = models / "crepe-tiny" / "model.pt2"
    if not path.exists():
        pytest.skip(f"no {path}")
    answer = axle("run", path, "--random", "1", "--json", AXLE_PYTHON="/nowhere/python")
    assert answer.code == 6
    assert "AXLE_PYTHON" in answer.json["error"]["hint"]


def test_an_exported_program_runs_and_is_converted_once(axle, models, torch_python, tmp_path):
    folder = models / "crepe-tiny"
    if not (folder / "model.pt2").exists():
        pytest.skip(f"no {folder / 'model.pt2'}")
    frames = np.load(folder / "input.npz")["frames"]
    np.savez(tmp_path / "in.npz", x=frames)  # what the program calls its input
    arguments = ("run", folder / "model.pt2", "--inputs", tmp_path / "in.npz", "--output-dir", tmp_path / "out", "--json")
    first = axle(*arguments, AXLE_PYTHON=torch_python)
    assert first.code == 0, first.out + first.err
    assert first.json["model"]["path"].endswith("model.pt2")
    made = np.load(tmp_path / "out" / "outputs.npz")
    np.testing.assert_allclose(made[made.files[0]], np.load(folder / "expected.npz")["activation"], rtol=1e-3, atol=1e-4)
    again = axle(*arguments, AXLE_PYTHON=torch_python)
    assert again.json["model"]["digest"] == first.json["model"]["digest"]
    entries = axle("cache", "ls", "--json").out
    assert entries.count("convert-onnx") == 1


def test_torchscript_is_converted_for_the_inputs_given(axle, torch_python, tmp_path):
    script, model, inputs, want = (tmp_path / name for name in ("make.py", "net.pt", "in.npz", "want.npy"))
    script.write_text(MAKE_SCRIPT)
    subprocess.run([torch_python, str(script), str(model), str(inputs), str(want)], check=True)
    answer = axle("run", model, "--inputs", inputs, "--output-dir", tmp_path / "out", "--json", AXLE_PYTHON=torch_python)
    assert answer.code == 0, answer.out + answer.err
    np.testing.assert_allclose(np.load(tmp_path / "out" / "outputs.npz")["output"], np.load(want), rtol=1e-5, atol=1e-6)
    lock = tmp_path / "net.lock"
    assert axle("plan", model, "--inputs", inputs, "-o", lock, AXLE_PYTHON=torch_python).code == 0
    locked = axle("run", model, "--inputs", inputs, "--locked", lock, "--json", AXLE_PYTHON=torch_python)
    assert locked.code == 0, locked.out + locked.err

    missing = axle("run", model, "--random", "1", "--json", AXLE_PYTHON=torch_python)
    assert missing.code == 3
    assert "it takes x, scale" in missing.json["error"]["message"]
    np.savez(tmp_path / "wrong.npz", y=np.zeros((2, 4), np.float32))
    wrong = axle("run", model, "--inputs", tmp_path / "wrong.npz", "--json", AXLE_PYTHON=torch_python)
    assert wrong.code == 3
    assert "the model takes x, scale" in wrong.json["error"]["message"]
