"""`axle run` gives the expected outputs of real models, and clear errors for bad input."""

from __future__ import annotations

import numpy as np
import pytest

# name, absolute and relative tolerance of the manifest
REAL_MODELS = [
    "efficientnet-lite0",
    "ultraface-rfb-320",
    "all-minilm-l6-v2",
    "magika",
    "basic-pitch",
    "breast-cancer-mlp",
    "ncf-recommender",
]


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", REAL_MODELS)
def test_outputs_are_the_expected_ones(axle, models, tmp_path, name, engine):
    if not any(e["name"] == engine and e["present"] for e in axle("engines", "--json").json["engines"]):
        pytest.skip(f"{engine} is not installed")
    folder = models / name
    answer = axle(
        "run", folder / "model.onnx", "--inputs", folder / "input.npz", "--output-dir", tmp_path / "out", "--json", "--engine", engine
    )
    assert answer.code == 0, answer.out + answer.err
    document = answer.json
    expected = np.load(folder / "expected.npz")
    compared = 0
    for output in document["outputs"]:
        got = np.load(output["file"])
        assert list(got.shape) == output["shape"]
        if output["name"] in expected.files:
            np.testing.assert_allclose(got, expected[output["name"]], atol=1e-4, rtol=1e-4)
            compared += 1
    assert compared > 0
    partition = document["plan"]["partitions"][0]
    assert partition["engine"] == engine
    assert partition["candidate"].startswith(f"{engine}@cpu:0/f32/")
    assert [d["verdict"] for d in document["decisions"]].count("chosen") == 1
    assert all(d["reason"] for d in document["decisions"])
    assert document["substitutions"] == []


def test_an_openvino_model_goes_to_the_engine_that_reads_it(axle, models, tmp_path):
    folder = models / "ultraface-rfb-320-ir"
    answer = axle("run", folder / "model.xml", "--inputs", folder / "input.npz", "--output-dir", tmp_path / "out", "--json")
    if answer.code != 0 and "openvino" in answer.out and "install" in answer.out:
        pytest.skip("openvino is not installed")
    assert answer.code == 0, answer.out
    expected = np.load(folder / "expected.npz")
    for output in answer.json["outputs"]:
        # The weights are compressed to fp16; the reference is the fp32 model.
        np.testing.assert_allclose(np.load(output["file"]), expected[output["name"]], atol=5e-3)


def test_a_second_start_uses_the_cache(axle, models):
    folder = models / "ultraface-rfb-320"
    arguments = ("run", folder / "model.onnx", "--inputs", folder / "input.npz", "--json", "--engine", "onnxruntime")
    assert axle(*arguments).json["timing"]["cache"] == "miss"
    assert axle(*arguments).json["timing"]["cache"] == "hit"


def test_tuning_leaves_evidence_that_the_next_plan_uses(axle, models):
    folder = models / "breast-cancer-mlp"
    inputs = ("--inputs", folder / "input.npz")
    tuned = axle("tune", folder / "model.onnx", *inputs, "--budget", "3s", "--json")
    assert tuned.code == 0, tuned.out + tuned.err
    assert any(row["verdict"] == "winner" and row["p50_us"] > 0 for row in tuned.json["candidates"])
    planned = axle("plan", folder / "model.onnx", *inputs, "--json").json
    assert planned["plan"]["partitions"][0]["expected_from"] == "evidence"


def test_a_missing_device_fails_closed_and_a_named_fallback_is_in_the_ledger(axle, models):
    folder = models / "breast-cancer-mlp"
    arguments = ("run", folder / "model.onnx", "--inputs", folder / "input.npz", "--device", "npu", "--json")
    refused = axle(*arguments)
    assert refused.code == 4
    assert refused.json["error"]["code"] == "FAILED_PRECONDITION"
    allowed = axle(*arguments, "--allow-fallback", "cpu")
    assert allowed.code == 0, allowed.out
    assert allowed.json["substitutions"][0]["wanted"] == "npu"
    assert allowed.json["substitutions"][0]["allowed_by"] == "fallback.resource"


@pytest.mark.parametrize(
    ("file", "words"),
    [("truncated.onnx", "truncated"), ("html_instead.onnx", "HTML"), ("lfs_pointer.onnx", "LFS"), ("empty.onnx", "empty")],
)
def test_broken_models_say_what_is_wrong(axle, models, file, words):
    answer = axle("run", models / "corrupt" / file, "--random", "1")
    assert answer.code == 3
    assert words.lower() in answer.err.lower()
    assert len(answer.err.strip().splitlines()) <= 3


def test_wrong_inputs_are_named(axle, models, tmp_path):
    model = models / "breast-cancer-mlp" / "model.onnx"
    good = np.load(models / "breast-cancer-mlp" / "input.npz")["features"]
    cases = {
        "dtype": ({"features": good.astype(np.float64)}, "f64"),
        "shape": ({"features": good[:, :7]}, "axis 1 must be 30"),
        "name": ({"feature": good}, "did you mean 'features'"),
        "missing": ({}, "no inputs were given"),
    }
    for name, (arrays, words) in cases.items():
        path = tmp_path / f"{name}.npz"
        np.savez(path, **arrays)
        answer = axle("run", model, "--inputs", path)
        assert answer.code == 3, name
        assert words in answer.err, answer.err


def test_a_lock_is_run_exactly_and_refused_when_edited(axle, models, tmp_path):
    folder = models / "breast-cancer-mlp"
    inputs = ("--inputs", folder / "input.npz")
    lock = tmp_path / "model.lock"
    assert axle("plan", folder / "model.onnx", *inputs, "-o", lock).code == 0
    assert axle("run", folder / "model.onnx", *inputs, "--locked", lock).code == 0
    forced = axle("run", folder / "model.onnx", *inputs, "--locked", lock, "--threads", "1")
    assert forced.code == 3, forced.err
    assert "--threads cannot be combined with --locked" in forced.err
    text = lock.read_text()
    lock.write_text(
        text.replace('"threads":1', '"threads":2', 1) if '"threads":1' in text else text.replace('"threads":2', '"threads":1', 1)
    )
    edited = axle("run", folder / "model.onnx", *inputs, "--locked", lock)
    assert edited.code == 3, edited.err


def test_usage_errors_are_exit_code_two(axle):
    assert axle("runn").code == 2
    assert axle("run").code == 2
    assert axle("run", "x.onnx", "--no-such-flag").code == 2
    assert axle("cache", "frobnicate").code == 2
