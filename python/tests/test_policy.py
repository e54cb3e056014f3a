"""Policies from text, files, mappings and keywords; the table of exceptions."""

import copy
import inspect
import json
import pickle
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import axle
from axle import errors
from axle._toml import dumps
from axle.policy import Choice, split_words

ROOT = Path(__file__).resolve().parents[2]

TOML = """
[execution]
target = "npu"
precision = ["int8", "fp16"]
allow_fallback = ["cpu"]
[accuracy]
max_relative_error = 1e-3
[engines.openvino]
isolation = "none"
[[pin]]
nodes = "*"
forbid = { engine = "null" }
"""

MAPPING = {
    "execution": {"target": "npu", "precision": ["int8", "fp16"], "allow_fallback": ["cpu"]},
    "accuracy": {"max_relative_error": 1e-3},
    "engines": {"openvino": {"isolation": "none"}},
    "pin": [{"nodes": "*", "forbid": {"engine": "null"}}],
}


def test_text_file_and_mapping_say_the_same(tmp_path):
    (tmp_path / "policy.toml").write_text(TOML)
    policies = [axle.make_policy(source) for source in (TOML, tmp_path / "policy.toml", str(tmp_path / "policy.toml"), MAPPING)]
    assert all(policy == policies[0] for policy in policies)
    assert policies[0].execution.targets == ["npu"]
    assert policies[0].execution.precisions == ["int8", "f16"]
    assert policies[0].fallback.resource == ["cpu"]
    assert policies[0].accuracy.max_relative_error == 1e-3
    assert policies[0].pins[0].forbid.engine == "null"
    assert axle.Policy.parse(policies[0].to_toml()) == policies[0]
    assert policies[0].digest().startswith("sha256:")


def test_every_call_that_plans_takes_the_choices_of_make_policy(tmp_path):
    names = [name for name in inspect.signature(axle.make_policy).parameters if name != "policy"]
    assert list(Choice.__annotations__) == names
    for call in (axle.plan, axle.tune, axle.Session.create):
        with pytest.raises(TypeError, match="devise"):
            call(tmp_path / "absent.onnx", devise="cpu")


def test_choices_lie_over_a_policy_and_leave_it_alone():
    base = axle.make_policy(TOML)
    before = base.digest()
    policy = axle.make_policy(
        base,
        device=["cpu", "gpu"],
        engine="onnxruntime",
        precision="bf16",
        threads=2,
        objective="throughput",
        allow_fallback="cpu:0",
        kernel={"matmul": "onednn"},
        tuning_budget=1.5,
    )
    assert base.digest() == before
    assert policy.execution.targets == ["cpu", "gpu"]
    assert policy.engines.allow == ["onnxruntime"]
    assert policy.execution.precisions == ["bf16"]
    assert policy.execution.threads == 2
    assert policy.objective == axle.Objective.THROUGHPUT
    assert policy.fallback.resource == ["cpu:0"]
    assert policy.kernels["matmul"].force == "onednn"
    assert policy.tuning.budget_ns == 1_500_000_000
    assert axle.make_policy(tuning_budget="2m").tuning.budget_ns == 120_000_000_000


def test_parts_can_be_set():
    policy = axle.Policy()
    policy.constraints.latency_p99_ns = 20_000_000
    policy.execution.targets = ["npu"]
    policy.kernels = {"conv": axle.KernelChoice(prefer=["a"], forbid=["b"])}
    assert 'latency_p99 = "20ms"' in policy.to_toml()
    for again in (copy.copy(policy), copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))):
        assert again == policy
        assert again is not policy


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("[execution]\nprecisoin = 'int8'", "(?s)policy:2.*precision"),
        ({"execution": {"precisoin": "int8"}}, "(?s)policy mapping:1.*precision"),
        ({"no_such": {}}, "no_such"),
    ],
)
def test_bad_policies_name_the_place(source, words):
    with pytest.raises(axle.InvalidArgumentError, match=words):
        axle.make_policy(source)


def test_bad_choices_and_files():
    with pytest.raises(ValueError, match="device"):
        axle.make_policy(device="no such thing")
    with pytest.raises(FileNotFoundError):
        axle.make_policy("/no/such/file.toml")
    with pytest.raises(TypeError, match="cannot hold"):
        axle.make_policy({"execution": {"target": object()}})
    with pytest.raises(axle.InvalidArgumentError, match="both allowed and denied"):
        axle.make_policy({"engines": {"allow": ["openvino"], "deny": ["openvino"]}})
    policy = axle.Policy()
    policy.execution.precisions = ["no_such"]
    with pytest.raises(axle.InvalidArgumentError):
        policy.check()


def test_mappings_become_toml():
    document = {
        'odd "key"\n': {"a": [1, 2.5, True, "tab\t\x7f\\"], "nested": {"b": [{"c": -1}, {"d": "ü"}]}},
        "empty": {},
        "inf": float("inf"),
    }
    assert tomllib.loads(dumps(document)) == document
    assert tomllib.loads(dumps({"a": None, "b": {"c": None}})) == {"b": {}}


def test_numbers_of_numpy_are_numbers_of_a_policy():
    document = {"accuracy": {"max_relative_error": np.float64(0.01)}, "shapes": {"N": [np.int64(4)]}, "execution": {"threads": np.uint8(2)}}
    policy = axle.make_policy(document)
    assert policy.accuracy.max_relative_error == 0.01
    assert (policy.shapes, policy.execution.threads) == ({"N": [4]}, 2)
    assert tomllib.loads(dumps({"half": np.float32(0.5)})) == {"half": 0.5}
    with pytest.raises(TypeError, match="cannot hold"):
        dumps({"array": np.zeros(2)})


@pytest.mark.parametrize(
    ("given", "words"), [("", []), (None, []), ("a", ["a"]), ("a,b", ["a", "b"]), (" a, ,b,", ["a", "b"]), (("a", "b"), ["a", "b"])]
)
def test_words_in_a_text_stand_between_its_commas(given, words):
    assert split_words(given) == words


def test_every_status_code_has_its_exception():
    header = (ROOT / "include/axle/status.h").read_text()
    enum = re.search(r"enum class StatusCode.*?\{(.*?)\};", header, re.DOTALL)[1]
    names = re.findall(r"^\s*k(\w+) = \d+", enum, re.MULTILINE)
    codes = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper() for name in names} - {"OK"}
    assert codes == set(errors._BY_CODE)
    for code, kind in errors._BY_CODE.items():
        error = errors.from_status(code, "what", "do this", {"k": "v"}, "runtime", 7)
        assert type(error) is kind
        assert isinstance(error, axle.Error)
        assert (error.code, error.hint, error.details, error.family, error.vendor_code) == (code, "do this", {"k": "v"}, "runtime", 7)
        assert str(error) == "what\n  do this"
        assert getattr(axle, kind.__name__) is kind
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.details) == (kind, str(error), error.details)


@pytest.mark.parametrize(
    ("code", "builtin"),
    [
        ("INVALID_ARGUMENT", ValueError),
        ("DEADLINE_EXCEEDED", TimeoutError),
        ("NOT_FOUND", FileNotFoundError),
        ("PERMISSION_DENIED", PermissionError),
        ("RESOURCE_EXHAUSTED", MemoryError),
        ("OUT_OF_RANGE", IndexError),
        ("UNIMPLEMENTED", NotImplementedError),
        ("FAILED_PRECONDITION", RuntimeError),
    ],
)
def test_exceptions_are_what_a_python_programmer_expects(code, builtin):
    assert issubclass(errors._BY_CODE[code], builtin)


def test_a_refusal_carries_its_decisions(add_model):
    with pytest.raises(axle.FailedPreconditionError, match="npu") as caught:
        axle.Session.create(add_model, device="npu")
    assert "allow_fallback" in caught.value.hint
    decisions = json.loads(caught.value.details["decisions"])
    assert decisions
