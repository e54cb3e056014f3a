"""Schedules over core sets on real engines: prepared shapes in replicas, the pipeline that "auto" looks at, answers in order."""

from __future__ import annotations

import os

import pytest
import small_models


@pytest.fixture
def core_sets():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("two core sets need two CPUs")
    return f'[resources]\nsplit = {{ "cpu:0" = [[{cpus[0]}], [{cpus[-1]}]] }}\n'


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("kind", ["replicas", "pipeline"])
def test_every_prepared_shape_runs_in_a_schedule(axle, models, core_sets, tmp_path, engine, kind):
    model = models / "breast-cancer-mlp" / "model.onnx"
    document = axle("inspect", model, "--json").json
    axis, name = document["dynamic_axes"][0], document["inputs"][0]["name"]
    policy = tmp_path / "policy.toml"
    policy.write_text(f'{core_sets}[schedule]\nkind = "{kind}"\n[shapes]\n"{axis}" = [1, 4]\n')
    features = document["inputs"][0]["shape"][-1]
    for batch in (1, 4, 3):
        inputs = small_models.batch_of(tmp_path, name, features, batch)
        ways = {"scheduled": ("--policy", policy), "plain": ()}
        plan = small_models.compare_runs(axle, model, inputs, tmp_path, ways, "--engine", engine)["scheduled"]
        assert plan["schedule"] == kind
        assert sorted(list(part.get("axes", {}).values()) for part in plan["partitions"]) == [[], [], [1], [1], [4], [4]]
        if kind == "replicas":
            assert [part.get("replica", 0) for part in plan["partitions"]] == [0, 1, 0, 1, 0, 1]


def test_throughput_weighs_a_pipeline_that_tuning_measured(axle, models, core_sets, tmp_path):
    model = models / "ultraface-rfb-320"
    policy = tmp_path / "policy.toml"
    policy.write_text(f'{core_sets}[objective]\nminimize = "throughput"\n[engines]\nallow = "onnxruntime"\n')
    arguments = (model / "model.onnx", "--inputs", model / "input.npz", "--policy", policy)

    def pipeline_of(answer):
        rows = answer.json.get("decisions") or answer.json["candidates"]
        return [row for row in rows if row["candidate"].startswith("mixed:")]

    before = axle("plan", *arguments, "--json")
    assert before.code == 0, before.out + before.err
    assert before.json["plan"]["schedule"] != "pipeline", "nothing was measured: no estimate is taken over what is known"
    assert len(pipeline_of(before)) == 1
    assert "as a pipeline it is estimated" in pipeline_of(before)[0]["reason"]
    tuned = axle("tune", *arguments, "--budget", "12s", "--json")
    assert tuned.code == 0, tuned.out + tuned.err
    assert any(row["p50_us"] > 0 for row in pipeline_of(tuned)), tuned.out
    after = axle("plan", *arguments, "--json")
    assert after.code == 0, after.out + after.err
    chosen = after.json["plan"]["schedule"] == "pipeline"
    for row in pipeline_of(after):
        assert row["reason"].startswith("as a pipeline it "), row
        assert (row["verdict"] == "chosen") == chosen


def test_three_core_sets_are_no_pairs(axle, models, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('[execution]\ntarget = ["cpu:0"]\n[schedule]\nkind = "replicas"\neach = "pipeline"\n')
    answer = axle("plan", models / "breast-cancer-mlp" / "model.onnx", "--policy", policy)
    assert answer.code == 4, answer.out + answer.err
    assert "take pairs of resources" in answer.err
    assert "schedule.groups" in answer.err
