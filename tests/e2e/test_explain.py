"""`axle explain` as a page and as a trace: complete, self-contained, and safe against hostile names."""

from __future__ import annotations

import html.parser
import json
import shutil
import subprocess

import pytest

# Chromium is looked for, never required.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


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
    assert not {"script", "link", "img", "iframe", "object"} & set(page.elements)
    assert not {"src", "href", "action"} & set(page.attributes)
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
    assert "script" not in page.elements
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
    refused = axle("explain", lock, "--format", "perfetto")
    assert refused.code == 3
    assert "--profile" in refused.err


def test_an_unknown_format_is_refused(axle, small):
    answer = axle("explain", small / "model.onnx", "--format", "pdf")
    assert answer.code == 3
    assert "html" in answer.err


def test_a_browser_reads_the_page(axle, small, tmp_path):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium is installed: the page was not opened in a browser")
    path = tmp_path / "report.html"
    assert axle("explain", small / "model.onnx", "--inputs", small / "input.npz", "--format", "html", "-o", path).code == 0
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr"]
    done = subprocess.run([browser, *flags, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=False)
    assert "</footer>" in done.stdout, done.stderr[-2000:]
    assert "Content Security Policy" not in done.stderr  # nothing that the page wants is refused
