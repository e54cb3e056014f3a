"""Real models through Python: the outputs that the reference gave."""

import tomllib

import numpy as np
import pytest

import axle

MODELS = [
    "efficientnet-lite0",
    "ultraface-rfb-320",
    "ultraface-rfb-320-ir",
    "magika",
    "basic-pitch-onnx",
    "all-minilm-l6-v2",
    "ncf-recommender",
    "breast-cancer-mlp",
]


def manifest(models) -> dict[str, dict]:
    return {entry["name"]: entry for entry in tomllib.loads((models / "MANIFEST.toml").read_text())["model"]}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_outputs_are_those_of_the_reference(models, name, engine):
    entry = manifest(models).get(name)
    if entry is None or "expected" not in entry:
        pytest.skip(f"{name} is not among the models here")
    if entry["format"] == "openvino-ir" and engine == "onnxruntime":
        pytest.skip("onnxruntime does not read OpenVINO IR")
    inputs = dict(np.load(models / entry["sample_input"]))
    expected = dict(np.load(models / entry["expected"]))
    session = axle.Session.create(models / entry["main"], engine=engine, samples=inputs)
    for outputs in (session.run(inputs), session.run_async(inputs).result(timeout=120)):
        compared = sorted(set(outputs) & set(expected))  # some expectations are of what a program makes of the outputs
        assert compared
        for output in compared:
            close = {"rtol": max(entry.get("rtol", 0), 1e-3), "atol": max(entry.get("atol", 0), 1e-3)}
            np.testing.assert_allclose(outputs[output], expected[output], **close)
    assert session.copies == 0
    assert not session.substitutions


def test_a_session_chosen_without_a_word(models):
    entry = manifest(models)["ultraface-rfb-320"]
    session = axle.Session.create(models / entry["main"])
    out = session.run(dict(np.load(models / entry["sample_input"])))
    assert out["scores"].shape == (1, 4420, 2)
    chosen = [decision for decision in session.plan.decisions if decision.verdict == "chosen"]
    assert len(chosen) == 1


def test_broken_models_are_errors_and_not_crashes(models):
    folder = models / "corrupt"
    if not folder.is_dir():
        pytest.skip("no corrupt models here")
    files = sorted(path for path in folder.iterdir() if path.suffix == ".onnx")
    assert files
    for path in files:
        with pytest.raises(axle.Error) as caught:
            axle.Session.create(path)
        assert caught.value.message
