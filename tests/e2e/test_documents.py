"""Every key that the command prints as JSON is named in the page of docs/formats that specifies it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

FORMATS = Path(__file__).resolve().parents[2] / "docs" / "formats"

# Keys below these are names of the model, of an engine or of a resource, or are specified by the page that is linked.
FREE = {
    "policy",
    "options",
    "metadata",
    "opsets",
    "ops",
    "attributes",
    "formats",
    "precisions",
    "made_from",
    "made_with",
    "counters",
    "call",
}


def keys_of(value, path: str = "") -> Iterator[tuple[str, str]]:
    """(key, where) of every member in a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, f"{path}.{key}"
            if key not in FREE:
                yield from keys_of(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner, f"{path}[]")


def check(document: dict, *pages: str) -> None:
    text = "\n".join((FORMATS / page).read_text(encoding="utf-8") for page in pages)
    quoted = re.findall(r"```(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    named = set(re.findall(r"[\w+]+", " ".join(quoted)))
    missing = sorted({where for key, where in keys_of(document) if key not in named})
    assert not missing, f"{pages[0]} does not name: {', '.join(missing)}"


@pytest.fixture
def inputs(models):
    return models / "breast-cancer-mlp" / "model.onnx", "--inputs", models / "breast-cancer-mlp" / "input.npz"


RUN_PAGES = ("run-document.md", "machine.md", "engine-answers.md")


def test_run_plan_compile_and_explain(axle, inputs, tmp_path):
    for command in (["run", "--output-dir", tmp_path / "out"], ["plan"], ["compile"], ["explain"]):
        answer = axle(command[0], *inputs, *command[1:], "--json")
        assert answer.code == 0, answer.out
        check(answer.json, *RUN_PAGES)


def test_a_run_with_evidence_and_a_substitution(axle, inputs):
    assert axle("tune", *inputs, "--budget", "1s", "-q").code == 0
    document = axle("run", *inputs, "--device", "npu", "--allow-fallback", "cpu", "--json").json
    assert document["substitutions"]
    assert any("evidence" in decision for decision in document["decisions"])
    check(document, *RUN_PAGES)


def test_tune_and_bench_and_deploy(axle, inputs, tmp_path):
    check(axle("tune", *inputs, "--budget", "1s", "--json").json, "tune-document.md", "plan.md")
    check(axle("bench", *inputs, "--duration", "300ms", "--json").json, "bench-document.md", *RUN_PAGES)
    deployed = axle("deploy", *inputs, "--budget", "1s", "-o", tmp_path / "m.lock", "--json").json
    check(deployed, "deploy-document.md", "tune-document.md", *RUN_PAGES)
    assert set(deployed["call"]) == {"command_line", "c++", "python"}


def test_machine_and_engines(axle):
    check(axle("devices", "--json").json, "devices-document.md", "machine.md")
    check(axle("devices", "--measure", "--json").json, "devices-document.md")
    check(axle("engines", "--json").json, "engines-document.md")
    check(axle("doctor", "--json").json, "engines-document.md")


def test_inspect(axle, models):
    check(axle("inspect", models / "ultraface-rfb-320" / "model.onnx", "--json").json, "inspect-document.md")


def test_stores(axle, inputs, tmp_path):
    assert axle("compile", *inputs, "--engine", "onnxruntime").code == 0
    assert axle("tune", *inputs, "--budget", "1s", "-q").code == 0
    listed = axle("cache", "ls", "--json").json
    assert listed["entries"]
    key, archive = listed["entries"][0]["key"], tmp_path / "model.axc"
    for action in (["ls"], ["stats"], ["verify"], ["gc", "--max-size", "1GiB"], ["pin", key], ["export", archive], ["import", archive]):
        check(axle("cache", *action, "--json").json, "cache-document.md")
    rows = axle("evidence", "ls", "--json").json
    assert rows
    check(rows, "evidence-store.md", "evidence.md", "cache-document.md")


def test_version_and_errors(axle, models):
    check(axle("version", "--json").json, "version-document.md")
    refused = axle("run", models / "breast-cancer-mlp" / "model.onnx", "--random", "1", "--device", "npu", "--json")
    assert refused.code == 4
    check(refused.json, "run-document.md")


def test_exit_codes_are_those_of_the_page(axle, models, tmp_path):
    page = (FORMATS / "exit-codes.md").read_text(encoding="utf-8")
    stated = {
        code: int(row[1]) for row in re.finditer(r"^\| (\d+) \|.*\| ([A-Z_, ]*) \|$", page, re.MULTILINE) for code in row[2].split(", ")
    }
    model = models / "breast-cancer-mlp" / "model.onnx"
    for arguments in (
        ("run", tmp_path / "none.onnx", "--random", "1"),
        ("run", models / "corrupt" / "truncated.onnx", "--random", "1"),
        ("run", model, "--random", "1", "--device", "npu"),
        ("plan", model, "--objective", "energy"),
    ):
        answer = axle(*arguments, "--json")
        assert answer.code == stated[answer.json["error"]["code"]], answer.out
