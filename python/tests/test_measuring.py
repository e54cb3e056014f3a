"""Measuring, pages, artefacts and generated inputs from Python."""

import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import python, save_model
from onnx import TensorProto, helper

import axle
import axle.explain


def test_bench_measures_in_turns_and_its_sessions_run(add_model, feeds):
    said = []
    report = axle.bench(
        add_model,
        engine="onnxruntime",
        threads=1,
        duration="300ms",
        samples=feeds,
        compare="onnxruntime",
        profile=True,
        progress=lambda what, fraction: said.append((what, fraction)),
    )
    assert report.latency.calls > 20
    assert 0 < report.latency.min_ns <= report.latency.p50_ns <= report.latency.p99_ns
    assert report.latency.p95_certain
    assert report.throughput_per_s > 0
    assert [rival.engine for rival in report.rivals] == ["onnxruntime"]
    assert not report.rivals[0].failure
    assert report.rivals[0].verdict in ("slower", "faster", "tie", "undecided")
    assert said
    assert isinstance(report.session, axle.Session)
    np.testing.assert_array_equal(report.session.run(feeds)["z"], [1, 2, 3, 4])
    assert report.recorded.profile()["traceEvents"]
    assert report.session.plan.digest() in report.to_json() == axle.explain.render_bench_json(report)
    assert str(report) == axle.explain.render_bench_text(report)
    with pytest.raises(axle.InvalidArgumentError):
        axle.bench(add_model, engine="onnxruntime", duration=1.0, callers=0)
    assert axle.bench(add_model, engine="onnxruntime", threads=1, duration=0.1, compare="").rivals == []


def test_violations_of_a_bench_are_told_on_the_calling_thread(tmp_path):
    # The bound holds for one caller, who was measured; sixteen to a core wait for each other.
    shape = [1 << 18]
    nodes = [helper.make_node("Exp", ["x"], ["y"])]
    model = save_model(tmp_path / "exp.onnx", nodes, [("x", TensorProto.FLOAT, shape)], [("y", TensorProto.FLOAT, shape)])
    measured = axle.tune(model, engine="onnxruntime", threads=1, budget=2.0).rows[0]
    told = []
    report = axle.bench(
        model,
        {"constraints": {"latency_mean": f"{measured.p50_ns * 3}ns"}},
        engine="onnxruntime",
        threads=1,
        duration=2.0,
        callers=16 * len(axle.machine().allowed_cpus),
        on_violation=lambda violation: told.append((str(violation), threading.current_thread())),
    )
    assert report.session.qos().bounds[0].violations >= 1
    assert told
    assert all(thread is threading.current_thread() and "latency_mean" in text for text, thread in told)
    report.session.run(axle.generate_inputs(model))  # the callback is not called any more


def test_a_page_and_the_kernels_of_a_run(add_model, feeds, tmp_path):
    planned = axle.plan(add_model, engine="onnxruntime", threads=1)
    session = axle.Session.load(add_model, planned.plan, profile=True)
    session.run(feeds)
    page = planned.to_html(tmp_path / "plan.html", recorded=session)
    assert page.startswith("<!doctype html>")
    assert (tmp_path / "plan.html").read_text() == page
    assert len(planned.to_html()) < len(page), "the time line of the run is in it"
    assert session.to_html(tmp_path / "session.html").startswith("<!doctype html>")
    times = session.kernel_times()
    assert all(time.time_ns >= 0 and time.calls >= 1 for time in times)
    assert [time.time_ns for time in times] == sorted((time.time_ns for time in times), reverse=True)
    axle.explain.render_kernels_text(times, session.plan)
    assert "kernels" in session.to_dict() or not times
    plain = axle.Session.load(add_model, planned.plan)
    assert plain.to_html().startswith("<!doctype html>")
    with pytest.raises(axle.FailedPreconditionError):
        plain.kernel_times()
    with pytest.raises(axle.FailedPreconditionError):
        planned.to_html(recorded=plain)
    lock = planned.lock()
    assert len(axle.Session.load(add_model, lock).to_html()) > len(plain.to_html()), "a lock has the graph"


def test_the_machine_is_measured(tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    runtime = axle.Runtime.create(cache_folder=str(cache), engines=["onnxruntime"])
    figures = axle.measure_machine(runtime)
    assert figures.machine == runtime.machine().fingerprint()
    assert all(node.megabytes_per_second > 0 for node in figures.nodes)
    assert "f32" in {peak.precision for peak in figures.peaks if peak.megaflops > 0}
    assert str(figures) == axle.explain.render_machine_figures_text(figures)
    cancel = axle.CancelToken()
    cancel.cancel()
    with pytest.raises(axle.CancelledError):
        axle.measure_machine(runtime, cancel)


def test_measurements_are_kept_dated_and_removed(add_model, feeds, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    runtime = axle.Runtime.create(cache_folder=str(cache), engines=["onnxruntime"])
    axle.tune(add_model, engine="onnxruntime", threads=1, budget=0.5, samples=feeds, runtime=runtime)
    rows = runtime.evidence().find()
    assert rows
    assert {row.kind for row in rows} <= {"measured", "failed"}
    ages = axle.evidence_ages(rows, runtime)
    assert [age.standing for age in ages] == ["counts"] * len(rows)
    assert rows[0].key.candidate in axle.explain.render_evidence_text(rows, ages)
    other = axle.EvidenceStore.open(str(tmp_path / "cache"))
    with pytest.raises(ZeroDivisionError):
        other.rm_if(lambda row: 1 / 0)
    assert other.stats().rows == len(rows)
    assert other.rm_if(lambda row: row == rows[0]) == 1
    other.append(rows[:1])
    assert other.stats().rows == len(rows)


def test_an_artefact_is_made_once(tmp_path):
    cache = axle.Cache.open(str(tmp_path / "cache"))
    key = axle.ArtefactKey()
    key.model_digest, key.engine, key.options = "sha256:1", "mine", {"level": "2"}
    calls = []

    def make(folder: str, cancel: axle.CancelToken) -> axle.ManifestDraft:
        calls.append(threading.current_thread())
        assert not cancel.cancelled
        (Path(folder) / "code.bin").write_bytes(b"compiled")
        return axle.ManifestDraft([axle.BlobDraft("code", "mine-code", "code.bin")], '{"driver": "1"}')

    assert not cache.find(key).hit
    assert cache.find(key).miss_reason == "not in the cache"
    lease = cache.get_or_make(key, make)
    assert lease.built and lease.key == key and lease.compatibility_json == '{"driver":"1"}'
    assert not cache.get_or_make(key, make).built
    assert calls == [threading.current_thread()]
    blob = cache.find(key, verify=True).lease.find_blob("code")
    del lease
    assert blob.data.tobytes() == b"compiled"
    assert not blob.data.flags.writeable
    assert (blob.name, blob.type) == ("code", "mine-code")
    assert [entry.key for entry in cache.ls()] == [key]
    other = axle.ArtefactKey()
    other.engine = "other"

    def fail(folder, cancel):
        raise ZeroDivisionError(folder)

    with pytest.raises(ZeroDivisionError):
        cache.get_or_make(other, fail)
    assert not cache.find(other).hit
    assert cache.get_or_make(other, make).built, "who failed left nothing behind"


def test_ctrl_c_ends_the_wait_for_another_builder(tmp_path):
    script = """
import sys, threading, time, signal, os, axle
cache = axle.Cache.open(sys.argv[1])
key = axle.ArtefactKey()
begun, over = threading.Event(), threading.Event()
def slow(folder, cancel):
    begun.set()
    over.wait(60)
    open(folder + "/a", "w").write("a")
    return axle.ManifestDraft([axle.BlobDraft("a", "a", "a")])
builder = threading.Thread(target=lambda: cache.get_or_make(key, slow))
builder.start()
begun.wait()
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    cache.get_or_make(key, slow)
except KeyboardInterrupt:
    print("interrupted")
over.set()
builder.join()
print(cache.find(key).hit)
"""
    assert python(script, str(tmp_path / "cache")).split() == ["interrupted", "True"]


def test_inputs_are_generated_at_sizes_that_run(add_model):
    samples = axle.generate_samples(add_model, engine="onnxruntime", threads=1)
    assert {name: array.shape for name, array in samples.tensors.items()} == {"x": (4,), "y": (4,)}
    assert samples.usual and samples.note
    assert not axle.gives_nothing(samples.tensors, {"z": np.zeros(4, np.float32)})
    assert axle.gives_nothing(samples.tensors, {"z": np.zeros((0, 4), np.float32)})


def test_a_model_that_needs_no_conversion_is_given_back(add_model):
    assert axle.needs_conversion("torchscript")
    assert not axle.needs_conversion("onnx")
    with pytest.raises(axle.InvalidArgumentError):
        axle.needs_conversion("no such format")
    model = axle.Model.load(add_model)
    assert axle.convert_model(model).digest == model.digest
    assert [(file.role, file.path) for file in model.files] == [("-", add_model)]
    limits = axle.ModelLimits()
    limits.max_nodes = 0
    with pytest.raises(axle.ResourceExhaustedError, match="more than 0 nodes"):
        axle.Model.load(add_model, limits=limits)
