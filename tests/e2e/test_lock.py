"""Locks: written, checked, run, compared and planned again; every field of drift faked in turn, each with its message."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]


def write_model(path: Path, weight: float) -> None:
    weights = numpy_helper.from_array(np.full((4, 3), weight, np.float32), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"], "matmul")],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])],
        [weights],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


@pytest.fixture
def model(axle, tmp_path):
    if not any(e["name"] == "onnxruntime" and e["present"] for e in axle("engines", "--json").json["engines"]):
        pytest.skip("onnxruntime is not installed")
    path = tmp_path / "model.onnx"
    write_model(path, 1.0)
    np.savez(tmp_path / "in.npz", x=np.ones((2, 4), np.float32))
    return path


@pytest.fixture
def lock(axle, model, tmp_path):
    path = tmp_path / "model.lock"
    made = axle("plan", model, "--engine", "onnxruntime", "-o", path, "-q")
    assert made.code == 0, made.out + made.err
    return path


def drift_of(answer) -> dict[str, dict]:
    """Give the drifts of `--check --json` by "field of where"."""
    return {f"{d['field']} of {d['where']}" if d["where"] else d["field"]: d for d in answer.json["drift"]}


def test_a_lock_holds_where_it_was_made(axle, model, lock, tmp_path):
    answer = axle("plan", model, "--check", lock, "--json")
    assert answer.code == 0, answer.out + answer.err
    document = answer.json
    assert (document["state"], document["drift"], document["notes"], document["stale"]) == ("valid", [], [], [])
    assert document["model"]["compared"]
    assert document["lock"]["digest"] == json.loads(lock.read_text())["digest"]
    text = axle("plan", "--check", lock)
    assert text.code == 0
    assert "is valid: onnxruntime@cpu:0/f32" in text.out
    assert "the model was not compared" in text.out
    ran = axle("run", model, "--inputs", tmp_path / "in.npz", "--locked", lock, "--json")
    assert ran.code == 0, ran.out
    assert ran.json["plan"]["digest"] == json.loads(lock.read_text())["plan"]["digest"]
    assert ran.json["substitutions"] == []


def test_checking_opens_no_engine(axle, model, lock):
    axle("plan", "--check", lock)
    quiet = axle("plan", model, "--check", lock, LD_DEBUG="files")
    assert quiet.code == 0
    assert "libaxle" in quiet.err
    for library in ("libonnxruntime", "libopenvino", "libaxle_engine"):
        assert library not in quiet.err.replace(str(lock), ""), library


# ---- another library -------------------------------------------------------------------------------------------------


@pytest.fixture
def library(axle, tmp_path):
    """A copy of the engine's library with what belongs to it, to be named by AXLE_ONNXRUNTIME_LIBRARY."""
    engines = axle("engines", "--json").json["engines"]
    path = next(Path(e["library"]) for e in engines if e["name"] == "onnxruntime")
    copy = tmp_path / "lib" / path.name
    copy.parent.mkdir()
    for file in path.parent.glob("libonnxruntime*.so*"):
        shutil.copy(file, copy.parent)
    return copy


def test_the_same_library_elsewhere_is_no_drift(axle, model, lock, library):
    answer = axle("plan", model, "--check", lock, "--json", AXLE_ONNXRUNTIME_LIBRARY=str(library))
    assert answer.code == 0, answer.out
    assert answer.json["state"] == "valid"


def test_a_swapped_library_is_refused_unless_waived(axle, model, lock, library, tmp_path):
    with library.open("ab") as file:
        file.write(b"swapped")
    env = {"AXLE_ONNXRUNTIME_LIBRARY": str(library)}
    run = ("run", model, "--inputs", tmp_path / "in.npz", "--locked", lock)
    answer = axle("plan", model, "--check", lock, "--json", **env)
    assert answer.code == 5
    assert answer.json["state"] == "drifted"
    drift = drift_of(answer)
    assert list(drift) == ["library of onnxruntime"]
    assert drift["library of onnxruntime"]["locked"] != drift["library of onnxruntime"]["found"]
    refused = axle(*run, **env)
    assert refused.code == 5
    assert "library of onnxruntime: sha256:" in refused.err
    assert f"axle plan {model} -o" in refused.err
    assert "--waive library" in refused.err
    waived = axle(*run, "--waive", "library", "--json", **env)
    assert waived.code == 0, waived.out
    taken = waived.json["substitutions"]
    assert [(t["allowed_by"], t["wanted"].split()[0]) for t in taken] == [("lock.waive", "library")]
    assert "substituted: sha256:" in axle(*run, "--waive", "library", **env).out
    # Without the variable it is the locked one again.
    assert axle(*run).code == 0


def test_a_policy_may_waive_for_good(axle, model, library, tmp_path):
    (tmp_path / "policy.toml").write_text('[engines]\nallow = ["onnxruntime"]\n[lock]\nwaive = ["library"]\n')
    lock = tmp_path / "waiving.lock"
    assert axle("plan", model, "--policy", tmp_path / "policy.toml", "-o", lock, "-q").code == 0
    with library.open("ab") as file:
        file.write(b"swapped")
    env = {"AXLE_ONNXRUNTIME_LIBRARY": str(library)}
    answer = axle("plan", "--check", lock, "--json", **env)
    assert answer.code == 0
    assert [d["waived"] for d in answer.json["drift"]] == [True]
    assert axle("run", model, "--inputs", tmp_path / "in.npz", "--locked", lock, **env).code == 0


def test_a_missing_library_is_drift(axle, model, lock, tmp_path):
    answer = axle("plan", "--check", lock, "--json", AXLE_ONNXRUNTIME_LIBRARY=str(tmp_path / "none.so"))
    assert answer.code == 5
    drift = drift_of(answer)["engine of onnxruntime"]
    assert drift["found"].startswith("not here (")


# ---- another model, policy, machine ----------------------------------------------------------------------------------


def test_another_model_is_drift_and_names_the_file(axle, model, lock, tmp_path):
    write_model(model, 2.0)
    answer = axle("plan", model, "--check", lock, "--json")
    assert answer.code == 5
    assert list(drift_of(answer)) == ["model of the model file"]
    run = ("run", model, "--inputs", tmp_path / "in.npz", "--output-dir", tmp_path / "out", "--locked", lock)
    assert axle(*run).code == 5
    retrained = axle(*run, "--waive", "model", "--json")
    assert retrained.code == 0, retrained.out
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "y.npy"), np.full((2, 3), 8, np.float32))


def test_another_policy_is_drift(axle, model, lock, tmp_path):
    policy = tmp_path / "other.toml"
    policy.write_text('[engines]\nallow = ["onnxruntime"]\n[execution]\nthreads = 1\n')
    answer = axle("plan", model, "--check", lock, "--policy", policy, "--json")
    assert answer.code == 5
    assert drift_of(answer)["policy of execution.threads"] | {"waived": False} == {
        "field": "policy", "where": "execution.threads", "locked": "0", "found": "1", "waived": False,
    }  # fmt: skip
    run = ("run", model, "--inputs", tmp_path / "in.npz", "--locked", lock, "--policy", policy)
    refused = axle(*run)
    assert refused.code == 5
    assert "policy of execution.threads: 1, locked 0" in refused.err
    assert axle(*run, "--waive", "policy").code == 0
    same = tmp_path / "same.toml"
    same.write_text('[engines]\nallow = ["onnxruntime"]\n')
    assert axle(*run[:-1], same).code == 0


def without_first_cpu(machine: dict) -> None:
    machine["allowed_cpus"] = machine["allowed_cpus"][1:]
    machine["resources"][0]["cpus"] = machine["allowed_cpus"]


MACHINES = {
    "cores of allowed CPUs": without_first_cpu,
    "cpu_features of made_up": lambda machine: machine["isa"].append("made_up"),
    "cgroup_limit of CPU time": lambda machine: machine.update(cpu_quota=machine["cpu_quota"] + 0.5),
    "cgroup_limit of memory": lambda machine: machine.update(memory_limit_bytes=machine["memory_limit_bytes"] + 4096),
    "memory": lambda machine: machine.update(memory_bytes=machine["memory_bytes"] + 2**33),
    "os": lambda machine: machine.update(os="linux 1.0"),
    "cpu_model": lambda machine: machine.update(cpu_model="Another"),
    "driver of cpu:0": lambda machine: machine["resources"][0].update(driver="made up 1.0"),
    "resource of cpu:0 tags": lambda machine: machine["resources"][0]["tags"].append("made_up"),
}


@pytest.mark.parametrize("expected", MACHINES)
def test_each_field_of_the_machine(axle, lock, tmp_path, expected):
    record = tmp_path / "machine.json"
    assert axle("devices", "--record", record).code == 0
    assert axle("plan", "--check", lock, "--machine", record).code == 0
    machine = json.loads(record.read_text())
    if expected.startswith("cores") and len(machine["allowed_cpus"]) < 2:
        pytest.skip("a machine of one CPU cannot lose one")
    MACHINES[expected](machine)
    record.write_text(json.dumps(machine))
    answer = axle("plan", "--check", lock, "--machine", record, "--json")
    assert answer.code == 5, answer.out
    drift = drift_of(answer)
    assert expected in drift
    field = expected.split()[0]
    assert {d["field"] for d in drift.values()} == {field}
    assert axle("plan", "--check", lock, "--machine", record, "--waive", field).code == 0
    text = axle("plan", "--check", lock, "--machine", record)
    assert "has drifted" in text.out
    assert f"--waive {field}" in text.out


# ---- carried elsewhere, edited, compared -----------------------------------------------------------------------------


@pytest.mark.parametrize("machine", ["ryzen-hybrid", "xeon-2socket", "h100-8gpu"])
def test_a_lock_of_another_machine_plans_to_the_same_bytes_here_and_is_not_run(axle, model, tmp_path, machine):
    lock, again = tmp_path / "there.lock", tmp_path / "again.lock"
    assert axle("plan", model, "--machine", ROOT / "tests" / "machines" / f"{machine}.json", "-o", lock, "-q").code == 0
    replanned = axle("plan", "--replan", lock, "-o", again, "-q")
    assert replanned.code == 0, replanned.err
    assert again.read_bytes() == lock.read_bytes()
    answer = axle("plan", "--check", lock, "--json")
    assert answer.code == 5
    assert {"cpu_model", "cores", "os", "memory"} <= {d["field"] for d in answer.json["drift"]}
    assert axle("run", model, "--inputs", tmp_path / "in.npz", "--locked", lock).code == 5


def test_a_hand_edited_lock_is_refused_everywhere(axle, model, lock, tmp_path):
    assert '"os":"linux ' in lock.read_text()
    lock.write_text(lock.read_text().replace('"os":"linux ', '"os":"linux 1'))
    for arguments in (
        ("plan", "--check", lock),
        ("plan", "--replan", lock),
        ("plan", "--diff", lock, lock),
        ("run", model, "--inputs", tmp_path / "in.npz", "--locked", lock),
    ):
        refused = axle(*arguments)
        assert refused.code == 3, arguments
        assert "changed after it was written" in refused.err


def test_two_locks_in_words(axle, model, lock, tmp_path):
    same = axle("plan", "--diff", lock, lock, "--json")
    assert same.code == 0
    assert same.json == {"same": True, "same_work": True, "changes": []}
    other = tmp_path / "one.lock"
    assert axle("plan", model, "--engine", "onnxruntime", "--threads", "1", "-o", other, "-q").code == 0
    answer = axle("plan", "--diff", lock, other, "--json")
    changes = {(c["area"], c["where"]): (c["before"], c["after"]) for c in answer.json["changes"]}
    assert changes["policy", "execution.threads"] == ("0", "1")
    assert not answer.json["same"]
    text = axle("plan", "--diff", lock, other, COLUMNS="400")
    assert text.code == 0
    assert "  The policy sets execution.threads to 1; before it was 0.\n" in text.out
    moves = [c for c in answer.json["changes"] if c["where"] == "partition 0 engine"]
    for change in moves:
        assert f"Part 0 moved from {change['before']} on cpu:0 to {change['after']} on cpu:0" in text.out
    assert "-> " not in text.out
    assert max(map(len, axle("plan", "--diff", lock, other, COLUMNS="80").out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--check", "a.lock", "--diff", "b.lock", "c.lock"), "exclude each other"),
        (("--diff", "a.lock"), "takes two locks"),
        (("model.onnx", "other.onnx"), "one argument too many"),
        (("model.onnx", "--waive", "driver"), "--waive goes with --check"),
        (("--replan", "a.lock", "--threads", "1"), "from the lock alone"),
        ((), "MODEL is missing"),
    ],
)
def test_forms_that_are_none(axle, arguments, said):
    answer = axle("plan", *arguments)
    assert answer.code == 2
    assert said in answer.err


def test_a_field_that_is_none_is_named_with_the_nearest(axle, lock):
    answer = axle("plan", "--check", lock, "--waive", "drivers")
    assert answer.code == 3
    assert 'did you mean "driver"?' in answer.err
