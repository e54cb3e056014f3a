"""The NPU policy path on Qualcomm's emulator: nothing runs on it unasked, compiled once, reloaded elsewhere, never silently on the CPU."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from npu_models import NPU, layers, qnn, reference, rules, run, save  # noqa: F401  (qnn skips)
from onnx import TensorProto, helper, numpy_helper

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "npu.md"
EMULATOR = "Qualcomm HTP x86 emulator"


@pytest.fixture
def small(tmp_path) -> Path:
    nodes, weights = layers(np.random.default_rng(0))
    return save(tmp_path, nodes, weights, [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 9])])


@pytest.fixture
def with_det(tmp_path) -> Path:
    """Save the same with a determinant at the end, which the NPU does not have."""
    tail = [
        helper.make_node("Reshape", ["scores", "square"], ["matrix"], name="square_it"),
        helper.make_node("Det", ["matrix"], ["volume"], name="det"),
    ]
    nodes, weights = layers(np.random.default_rng(0), tail)
    weights.append(numpy_helper.from_array(np.array([1, 3, 3], np.int64), "square"))
    return save(tmp_path, nodes, weights, [helper.make_tensor_value_info("volume", TensorProto.FLOAT, [1])], "with_det.onnx")


def test_nothing_runs_on_the_emulator_unasked(axle, small):
    answer = axle("run", small, "--inputs", small.parent / "samples.npz", "--device", "npu")
    assert answer.code == 4, answer.out + answer.err
    assert "simulated" in answer.err
    assert EMULATOR in answer.err
    assert "--allow-simulated" in answer.err
    document, _ = run(axle, small)
    assert all(not part["simulated"] for part in document["plan"]["partitions"])


@pytest.mark.parametrize("how", ["flag", "environment", "policy", "tag"])
def test_it_runs_on_the_emulator_when_asked_in_words(axle, small, how):
    flags, environment = ("--device", "npu"), {}
    if how == "flag":
        flags = NPU
    elif how == "environment":
        environment = {"AXLE_ALLOW_SIMULATED": "1"}
    elif how == "policy":
        flags = (*flags, "--policy", rules(small.parent, "[resources]\nallow_simulated = true\n"))
    else:
        flags = ("--device", "npu#sim")
    document, outputs = run(axle, small, *flags, **environment)
    (part,) = document["plan"]["partitions"]
    assert part["engine"] == "qnn"
    assert part["resource"] == "npu:0"
    assert part["simulated"] is True
    assert part["precision"] == "f32"
    np.testing.assert_allclose(outputs["scores"], reference(axle, small)["scores"], atol=1e-4)


def test_another_word_for_the_environment_is_refused(axle, small):
    answer = axle("plan", small, "--device", "npu", AXLE_ALLOW_SIMULATED="yes")
    assert answer.code == 3
    assert "AXLE_ALLOW_SIMULATED" in answer.err


def test_it_is_compiled_once_and_reloaded_by_another_process(axle, small):
    first, cold = run(axle, small, *NPU)
    assert first["timing"]["cache"] == "miss"
    second, warm = run(axle, small, *NPU)
    assert second["timing"]["cache"] == "hit"
    np.testing.assert_array_equal(cold["scores"], warm["scores"])


def test_a_flipped_bit_is_a_new_compile_and_never_a_wrong_number(axle, small, tmp_path):
    _, good = run(axle, small, *NPU)
    binary = max((path for path in (tmp_path / "cache").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(binary.read_bytes())
    assert b"PICKLE/" in content, "the largest file is not the compiled graph"
    times = binary.stat()
    content[len(content) // 2] ^= 0x10
    binary.chmod(0o600)
    binary.write_bytes(content)
    binary.chmod(0o400)
    os.utime(binary, ns=(times.st_atime_ns, times.st_mtime_ns))
    document, outputs = run(axle, small, *NPU)
    assert document["timing"]["cache"] == "miss"
    np.testing.assert_array_equal(outputs["scores"], good["scores"])


def test_int8_is_a_copy_made_by_the_vendors_rules(axle, small):
    folder = small.parent
    policy = rules(
        folder,
        f'[execution]\ntarget = "npu"\nprecision = "int8"\nstatic_shape = true\n[resources]\nallow_simulated = true\n'
        f'[accuracy]\nsamples = "{folder}/samples.npz"\ncalibration = "{folder}/calibration.npz"\n',
    )
    document, outputs = run(axle, small, "--policy", policy)
    (part,) = document["plan"]["partitions"]
    assert re.match(r"qnn@npu:0/int8~qdq-[0-9a-f]+/", part["candidate"])
    assert part["simulated"] is True
    assert part["effective"]["precision"] == "int8"
    assert any("error" in note for note in document["plan"]["notes"]), document["plan"]["notes"]
    wanted = reference(axle, small)["scores"]
    assert np.abs(outputs["scores"] - wanted).max() < 0.05 * np.abs(wanted).max()
    assert np.abs(outputs["scores"] - wanted).max() > 0


def test_a_bound_that_int8_breaks_keeps_it_out(axle, small):
    folder = small.parent
    policy = rules(
        folder,
        f'[execution]\ntarget = "npu"\nprecision = ["int8", "f32"]\n[resources]\nallow_simulated = true\n'
        f'[accuracy]\nmax_relative_error = 1e-6\nsamples = "{folder}/samples.npz"\ncalibration = "{folder}/calibration.npz"\n',
    )
    tuned = axle("tune", small, "--policy", policy, "--budget", "3s", "--json")
    assert tuned.code == 0, tuned.err
    document, _ = run(axle, small, "--policy", policy)
    (part,) = document["plan"]["partitions"]
    assert part["precision"] == "f32"
    assert part["engine"] == "qnn"


def test_a_node_that_it_lacks_is_named_and_nothing_runs(axle, with_det):
    answer = axle("run", with_det, "--inputs", with_det.parent / "samples.npz", *NPU)
    assert answer.code == 4, answer.out + answer.err
    assert "Det" in answer.err
    assert '"det"' in answer.err


def test_the_cpu_takes_only_that_node_when_it_may(axle, with_det):
    document, outputs = run(axle, with_det, *NPU, "--allow-fallback", "cpu")
    parts = document["plan"]["partitions"]
    assert [part["simulated"] for part in parts] == [True, False]
    assert parts[0]["engine"] == "qnn"
    assert parts[1]["resource"] == "cpu:0"
    (taken,) = document["substitutions"]
    assert "fallback.resource" in taken["allowed_by"]
    assert "det" in json.dumps(taken)
    np.testing.assert_allclose(outputs["volume"], reference(axle, with_det)["volume"], rtol=1e-3, atol=1e-5)


def test_the_cpu_takes_that_node_of_the_int8_copy_too(axle, tmp_path):
    """The policy of the seed, on a model whose copy the NPU cannot run whole: Erf stands in its middle."""
    nodes, weights = layers(np.random.default_rng(0))
    at = next(i for i, node in enumerate(nodes) if node.name == "relu1")
    nodes.insert(at + 1, helper.make_node("Erf", ["r1"], ["e1"], name="erf"))
    nodes[at + 2].input[0] = "e1"
    model = save(tmp_path, nodes, weights, [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 9])])
    document, outputs = run(axle, model, *NPU, "--precision", "int8", "--allow-fallback", "cpu")
    parts = document["plan"]["partitions"]
    assert [part["engine"] for part in parts] == ["qnn", "onnxruntime", "qnn"]
    assert [part["simulated"] for part in parts] == [True, False, True]
    assert all(part["variant"]["kind"] == "qdq" for part in parts)
    assert "erf" in parts[1]["nodes"]
    assert any("is computed in f32" in note for note in document["plan"]["notes"]), document["plan"]["notes"]
    (taken,) = document["substitutions"]
    assert "Erf" in json.dumps(taken)
    wanted = reference(axle, model)["scores"]
    assert np.abs(outputs["scores"] - wanted).max() < 0.05 * np.abs(wanted).max()


def test_documents_say_that_it_is_simulated(axle, small):
    samples = small.parent / "samples.npz"
    for command in (("plan", small), ("run", small, "--inputs", samples)):
        assert "qnn@npu:0/f32/t1/default+process (simulated)" in axle(*command, *NPU).out
    explained = axle("explain", small, *NPU)
    assert explained.code == 0, explained.err
    assert "simulated" in explained.out
    assert axle("tune", small, *NPU, "--budget", "1s").code == 0
    rows = axle("evidence", "ls", "--json").json
    assert [row["simulated"] for row in rows["rows"]] == [True] * len(rows["rows"])
    assert rows["rows"]


def test_in_a_process_of_its_own_it_computes_the_same(axle, small):
    here = run(axle, small, *NPU)[1]
    document, there = run(axle, small, *NPU, "--policy", rules(small.parent, '[engines.qnn]\nisolation = "process"\n'))
    (part,) = document["plan"]["partitions"]
    assert part["isolated"] is True
    assert part["simulated"] is True
    np.testing.assert_array_equal(here["scores"], there["scores"])


def test_nothing_but_the_document_is_on_standard_output(axle, small):
    answer = axle("run", small, "--inputs", small.parent / "samples.npz", *NPU, "--json")
    json.loads(answer.out)
    assert answer.out.count("\n") == 1


def test_the_guide_does_what_it_says(axle, small, monkeypatch):
    monkeypatch.chdir(small.parent)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    (policy,) = [body for kind, body in blocks if kind == "toml"]
    Path("npu.toml").write_text(policy)
    commands = [line for kind, body in blocks if kind == "sh" for line in body.splitlines()]
    assert len(commands) >= 4
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "axle"
        if words[1:3] == ["engines", "install"]:
            continue  # a download
        answer = axle(*words[1:])
        assert answer.code == 0, f"{command}\n{answer.err}"
    (program,) = [body for kind, body in blocks if kind == "python"]
    assert "InferenceSession" in program


PHONE_CHOICE = ("--engine", "qnn", "--device", "npu:0", "--precision", "f16")


def machine_with(tmp_path, hexagon: str | None) -> Path:
    """The laptop of the profile with another generation of the processor, or one that does not say which."""
    record = json.loads((Path(__file__).resolve().parents[2] / "profiles" / "machines" / "snapdragon-x-elite.json").read_text())
    npu = next(resource for resource in record["resources"] if resource["id"] == "npu:0")
    npu["attributes"] = {"hexagon": hexagon} if hexagon else {}
    path = tmp_path / f"machine-{hexagon}.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def option_of(done) -> str:
    """The generation that an artefact was compiled for, as the plan has it."""
    return done.json["plan"]["partitions"][0]["options"]["htp_arch"]


def test_code_is_for_the_generation_that_the_machine_has(axle, small, tmp_path):
    """`htp_arch` follows the machine; another one is refused by name, and where nobody knows it has to be said."""
    planned = axle("plan", small, *PHONE_CHOICE, "--machine", "snapdragon-x-elite", "--json")
    assert planned.code == 0, planned.out + planned.err
    assert option_of(planned) == "73"
    policy = tmp_path / "htp75.toml"
    policy.write_text('[engines.qnn]\nhtp_arch = "75"\n', encoding="utf-8")
    for verb in ("plan", "compile"):
        refused = axle(verb, small, *PHONE_CHOICE, "--machine", "snapdragon-x-elite", "--policy", policy, "--json")
        assert refused.code == 3, refused.out + refused.err
        assert "option 'htp_arch' is '75', wanted one of 73" in refused.json["error"]["message"]
        assert "Hexagon v73" in refused.json["error"]["hint"]
    unknown = machine_with(tmp_path, None)
    silent = axle("compile", small, *PHONE_CHOICE, "--machine", unknown, "--json")
    assert silent.code == 4, silent.out + silent.err
    assert "does not say of which generation its Hexagon is" in silent.json["error"]["message"]
    named = axle("compile", small, *PHONE_CHOICE, "--machine", unknown, "--policy", policy, "--json")
    assert named.code == 0, named.out + named.err
    assert option_of(named) == "75"
    ancient = axle("compile", small, *PHONE_CHOICE, "--machine", machine_with(tmp_path, "v66"), "--policy", policy, "--json")
    assert ancient.code == 4, ancient.out + ancient.err


def test_a_context_binary_for_a_phone_that_is_not_here(axle, small, tmp_path):
    """One artefact for each generation of the processor, found by whoever has the same SDK, and loaded by nobody here."""
    keys = {}
    for arch in ("73", "79"):
        phone = (*PHONE_CHOICE, "--machine", machine_with(tmp_path, f"v{arch}"))
        files = tmp_path / f"files{arch}"
        archive = tmp_path / f"{arch}.axc"
        done = axle("compile", small, *phone, "--files", files, "-o", archive, "--json")
        assert done.code == 0, done.out + done.err
        keys[arch] = done.json["plan"]["partitions"][0]["artefact"]
        assert sorted(file.name for file in files.iterdir()) == ["model.onnx", "model_qnn.bin", "nodes.txt"]
        there = {"AXLE_CACHE_DIR": str(tmp_path / f"there{arch}")}
        assert axle("cache", "import", archive, **there).code == 0
        again = axle("compile", small, *phone, **there)
        assert "in the cache already" in again.out, again.out + again.err
        assert "not loaded" in again.out
    assert keys["73"] != keys["79"]
    assert (tmp_path / "files73" / "model_qnn.bin").read_bytes() != (tmp_path / "files79" / "model_qnn.bin").read_bytes()
    made = {entry["key"]: entry for entry in axle("cache", "ls", "--json").json["entries"]}
    phone = made[keys["73"]]
    assert phone["made_from"]["target"] == "qualcomm Qualcomm Hexagon (X1E80100) fastrpc 6.14.0"
    assert phone["made_from"]["plugin_digest"].startswith("portable-1:")
    assert phone["compatibility"]["facts"]["htp_arch"] == "73"
