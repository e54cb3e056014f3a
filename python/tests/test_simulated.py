"""What no device computed is called simulated wherever Python names where a model runs."""

import numpy as np
import pytest
from conftest import save_model
from onnx import TensorProto, helper, numpy_helper

import axle
import gpukit as gk
import rm_abstract

PLACE = "pim@pim:0/f32/t1/default (simulated)"


@pytest.fixture
def pim() -> axle.Resource:
    state = next(engine for engine in axle.engines() if engine.name == "pim")
    if not state.present:
        pytest.skip(f"pim is absent: {state.reason}")
    return next(resource for resource in axle.devices() if resource.id == "pim:0")


@pytest.fixture
def model(tmp_path) -> str:
    """y = x @ w of one vector, which is what the functional model computes."""
    weights = numpy_helper.from_array(np.ones((64, 32), np.float32), "w")
    ports = [("x", TensorProto.FLOAT, [1, 64])], [("y", TensorProto.FLOAT, [1, 32])]
    return save_model(tmp_path / "product.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], *ports, [weights])


def test_sessions_plans_and_resources_say_so(pim, model):
    session = axle.Session.create(model, device="pim#sim")
    assert repr(session) == f"<axle.Session product on {PLACE}>"
    assert repr(session.plan) == f"<axle.Plan {PLACE}>"
    assert repr(session.plan.partitions[0]) == f"<axle.Partition {PLACE}>"
    assert repr(axle.plan(model, device="pim#sim")) == f"<axle.PlannedModel {PLACE}>"
    assert repr(pim).endswith(", simulated>")
    cpu = axle.Session.create(model, device="cpu", engine="onnxruntime")
    assert not any("simulated" in repr(one) for one in (cpu, cpu.plan, cpu.plan.partitions[0], axle.devices()[0]))


def test_gpukit_says_so(pim, model):
    session = gk.InferenceSession(model, device="pim#sim")
    assert session.get_providers() == ["pim@pim:0 (simulated)"]
    assert repr(session) == f"<gpukit.InferenceSession product on {PLACE}>"
    np.testing.assert_array_equal(session.run({"x": np.ones((1, 64), np.float32)})["y"], np.full((1, 32), 64))


def test_a_resource_that_is_given_is_the_one_that_is_used(pim, model):
    with rm_abstract.ResourceManager() as manager:
        given = manager.pool.get("pim:0")
        prepared = manager.create_session(given, rm_abstract.BackendConfig(model=model))
        assert prepared.handle.policy.execution.targets == ["pim:0#sim"], "and no other simulated one"
        assert prepared.handle.plan.partitions[0].simulated
        np.testing.assert_array_equal(prepared.execute({"x": np.ones((1, 64), np.float32)})["y"], 64)
