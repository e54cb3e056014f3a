"""An engine in a process of its own gives the same outputs, and every document says where it ran."""

from __future__ import annotations

import os

import numpy as np
import pytest

ISOLATED = '[engines.{engine}]\nisolation = "process"\n'


def present(axle, engine):
    return any(e["name"] == engine and e["present"] for e in axle("engines", "--json").json["engines"])


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", ["ultraface-rfb-320", "breast-cancer-mlp"])
def test_outputs_are_those_of_the_engine_in_this_process(axle, models, tmp_path, name, engine):
    if not present(axle, engine):
        pytest.skip(f"{engine} is not installed")
    folder = models / name
    (tmp_path / "policy.toml").write_text(ISOLATED.format(engine=engine))
    outputs = {}
    for where, flags in (("here", ()), ("isolated", ("--policy", tmp_path / "policy.toml"))):
        common = ("run", folder / "model.onnx", "--inputs", folder / "input.npz", "--engine", engine, "--threads", "1")
        answer = axle(*common, "--output-dir", tmp_path / where, "--json", *flags)
        assert answer.code == 0, answer.out + answer.err
        partition = answer.json["plan"]["partitions"][0]
        assert partition["isolated"] == (where == "isolated")
        assert partition["candidate"].endswith("+process") == (where == "isolated")
        outputs[where] = {output["name"]: np.load(output["file"]) for output in answer.json["outputs"]}
    for output, values in outputs["here"].items():
        np.testing.assert_allclose(outputs["isolated"][output], values, atol=1e-5, rtol=1e-5)
    assert partition["effective"]["cpu_set_honoured"]
    assert set(partition["effective"]["cpu_set"]) >= set(partition["cpu_set"])  # on a whole CPU callers find all of it


def test_an_engine_that_cannot_keep_to_cores_gets_a_process_for_them(axle, models):
    if not present(axle, "openvino"):
        pytest.skip("openvino is not installed")
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core only")
    folder = models / "breast-cancer-mlp"
    answer = axle("plan", folder / "model.onnx", "--engine", "openvino", "--device", "cpu:0/1")
    assert answer.code == 0, answer.out + answer.err
    assert "(own process)" in answer.out
    assert "it cannot keep its threads on the core set cpu:0/1 by itself" in answer.out


def test_forbidden_isolation_is_an_error(axle, models, tmp_path):
    if not present(axle, "openvino"):
        pytest.skip("openvino is not installed")
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core only")
    (tmp_path / "policy.toml").write_text('[execution]\nisolation = "none"\n')
    model = models / "breast-cancer-mlp" / "model.onnx"
    answer = axle("plan", model, "--engine", "openvino", "--device", "cpu:0/1", "--policy", tmp_path / "policy.toml")
    assert answer.code != 0
    assert "the policy forbids" in answer.out + answer.err
