"""Requests of many threads that are computed together: each gets the rows of its own inputs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import axle

JOINED = '[schedule]\nbatch = 8\nbatch_wait = "2ms"\n'


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_joined_answers_are_those_of_each_request_alone(make_session, engine):
    generator = np.random.default_rng(3)
    weights = [numpy_helper.from_array(generator.standard_normal((32, 8)).astype(np.float32), "w")]
    network = (
        [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Tanh", ["a"], ["y"])],
        [("x", TensorProto.FLOAT, ["batch", 32])],
        [("y", TensorProto.FLOAT, ["batch", 8])],
        weights,
    )
    try:
        plain = make_session(*network, engine=engine)
    except axle.UnavailableError:
        pytest.skip(f"{engine} is not here")
    joined = make_session(*network, engine=engine, policy=axle.Policy.parse(JOINED))
    feeds = [generator.standard_normal((1 + i % 3, 32)).astype(np.float32) for i in range(64)]
    expected = [plain.run({"x": x})["y"] for x in feeds]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda x: joined.run({"x": x})["y"], feeds))
    for answer, want in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer, want, rtol=1e-5, atol=1e-6)
    assert joined.plan.batching.rows == 8
    statistics = joined.batching()
    assert statistics.joined > 0
    assert statistics.redone == 0
    assert plain.batching().requests == 0
