"""gpukit.runtime: devices, memory, streams, registries, the dispatcher and the profiler."""

import gc
import json
import threading
import weakref

import numpy as np
import pytest

import axle
import gpukit as gk
from gpukit import runtime


@pytest.fixture(scope="module")
def session(add_model):
    return gk.InferenceSession(add_model, device="cpu", engine="onnxrt", profile=True)


@pytest.mark.parametrize(
    "name", ["DeviceManager", "MemoryManager", "StreamManager", "KernelRegistry", "EngineRegistry", "Dispatcher", "Profiler"]
)
def test_every_object_of_the_document_is_there_and_described(name):
    kind = getattr(runtime, name)
    assert kind.__doc__
    for member, value in vars(kind).items():
        if not member.startswith("_") and callable(value):
            assert value.__doc__, f"{name}.{member}"


# ---- devices


def test_devices_are_those_of_axle():
    manager = runtime.DeviceManager()
    assert [device.id for device in gk.devices()] == [resource.id for resource in axle.devices()]
    cpu = manager.find("cpu")
    assert (cpu.id, cpu.kind) == ("cpu:0", "cpu")
    assert manager.count("cpu") == 1
    assert manager.driver("cpu:0") == ""
    engines = manager.engines("cpu")
    assert engines["onnxruntime"] == next(state.info.library.version for state in axle.engines() if state.name == "onnxruntime")
    assert "f32" in {precision.name for precision in manager.capabilities("cpu")["openvino"].precisions}


@pytest.mark.parametrize("device", ["cuda:0", "npu"])
def test_a_device_that_is_not_here_is_an_error_that_names_what_is(device):
    manager = runtime.DeviceManager()
    if manager.count(device):
        pytest.skip(f"this machine has {device}")
    for ask in (manager.find, manager.driver, manager.engines, manager.capabilities):
        with pytest.raises(axle.FailedPreconditionError, match=f"matches {device}: it has .*cpu:0"):
            ask(device)
    for ask in (runtime.StreamManager().stream, runtime.MemoryManager().statistics, runtime.MemoryManager().pool):
        with pytest.raises(axle.FailedPreconditionError, match=f"matches {device}"):
            ask(device)
    with pytest.raises(axle.InvalidArgumentError, match="unknown kind"):
        manager.find("tpux")


def test_simulated_devices_are_found_by_their_tag_and_not_by_their_kind():
    manager = runtime.DeviceManager()
    simulated = [device for device in manager.devices() if device.simulated]
    if not simulated:
        pytest.skip("no engine brings a simulated device here")
    for device in simulated:
        for word in (device.id, f"{device.id}#sim", f"{device.kind}#sim"):
            assert manager.find(word).id == device.id
        assert device.id not in [other.id for other in manager.devices(device.kind)]
        assert manager.engines(f"{device.kind}#sim")
    assert manager.devices("cpu#sim") == []


# ---- memory


def test_memory_of_the_cpu():
    memory = runtime.MemoryManager().statistics("cpu")
    assert memory.total == axle.devices()[0].memory_bytes
    assert 0 < memory.available < 1 << 50


def test_a_pool_gives_memory_again_once_no_array_refers_to_it():
    pool = runtime.MemoryPool()
    first = pool.empty((3, 100), np.float32)
    assert first.flags.c_contiguous and first.flags.writeable
    assert first.ctypes.data % 64 == 0
    first[:] = 7
    address, view = first.ctypes.data, first[1:, ::2]
    del first
    assert pool.statistics() == runtime.PoolStatistics(in_use=2048, cached=0, peak=2048, hits=0, misses=1)  # the view holds it
    np.testing.assert_array_equal(view, 7)
    del view
    assert pool.statistics().cached == 2048
    second = pool.empty(300, np.int32)
    assert second.ctypes.data == address
    assert pool.statistics() == runtime.PoolStatistics(in_use=2048, cached=0, peak=2048, hits=1, misses=1)
    other = pool.empty((3, 100), np.float32)
    assert other.ctypes.data != second.ctypes.data
    del second, other
    assert pool.trim() == 4096
    assert pool.statistics() == runtime.PoolStatistics(in_use=0, cached=0, peak=4096, hits=1, misses=2)


def test_what_a_pool_cannot_hold_is_refused():
    pool = runtime.MemoryPool()
    assert pool.empty((0, 4)).shape == (0, 4)
    for shape, dtype in (((-1,), np.float32), (4, object), (4, "V2")):
        with pytest.raises(axle.InvalidArgumentError, match="a pool has no array"):
            pool.empty(shape, dtype)
    manager = runtime.MemoryManager()
    assert manager.pool("cpu") is manager.pool("cpu:0")
    with pytest.raises(axle.UnimplementedError, match="pinned"):
        manager.pool("cpu", pinned=True)


def test_threads_share_a_pool_and_never_an_array():
    pool = runtime.MemoryPool()
    wrong = []

    def work(number):
        for _ in range(200):
            array = pool.empty(256, np.int64)
            array[:] = number
            if not (array == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statistics = pool.statistics()
    assert not wrong
    assert statistics.in_use == 0
    assert statistics.hits + statistics.misses == 800
    assert statistics.misses <= 16


def test_pooled_arrays_are_inputs_and_bound_outputs(session):
    pool = runtime.MemoryManager().pool()
    x, y, z = (pool.empty(4) for _ in range(3))
    x[:], y[:] = 2, 3
    binding = session.session.make_binding()
    binding.bind_input("x", x)
    binding.bind_input("y", y)
    binding.bind_output("z", z)
    binding.run()
    np.testing.assert_array_equal(z, 5)
    assert not session.session.copies


# ---- streams


def test_a_stream_runs_in_order_and_events_mark_its_progress(session, feeds):
    with runtime.StreamManager().stream("cpu") as stream:
        order, gate = [], threading.Event()
        before = stream.record()
        before.synchronize()
        stream.submit(gate.wait)
        future = stream.run(session, feeds)
        stream.submit(order.append, "after the run")
        after = stream.record()
        assert not after.query() and not stream.query()
        with pytest.raises(axle.FailedPreconditionError, match="once both were reached"):
            before.elapsed_time(after)
        with pytest.raises(axle.DeadlineExceededError):
            after.synchronize(timeout=0.01)
        gate.set()
        after.synchronize()
        assert order == ["after the run"]
        np.testing.assert_array_equal(future.result()["z"], [1, 2, 3, 4])
        assert before.elapsed_time(after) >= 10  # milliseconds: the wait above
    assert stream.closed
    with pytest.raises(axle.FailedPreconditionError, match="closed"):
        stream.run(session, feeds)


def test_one_stream_waits_for_the_event_of_another():
    manager = runtime.StreamManager()
    with manager.stream() as first, manager.stream() as second:
        gate, order = threading.Event(), []
        first.submit(gate.wait)
        first.submit(order.append, "first")
        second.wait_event(first.record())
        second.submit(order.append, "second")
        gate.set()
        manager.synchronize()
        assert order == ["first", "second"]
        assert manager.streams == [first, second]
    assert manager.streams == []


def test_an_event_that_is_recorded_anew_is_reached_anew():
    manager = runtime.StreamManager()
    with manager.stream() as first, manager.stream() as second:
        start, event = first.record(), first.record()
        event.synchronize()
        gate, order = threading.Event(), []
        first.submit(gate.wait, 20)
        first.submit(order.append, "first")
        assert first.record(event) is event
        assert not event.query(), "what it was recorded for before does not count"
        with pytest.raises(axle.DeadlineExceededError):
            event.synchronize(timeout=0.01)
        with pytest.raises(axle.FailedPreconditionError, match="once both were reached"):
            start.elapsed_time(event)
        second.wait_event(event)
        second.submit(order.append, "second")
        assert not second.query()
        gate.set()
        second.synchronize()
        assert order == ["first", "second"]
        assert event.query() and start.elapsed_time(event) >= 10  # milliseconds: the wait above


def test_a_stream_waits_for_the_place_that_an_event_has_then():
    manager = runtime.StreamManager()
    with manager.stream() as first, manager.stream() as second, manager.stream() as third:
        event, gate = runtime.Event(), threading.Event()
        third.wait_event(event)  # not recorded yet: the first recording is meant
        before = third.submit(event.query)
        first.record(event)
        event.synchronize()
        second.wait_event(event)
        first.submit(gate.wait, 20)
        first.record(event)
        second.synchronize()
        third.synchronize()
        assert before.done() and not event.query(), "recorded anew after they came to wait"
        gate.set()
        event.synchronize()
    with pytest.raises(axle.FailedPreconditionError, match="closed"):
        first.record(event)
    assert event.query(), "as it was: nothing was recorded"


def test_a_closed_stream_is_let_go():
    manager = runtime.StreamManager()
    refs = []
    for _ in range(3):
        with manager.stream() as stream:
            stream.submit(int)
        refs.append(weakref.ref(stream))
    del stream
    gc.collect()
    assert [ref() for ref in refs] == [None, None, None]
    assert manager.streams == []


def test_a_failure_is_in_its_future_and_said_by_synchronize_once(session, feeds):
    with runtime.StreamManager().stream() as stream:
        failed = stream.run(session, {"x": feeds["x"]})
        works = stream.run(session, feeds)
        with pytest.raises(axle.InvalidArgumentError, match="y"):
            stream.synchronize()
        stream.synchronize()
        assert isinstance(failed.exception(), axle.InvalidArgumentError)
        assert works.result()["z"].shape == (4,)


def test_a_captured_run_reads_its_inputs_at_each_replay(session, feeds):
    graph = runtime.StreamManager().capture(session, feeds)
    first = graph.replay()["z"]
    graph.inputs["x"][:] = 10
    second = graph.replay()["z"]
    np.testing.assert_array_equal(first, [1, 2, 3, 4])
    np.testing.assert_array_equal(second, 11)
    np.testing.assert_array_equal(feeds["x"], np.arange(4))
    with pytest.raises(axle.InvalidArgumentError, match="astype"):
        runtime.StreamManager().capture(session, {**feeds, "x": feeds["x"].astype(np.float64)})


# ---- registries and the dispatcher


def test_engines_by_gpukit_names():
    registry = runtime.EngineRegistry()
    assert {"tensorrt", "onnxrt", "openvino", "qnn", "cuda_raw", "cublas", "cublaslt", "cudnn", "cpu_fallback"} <= set(registry.names())
    assert {"onnxruntime", "openvino"} <= set(registry.available())
    assert registry.find("onnxrt").name == "onnxruntime"
    for name, engine in (("tensorrt", "tensorrt"), ("qnn", "qnn"), ("cublasLt", "cuda")):
        if engine not in registry.available():
            with pytest.raises(axle.UnavailableError, match=f"engine {engine}"):
                registry.find(name)
    with pytest.raises(axle.InvalidArgumentError, match="runs no model"):
        registry.find("nccl")
    with pytest.raises(axle.InvalidArgumentError, match="is a device"):
        registry.find("cpu_fallback")


def test_the_kernels_of_a_session_are_what_its_engine_reports(add_model):
    sess = gk.InferenceSession(add_model, device="cpu", engine="openvino", profile=True)
    reported = json.loads(sess.session.effective_json[0])["kernels"]
    used = runtime.KernelRegistry().used(sess)
    assert reported
    assert [(kernel.node, kernel.kernel, kernel.engine) for kernel in used] == [
        (row["node"], row["kernel"], "openvino") for row in reported
    ]
    with pytest.raises(axle.UnimplementedError, match="takes kernels from outside"):
        runtime.KernelRegistry().register("matmul", "mine", lambda a, b: a @ b)


def test_the_dispatcher_decides_as_a_session_does(add_model, feeds):
    planned = runtime.Dispatcher().dispatch(add_model, feeds, device="cpu", engine="onnxrt")
    sess = gk.InferenceSession(add_model, device="cpu", engine="onnxrt", samples=feeds)
    assert planned.plan.digest() == sess.plan.digest()
    assert "onnxruntime@cpu:0" in str(planned)
    again = runtime.Dispatcher().dispatch(add_model, feeds, device="cpu", backend="onnxrt")
    assert again.plan.digest() == planned.plan.digest()
    with pytest.raises(axle.InvalidArgumentError, match="contradictory"):
        runtime.Dispatcher().dispatch(add_model, engine="onnxrt", backend="openvino")
    with pytest.raises(axle.FailedPreconditionError, match="the policy allows 1 B"):
        runtime.Dispatcher().dispatch(add_model, feeds, policy={"constraints": {"memory": "1B"}})
    with pytest.raises(axle.FailedPreconditionError, match="none to be had for matmul") as caught:
        runtime.Dispatcher().dispatch(add_model, device="cpu", kernel_policy=gk.KernelPolicy(matmul="cublasLt"))
    assert {row["code"] for row in json.loads(caught.value.details["decisions"])} <= {"KERNEL", "EXAMPLE", "ABSENT", "POLICY"}


# ---- the profiler


def test_ranges_and_runs_are_on_one_time_line(session, feeds, tmp_path):
    profiler = runtime.Profiler()
    profiler.add(session)
    with profiler.range("outer"):
        with profiler.range("step"):
            session.run(feeds)
        profiler.mark("between")
        with pytest.raises(ZeroDivisionError), profiler.range("step"):
            raise ZeroDivisionError
    assert {name: row.count for name, row in profiler.summary().items()} == {"step": 2, "outer": 1}
    assert profiler.summary()["outer"].total_ns >= profiler.summary()["step"].total_ns
    profiler.save(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    steps = [event for event in events if event["name"] == "step"]
    runs = [event for event in events if event.get("cat") == "run"]
    step = steps[0]
    inside = [run for run in runs if step["ts"] <= run["ts"] and run["ts"] + run["dur"] <= step["ts"] + step["dur"]]
    assert len(inside) == 1
    assert inside[0]["tid"] == step["tid"]
    assert [event["ph"] for event in events if event["name"] == "between"] == ["i"]


def test_a_session_without_a_trace_is_refused(add_model):
    with pytest.raises(axle.FailedPreconditionError, match="profile"):
        runtime.Profiler().add(gk.InferenceSession(add_model, device="cpu", engine="onnxrt"))
