"""The GIL is let go, Ctrl-C is answered, a forked child is refused."""

import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from conftest import save_model
from onnx import TensorProto, helper

import axle


def looping_model(path):
    """`count` steps of a small matrix product: takes as long as it is told to, and can stop after each node."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["condition_in"], ["condition_out"]),
            helper.make_node("MatMul", ["state_in", "state_in"], ["product"]),
            helper.make_node("Tanh", ["product"], ["state_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("condition_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_in", TensorProto.FLOAT, [64, 64]),
        ],
        [
            helper.make_tensor_value_info("condition_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_out", TensorProto.FLOAT, [64, 64]),
        ],
    )
    nodes = [helper.make_node("Loop", ["count", "", "x"], ["y"], body=body)]
    inputs = [("count", TensorProto.INT64, []), ("x", TensorProto.FLOAT, [64, 64])]
    return save_model(path, nodes, inputs, [("y", TensorProto.FLOAT, [64, 64])])


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory):
    return looping_model(tmp_path_factory.mktemp("slow") / "loop.onnx")


def loop_feeds(count):
    return {"count": np.array(count, np.int64), "x": np.full((64, 64), 0.01, np.float32)}


@pytest.fixture(scope="module")
def slow_session(slow_model, private_cache):
    return axle.Session.create(slow_model, engine="onnxruntime", threads=1)


def counts_meanwhile(call) -> int:
    """How often another Python thread got its turn during `call`."""
    count = 0
    stop = threading.Event()

    def work():
        nonlocal count
        while not stop.is_set():
            count += 1
            time.sleep(0)

    # Nobody is made to let go of the GIL: the other thread gets its turn only when this one lets go by itself.
    old = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while count == 0:
            time.sleep(0.001)
        before = count
        call()
        return count - before
    finally:
        sys.setswitchinterval(old)
        stop.set()
        thread.join()


def test_the_counting_thread_stands_still_while_the_gil_is_held():
    assert counts_meanwhile(lambda: sum(range(100_000))) == 0


@pytest.mark.parametrize("where", ["main thread", "another thread"])
def test_run_lets_go_of_the_gil(slow_session, where):
    counts = []

    def work():
        feeds = loop_feeds(2000)
        for _ in range(3):  # the first run of a shape goes another way than later ones
            counts.append(counts_meanwhile(lambda: slow_session.run(feeds)))

    if where == "main thread":
        work()
    else:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(counts) == 3
    assert min(counts) > 0


def test_a_binding_lets_go_of_the_gil_and_refuses_a_second_thread(slow_session):
    binding = slow_session.make_binding()
    for name, array in loop_feeds(20_000).items():
        binding.bind_input(name, array)
    refused = []

    def work():
        while not refused:
            try:
                binding.run()
            except axle.FailedPreconditionError as error:
                refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "one binding per thread" in refused[0].hint


def test_a_timeout_stops_a_long_run_and_the_session_goes_on(slow_session):
    with pytest.raises(TimeoutError) as caught:
        slow_session.run(loop_feeds(100_000_000), timeout_ns=200_000_000)
    assert isinstance(caught.value, axle.DeadlineExceededError)
    assert slow_session.run(loop_feeds(10))["y"].shape == (64, 64)


def test_a_token_stops_a_run_in_another_thread(slow_session):
    token = axle.CancelToken()
    future = slow_session.run_async(loop_feeds(100_000_000), cancel=token)
    token.cancel()
    with pytest.raises(axle.CancelledError):
        future.result(timeout=120)


INTERRUPTED = """
    import os, signal, sys, threading, time
    import numpy as np
    import axle
    def feeds(count):
        return {"count": np.array(count, np.int64), "x": np.full((64, 64), 0.01, np.float32)}
    def interrupt_soon():
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)
"""


def run_script(body: str, *arguments) -> str:
    script = textwrap.dedent(INTERRUPTED) + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("warm", [0, 3])
def test_ctrl_c_stops_a_run_and_the_session_goes_on(slow_model, warm):
    out = run_script(
        f"""
        session = axle.Session.create(sys.argv[1], engine="onnxruntime", threads=1)
        for _ in range({warm}):
            session.run(feeds(50_000))
        try:
            threading.Thread(target=interrupt_soon, daemon=True).start()
            session.run(feeds(1_000_000_000))
            print("not interrupted")
        except KeyboardInterrupt:
            print("interrupted", session.run(feeds(10))["y"].shape)
        """,
        slow_model,
    )
    assert out == "interrupted (64, 64)\n"


def test_a_signal_handler_that_does_not_raise_changes_nothing(slow_model):
    out = run_script(
        """
        seen = []
        signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
        session = axle.Session.create(sys.argv[1], engine="onnxruntime", threads=1)
        threading.Thread(target=interrupt_soon, daemon=True).start()
        while not seen:
            session.run(feeds(20_000))
        print("went on", seen == [signal.SIGINT])
        """,
        slow_model,
    )
    assert out == "went on True\n"


def test_ctrl_c_stops_tuning(slow_model):
    out = run_script(
        """
        started = time.monotonic()
        try:
            threading.Thread(target=interrupt_soon, daemon=True).start()
            axle.tune(sys.argv[1], engine="onnxruntime", budget="100s", samples=feeds(2000))
            print("not interrupted")
        except KeyboardInterrupt:
            print("interrupted", time.monotonic() - started < 60)
        print(axle.Session.create(sys.argv[1], engine="onnxruntime").run(feeds(10))["y"].shape)
        """,
        slow_model,
    )
    assert out == "interrupted True\n(64, 64)\n"


def test_ctrl_c_stops_making_a_session(slow_model):
    # The signal is there before the work begins; that it ends it shows that signals are looked at during the work.
    out = run_script(
        """
        def interrupt_now(what, fraction):
            signal.raise_signal(signal.SIGINT)
        try:
            axle.Session.create(sys.argv[1], engine="onnxruntime", verify=True, progress=interrupt_now)
            print("not interrupted")
        except KeyboardInterrupt:
            print("interrupted")
        """,
        slow_model,
    )
    assert out == "interrupted\n"


def test_a_cancelled_token_stops_planning(slow_model):
    token = axle.CancelToken()
    token.cancel()
    with pytest.raises(axle.CancelledError):
        axle.plan(slow_model, cancel=token)


def test_a_forked_child_is_refused(add_session, feeds):
    add_session.run(feeds)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            add_session.run(feeds)
            os.write(writer, b"ran")
        except axle.FailedPreconditionError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    assert "fork" in said
