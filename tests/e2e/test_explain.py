"""`axle explain` as a page and as a trace: complete, self-contained, and safe against hostile names."""

from __future__ import annotations

import html.parser
import json
import re

import pytest


class Page(html.parser.HTMLParser):
    """What stands in a page: element names, attribute values, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def small(models):
    return models / "breast-cancer-mlp"


def test_a_page_is_one_file_with_every_candidate(axle, small, tmp_path):
    path = tmp_path / "report.html"
    inputs = ("--inputs", small / "input.npz")
    answer = axle("explain", small / "model.onnx", *inputs, "--format", "html", "-o", path)
    assert answer.code == 0, answer.err
    text = path.read_text()
    page = Page(text)
    for decision in axle("plan", small / "model.onnx", *inputs, "--json").json["decisions"]:
        assert decision["candidate"] in page.text
        assert decision["reason"] in page.text
    assert "Timeline" in page.text  # inputs were given, so it was run
    assert not {"link", "img", "iframe", "object", "form"} & set(page.elements)
    assert not {"src", "action"} & set(page.attributes)
    assert all(link.startswith("#") for link in page.attributes.get("href", []))
    assert page.elements.count("script") == 2  # the data of the graph, and the script that the policy names by hash
    assert not any(name.startswith("on") for name in page.attributes)
    assert "http://" not in text
    assert "https://" not in text


def test_without_inputs_a_page_runs_nothing(axle, small):
    answer = axle("explain", small / "model.onnx", "--format", "html")
    assert answer.code == 0, answer.err
    assert "Timeline" not in answer.out


def test_a_hostile_file_name_stays_text(axle, small, tmp_path):
    model = tmp_path / "<script>alert(1)<" / "a'\"&<b>.onnx"
    model.parent.mkdir()
    model.write_bytes((small / "model.onnx").read_bytes())
    answer = axle("explain", model, "--format", "html")
    assert answer.code == 0, answer.err
    page = Page(answer.out)
    assert page.elements.count("script") == 2  # the page's own
    assert "b" in page.elements  # of the tiles
    assert "a'\"&<b>.onnx" in page.text


def test_a_trace_has_every_run(axle, small):
    answer = axle("explain", small / "model.onnx", "--inputs", small / "input.npz", "--format", "perfetto", "--runs", "2")
    assert answer.code == 0, answer.err
    events = json.loads(answer.out)["traceEvents"]
    runs = [event for event in events if event.get("cat") == "run"]
    assert [event["args"]["run"] for event in runs] == [1, 2]
    assert all(event["dur"] > 0 for event in runs)


def test_a_lock_becomes_a_page_and_says_how_to_get_a_trace(axle, small, tmp_path):
    lock = tmp_path / "model.lock"
    assert axle("plan", small / "model.onnx", "-o", lock).code == 0
    page = axle("explain", lock, "--format", "html")
    assert page.code == 0, page.err
    candidate = json.loads(lock.read_text())["plan"]["partitions"][0]["candidate"]
    assert f"<code>{candidate['engine']}@{candidate['resource']}/{candidate['precision']}/t{candidate['threads']}" in page.out
    assert page.out.count('<g class="n ') == 8  # the graph, from what the lock holds
    refused = axle("explain", lock, "--format", "perfetto")
    assert refused.code == 3
    assert "--profile" in refused.err


def test_what_each_node_computes_in_is_read_back(axle, small):
    call = ["explain", small / "model.onnx", "--inputs", small / "input.npz", "--engine", "openvino", "--precision", "bf16"]
    planned = axle(*call, "--json")
    if planned.code in (4, 6):
        pytest.skip("no openvino here, or no bf16")
    assert planned.code == 0, planned.err
    assert "effective" not in planned.json["plan"]["partitions"][0], "without --runs nothing is loaded"
    answer = axle(*call, "--runs", "1", "--json")
    assert answer.code == 0, answer.err
    effective = answer.json["plan"]["partitions"][0]["effective"]
    assert effective["precision_read_back"]
    precisions = {kernel["node"]: kernel["precision"] for kernel in effective["kernels"] if kernel["precision"]}
    assert "bf16" in precisions.values()
    assert answer.json["kernels"], "the recorded run's times"
    brief, whole = axle(*call, "--runs", "1").out, axle(*call, "--runs", "1", "-v").out
    assert "read back after load" in brief and "add -v" in brief
    assert all(node in whole for node in precisions), whole
    ran = axle("run", small / "model.onnx", "--inputs", small / "input.npz", "--engine", "openvino", "--precision", "bf16")
    count = list(precisions.values()).count("bf16")
    assert re.search(rf"\b{count} (nodes? )?in bf16\b", ran.out), ran.out
    assert axle(*call, "--runs", "0").code == 3


def test_an_unknown_format_is_refused(axle, small):
    answer = axle("explain", small / "model.onnx", "--format", "pdf")
    assert answer.code == 3
    assert "html" in answer.err
