"""`axle deploy` leaves a lock that runs exactly as decided, and says how to call it."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest


@pytest.fixture
def small(models):
    return models / "breast-cancer-mlp"


def test_a_deployment_can_be_called_as_it_says(axle, small, tmp_path):
    lock = tmp_path / "model.lock"
    answer = axle("deploy", small / "model.onnx", "--inputs", small / "input.npz", "--budget", "3s", "-o", lock, "--json")
    assert answer.code == 0, answer.out + answer.err
    document = answer.json
    assert document["model"]["category"]
    assert document["selection"]["by"] == "measured"
    assert any(row["verdict"] == "winner" for row in document["selection"]["candidates"])
    assert document["plan"]["partitions"][0]["expected_from"] == "evidence"
    assert document["timing"]["run_us"] > 0
    assert document["deployment"]["lock"] == str(lock)
    assert json.loads(lock.read_text())
    assert set(document["call"]) == {"command_line", "c++", "python"}

    words = shlex.split(document["call"]["command_line"][0])
    assert words[0] == "axle"
    out = tmp_path / "out"
    ran = axle(*[out if word == "out" else word for word in words[1:]], "--json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["plan"]["partitions"][0]["candidate"] == document["plan"]["partitions"][0]["candidate"]
    expected = np.load(small / "expected.npz")
    for name in expected.files:
        np.testing.assert_allclose(np.load(out / "outputs.npz")[name], expected[name], atol=1e-4, rtol=1e-4)


def test_what_was_measured_before_is_not_measured_again(axle, small, tmp_path):
    arguments = ("deploy", small / "model.onnx", "--inputs", small / "input.npz", "--budget", "2s", "-o", tmp_path / "m.lock", "--json")
    assert axle(*arguments).json["selection"]["by"] == "measured"
    again = axle(*arguments).json
    assert again["selection"] == {"by": "evidence", "candidates": [], "notes": [], "elapsed_ms": 0}
    assert axle(*arguments, "--remeasure").json["selection"]["by"] == "measured"


def test_without_a_budget_nothing_is_measured(axle, small, tmp_path):
    answer = axle("deploy", small / "model.onnx", "--budget", "0s", "-o", tmp_path / "m.lock", "--json")
    assert answer.code == 0, answer.out + answer.err
    assert answer.json["selection"]["by"] == "estimate"
    listed = axle("evidence", "ls")
    assert "no measurements yet" in listed.out + listed.err


def test_a_folder_holds_the_lock_and_what_was_found(axle, small, tmp_path):
    folder = tmp_path / "deployment"
    answer = axle("deploy", small / "model.onnx", "--budget", "0s", "-o", folder)
    assert answer.code == 0, answer.out + answer.err
    assert "axle run" in answer.out
    assert "axle.Session.load" in answer.out
    assert {path.name for path in folder.iterdir()} == {"axle.lock", "deploy.json"}
    document = json.loads((folder / "deploy.json").read_text())
    assert document["deployment"]["folder"] == str(folder)
    assert axle("run", small / "model.onnx", "--inputs", small / "input.npz", "--locked", folder / "axle.lock").code == 0


def test_the_call_survives_a_shell(axle, small, tmp_path):
    folder = tmp_path / "it's a $folder"
    folder.mkdir()
    model = folder / "model.onnx"
    model.write_bytes((small / "model.onnx").read_bytes())
    document = axle("deploy", model, "--budget", "0s", "-o", folder / "m.lock", "--json").json
    line = document["call"]["command_line"][0]
    assert shlex.split(line)[2:5] == [str(model), "--locked", str(folder / "m.lock")]


def test_a_bound_that_nothing_meets_leaves_nothing(axle, small, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('[constraints]\nlatency_p50 = "1ns"\n')
    lock = tmp_path / "m.lock"
    answer = axle("deploy", small / "model.onnx", "--policy", policy, "--budget", "1s", "-o", lock, "--json")
    assert answer.code == 4
    assert answer.json["error"]["code"] == "FAILED_PRECONDITION"
    assert "latency_p50" in answer.json["error"]["message"]
    assert not lock.exists()


def test_bad_input_is_said(axle, models, tmp_path):
    assert axle("deploy", tmp_path / "none.onnx").code == 3
    assert axle("deploy", models / "corrupt" / "truncated.onnx").code == 3
    assert axle("deploy", models / "breast-cancer-mlp" / "model.onnx", "--budget", "soon").code == 3
    assert axle("deploy").code == 2
