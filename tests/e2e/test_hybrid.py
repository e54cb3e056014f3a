"""`objective.minimize = "hybrid"`: one plan for few requests in flight, one for many, where two are worth it."""

from __future__ import annotations

import numpy as np

HYBRID = ("--objective", "hybrid")


def loads_of(plan: dict) -> list[str]:
    return [part.get("load", "any") for part in plan["partitions"]]


def test_both_loads_are_planned_locked_and_run(axle, models, tmp_path):
    model = models / "ultraface-rfb-320"
    arguments = (model / "model.onnx", "--inputs", model / "input.npz", *HYBRID)
    tuned = axle("tune", *arguments, "--budget", "8s", "--json")
    assert tuned.code == 0, tuned.out + tuned.err
    planned = axle("plan", *arguments, "-o", tmp_path / "hybrid.lock", "--json")
    assert planned.code == 0, planned.out + planned.err
    plan = planned.json["plan"]
    if plan["schedule"] == "hybrid":
        assert plan["switch_at"] >= 2
        assert loads_of(plan) == sorted(loads_of(plan), key=["low", "high"].index)
        assert any("requests are in flight" in note for note in plan["notes"])
    else:
        assert "switch_at" not in plan
        assert any(note.startswith("one plan serves every load: ") for note in plan["notes"]), plan["notes"]
    checked = axle("plan", model / "model.onnx", "--check", tmp_path / "hybrid.lock", "--json")
    assert checked.code == 0, checked.out + checked.err
    ran = axle(
        "run", model / "model.onnx", "--inputs", model / "input.npz", "--locked", tmp_path / "hybrid.lock",
        "--output-dir", tmp_path / "out", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["plan"]["digest"] == plan["digest"]
    made, want = np.load(tmp_path / "out" / "outputs.npz"), np.load(model / "expected.npz")
    for name in set(made.files) & set(want.files):
        np.testing.assert_allclose(made[name], want[name], rtol=1e-3, atol=1e-3)


def test_a_schedule_contradicts_it(axle, models, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('[objective]\nminimize = "hybrid"\n[schedule]\nkind = "pipeline"\n')
    answer = axle("plan", models / "breast-cancer-mlp" / "model.onnx", "--policy", policy)
    assert answer.code == 3, answer.out + answer.err
    assert "schedule.kind" in answer.err
    assert "leave out" in answer.err
