"""rm_abstract: plugins, their registry and managers, applications over any runtime, and what is not in it yet."""

import gc
import os
import re
import sys
import weakref
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from rm_models import INPUTS, expected, gemm_model  # noqa: F401

import axle
import rm_abstract
from rm_abstract import (
    BackendConfig,
    DeviceRuntime,
    GpuTorchRuntime,
    NpuRuntime,
    PimRuntime,
    Plugin,
    PluginMetadata,
    PluginRegistry,
    Resource,
    ResourceManager,
    ResourcePool,
    ResourceType,
)
from rm_abstract.backends import BackendPluginAdapter


class EchoPlugin(Plugin):
    """Gives back what it gets."""

    cleaned = 0

    @classmethod
    def metadata(cls):
        return PluginMetadata("echo", "1", "tests", (ResourceType.CPU, ResourceType.REMOTE), priority=200)

    def is_available(self):
        return True

    def initialize(self):
        self.ready = True

    def prepare_resource(self, resource, config):
        assert self.ready
        return (resource.id, config.model)

    def execute(self, resource, inputs, **kwargs):
        return {"from": resource, "inputs": inputs, **kwargs}

    def cleanup(self):
        EchoPlugin.cleaned += 1


def test_the_registry_finds_orders_and_cleans_up():
    registry = PluginRegistry()
    point = EntryPoint(name="echo", value=f"{__name__}:EchoPlugin", group="rm_abstract.plugins")
    broken = EntryPoint(name="broken", value="no_such_module:Plugin", group="rm_abstract.plugins")
    added = registry.discover([point, broken])
    assert {"axle", "onnxruntime", "openvino", "echo"} <= set(added)
    assert "no_such_module" in registry.problems[0]
    assert registry.names()[:2] == ["echo", "axle"], "by priority"
    assert registry.discover([point]) == [], "what is known stays"
    assert registry.get("echo") is registry.get("echo")
    assert "echo" in registry.available(ResourceType.REMOTE)
    with pytest.raises(axle.AlreadyExistsError):
        registry.register(EchoPlugin)
    with pytest.raises(axle.InvalidArgumentError):
        registry.register(int)
    with pytest.raises(axle.NotFoundError, match="ekko"):
        registry.get("ekko")
    before = EchoPlugin.cleaned
    registry.cleanup()
    assert EchoPlugin.cleaned == before + 1


def test_a_manager_runs_a_model_on_the_cpu(model):
    with ResourceManager() as manager:
        cpu = manager.resources(ResourceType.CPU)[0]
        assert manager.plugins_for(cpu)[0] == "axle"
        config = BackendConfig(model=model, threads=1)
        output = manager.create_session(cpu, config).execute(INPUTS)
        np.testing.assert_allclose(output["y"], expected(model, INPUTS), rtol=1e-4, atol=1e-5)
        forced = manager.create_session(cpu, config, plugin="onnxruntime")
        assert forced.handle.plan.partitions[0].candidate.engine == "onnxruntime"
        assert "fp32" in manager.capability(cpu).dtype
        assert manager.build_profiles(cpu, config) == []
        with pytest.raises(axle.FailedPreconditionError, match="no plugin can use"):
            manager.choose(Resource("pim:9", ResourceType.PIM))
        with pytest.raises(axle.FailedPreconditionError, match="echo"):
            manager.choose(cpu, "echo")


class Breaks(EchoPlugin):
    """Fails in the method that it is told to."""

    at = ""
    made = 0

    def __init__(self):
        type(self).made += 1
        self.step("__init__")

    @classmethod
    def metadata(cls):
        return PluginMetadata("breaks", resource_types=(ResourceType.CPU,), priority=900)

    def step(self, name):
        if name == self.at:
            raise RuntimeError(f"no {name} today")

    def is_available(self):
        self.step("is_available")
        return True

    def initialize(self):
        self.step("initialize")
        super().initialize()

    def probe(self, resources):
        self.step("probe")
        return super().probe(resources)

    def cleanup(self):
        self.step("cleanup")
        super().cleanup()


@pytest.mark.parametrize("at", ["__init__", "is_available", "initialize", "probe"])
def test_a_plugin_that_fails_is_a_problem_and_hurts_no_other(at):
    registry = PluginRegistry()
    registry.register(type("Broken", (Breaks,), {"at": at}))
    registry.register(EchoPlugin)
    said = f"plugin 'breaks': RuntimeError: no {at} today"
    with ResourceManager(ResourcePool([Resource("cpu:0", ResourceType.CPU)]), registry) as manager:
        cpu = manager.pool.get("cpu:0")
        assert manager.plugins_for(cpu) == manager.plugins_for(cpu) == ["echo"]
        assert registry.problems == [said], "once"
        assert manager.create_session(cpu, BackendConfig(model="m")).execute(1)["from"] == ("cpu:0", "m")
        with pytest.raises(axle.FailedPreconditionError, match=f"cannot use cpu:0; {said}"):
            manager.create_session(cpu, BackendConfig(model="m"), plugin="breaks")
        assert registry.is_available("breaks") == (at in ("initialize", "probe"))
        if at != "probe":
            with pytest.raises(axle.UnavailableError, match=said) as caught:
                registry.get("breaks")
            assert isinstance(caught.value.__cause__, RuntimeError)
        with pytest.raises(axle.NotFoundError):
            registry.is_available("brakes")


def test_a_plugin_that_fails_may_work_the_next_time_and_is_cleaned_up_alone():
    registry = PluginRegistry()
    mended = type("Mended", (Breaks,), {"at": "initialize"})
    registry.register(mended)
    registry.register(EchoPlugin)
    with pytest.raises(axle.UnavailableError):
        registry.get("breaks")
    mended.at = "cleanup"
    assert registry.get("breaks").ready
    registry.get("echo")
    before = EchoPlugin.cleaned
    registry.cleanup()
    assert EchoPlugin.cleaned == before + 1, "the one that fails first is no reason to leave the other"
    assert registry.problems[-1] == "plugin 'breaks': RuntimeError: no cleanup today"


def test_a_plugin_is_made_once_however_often_it_is_asked():
    registry = PluginRegistry()
    once = type("Once", (Breaks,), {})
    registry.register(once)
    for _ in range(3):
        assert registry.available() == ["breaks"]
    plugin = registry.get("breaks")
    assert registry.is_available("breaks") and registry.get("breaks") is plugin
    assert once.made == 1


def test_a_model_that_nobody_holds_is_gone(model):
    with ResourceManager() as manager:
        cpu = manager.resources(ResourceType.CPU)[0]
        config = BackendConfig(model=model, threads=1)
        plugin = manager.choose(cpu)
        held, fresh = plugin.create_session([cpu], config, []), axle.Session.create(model, device="cpu", threads=1)
        assert sys.getrefcount(held) == sys.getrefcount(fresh), "the plugin keeps none"
        dropped = weakref.ref(manager.create_session(cpu, config))
        gc.collect()
        assert dropped() is None
        with manager.create_session(cpu, config) as prepared:
            prepared.execute(INPUTS)
        assert prepared.closed
        with pytest.raises(axle.FailedPreconditionError, match="was closed"):
            prepared.execute(INPUTS)
        last = manager.create_session(cpu, config)
        assert not last.closed
    assert last.closed and last.handle is None, "by the end of the manager"


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("init", "ResourceManager"),
        ("switch_device", "Session.create"),
        ("Backend", "BackendPluginAdapter"),
        ("DeviceFlowController", "ResourceManager"),
        ("ModelInterceptor", "Session.create"),
        ("DeviceInfo", "Resource"),
        ("NPUBackend", "CLICompilerAdapter"),
        ("GPUBackend", "GpuTorchRuntime"),
        ("RBLNBackend", "axle engines --all"),
        ("FuriosaBackend", "axle engines --all"),
    ],
)
def test_what_comes_later_says_what_stands_in_its_place(name, instead):
    with pytest.raises(rm_abstract.NotInThisVersionError, match=rf"rm_abstract\.{name} is not in this version of rm_abstract") as caught:
        getattr(rm_abstract, name)
    assert instead in caught.value.hint
    for word in re.findall(r"rm_abstract\.(?:backends\.)?([A-Z]\w+)", caught.value.hint):
        assert hasattr(rm_abstract, word) or hasattr(rm_abstract.backends, word), "a hint names what is here"
    with pytest.raises(ImportError, match="is not in this version"):
        exec(f"from rm_abstract import {name}")
    assert name not in dir(rm_abstract)


def test_a_name_that_never_was_is_no_attribute():
    assert not hasattr(rm_abstract, "initialise")
    with pytest.raises(AttributeError, match="has no attribute 'initialise'"):
        rm_abstract.initialise()


def test_an_older_backend_is_a_plugin():
    class Doubler:
        def is_available(self):
            return True

        def prepare_model(self, model):
            return model

        def execute(self, prepared_model, inputs):
            return [prepared_model, inputs * 2]

        def get_device_info(self):
            return "here"

    class DoublerPlugin(BackendPluginAdapter):
        backend_type = Doubler
        info = PluginMetadata("doubler", resource_types=(ResourceType.CPU,), priority=300)

    registry = PluginRegistry()
    registry.register(DoublerPlugin)
    with ResourceManager(ResourcePool([Resource("cpu:0", ResourceType.CPU)]), registry) as manager:
        session = manager.create_session(manager.pool.get("cpu:0"), BackendConfig(model="m"))
        assert session.execute(21) == ["m", 42]


class LLMApplication:
    """As the example has it."""

    def __init__(self, runtime: DeviceRuntime):
        self.runtime = runtime

    def process_request(self, prompt: str, max_tokens: int) -> str:
        return self.runtime.generate(prompt, max_tokens)


class Parrot(DeviceRuntime):
    """An engine of one's own that generates."""

    def load_model(self, model_path: str) -> None:
        self.path = model_path

    def generate(self, prompt: str, max_tokens: int) -> str:
        return " ".join((prompt.split() * max_tokens)[:max_tokens])

    def cleanup(self) -> None:
        self.path = None


def test_the_same_application_over_any_runtime(model):
    for runtime in (GpuTorchRuntime(), NpuRuntime(), PimRuntime()):
        app = LLMApplication(runtime=runtime)
        with pytest.raises(axle.UnimplementedError, match="no language model engine yet"):
            app.process_request("hello", 5)
        if not any(one.kind == runtime.kind and not one.simulated for one in axle.devices()):
            with pytest.raises(axle.FailedPreconditionError):
                runtime.load_model(model)
        runtime.cleanup()
    assert LLMApplication(runtime=Parrot()).process_request("one two", 3) == "one two one"
    cpu = rm_abstract.CpuRuntime()
    with pytest.raises(axle.FailedPreconditionError, match="load_model"):
        cpu.run(INPUTS)
    cpu.load_model(model)
    np.testing.assert_allclose(cpu.run(INPUTS)["y"], expected(model, INPUTS), rtol=1e-4, atol=1e-5)
    cpu.cleanup()
    assert cpu.session is None
    assert os.environ.get("AXLE_ALLOW_SIMULATED") is None
