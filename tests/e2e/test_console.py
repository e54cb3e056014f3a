"""What the command says and how wide: errors of the command line, tables, the policy that stands for every call."""

from __future__ import annotations

import json
import os
import pty
import re
import struct
import subprocess
import termios
from fcntl import ioctl
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
from onnx import TensorProto, helper
from test_hostile import mlp, save


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(mlp(), tmp_path / "mlp.onnx")


@pytest.mark.parametrize(
    "words",
    [("frobnicate",), ("run", "--no-such-flag"), ("run", "m.onnx", "--device", ""), ("engines", "frobnicate"), ("cache", "frobnicate")],
)
def test_a_command_line_that_is_not_understood(axle, words):
    """Two lines for people, the document of every other error for scripts; the exit code is the same."""
    told = axle(*words)
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("axle: ") and "\n  see: axle" in told.err
    answer = axle(*words, "--json")
    assert (answer.code, answer.err) == (2, "")
    error = answer.json["error"]
    assert error["code"] == "INVALID_ARGUMENT"
    assert error["message"] in told.err.splitlines()[0]
    assert error["hint"].startswith("see: axle")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "m.onnx", "--devise", "cpu"), "there is no option --devise, did you mean --device?"),
        (("run", "m.onnx", "--input-dir=x"), "there is no option --input-dir"),
        (("run", "m.onnx", "other.onnx"), "'other.onnx' is one argument too many"),
        (("run", "m.onnx", "--random"), "--random wants a value: --random SEED"),
        (("run", "m.onnx", "--random", "x"), "--random = x is no whole number"),
        (("bench", "m.onnx", "--compare"), "--compare wants a value: --compare ENGINE[,...]"),
        (("run",), "MODEL is missing"),
        (("cache", "verify", "abc"), "axle cache verify takes no 'abc'"),
        (("cache", "rm", "abc", "def"), "'def' is one too many"),
        (("cache", "ls", "--max-size", "1GiB"), "--max-size goes with gc"),
        (("evidence", "ls", "m.onnx"), "--model MODEL"),
        (("evidence", "rm"), "--model, --candidate, --stale or --all"),
        (("evidence", "import"), "needs a file"),
    ],
)
def test_what_is_wrong_with_a_command_line_is_said(axle, words, said):
    told = axle(*words)
    assert told.code == 2
    assert said in told.err.splitlines()[0]


def test_what_inputs_should_have_been_is_said(axle, model, tmp_path):
    for words, said in (
        ((), "which takes x f32[n, 8]"),
        (("--inputs", model), "numpy.savez"),
        (("--input", "x"), "axle inspect MODEL lists the inputs"),
        (("--input", f"x={tmp_path / 'none.npy'}"), "--input x"),
    ):
        told = axle("run", model, *words)
        assert told.code == 3, told.err
        assert said in told.err
    np.savez(tmp_path / "f64.npz", x=np.zeros((3, 8)))
    assert 'array.astype("float32")' in axle("run", model, "--inputs", tmp_path / "f64.npz").err
    np.savez(tmp_path / "flat.npz", x=np.zeros(24, np.float32))
    assert "the number of axes differs: it has 1, 2 are wanted" in axle("run", model, "--inputs", tmp_path / "flat.npz").err
    for words in (
        ("run", model, "--random", "1", "--locked", model),
        ("plan", "--check", model),
        ("plan", "--check", tmp_path / "no.lock"),
    ):
        told = axle(*words)
        assert told.code == 3
        assert "axle plan MODEL -o FILE.lock" in told.err
    for command, flag in (("tune", "--budget"), ("bench", "--duration"), ("deploy", "--budget")):
        assert flag in axle(command, model, "--random", "1", flag, "soon").err


def test_a_file_that_is_not_there_is_no_engine_s_error(axle, model, tmp_path):
    for words in (
        ("run", tmp_path / "none.onnx", "--random", "1"),
        ("run", model, "--inputs", tmp_path / "none.npz"),
        ("run", model, "--locked", tmp_path / "no.lock"),
    ):
        told = axle(*words)
        assert told.code == 3, told.err
        assert "engine code" not in told.err
        assert "No such file or directory" in told.err or "there is no model at" in told.err


def test_an_object_array_is_bad_input(axle, model, tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    told = axle("run", model, "--input", f"x={tmp_path / 'x.npy'}")
    assert told.code == 3, told.err
    assert "object arrays" in told.err


def test_random_values_of_a_type_that_is_not_generated_are_bad_input(axle, tmp_path):
    ports = [helper.make_tensor_value_info(name, TensorProto.COMPLEX64, [2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"], name="same")], "g", ports[:1], ports[1:])
    path = save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9), tmp_path / "complex.onnx")
    told = axle("run", path, "--random", "1")
    assert told.code == 3, told.err
    assert "--random" in told.err and "--inputs" in told.err


def test_the_policy_that_stands_for_every_call(axle, model, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("[execution]\nthreads = 1\n", encoding="utf-8")
    planned = axle("plan", model, "--json", AXLE_CONFIG=str(config))
    assert planned.code == 0, planned.err
    assert planned.json["policy"]["execution"]["threads"] == 1
    assert axle("plan", model, "--threads", "2", "--json", AXLE_CONFIG=str(config)).json["policy"]["execution"]["threads"] == 2
    other = tmp_path / "policy.toml"
    other.write_text("", encoding="utf-8")
    assert axle("plan", model, "--policy", other, "--json", AXLE_CONFIG=str(config)).json["policy"]["execution"]["threads"] == 0
    told = axle("explain", model, AXLE_CONFIG=str(config))
    assert re.search(r"^  policy sha256:\w+: execution.threads = 1$", told.out, re.MULTILINE), told.out
    missing = axle("plan", model, AXLE_CONFIG=str(tmp_path / "none.toml"))
    assert missing.code == 3
    assert "AXLE_CONFIG" in missing.err


def test_a_lock_holds_whatever_policy_stands(axle, model, tmp_path):
    lock = tmp_path / "m.lock"
    assert axle("plan", model, "-o", lock).code == 0
    config = tmp_path / "config.toml"
    config.write_text("[execution]\nthreads = 1\n", encoding="utf-8")
    done = axle("run", model, "--locked", lock, "--random", "1", AXLE_CONFIG=str(config))
    assert done.code == 0, done.err


def test_tables_are_as_wide_as_asked(axle, model):
    narrow, wide = (axle("plan", model, "-v", COLUMNS=columns).out.splitlines() for columns in ("80", "200"))
    # The first line is the model's path.
    assert max(len(line) for line in narrow[1:]) <= 80
    assert any(line.startswith("note: ") for line in narrow)
    assert max(map(len, wide)) > 80


def test_engines_that_wait_to_be_added_are_counted(axle):
    short, full = axle("engines"), axle("engines", "--all")
    assert (short.code, full.code) == (0, 0)
    folded = [engine["name"] for engine in axle("engines", "--json").json["engines"] if engine["description"] and not engine["present"]]
    if not folded:
        pytest.skip("no descriptions come with this build")
    assert f"{len(folded)} more are described and not in use: axle engines --all" in short.out
    for name in folded:
        assert re.search(rf"^{name}\s", full.out, re.MULTILINE), name


def test_the_live_table_keeps_to_the_terminal(model, tmp_path):
    """Every line that is written over fits 80 columns and 24 rows."""
    control, terminal = pty.openpty()
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [os.environ["AXLE_COMMAND"], "tune", str(model), "--random", "1", "--budget", "2s"]
    env = {**os.environ, "AXLE_CACHE_DIR": str(tmp_path / "cache"), "NO_COLOR": "1"}
    with subprocess.Popen(command, stdout=terminal, stderr=subprocess.DEVNULL, env=env) as running:
        os.close(terminal)
        shown = b""
        try:
            while piece := os.read(control, 65536):
                shown += piece
        except OSError:  # the other end is closed
            pass
        assert running.wait(timeout=120) == 0
    os.close(control)
    tables = re.split(r"\x1b\[\d+A\x1b\[J", shown.decode().replace("\r\n", "\n"))
    assert len(tables) > 2
    for table in tables[:-1]:
        lines = table.splitlines()
        assert len(lines) < 24
        assert max(map(len, lines)) <= 80, table


def test_what_a_library_says_of_a_broken_model_is_one_line(axle, tmp_path):
    broken = mlp()
    broken.graph.node[0].op_type = "NoSuchOperator"
    told = axle("run", save(broken, tmp_path / "broken.onnx"), "--random", "1")
    assert told.code not in (0, 70), told.err
    assert len(told.err.splitlines()) <= 3, told.err
    whole = axle("run", tmp_path / "broken.onnx", "--random", "1", "--json")
    assert json.loads(whole.out)["error"]["message"]


def test_generated_inputs_grow_until_the_model_runs(axle, models):
    model = models / "silero-vad" / "silero_vad_op18_ifless.onnx"
    for engine in ("onnxruntime", "openvino"):
        done = axle("bench", model, "--random", "1", "--engine", engine, "--duration", "200ms", "--json")
        if done.code == 6:
            continue
        assert done.code == 0, done.out + done.err
        assert "1 or 576" in "\n".join(done.json["notes"]), done.json["notes"]
        ran = axle("run", model, "--random", "1", "--engine", engine, "--json")
        assert ran.code == 0, ran.err
        assert {tuple(output["shape"]) for output in ran.json["outputs"]} == {(1, 1), (2, 1, 128)}
