"""Evidence: how it ages, how it is shared, what an import refuses."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def measured(axle, models):
    """A model that was tuned, and the exported rows."""
    inputs = models / "breast-cancer-mlp" / "model.onnx", "--inputs", models / "breast-cancer-mlp" / "input.npz"
    assert axle("tune", *inputs, "--budget", "1s", "-q").code == 0
    return inputs, axle("evidence", "export").json


def replace_evidence(axle, document, tmp_path):
    assert axle("evidence", "rm", "--all", "-q").code == 0
    (tmp_path / "rows.json").write_text(json.dumps(document), encoding="utf-8")
    return axle("evidence", "import", tmp_path / "rows.json", "--json")


def test_rows_of_another_engine_version_are_stale_and_not_used(axle, measured, tmp_path):
    inputs, document = measured
    for row in document["rows"]:
        engine = row["key"]["candidate"].split("@")[0]
        row["key"]["library_digest"] = "sha256:" + "0" * 64
        row["made_with"][engine] = "0.0.1"
    assert replace_evidence(axle, document, tmp_path).json == {"added": len(document["rows"])}
    plan = axle("plan", *inputs, "--json").json
    assert plan["plan"]["partitions"][0]["expected_from"] == "estimate"
    assert plan["stale"]
    assert plan["stale"] == [row["candidate"] for row in plan["stale_evidence"]]
    assert all(" 0.0.1, " in row["reason"] for row in plan["stale_evidence"])
    assert any("stale and not used" in note for note in plan["plan"]["notes"])
    listed = axle("evidence", "ls", "--json").json
    assert {row["standing"] for row in listed["standings"]} == {"stale"}
    assert "0.0.1" in axle("evidence", "ls", "--stale").out
    assert axle("evidence", "rm", "--stale", "--json").json == {"removed": len(document["rows"])}
    assert axle("evidence", "ls", "--json").json["rows"] == []


def test_rows_under_another_driver_or_system_are_stale_too(axle, measured, tmp_path):
    inputs, document = measured
    for row in document["rows"]:
        row["key"]["machine"] = "sha256:" + "1" * 64
        row["made_with"]["os"] = "linux 2.6.32"
    assert replace_evidence(axle, document, tmp_path).code == 0
    run = axle("run", *inputs, "--json").json
    assert run["stale"]
    assert "under linux 2.6.32" in run["stale_evidence"][0]["reason"]


def test_another_machine_keeps_its_rows_to_itself(axle, measured, tmp_path):
    inputs, document = measured
    for row in document["rows"]:
        row["key"]["machine"] = row["hardware"] = "sha256:" + "2" * 64
    assert replace_evidence(axle, document, tmp_path).code == 0
    plan = axle("plan", *inputs, "--json").json
    assert plan["plan"]["partitions"][0]["expected_from"] == "estimate"
    assert plan["stale"] == []
    assert {row["standing"] for row in axle("evidence", "ls", "--json").json["standings"]} == {"elsewhere"}
    assert axle("evidence", "rm", "--stale", "--json").json == {"removed": 0}


def test_fresh_rows_count(axle, measured):
    listed = axle("evidence", "ls", "--json").json
    assert {row["standing"] for row in listed["standings"]} == {"counts"}
    assert all(0 <= row["age_s"] < 600 for row in listed["standings"])
    assert "counts" in axle("evidence", "ls").out


def test_an_import_mixes_nothing_and_swallows_nothing(axle, measured, tmp_path):
    _, document = measured
    twin = json.loads(json.dumps(document["rows"][0]))
    twin["simulated"] = not twin["simulated"]
    refused = replace_evidence(axle, {**document, "rows": [*document["rows"], twin]}, tmp_path)
    assert refused.code == 3
    assert "simulated" in refused.json["error"]["message"]
    for hostile in ({**document, "version": 2}, {**document, "more": 1}, {**document, "rows": [{}]}, [], 7):
        assert replace_evidence(axle, hostile, tmp_path).code == 3
        assert axle("evidence", "ls", "--json").json["rows"] == []


def test_memory_is_judged_by_what_was_measured(axle, measured, tmp_path):
    inputs, _ = measured
    tuned = axle("tune", *inputs, "--objective", "memory", "--budget", "4s", "--json").json
    assert any(row.get("peak_memory_bytes", 0) > 4 << 20 for row in tuned["candidates"]), tuned["notes"]
    plan = axle("plan", *inputs, "--objective", "memory", "--json").json
    chosen = next(row for row in plan["decisions"] if row["verdict"] == "chosen")
    assert "least memory" in chosen["reason"]
    assert "by measurement" in chosen["reason"] or "that were measured" in chosen["reason"]
    (tmp_path / "policy.toml").write_text('[constraints]\nmemory = "4MiB"\n[tuning]\nevidence = "require"\n', encoding="utf-8")
    refused = axle("plan", *inputs, "--policy", tmp_path / "policy.toml", "--json")
    assert refused.code == 4
    assert "it took" in refused.json["error"]["details"]["decisions"]


def test_a_bench_says_how_the_bounds_were_kept(axle, measured, tmp_path):
    inputs, _ = measured
    policy = tmp_path / "policy.toml"
    policy.write_text('[constraints]\nlatency_p50 = "5s"\n', encoding="utf-8")
    bench = axle("bench", *inputs, "--policy", policy, "--duration", "500ms", "--json")
    assert bench.code == 0, bench.out + bench.err
    (bound,) = bench.json["qos"]["bounds"]
    assert (bound["constraint"], bound["violated"], bound["violations"]) == ("latency_p50", False, 0)
    assert 0 < bound["value_us"] < bound["limit_us"] == 5e6
    assert "violated" not in bench.err
    assert "qos" not in axle("run", *inputs, "--json").json


def test_throughput_is_judged_with_several_callers(axle, measured, tmp_path):
    inputs, _ = measured
    tuned = axle("tune", *inputs, "--objective", "throughput", "--budget", "20s", "--json").json
    assert any(row.get("callers", 0) >= 2 and row["throughput_per_s"] > 0 for row in tuned["candidates"]), tuned["notes"]
    plan = axle("plan", *inputs, "--objective", "throughput", "--json").json
    assert any("requests per second with" in note for note in plan["plan"]["notes"])
    rows = axle("evidence", "ls", "--json").json["rows"]
    assert {row["key"]["concurrency"] for row in rows} > {1}


def test_estimates_use_what_was_measured_of_the_machine(axle, models):
    model = models / "breast-cancer-mlp" / "model.onnx"
    before = axle("plan", model, "--json").json
    assert not any("GB/s of memory per node" in note for note in before["plan"]["notes"])
    figures = axle("devices", "--measure", "--json").json
    assert figures["measured"]["nodes"][0]["megabytes_per_second"] > 100
    assert {"f32", "f64"} <= {peak["precision"] for peak in figures["measured"]["peaks"]}
    after = axle("plan", model, "--json").json
    assert any("GB/s of memory per node, measured here" in note for note in after["plan"]["notes"])
    assert axle("devices", "--measure", "--profiles").code == 2
