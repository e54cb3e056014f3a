"""Machines, engines and the command line's documents from Python."""

import json
from pathlib import Path

import pytest
from conftest import ROOT, python

import axle
import axle.explain

BUILD = Path(axle.__file__).parents[2] if (Path(axle.__file__).parents[2] / "build.ninja").exists() else None


def test_selectors_and_core_sets():
    machine = axle.machine()
    assert machine == axle.discover_machine() or machine.fingerprint() == axle.discover_machine().fingerprint()
    selector = axle.parse_selector("CPU:0/1@amd#fast")
    assert (selector.kind, selector.index, selector.part, selector.vendor, selector.tags) == ("cpu", 0, 1, "amd", ["fast"])
    assert axle.parse_selector("auto").kind is None
    assert axle.parse_selector("cuda:2").cuda_index == 2
    assert axle.parse_selector("npu") == axle.parse_selector("npu") != axle.parse_selector("gpu")
    with pytest.raises(axle.InvalidArgumentError):
        axle.parse_selector("cpu:x")
    assert machine.select(axle.parse_selector("cpu")) == machine.select("cpu") == ["cpu:0"]
    cpu = machine.find_resource("cpu:0")
    assert axle.parse_selector("cpu").matches(cpu)
    assert not axle.parse_selector("gpu").matches(cpu)
    assert machine.find_resource("gpu:99") is None
    allowed = machine.allowed_cpus
    if len(allowed) < 2:
        pytest.skip("one CPU cannot be split")
    machine.apply_split("cpu:0", [allowed[:1], allowed[1:2]])
    assert machine.select("cpu:0/1") == ["cpu:0/1"]
    assert machine.find_resource("cpu:0/1").cpus == allowed[1:2]
    before = machine.to_json()
    with pytest.raises(axle.InvalidArgumentError):
        machine.apply_split("cpu:0", [allowed[:1], allowed[:1]])
    with pytest.raises(axle.NotFoundError):
        machine.apply_split("npu:7", [allowed[:1]])
    assert machine.to_json() == before


def test_what_a_machine_is_made_of():
    machine = axle.machine()
    assert {cpu.id for cpu in machine.cpus} >= set(machine.allowed_cpus)
    assert all(cache.size_bytes > 0 for cache in machine.caches)
    assert machine.hardware_fingerprint().startswith("sha256:")
    assert machine.hardware_fingerprint() != machine.fingerprint()
    again = axle.parse_machine(machine.to_json())
    assert [node.cpus for node in again.numa_nodes] == [node.cpus for node in machine.numa_nodes]
    assert [one.name for one in again.power_counters] == [one.name for one in machine.power_counters]


def test_device_profiles_and_machines_to_plan_for():
    profiles = axle.known_device_profiles()
    assert len(profiles) > 3
    for profile in profiles:
        assert axle.DeviceProfile.parse(profile.to_json()).to_json() == profile.to_json()
        assert all(figure.source and figure.kind in ("vendor", "measured", "estimate") for figure in profile.peaks.values())
    names = axle.known_machines()
    assert names
    machine = axle.find_machine(names[0])
    for one in axle.profiles_of(machine):
        assert machine.find_resource(one.resource) is not None
        assert one.profile.name in {profile.name for profile in profiles}
    assert names[0] in axle.explain.render_profiles_text(profiles, names)
    assert json.loads(axle.explain.render_profiles_json(profiles, names))
    with pytest.raises(axle.InvalidArgumentError):
        axle.DeviceProfile.parse('{"nmae": "x"}')


def test_the_registry_and_the_options_of_an_engine():
    registry = axle.Runtime.default().engines()
    assert "onnxruntime" in registry.names()
    state = registry.state("onnxruntime")
    assert state.opened and state.present and state.reason_code == ""
    capability = state.capabilities["cpu:0"]
    options = capability.resolve_options()
    assert set(options) == {option.name for option in capability.options}
    assert capability.dynamic_shapes in ("no", "bounded", "yes")
    assert "f32" in capability.dtypes
    with pytest.raises(axle.InvalidArgumentError):
        capability.resolve_options("default", {"no_such_option": "1"})
    with pytest.raises(axle.NotFoundError):
        capability.resolve_options("no_such_preset")
    boolean = next((option for option in capability.options if option.type == "boolean"), None)
    if boolean is not None:
        boolean.check("true")
        with pytest.raises(axle.InvalidArgumentError):
            boolean.check("perhaps")
    with pytest.raises(axle.NotFoundError):
        registry.peek("no_such_engine")
    own = axle.EngineRegistry.create(only=["onnxruntime"])
    assert own.names() == ["onnxruntime"]
    assert not own.peek("onnxruntime").opened
    assert own.problems() == []
    joined = axle.join_resources(axle.machine(), state.engine_resources)
    assert [one.resource.id for one in joined] == [resource.id for resource in state.resources]
    assert all(safeguard.name and isinstance(safeguard.holds, bool) for safeguard in axle.Runtime.worker_safeguards())


REGISTER = """
import sys, axle
axle.register_engine(sys.argv[1], "null")
runtime = axle.Runtime.create(use_cache=False, engines=["null"])
state = runtime.engines().state("null")
print(state.present, state.plugin_path == "")
try:
    axle.register_engine(sys.argv[1], "null")
except axle.AlreadyExistsError:
    print("taken")
"""


def test_a_plugin_is_registered_by_its_path(tmp_path):
    plugin = next(BUILD.rglob("libaxle_engine_null.so"), None) if BUILD else None
    if plugin is None:
        pytest.skip("the engine 'null' is not built here: ninja axle_engine_null")
    assert python(REGISTER, str(plugin)).split() == ["True", "True", "taken"]
    with pytest.raises(axle.NotFoundError):
        axle.register_engine(str(tmp_path / "nothing.so"), "nothing")
    no_library = tmp_path / "text.so"
    no_library.write_text("no library")
    with pytest.raises(axle.UnavailableError):
        axle.register_engine(str(no_library), "text")
    with pytest.raises(axle.InvalidArgumentError, match="axle_engine_query"):
        axle.register_engine(axle._core.__file__, "core")


DESCRIPTION = """
import sys, axle
folder = axle.engine_description_folder()
assert folder.startswith(sys.argv[2]), folder
known = {state.name: state for state in axle.known_engine_descriptions()}
assert "vela" in known and not known["vela"].present and known["vela"].reason
assert axle.check_engine_description(sys.argv[1]).name == "vela"
added = axle.add_engine_description(sys.argv[1])
assert added.path.startswith(folder) and not added.replaced and added.state.name == "vela"
assert axle.add_engine_description(sys.argv[1]).replaced
assert "vela" in axle.Runtime.create(use_cache=False).engines().names()
assert axle.remove_engine_description("vela") == added.path
try:
    axle.remove_engine_description("vela")
except axle.NotFoundError:
    print("gone")
"""


def test_engine_descriptions_are_checked_added_and_removed(tmp_path):
    vela = ROOT / "descriptions" / "vela.toml"
    assert python(DESCRIPTION, str(vela), str(tmp_path), XDG_CONFIG_HOME=str(tmp_path)) == "gone\n"
    broken = tmp_path / "broken.toml"
    broken.write_text("[engine]\nnmae = 'x'\n")
    with pytest.raises(axle.InvalidArgumentError, match=r"broken\.toml:"):
        axle.check_engine_description(str(broken))


def test_what_can_be_installed_is_listed():
    packages = axle.engine_packages()
    assert "qnn" in {one.engine for one in packages}
    assert all(one.what and one.licence and Path(one.list).is_file() for one in packages)


def test_errors_know_the_exit_code_and_the_http_status(tmp_path):
    with pytest.raises(axle.NotFoundError) as caught:
        axle.Model.load(str(tmp_path / "nothing.onnx"))
    assert (caught.value.exit_code, caught.value.http_status) == (axle.exit_code_for("NOT_FOUND"), 404)
    assert caught.value.exit_code == 3
    with pytest.raises(axle.InvalidArgumentError):
        axle.exit_code_for("NO_SUCH_CODE")


def test_what_the_command_line_prints_is_there(add_model, tmp_path):
    machine, engines = axle.machine(), axle.engines()
    explain = axle.explain
    assert "cpu:0" in explain.render_devices_text(machine, engines, color=False, width=120)
    assert json.loads(explain.render_devices_json(machine, engines))
    assert "onnxruntime" in explain.render_engines_text(engines)
    assert json.loads(explain.render_engines_json(engines))
    doctor = (machine, engines, [], axle.Runtime.worker_safeguards(), True)
    assert explain.render_doctor_text(*doctor)
    assert json.loads(explain.render_doctor_json(*doctor))
    cache = axle.Cache.open(str(tmp_path / "cache"))
    cache.get_or_make(axle.ArtefactKey(), _write_one)
    assert json.loads(explain.render_cache_json(cache.ls())) is not None
    assert explain.render_cache_stats_text(cache.path, cache.stats())
    assert json.loads(explain.render_cache_verify_json(cache.verify()))
    assert json.loads(explain.render_cache_gc_json(cache.gc()))
    archive = str(tmp_path / "archive")
    written = cache.export_archive(archive)
    assert json.loads(explain.render_cache_transfer_json(written))
    assert explain.format_size(explain.parse_size("2GiB")) == "2.00 GiB" or "GiB" in explain.format_size(2 << 30)
    assert explain.parse_duration("20ms") == 20_000_000
    planned = axle.plan(add_model, engine="onnxruntime", threads=1)
    assert explain.render_plan_line(planned.plan, planned.model).count("\n") == 1
    checked = axle.check_lock_file(_locked(planned, tmp_path))
    assert checked.check.ok
    assert checked.lock.plan.digest() == planned.plan.digest()
    assert json.loads(explain.render_lock_check_json(checked.check, checked.lock, "axle.lock"))


def _write_one(folder: str, cancel: axle.CancelToken) -> axle.ManifestDraft:
    Path(folder, "one").write_text("one")
    return axle.ManifestDraft([axle.BlobDraft("one", "text", "one")])


def _locked(planned: axle.PlannedModel, folder: Path) -> str:
    planned.lock(folder / "axle.lock")
    return str(folder / "axle.lock")
