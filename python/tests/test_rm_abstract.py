"""rm_abstract: the orchestrator's examples as they are written, over the FAKE vendor and the CPU engines."""

from pathlib import Path

import numpy as np
import pytest
from rm_models import INPUTS, expected, gemm_model  # noqa: F401

import axle
from rm_abstract import (
    BinaryRuntimeAdapter,
    BuildArtifact,
    BuildProfile,
    Capability,
    CLICompilerAdapter,
    ConfigFileCompilerAdapter,
    DummyRuntimeAdapter,
    Resource,
    ResourcePool,
    ResourceType,
)

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
