"""What every command that makes a plan takes alike: the policy that AXLE_CONFIG names, and --profile where the plan is run."""

from __future__ import annotations

import json

import pytest

RUNS = {
    "run": ("--random", "1"),
    "bench": ("--random", "1", "--duration", "300ms"),
    "tune": ("--random", "1", "--budget", "500ms"),
    "explain": (),
    "deploy": ("--budget", "0s"),
    "compile": (),
}
COMMANDS = {**RUNS, "plan": ()}


def call(axle, command, model, tmp_path, *more, **environment):
    output = ("-o", tmp_path / "model.lock") if command == "deploy" else ()
    return axle(command, model, *COMMANDS[command], *output, *more, **environment)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[execution]\nthreads = 1\n[engines]\nallow = "onnxruntime"\n', encoding="utf-8")
    return path


def candidates(document: dict) -> set[str]:
    if "candidates" in document:  # of tune: what was measured
        return {row["candidate"] for row in document["candidates"]}
    return {part["candidate"] for part in document["plan"]["partitions"]}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_standing_policy_holds(axle, model, config, tmp_path, command):
    answer = call(axle, command, model, tmp_path, "--json", AXLE_CONFIG=str(config))
    if answer.code == 6:
        pytest.skip("onnxruntime is not here")
    assert answer.code == 0, answer.out + answer.err
    assert candidates(answer.json)
    assert all(candidate.startswith("onnxruntime@cpu:0/f32/t1/") for candidate in candidates(answer.json))
    flag = ("--compute-threads" if command == "bench" else "--threads", "2")
    over = call(axle, command, model, tmp_path, *flag, "--json", AXLE_CONFIG=str(config))
    if "/t2/" not in " ".join(candidates(over.json)):
        assert "THREADS" in over.out, "one CPU has no two threads"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_standing_policy_that_is_not_there_or_broken_is_named(axle, model, tmp_path, command):
    missing = call(axle, command, model, tmp_path, AXLE_CONFIG=str(tmp_path / "none.toml"))
    assert missing.code == 3
    assert "AXLE_CONFIG" in missing.err
    (tmp_path / "broken.toml").write_text("[execution]\nthread = 1\n", encoding="utf-8")
    broken = call(axle, command, model, tmp_path, AXLE_CONFIG=str(tmp_path / "broken.toml"))
    assert broken.code == 3
    assert "AXLE_CONFIG" in broken.err and "threads" in broken.err
    (tmp_path / "empty.toml").write_text("", encoding="utf-8")
    own = call(axle, command, model, tmp_path, "--policy", tmp_path / "empty.toml", AXLE_CONFIG=str(tmp_path / "none.toml"))
    assert own.code == 0, own.err


@pytest.mark.parametrize("command", RUNS)
def test_a_run_is_recorded(axle, model, tmp_path, command):
    trace = tmp_path / "trace.json"
    answer = call(axle, command, model, tmp_path, "--profile", trace, "--json")
    assert answer.code == 0, answer.out + answer.err
    assert answer.json["plan" if command != "tune" else "candidates"]
    events = json.loads(trace.read_text())["traceEvents"]
    assert [event for event in events if event.get("cat") == "run"], events


def test_what_is_not_run_is_not_recorded(axle, model, tmp_path):
    trace = tmp_path / "trace.json"
    planned = axle("plan", model, "--profile", trace)
    assert planned.code == 2
    assert f"axle run {model} --profile {trace}" in planned.err
    elsewhere = axle("compile", model, "--machine", "ryzen-7840u", "--profile", trace)
    assert elsewhere.code == 3
    assert "not here" in elsewhere.err
    lock = tmp_path / "m.lock"
    assert axle("plan", model, "-o", lock).code == 0
    locked = axle("explain", lock, "--profile", trace)
    assert locked.code == 3
    assert f"--locked {lock}" in locked.err
    assert not trace.exists()
