"""Locks in Python: written by a session, checked field by field, compared, planned again, and run or refused."""

import json

import numpy as np
import pytest

import axle
import gpukit


@pytest.fixture
def lock(add_model, tmp_path):
    return axle.plan(add_model, engine="onnxruntime", threads=1).lock(tmp_path / "axle.lock")


@pytest.fixture
def elsewhere(add_model):
    """A lock for a machine that is like this one, but for its operating system."""
    record = json.loads(axle.machine().to_json())
    record["os"] = "linux 1.0"
    return axle.plan(add_model, machine=axle.parse_machine(json.dumps(record)), engine="onnxruntime", threads=1).lock()


def test_a_lock_holds_where_it_was_made(add_model, lock, tmp_path):
    session = axle.Session.load(add_model, lock)
    check = lock.check(session.model, policy=lock.policy())
    assert (check.state, check.ok, check.drifts, check.old_evidence, check.notes) == ("valid", True, [], [], [])
    assert check.model_compared
    check.raise_if_drifted()
    assert check.plan.digest() == lock.plan.digest()
    assert "is valid: onnxruntime@cpu:0/f32/t1/default" in str(check)
    assert axle.Lock.load(str(tmp_path / "axle.lock")) == lock
    assert lock.replan() == lock
    assert lock.check().state == "valid"


def test_drift_is_named_refused_and_can_be_waived(add_model, elsewhere, feeds):
    check = elsewhere.check()
    assert [drift.field for drift in check.drifts] == ["os"]
    assert not check.ok
    assert check.drifts[0].found == axle.machine().os
    assert str(check.drifts[0]) == f"os: {axle.machine().os}, locked linux 1.0"
    with pytest.raises(axle.AbortedError, match=r"os: .*, locked linux 1\.0"):
        check.raise_if_drifted()
    with pytest.raises(axle.AbortedError, match=r"locked linux 1\.0") as refused:
        axle.Session.load(add_model, elsewhere)
    assert "--waive os" in refused.value.hint
    assert json.loads(refused.value.details["drift"])[0]["field"] == "os"
    assert elsewhere.check(waive=["os"]).state == "valid"
    session = axle.Session.load(add_model, elsewhere, waive="os")
    assert [taken.allowed_by for taken in session.substitutions] == ["lock.waive"]
    assert session.lock() == elsewhere
    np.testing.assert_array_equal(session.run(feeds)["z"], [1, 2, 3, 4])


def test_no_words_waive_nothing(add_model, lock, elsewhere):
    assert axle.Session.load(add_model, lock, waive="").substitutions == []
    assert axle.Session.load(add_model, lock.plan, waive="").substitutions == []
    with pytest.raises(axle.AbortedError):
        axle.Session.load(add_model, elsewhere, waive="")


def test_a_field_that_is_none_is_named(lock):
    assert "driver" in axle.drift_fields()
    with pytest.raises(axle.InvalidArgumentError, match="no field of a lock"):
        lock.check(waive=["drivers"])


def test_another_policy_or_machine(lock):
    policy = axle.make_policy(engine="onnxruntime", threads=2)
    assert [(drift.where, drift.locked, drift.found) for drift in lock.check(policy=policy).drifts] == [("execution.threads", "1", "2")]
    record = json.loads(axle.machine().to_json())
    record["cpu_quota"] += 0.5
    drifts = lock.check(machine=axle.parse_machine(json.dumps(record))).drifts
    assert [(drift.field, drift.where) for drift in drifts] == [("cgroup_limit", "CPU time")]


def test_two_locks_in_words(add_model, lock):
    assert not lock.diff(lock)
    assert str(lock.diff(lock)) == "no difference\n"
    other = axle.plan(add_model, engine="onnxruntime").lock()
    diff = lock.diff(other)
    assert diff
    assert ("policy", "execution.threads", "1", "0") in [(c.area, c.where, c.before, c.after) for c in diff.changes]
    assert "execution.threads" in str(diff)
    assert axle.diff_plans(lock.plan, lock.plan).same_work


def test_gpukit_writes_and_runs_a_lock(add_model, feeds, tmp_path, elsewhere):
    path = tmp_path / "gpukit.lock"
    written = gpukit.InferenceSession(add_model, device="cpu", engine="onnxrt").lock(path)
    session = gpukit.InferenceSession(add_model, locked=path)
    assert session.plan.digest() == written.plan.digest()
    np.testing.assert_array_equal(session.run(feeds)["z"], [1, 2, 3, 4])
    with pytest.raises(axle.InvalidArgumentError, match="a lock holds every choice"):
        gpukit.InferenceSession(add_model, device="cpu", locked=path)
    with pytest.raises(axle.AbortedError):
        gpukit.InferenceSession(add_model, locked=elsewhere)
    assert gpukit.InferenceSession(add_model, locked=elsewhere, waive=["os"]).substitutions
