"""TFLite, frozen graphs and SavedModels run whole on an engine that reads them: planned, tuned, locked and explained like ONNX."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from foreign_models import Weights, expected, graph_def, sample, saved_model, tflite

FORMATS = ("tflite", "tf-frozen-graph", "tf-saved-model")


@dataclass
class Case:
    """One model: where it is and what its input and output are called."""

    path: Path
    format: str
    input: str
    output: str
    weights: Weights


def write(kind: str, folder: Path, any_batch: bool = False, weights: Weights | None = None) -> Case:
    weights = weights or Weights()
    if kind == "tflite":
        path = folder / "model.tflite"
        path.write_bytes(tflite(weights, any_batch=any_batch))
        return Case(path, kind, "image", "probabilities", weights)
    if kind == "tf-frozen-graph":
        path = folder / "model.pb"
        path.write_bytes(graph_def(weights, any_batch=any_batch))
        return Case(path, kind, "image", "probabilities", weights)
    return Case(saved_model(folder / "model", weights, any_batch=any_batch), kind, "pixels", "classes", weights)


@pytest.fixture(params=FORMATS)
def case(request, tmp_path, axle) -> Case:
    engines = axle("engines", "--json").json["engines"]
    formats = {name for engine in engines for names in engine.get("formats", {}).values() for name in names}
    if request.param not in formats:
        pytest.skip(f"no engine here reads {request.param}: they read {sorted(formats)}")
    return write(request.param, tmp_path)


def feed(case: Case, folder: Path, batch: int = 1) -> Path:
    path = folder / f"input-{batch}.npz"
    np.savez(path, **{case.input: sample(batch)})
    return path


def check_outputs(answer, case: Case, out: Path, batch: int = 1) -> None:
    assert answer.code == 0, answer.out + answer.err
    made = np.load(out / "outputs.npz")
    assert made.files == [case.output]
    np.testing.assert_allclose(made[case.output], expected(sample(batch), case.weights), rtol=1e-4, atol=1e-5)


def test_it_runs_whole(axle, case, tmp_path):
    answer = axle("run", case.path, "--inputs", feed(case, tmp_path), "--output-dir", tmp_path / "out", "--json")
    check_outputs(answer, case, tmp_path / "out")
    document = answer.json
    assert document["model"]["format"] == case.format
    assert document["plan"]["partitions"][0]["candidate"].startswith("openvino@cpu:0/f32/")
    assert document["outputs"][0]["shape"] == [1, 5]
    assert document["substitutions"] == []


def test_inputs_are_generated_and_the_artefact_is_reused(axle, case):
    first = axle("run", case.path, "--random", "1", "--json")
    assert first.code == 0, first.out + first.err
    again = axle("run", case.path, "--random", "1", "--json").json
    assert (first.json["timing"]["cache"], again["timing"]["cache"]) == ("miss", "hit")
    compiled = axle("compile", case.path, "--device", "cpu", "--json")
    assert compiled.code == 0, compiled.out + compiled.err


def test_an_engine_that_does_not_read_it_is_turned_down_with_the_reason(axle, case):
    answer = axle("plan", case.path, "--json")
    reasons = {decision["candidate"]: decision["reason"] for decision in answer.json["decisions"]}
    if "onnxruntime@cpu:0" not in reasons:
        pytest.skip("onnxruntime is not here")
    assert f"does not read {case.format}" in reasons["onnxruntime@cpu:0"]
    forced = axle("run", case.path, "--random", "1", "--engine", "onnxruntime", "--json")
    assert forced.code == 4
    assert f"does not read {case.format}" in forced.json["error"]["message"]


def test_it_is_tuned_locked_and_explained(axle, case, tmp_path):
    inputs = feed(case, tmp_path)
    tuned = axle("tune", case.path, "--inputs", inputs, "--budget", "2s", "--json")
    assert tuned.code == 0, tuned.out + tuned.err
    lock = tmp_path / "model.lock"
    planned = axle("plan", case.path, "--inputs", inputs, "-o", lock, "--json")
    assert planned.code == 0, planned.out + planned.err
    assert planned.json["plan"]["partitions"][0]["expected_from"] == "evidence"
    locked = axle("run", case.path, "--locked", lock, "--inputs", inputs, "--output-dir", tmp_path / "out", "--json")
    check_outputs(locked, case, tmp_path / "out")
    for form, word in (("table", "openvino@cpu:0"), ("json", '"decisions"'), ("html", "<html")):
        explained = axle("explain", case.path, "--format", form)
        assert explained.code == 0, explained.err
        assert word in explained.out
    inspected = axle("inspect", case.path, "--json").json
    assert [spec["name"] for spec in inspected["inputs"]] == [case.input]


def test_a_changed_model_is_drift(axle, case, tmp_path):
    lock = tmp_path / "model.lock"
    assert axle("plan", case.path, "-o", lock).code == 0
    assert axle("plan", "--check", lock).code == 0
    file = case.path / "saved_model.pb" if case.path.is_dir() else case.path
    other = Weights()
    other.dense_bias += 1
    changed = write(case.format, make(tmp_path / "other"), weights=other).path
    file.write_bytes((changed / "saved_model.pb" if changed.is_dir() else changed).read_bytes())
    answer = axle("run", case.path, "--locked", lock, "--random", "1", "--json")
    assert answer.code == 5, answer.out + answer.err
    assert json.loads(answer.out)["error"]["code"] == "ABORTED"


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_an_open_batch_takes_any_size(axle, case, tmp_path):
    free = write(case.format, make(tmp_path / "free"), any_batch=True)
    for batch in (1, 3):
        out = tmp_path / f"out-{batch}"
        answer = axle("run", free.path, "--inputs", feed(free, tmp_path, batch), "--output-dir", out, "--json")
        check_outputs(answer, free, out, batch)
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, **{free.input: np.zeros((1, 6, 7, 2), np.float32)})
    assert axle("run", free.path, "--inputs", wrong, "--json").code == 3


def test_a_cut_off_file_is_bad_input(axle, case):
    file = case.path / "saved_model.pb" if case.path.is_dir() else case.path
    whole = file.read_bytes()
    for size in (20, len(whole) // 2, len(whole) - 3):
        file.write_bytes(whole[:size])
        answer = axle("run", case.path, "--random", "1", "--json")
        assert answer.code in (3, 4, 6), f"{size}: {answer.code}\n{answer.out}{answer.err}"
        assert answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("model", "expectation", "names"),
    [
        ("model.tflite", "expected.tflite.npz", {"serving_default_input_2:0": "serving_default_input_2:0"}),
        ("saved_model", "expected.npz", {"serving_default_input_2:0": "input_2"}),
    ],
)
def test_a_real_model_gives_what_its_own_runtime_gave(axle, models, tmp_path, model, expectation, names):
    folder = models / "basic-pitch"
    if not (folder / model).exists():
        pytest.skip(f"no {folder / model}")
    inputs = np.load(folder / "input.npz")
    np.savez(tmp_path / "in.npz", **{names[name]: inputs[name] for name in inputs.files})
    answer = axle("run", folder / model, "--inputs", tmp_path / "in.npz", "--output-dir", tmp_path / "out", "--json")
    if answer.code == 4 and "does not read" in answer.out:
        pytest.skip("no engine here reads it")
    assert answer.code == 0, answer.out + answer.err
    made, want = np.load(tmp_path / "out" / "outputs.npz"), np.load(folder / expectation)
    assert len(made.files) == len(want.files) == 3
    # The SavedModel calls its outputs by the names of its signature: compared by shape and content.
    for name in made.files:
        best = min(np.abs(made[name] - want[other]).max() for other in want.files if want[other].shape == made[name].shape)
        assert best < 1e-3, name
