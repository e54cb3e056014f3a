"""Custom operators: a user's library runs when the policy names it and its folder is trusted, and only as it was planned with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

LIBRARY = "axle_test_custom_ops.so"


@pytest.fixture
def trusted(tmp_path) -> Path:
    """Give a folder of this user with the library in it."""
    built = Path(os.environ["AXLE_COMMAND"]).parents[1] / "engines" / "onnxruntime" / LIBRARY
    if not built.exists():
        pytest.skip("the headers of ONNX Runtime here have no onnxruntime_lite_custom_op.h")
    folder = tmp_path / "trusted"
    folder.mkdir(mode=0o700)
    shutil.copy(built, folder / LIBRARY)
    (folder / LIBRARY).chmod(0o755)
    return folder


@pytest.fixture
def model(tmp_path) -> list:
    """Write MatMul, test.axle:Twice, Relu; give the arguments that name the model and its inputs."""
    weight = np.random.default_rng(1).standard_normal((8, 8)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "product"),
        helper.make_node("Twice", ["a"], ["b"], "twice", domain="test.axle"),
        helper.make_node("Relu", ["b"], ["y"], "relu"),
    ]
    x, y, a, b = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 8]) for name in "xyab")
    graph = helper.make_graph(nodes, "custom", [x], [y], [numpy_helper.from_array(weight, "w")], value_info=[a, b])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("test.axle", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "custom.onnx")
    value = np.random.default_rng(2).standard_normal((4, 8)).astype(np.float32)
    np.savez(tmp_path / "in.npz", x=value)
    np.save(tmp_path / "wanted.npy", np.maximum(2 * value @ weight, 0))
    return [tmp_path / "custom.onnx", "--inputs", tmp_path / "in.npz"]


def policy(folder: Path, text: str = "") -> Path:
    path = folder / "policy.toml"
    path.write_text(f'[engines.onnxruntime]\ncustom_ops = "{LIBRARY}"\n{text}')
    return path


def check_outputs(folder: Path) -> None:
    np.testing.assert_allclose(np.load(folder / "out" / "y.npy"), np.load(folder / "wanted.npy"), rtol=1e-5, atol=1e-5)


def test_it_runs_with_the_library_and_not_without(axle, trusted, model, tmp_path):
    refused = axle("run", *model)
    assert refused.code == 4
    assert "Twice" in refused.err
    arguments = [*model, "--policy", policy(tmp_path), "--output-dir", tmp_path / "out", "--json"]
    answer = axle("run", *arguments, AXLE_CUSTOM_OPS_PATH=str(trusted))
    assert answer.code == 0, answer.err
    assert answer.json["plan"]["partitions"][0]["engine"] == "onnxruntime"
    check_outputs(tmp_path)
    again = axle("run", *arguments, AXLE_CUSTOM_OPS_PATH=str(trusted))
    assert again.json["timing"]["cache"] == "hit"
    check_outputs(tmp_path)


def test_the_rest_may_run_on_another_engine(axle, trusted, model, tmp_path):
    pins = '[[pin]]\nop_types = ["MatMul"]\nrequire = { engine = "openvino" }\n'
    arguments = [*model, "--policy", policy(tmp_path, pins), "--output-dir", tmp_path / "out", "--json"]
    answer = axle("run", *arguments, AXLE_CUSTOM_OPS_PATH=str(trusted))
    if answer.code == 6:
        pytest.skip("openvino is not installed")
    assert answer.code == 0, answer.err
    assert [part["engine"] for part in answer.json["plan"]["partitions"]] == ["openvino", "onnxruntime"]
    check_outputs(tmp_path)


def test_another_library_of_that_name_is_not_run_by_a_lock(axle, trusted, model, tmp_path):
    lock, path = tmp_path / "custom.lock", {"AXLE_CUSTOM_OPS_PATH": str(trusted)}
    assert axle("plan", *model, "--policy", policy(tmp_path), "-o", lock, **path).code == 0
    assert axle("run", *model, "--locked", lock, "--output-dir", tmp_path / "out", **path).code == 0
    check_outputs(tmp_path)
    with (trusted / LIBRARY).open("ab") as library:
        library.write(b"\0")
    changed = axle("run", *model, "--locked", lock, **path)
    assert changed.code == 5, changed.err
    assert LIBRARY in changed.err
    assert axle("plan", model[0], "--check", lock, **path).code == 5


@pytest.mark.parametrize("name", ["../evil.so", "/tmp/evil.so", ".hidden.so", "a b.so", "absent.so"])
def test_names_of_files_in_the_folder_only(axle, trusted, model, tmp_path, name):
    rules = tmp_path / "policy.toml"
    rules.write_text(f'[engines.onnxruntime]\ncustom_ops = "{name}"\n')
    answer = axle("run", *model, "--policy", rules, AXLE_CUSTOM_OPS_PATH=str(trusted))
    assert answer.code == 3, answer.err
    assert "custom_ops" in answer.err


def test_what_others_may_write_is_not_loaded(axle, trusted, model, tmp_path):
    arguments = [*model, "--policy", policy(tmp_path)]
    (trusted / LIBRARY).chmod(0o777)
    assert "written by other users" in axle("run", *arguments, AXLE_CUSTOM_OPS_PATH=str(trusted)).err
    (trusted / LIBRARY).chmod(0o755)
    trusted.chmod(0o777)
    assert "written by other users" in axle("run", *arguments, AXLE_CUSTOM_OPS_PATH=str(trusted)).err
    trusted.chmod(0o700)
    (trusted / LIBRARY).rename(trusted / "real.so")
    (trusted / LIBRARY).symlink_to(trusted / "real.so")
    assert "is not a file" in axle("run", *arguments, AXLE_CUSTOM_OPS_PATH=str(trusted)).err


def test_a_waived_library_is_in_the_ledger(axle, trusted, model, tmp_path):
    lock, path = tmp_path / "custom.lock", {"AXLE_CUSTOM_OPS_PATH": str(trusted)}
    assert axle("plan", *model, "--policy", policy(tmp_path), "-o", lock, **path).code == 0
    with (trusted / LIBRARY).open("ab") as library:
        library.write(b"\0")
    answer = axle("run", *model, "--locked", lock, "--waive", "library", "--output-dir", tmp_path / "out", "--json", **path)
    assert answer.code == 0, answer.err
    assert any("custom_ops" in entry["wanted"] for entry in answer.json["substitutions"])
    check_outputs(tmp_path)
