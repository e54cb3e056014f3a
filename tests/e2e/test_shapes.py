"""`[shapes]` prepares an executable for each size of an open axis; `execution.static_shape` lets nothing else run."""

from __future__ import annotations

import pytest
import small_models

ENGINES = ["onnxruntime", "openvino"]


@pytest.fixture
def mlp(models, axle):
    """A model whose batch is open."""
    path = models / "breast-cancer-mlp" / "model.onnx"
    if not axle("inspect", path, "--json").json["dynamic_axes"]:
        pytest.skip("the model has no open axis")
    return path


def axis_of(axle, path) -> str:
    return axle("inspect", path, "--json").json["dynamic_axes"][0]


def npz(path, tmp_path, axle, batch: int):
    spec = axle("inspect", path, "--json").json["inputs"][0]
    return small_models.batch_of(tmp_path, spec["name"], spec["shape"][-1], batch)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_size_has_an_executable_and_others_run_too(axle, mlp, tmp_path, engine):
    policy = tmp_path / "shapes.toml"
    policy.write_text(f'[shapes]\n"{axis_of(axle, mlp)}" = [1, 4]\n')
    for batch in (1, 4, 3):
        ways = {"prepared": ("--policy", policy), "plain": ()}
        inputs = npz(mlp, tmp_path, axle, batch)
        plan = small_models.compare_runs(axle, mlp, inputs, tmp_path, ways, "--engine", engine)["prepared"]
        sizes = [list(part.get("axes", {}).values()) for part in plan["partitions"]]
        assert sorted(sizes) == [[], [1], [4]]
        assert sizes[0] == ([batch] if batch != 3 else [])


@pytest.mark.parametrize("engine", ENGINES)
def test_static_shapes_are_refused_by_name_when_they_are_not_prepared(axle, mlp, tmp_path, engine):
    axis = axis_of(axle, mlp)
    policy = tmp_path / "static.toml"
    policy.write_text(f'[execution]\nstatic_shape = true\n[shapes]\n"{axis}" = [2, 4]\n')
    good = axle("run", mlp, "--inputs", npz(mlp, tmp_path, axle, 4), "--policy", policy, "--engine", engine, "--json")
    if good.code == 6:
        pytest.skip(f"{engine} is not here")
    assert good.code == 0, good.out + good.err
    assert [list(part["axes"].values()) for part in good.json["plan"]["partitions"]] == [[4], [2]]
    bad = axle("run", mlp, "--inputs", npz(mlp, tmp_path, axle, 3), "--policy", policy, "--engine", engine, "--json")
    assert bad.code == 3
    assert f"{axis}=3" in bad.json["error"]["message"]
    assert "2, 4" in bad.json["error"]["message"]


def test_an_open_axis_that_nothing_fixes_is_refused_by_name(axle, mlp, tmp_path):
    policy = tmp_path / "open.toml"
    policy.write_text("[execution]\nstatic_shape = true\n")
    answer = axle("plan", mlp, "--policy", policy, "--json")
    assert answer.code == 4
    assert f"axis {axis_of(axle, mlp)} open" in answer.json["error"]["message"]
    fixed = axle("plan", mlp, "--policy", policy, "--inputs", npz(mlp, tmp_path, axle, 5), "--json")
    assert fixed.code == 0, fixed.out + fixed.err
    assert [list(part["axes"].values()) for part in fixed.json["plan"]["partitions"]] == [[5]]


def test_shapes_are_tuned_compiled_and_locked(axle, mlp, tmp_path):
    policy, lock = tmp_path / "shapes.toml", tmp_path / "m.lock"
    policy.write_text(f'[shapes]\n"{axis_of(axle, mlp)}" = [4, 1]\n')
    tuned = axle("tune", mlp, "--policy", policy, "--budget", "2s", "--json")
    assert tuned.code == 0, tuned.out + tuned.err
    planned = axle("plan", mlp, "--policy", policy, "-o", lock, "--json")
    assert planned.code == 0, planned.out + planned.err
    parts = planned.json["plan"]["partitions"]
    assert [part["expected_from"] for part in parts] == ["evidence", "estimate", "estimate"]
    assert "axes" not in parts[-1]
    assert axle("compile", mlp, "--policy", policy, "--json").code == 0
    ran = axle("run", mlp, "--locked", lock, "--inputs", npz(mlp, tmp_path, axle, 1), "--json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["plan"]["digest"] == planned.json["plan"]["digest"]
