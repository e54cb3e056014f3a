"""`axle bench` measures a plan and compares it with other engines' plans in one process."""

from __future__ import annotations

import json

import pytest


def present_engines(axle) -> list[str]:
    return [engine["name"] for engine in axle("engines", "--json").json["engines"] if engine["present"]]


def test_bench_reports_latency_throughput_and_the_plan(axle, models):
    folder = models / "breast-cancer-mlp"
    answer = axle("bench", folder / "model.onnx", "--inputs", folder / "input.npz", "--duration", "1s", "--json")
    assert answer.code == 0, answer.out + answer.err
    document = answer.json
    latency = document["latency_us"]
    assert 0 < latency["min"] <= latency["p50"] <= latency["p95"] <= latency["p99"]
    assert latency["mean"] > 0
    # One caller without pauses: throughput is about the inverse of the mean latency.
    assert document["throughput_per_s"] == pytest.approx(1e6 / latency["mean"], rel=0.5)
    assert document["compare"] == []
    assert document["callers"] == 1
    assert len(document["plan"]["partitions"]) == 1
    assert [d["verdict"] for d in document["decisions"]].count("chosen") == 1
    assert document["elapsed_ms"] >= 1000


def test_bench_compares_with_every_engine_named(axle, models):
    engines = [name for name in present_engines(axle) if name in ("onnxruntime", "openvino")]
    if len(engines) < 2:
        pytest.skip(f"two engines are needed, present: {engines}")
    folder = models / "breast-cancer-mlp"
    answer = axle(
        "bench", folder / "model.onnx", "--inputs", folder / "input.npz", "--duration", "3s", "--compare", ",".join(engines), "--json"
    )
    assert answer.code == 0, answer.out + answer.err
    rows = answer.json["compare"]
    assert [row["engine"] for row in rows] == engines
    for row in rows:
        assert row["candidate"].startswith(f"{row['engine']}@cpu:0/f32/")
        assert row["p50_us"] > 0
        if row["interval"] is not None:
            assert row["interval"][0] <= row["ratio"] <= row["interval"][1]
    # OpenVINO costs several microseconds more per call of so small a model, whatever the plan chose.
    by_name = {row["engine"]: row["p50_us"] for row in rows}
    assert by_name["openvino"] > by_name["onnxruntime"]


def test_several_callers_and_the_engines_own_threads_have_different_flags(axle, models, tmp_path):
    folder = models / "breast-cancer-mlp"
    trace = tmp_path / "trace.json"
    answer = axle(
        "bench", folder / "model.onnx", "--random", "1", "--duration", "500ms", "--threads", "2", "--compute-threads", "1",
        "--profile", trace, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.out + answer.err
    assert answer.json["callers"] == 2
    assert answer.json["plan"]["partitions"][0]["threads"] == 1
    assert json.loads(trace.read_text())["traceEvents"]


def test_bench_says_what_it_cannot_do(axle, models):
    model = models / "breast-cancer-mlp" / "model.onnx"
    unknown = axle("bench", model, "--random", "1", "--compare", "onnxruntim")
    assert unknown.code == 3
    assert "did you mean 'onnxruntime'" in unknown.err
    assert axle("bench", model, "--duration", "soon").code == 3
    assert axle("bench", models / "corrupt" / "truncated.onnx").code == 3
    help_text = axle("bench", "--help").out
    assert "--compare" in help_text
    assert "own C APIs" in help_text
