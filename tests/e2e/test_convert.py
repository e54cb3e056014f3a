"""PyTorch files are converted to ONNX by torch, in a process of the Python that is found; without torch the error says what to install.

The tests that convert need a Python with torch, onnx and onnxscript: name it with AXLE_TEST_TORCH_PYTHON, or install them here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import wave

import numpy as np
import onnx
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


def speech(models, first: int, count: int) -> np.ndarray:
    """Chunks of 512 samples of the recording that silero-vad's expected figures are of."""
    with wave.open(str(models / "audio" / "speech_en.wav")) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16).astype(np.float32) / 32768
    return samples[512 * first : 512 * (first + count)].reshape(count, 1, 512)


@pytest.fixture
def silero(models):
    path = models / "silero-vad" / "silero_vad.jit"
    if not path.exists() or not (models / "audio" / "speech_en.wav").exists():
        pytest.skip(f"no {path}")
    return path


def test_a_model_with_a_number_and_state_runs_chunk_by_chunk(axle, models, silero, torch_python, tmp_path):
    """silero-vad takes the rate as an int and keeps its state: the rate is fixed, the state comes out and may be fed."""
    wanted = np.load(silero.parent / "expected.npz")["prob_jit"]
    state = {}
    for number, chunk in enumerate(speech(models, 0, 4)):
        np.savez(tmp_path / "in.npz", x=chunk, sr=np.int64(16000), **state)
        arguments = ("--inputs", tmp_path / "in.npz", "--output-dir", tmp_path / "out", "--json")
        answer = axle("run", silero, *arguments, AXLE_PYTHON=torch_python)
        assert answer.code == 0, answer.out + answer.err
        made = np.load(tmp_path / "out" / "outputs.npz")
        np.testing.assert_allclose(made["output"], [[wanted[number]]], rtol=1e-3, atol=1e-4)
        state = {"_state": made["_state_next"], "_context": made["_context_next"]}
        assert state["_state"].shape == (2, 1, 128)
    # Once without state, once with it; the third and fourth call found the second one's model.
    assert axle("cache", "ls", "--json").out.count("convert-onnx") == 2


def test_another_number_is_another_model(axle, silero, torch_python, tmp_path):
    digests = set()
    for rate, size in ((16000, 512), (8000, 256)):
        np.savez(tmp_path / "in.npz", x=np.zeros((1, size), np.float32), sr=np.int64(rate))
        answer = axle("plan", silero, "--inputs", tmp_path / "in.npz", "--json", AXLE_PYTHON=torch_python)
        assert answer.code == 0, answer.out + answer.err
        digests.add(answer.json["model"]["digest"])
    assert len(digests) == 2


def test_inputs_are_guessed_where_none_are_given_and_that_is_said(axle, silero, torch_python):
    answer = axle("run", silero, "--random", "1", "--json", AXLE_PYTHON=torch_python)
    assert answer.code == 0, answer.out + answer.err
    assert "converted for x float32[1, 512], sr = 16000" in answer.err
    assert [output["shape"] for output in answer.json["outputs"]] == [[1, 1], [1, 64], [2, 1, 128]]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"x": np.zeros((1, 100), np.float32), "sr": np.int64(16000)}, "Input audio chunk is too short"),
        ({"x": np.zeros((1, 512), np.float32)}, "sr was not given"),
        ({"x": np.zeros((1, 512), np.float32), "sr": np.float32(16000)}, "input 'sr' is one int in the model, not float32[]"),
        ({"x": np.zeros((1, 512), np.float32), "rate": np.int64(16000)}, "the model takes x, sr"),
    ],
)
def test_what_torch_says_of_the_inputs_is_told(axle, silero, torch_python, tmp_path, inputs, said):
    np.savez(tmp_path / "in.npz", **inputs)
    answer = axle("run", silero, "--inputs", tmp_path / "in.npz", "--json", AXLE_PYTHON=torch_python)
    assert answer.code == 3, answer.out + answer.err
    assert said in answer.json["error"]["message"]


MAKE_DATA_DEPENDENT = """
import sys
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.count = torch.zeros(1)

    def forward(self, x):
        self.count = self.count + 1
        if bool(x.sum() > 0):
            return x * 2
        return x - 1

torch.jit.script(Net()).save(sys.argv[1])
"""


def test_a_branch_on_elements_in_a_model_with_state_is_refused_with_torchs_words(axle, torch_python, tmp_path):
    script, model, inputs = (tmp_path / name for name in ("make.py", "net.pt", "in.npz"))
    script.write_text(MAKE_DATA_DEPENDENT)
    subprocess.run([torch_python, str(script), str(model)], check=True)
    np.savez(inputs, x=np.ones((2, 3), np.float32))
    answer = axle("run", model, "--inputs", inputs, "--json", AXLE_PYTHON=torch_python)
    assert answer.code == 4, answer.out + answer.err
    assert "no branch on elements of a tensor" in answer.json["error"]["message"]
    assert "`if bool(x.sum() > 0):`" in answer.json["error"]["message"]
    assert "torch.onnx.export" in answer.json["error"]["hint"]


def test_a_number_that_a_conversion_fixed_is_left_out_of_the_inputs(axle, model, tmp_path):
    converted = onnx.load(model)
    converted.metadata_props.add(key="axle.fixed.rate", value="16000")
    onnx.save(converted, model)
    with np.load(tmp_path / "in.npz") as feeds:
        np.savez(tmp_path / "more.npz", rate=np.int64(16000), **feeds)
        np.savez(tmp_path / "other.npz", pace=np.int64(16000), **feeds)
    answer = axle("run", model, "--inputs", tmp_path / "more.npz")
    assert answer.code == 0, answer.err
    refused = axle("run", model, "--inputs", tmp_path / "other.npz")
    assert refused.code == 3
    assert "no input 'pace'" in refused.err
