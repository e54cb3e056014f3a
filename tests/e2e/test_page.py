"""The page of `axle explain --format html` in a real browser, at the size of a desktop and of a phone.

Pictures of it are left in the folder that AXLE_SCREENSHOTS names.
"""

from __future__ import annotations

import html
import json
import os
from pathlib import Path

import pytest
from browser import Browser, find_browser

DESKTOP = (1280, 900)
PHONE = (390, 844)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium is installed: the page was not opened in a browser")
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def pages(axle, models, tmp_path):
    """A page with a graph, a timeline and several candidates, and the plan it shows."""
    model, inputs = models / "ultraface-rfb-320" / "model.onnx", models / "ultraface-rfb-320" / "input.npz"
    path = tmp_path / "report.html"
    answer = axle("explain", model, "--inputs", inputs, "--format", "html", "-o", path)
    assert answer.code == 0, answer.err
    return path, axle("plan", model, "--inputs", inputs, "--json").json, axle("inspect", model, "--json").json


def picture(browser: Browser, name: str, *, whole: bool = True) -> None:
    """Leave a picture where somebody asked for it."""
    if folder := os.environ.get("AXLE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.screenshot(Path(folder) / f"{name}.png", whole=whole)


def assert_sound(browser: Browser, path: Path) -> None:
    """Nothing failed, nothing was fetched, nothing sticks out of the page."""
    assert browser.problems() == []
    assert browser.requests() == [path.as_uri()]
    assert browser.value("document.documentElement.classList.contains('js')"), "the page's script ran"
    assert browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


@pytest.mark.parametrize(("name", "size", "dark"), [("desktop", DESKTOP, False), ("desktop-dark", DESKTOP, True), ("phone", PHONE, False)])
def test_the_page_is_whole_at_every_size(browser, pages, name, size, dark):
    path, plan, model = pages
    browser.open(path.as_uri(), *size, phone=size == PHONE, dark=dark)
    assert_sound(browser, path)
    assert browser.value("document.querySelectorAll('#boxes .n').length") == model["nodes"]
    assert browser.value("document.querySelectorAll('#candidates-table tbody tr').length") == len(plan["decisions"])
    assert browser.value("document.querySelectorAll('#lanes .span').length") > 10
    assert browser.value("document.querySelectorAll('#roofs .pt').length") > 10
    # Text that nobody can read is no text: labels keep their size on a phone.
    assert browser.value("parseFloat(getComputedStyle(document.querySelector('#roofs text')).fontSize)") >= 11
    picture(browser, name)


def test_touch_targets_are_as_large_as_a_finger(browser, pages):
    browser.open(pages[0].as_uri(), *PHONE, phone=True)
    heights = browser.value(
        "[...document.querySelectorAll('button, nav a, summary')].map(e => e.getBoundingClientRect())"
        ".filter(r => r.width).map(r => r.height)"
    )
    assert len(heights) > 10
    assert min(heights) >= 30
    assert sorted(heights)[len(heights) // 2] >= 44


def test_candidates_are_sorted_and_filtered(browser, pages):
    browser.open(pages[0].as_uri(), *DESKTOP)
    names = "[...document.querySelectorAll('#candidates-table tbody tr')].filter(r => !r.hidden).map(r => r.cells[0].textContent)"
    before = browser.value(names)
    assert len(before) > 2
    browser.tap("[data-sort=name]")
    assert browser.value(names) == sorted(before)
    browser.tap("[data-sort=name]")
    assert browser.value(names) == sorted(before, reverse=True)
    browser.tap("[data-sort=ns]")
    times = browser.value("[...document.querySelectorAll('#candidates-table tbody tr')].map(r => Number(r.dataset.ns))")
    assert times == sorted(times)
    browser.tap("[data-show=chosen]")
    assert len(browser.value(names)) == 1
    browser.tap("[data-show='']")
    assert sorted(browser.value(names)) == sorted(before)


def test_a_node_tells_its_work_and_what_engines_say(browser, pages):
    browser.open(pages[0].as_uri(), *PHONE, phone=True)
    browser.tap("#find")
    browser.type("conv\n")
    assert browser.value("document.getElementById('found').textContent").startswith("1 of ")
    details = browser.value("document.getElementById('details').textContent")
    for word in ("Conv", "FLOP", "weights", "What engines say", "onnxruntime", "Reads", "Makes"):
        assert word in details
    browser.tap("#details")  # in sight, for the picture
    picture(browser, "phone-details", whole=False)
    assert browser.problems() == []


def test_the_graph_moves_and_zooms(browser, pages):
    browser.open(pages[0].as_uri(), *DESKTOP)
    window = "document.getElementById('net').getAttribute('viewBox').split(' ').map(Number)"
    start = browser.value(window)
    browser.drag("#net", -60, -120)
    moved = browser.value(window)
    assert moved[1] > start[1]
    assert moved[2] == pytest.approx(start[2])
    browser.tap("[aria-label='Zoom in']")
    assert browser.value(window)[2] < moved[2]
    browser.tap("[data-zoom='0']")
    whole = browser.value(window)
    height = browser.value("(() => { const b = document.getElementById('boxes').getBBox(); return b.y + b.height; })()")
    assert whole[1] + whole[3] >= height
    assert browser.problems() == []


def test_the_timeline_stretches_and_names_what_is_tapped(browser, pages):
    browser.open(pages[0].as_uri(), *PHONE, phone=True)
    width = browser.value("document.getElementById('lanes').offsetWidth")
    browser.tap("[data-stretch='2']")
    assert browser.value("document.getElementById('lanes').offsetWidth") >= 2 * width - 2
    browser.tap("#lanes .span")
    assert "of the run" in browser.value("document.getElementById('span-note').textContent")
    assert browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_hostile_names_stay_text(browser, axle, models, tmp_path):
    model = tmp_path / "<img src=x onerror=alert(1)>" / "'\"&<script>alert(1)<.onnx"
    model.parent.mkdir()
    model.write_bytes((models / "breast-cancer-mlp" / "model.onnx").read_bytes())
    path = tmp_path / "report.html"
    assert axle("explain", model, "--format", "html", "-o", path).code == 0
    browser.open(path.as_uri(), *PHONE, phone=True)
    assert_sound(browser, path)
    assert browser.value("document.querySelectorAll('img').length") == 0
    assert "<script>alert(1)<" in browser.value("document.querySelector('h1').textContent")


def hostile_model(path: Path, length: int) -> None:
    """A model whose every name is markup, in other alphabets, or very long."""
    onnx = pytest.importorskip("onnx")
    names = ["<script>alert(1)</script>", "\"'>&lt;", "узел-节点-🚀", "n" * length, "a\u202eb"]
    float_tensor = onnx.TensorProto.FLOAT
    tensors = ["x", *(f"</script>{i}" for i in range(len(names)))]
    nodes = [onnx.helper.make_node("Relu", [tensors[i]], [tensors[i + 1]], name=name) for i, name in enumerate(names)]
    graph = onnx.helper.make_graph(
        nodes,
        "<b>",
        [onnx.helper.make_tensor_value_info("x", float_tensor, ["<i>", 4])],
        [onnx.helper.make_tensor_value_info(tensors[-1], float_tensor, ["<i>", 4])],
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(made.SerializeToString())


def test_hostile_names_within_the_model_stay_text(browser, axle, tmp_path):
    model, path = tmp_path / "model.onnx", tmp_path / "report.html"
    hostile_model(model, 10_000)
    answer = axle("explain", model, "--format", "html", "-o", path)
    assert answer.code == 0, answer.err
    browser.open(path.as_uri(), *PHONE, phone=True)
    assert_sound(browser, path)
    names = browser.value("JSON.parse(document.getElementById('net-data').textContent).boxes.map(b => b.n || '')")
    assert "<script>alert(1)</script>" in names
    assert "узел-节点-🚀" in names
    assert max(map(len, names)) < 600
    browser.tap("#find")
    browser.type("alert\n")
    assert "<script>alert(1)</script>" in browser.value("document.getElementById('details').textContent")
    assert browser.problems() == []


def test_a_plan_of_several_partitions_is_coloured_by_place(browser, axle, models, tmp_path):
    model, policy = models / "ultraface-rfb-320" / "model.onnx", tmp_path / "policy.toml"
    policy.write_text(
        '[[pin]]\nop_types = ["Softmax", "Concat"]\nrequire = { engine = "onnxruntime" }\n\n'
        '[[pin]]\nop_types = ["Conv"]\nrequire = { engine = "openvino" }\n'
    )
    path = tmp_path / "report.html"
    answer = axle("explain", model, "--policy", policy, "--random", "1", "--format", "html", "-o", path)
    if answer.code != 0 and "openvino" in answer.err:
        pytest.skip("openvino is not here: no plan of several partitions")
    assert answer.code == 0, answer.err
    browser.open(path.as_uri(), *PHONE, phone=True)
    assert_sound(browser, path)
    looks = set(browser.value("[...document.querySelectorAll('#boxes .n')].map(n => n.classList[1])"))
    assert {"p0", "p1"} <= looks
    assert browser.value("document.querySelectorAll('#net .cross').length") > 0
    assert browser.value("document.querySelectorAll('#net .x').length") > 0
    parts = len(json.loads(axle("plan", model, "--policy", policy, "--json").out)["plan"]["partitions"])
    assert browser.value("document.querySelectorAll('#memory .wide').length") == parts
    picture(browser, "phone-mixed")
    browser.open(path.as_uri(), *DESKTOP)
    picture(browser, "desktop-mixed")


def test_without_its_script_the_page_still_says_everything(pages):
    text = pages[0].read_text()
    shown = html.unescape(text)
    for decision in pages[1]["decisions"]:
        assert decision["reason"] in shown
    assert text.count('<g class="n ') == pages[2]["nodes"]
