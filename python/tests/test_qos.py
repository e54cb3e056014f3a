"""How a session keeps the bounds of its policy."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from onnx import TensorProto, helper


def test_a_session_without_bounds_watches_nothing(add_session, feeds):
    add_session.run(feeds)
    report = add_session.qos()
    assert (report.bounds, report.runs, report.violated) == ([], 0, False)
    assert list(add_session.violations(timeout=0)) == []


def test_gives_each_violation_of_a_bound_that_the_runs_break(make_session):
    # The bound holds for the one row that it was measured with; two million rows take far longer.
    session = make_session(
        [helper.make_node("Exp", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, ["rows", 4])],
        [("y", TensorProto.FLOAT, ["rows", 4])],
        policy={"constraints": {"latency_p50": "200us"}},
        samples={"x": np.zeros((1, 4), np.float32)},
        tuning_budget="1s",
    )
    for _ in range(10):
        session.run({"x": np.zeros((1, 4), np.float32)})
    assert list(session.violations(timeout=0)) == []
    assert not session.qos().violated
    rows = np.zeros((1 << 21, 4), np.float32)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, session.violations(timeout=60), None)
        for _ in range(60):
            session.run({"x": rows})
        told = waiting.result(60)
    assert told is not None
    assert (told.constraint, told.limit, told.number) == ("latency_p50", 200e3, 1)
    assert told.value > told.limit
    assert "latency_p50" in str(told)
    report = session.qos()
    assert (report.violated, report.runs, report.failures) == (True, 70, 0)
    (bound,) = report.bounds
    assert (bound.constraint, bound.violated, bound.violations) == ("latency_p50", True, 1)
    # One that begins to listen later is given it too, once.
    assert [str(violation.number) for violation in session.violations(timeout=0)] == ["1"]


def test_memory_and_power_are_watched_where_the_policy_bounds_them(make_session):
    session = make_session(
        [helper.make_node("Exp", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, [4])],
        [("y", TensorProto.FLOAT, [4])],
        policy={"constraints": {"memory": "64MiB"}},
    )
    (bound,) = session.qos().bounds
    assert (bound.constraint, bound.limit, bound.violated, bound.not_measured) == ("memory", 64 << 20, False, "")
    held = np.ones(96 << 20, np.uint8)
    told = next(session.violations(timeout=30), None)
    assert told is not None
    assert str(told).startswith("memory is ")
    assert str(told).endswith("the policy allows 64.0 MiB")
    assert held[-1] == 1
