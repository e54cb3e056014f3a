"""rm_abstract: the orchestrator's examples as they are written, over the FAKE vendor and the CPU engines."""

import gc
import os
import re
import sys
import weakref
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import axle
import rm_abstract
from rm_abstract import (
    BackendConfig,
    BinaryRuntimeAdapter,
    BuildArtifact,
    BuildProfile,
    Capability,
    CLICompilerAdapter,
    ConfigFileCompilerAdapter,
    DeviceRuntime,
    DummyRuntimeAdapter,
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

BUILD = Path(axle._core.__file__).parents[2]
FAKE = BUILD / "lib" / "axle" / "testing" / "fakenpu"

# The vendor of the examples: its compiler has these flags and refuses others.
NPU_COMPILE = f"""#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    --input) input=$2 ;;
    --output) output=$2 ;;
    --optimization-level | --precision) echo "$1 is $2" ;;
    --version) echo "npu_compile 2.0"; exit 0 ;;
    *) echo "unknown argument $1" >&2; exit 2 ;;
  esac
  shift 2
done
exec {FAKE}/bin/fakenpu-compile --model "$input" --output "$output"
"""


@pytest.fixture
def profile() -> BuildProfile:
    return BuildProfile(
        target_resource_type=ResourceType.NPU,
        compiler="vendor_npu_compiler",
        compiler_version="2.0",
        flags={"precision": "fp16", "optimization_level": 3},
        interface="cli",
    )


@pytest.fixture
def tools(tmp_path) -> Path:
    """The folder /opt/npu/bin of the examples."""
    if not (FAKE / "bin" / "fakenpu-compile").exists():
        pytest.skip("the FAKE vendor is not built: target axle_fakenpu")
    folder = tmp_path / "opt" / "npu" / "bin"
    folder.mkdir(parents=True)
    program = folder / "npu_compile"
    program.write_text(NPU_COMPILE)
    program.chmod(0o755)
    (folder / "libnpu_runtime.so").symlink_to(FAKE / "lib" / "libfakenpu.so")
    return folder


@pytest.fixture
def model(tmp_path) -> str:
    """y = relu(x @ w + b), of fixed shapes."""
    generator = np.random.default_rng(3)
    weights = [
        numpy_helper.from_array(generator.standard_normal(shape).astype(np.float32), name) for name, shape in (("w", (4, 3)), ("b", 3))
    ]
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="gemm"), helper.make_node("Relu", ["h"], ["y"], name="relu")]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [2, 4]), ("y", [2, 3]))]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "model.onnx")
    return str(tmp_path / "model.onnx")


def expected(model: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(model).graph.initializer}
    return np.maximum(inputs["x"] @ weights["w"] + weights["b"], 0)


INPUTS = {"x": np.arange(8, dtype=np.float32).reshape(2, 4) / 7}


def test_the_values_of_the_examples():
    resource = Resource(
        id="npu-rbln-0",
        type=ResourceType.NPU,
        attributes={"vendor": "Rebellions", "memory_gb": 32},
        tags=["low-latency", "fp16-optimized"],
    )
    capability = Capability(max_batch_size=8, max_seq_len=4096, dtype=["fp16", "int8"], requires_precompile=True, optimized_for=["latency"])
    assert resource.has_tags("low-latency")
    assert not resource.has_tags("low-latency", "cheap")
    assert capability.supports(dtype="f16", batch_size=8, seq_len=4096)
    assert not capability.supports(dtype="fp32")
    assert not capability.supports(batch_size=9)
    assert not Capability(dtype=["fp16"]).supports(batch_size=1), "what is not known is not promised"
    assert [kind.name for kind in ResourceType] == ["GPU", "NPU", "PIM", "CPU", "REMOTE", "HYBRID"]


def test_a_pool_selects_by_type_and_tags():
    pool = ResourcePool([Resource("npu:0", ResourceType.NPU, tags=["fast"]), Resource("npu:1", ResourceType.NPU, tags=["fast", "sim"])])
    assert [one.id for one in pool.select(ResourceType.NPU, ["fast"])] == ["npu:0"]
    assert [one.id for one in pool.select(ResourceType.NPU, ["sim"])] == ["npu:1"]
    assert pool.select(ResourceType.GPU) == []
    with pytest.raises(axle.AlreadyExistsError):
        pool.add(Resource("npu:0", ResourceType.NPU))
    with pytest.raises(axle.NotFoundError, match="gpu:0"):
        pool.get("gpu:0")
    assert pool.remove("npu:1").simulated
    assert len(pool) == 1
    here = ResourcePool.discover()
    assert {one.id for one in axle.devices()} == {one.id for one in here}
    assert here.get("cpu:0").type is ResourceType.CPU
    assert here.get("cpu:0").attributes["memory_gb"] > 0


def test_the_compiler_and_runtime_of_the_examples(profile, tools, model, tmp_path):
    compiler = CLICompilerAdapter(build_profile=profile, cli_name="npu_compile", search_paths=[str(tools)])
    artifact = compiler.compile(input_path=model, output_path=str(tmp_path / "engine.bin"), model_id="llama-7b")
    assert Path(artifact.path).read_bytes().startswith(b"FAKENPU")
    assert artifact.model_id == "llama-7b"
    assert artifact.metadata["cache"] == "miss"
    assert "--precision is fp16" in artifact.metadata["log"]
    assert "--optimization-level is 3" in artifact.metadata["log"]
    assert BuildArtifact.load(artifact.path) == artifact
    again = compiler.compile(input_path=model, output_path=str(tmp_path / "again.bin"), model_id="llama-7b")
    assert again.metadata["cache"] == "hit"

    runtime = BinaryRuntimeAdapter(engine_path=artifact.path, device_id=0, runtime_so=str(tools / "libnpu_runtime.so"))
    runtime.load()
    output = runtime.run(INPUTS, max_tokens=100)
    np.testing.assert_allclose(output["y"], expected(model, INPUTS), rtol=1e-5, atol=1e-6)
    assert runtime.session.plan.partitions[0].isolated
    assert runtime.session.plan.partitions[0].simulated, "nothing shows that a device computed"
    runtime.unload()
    with pytest.raises(axle.FailedPreconditionError, match="not loaded"):
        runtime.run(INPUTS)


def test_a_dummy_runtime_for_tests_of_programs(tmp_path):
    engine = tmp_path / "engine.bin"
    runtime = DummyRuntimeAdapter(engine_path=engine, device_id=0)
    with pytest.raises(axle.NotFoundError, match=r"engine\.bin"):
        runtime.load()
    engine.write_bytes(b"anything")
    with pytest.raises(axle.FailedPreconditionError, match="not loaded"):
        runtime.run(INPUTS)
    with runtime:
        assert runtime.simulated
        output = runtime.run(INPUTS, max_tokens=100)
        np.testing.assert_array_equal(output["x"], INPUTS["x"])
        assert output["x"] is not INPUTS["x"]
        with pytest.raises(axle.InvalidArgumentError, match="max_tokens"):
            runtime.run(INPUTS, max_tokens=0)
    with DummyRuntimeAdapter(engine, answer=lambda given: {"y": given["x"] * 2}) as doubled:
        np.testing.assert_array_equal(doubled.run(INPUTS)["y"], INPUTS["x"] * 2)
    with pytest.raises(axle.FailedPreconditionError, match="not loaded"):
        doubled.run(INPUTS)


def test_a_changed_file_is_not_run(profile, tools, model, tmp_path):
    compiler = CLICompilerAdapter(profile, "npu_compile", [str(tools)])
    artifact = compiler.compile(model, tmp_path / "engine.bin", "m")
    content = bytearray(Path(artifact.path).read_bytes())
    content[-2] ^= 1
    Path(artifact.path).write_bytes(content)
    with pytest.raises(axle.DataLossError, match="not the file that was compiled"):
        BinaryRuntimeAdapter(artifact.path, runtime_so=str(tools / "libnpu_runtime.so")).load()
    Path(artifact.path + ".axle.json").unlink()
    with pytest.raises(axle.NotFoundError, match="record"):
        BinaryRuntimeAdapter(artifact.path, runtime_so=str(tools / "libnpu_runtime.so")).load()


def test_a_compiler_that_reads_a_file(tools, model, tmp_path):
    profile = BuildProfile(ResourceType.NPU, "config_compiler", flags={"level": 2}, interface="config")
    template = "model={input}\noutput={output}\nlevel={level}\n"
    compiler = ConfigFileCompilerAdapter(profile, str(FAKE / "bin" / "fakenpu-compile"), template)
    artifact = compiler.compile(model, tmp_path / "engine.bin", "m")
    assert "FAKE compiler, level 2" in artifact.metadata["log"]
    with BinaryRuntimeAdapter(artifact.path, runtime_so=str(tools / "libnpu_runtime.so")) as runtime:
        np.testing.assert_allclose(runtime.run(INPUTS)["y"], expected(model, INPUTS), rtol=1e-5, atol=1e-6)


def test_a_compiler_that_is_missing_old_or_fails(profile, tools, model, tmp_path):
    missing = CLICompilerAdapter(profile, "no_such_compiler", [str(tools)])
    assert not missing.is_available()
    with pytest.raises(axle.UnavailableError, match="no_such_compiler"):
        missing.compile(model, tmp_path / "engine.bin", "m")
    asked = {"version_arguments": ["--version"], "version_pattern": "npu_compile ([0-9.]+)"}
    assert CLICompilerAdapter(profile, "npu_compile", [str(tools)], **asked).is_available()
    profile.compiler_version = "3.0"
    assert not CLICompilerAdapter(profile, "npu_compile", [str(tools)], **asked).is_available()
    profile.flags["turbo"] = True
    with pytest.raises(axle.Error, match="unknown argument --turbo"):
        CLICompilerAdapter(profile, "npu_compile", [str(tools)]).compile(model, tmp_path / "engine.bin", "m")
    assert not list(tmp_path.glob("engine.bin*"))
    log = next(log for log in axle.build_logs(axle.Cache.open()) if log.failed)
    assert b"unknown argument --turbo" in log.text


def test_what_is_written_is_quoted(tools):
    profile = BuildProfile(ResourceType.NPU, "odd", flags={"name": 'a"b\\c$HOME\n{input}'})
    text = CLICompilerAdapter(profile, "npu_compile", [str(tools)]).description()
    assert r"a\"b\\c$$HOME\u000a" in text


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
