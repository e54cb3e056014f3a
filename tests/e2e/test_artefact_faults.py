"""What happens to an artefact on disk: every region of every file of it changed, cut, emptied or gone. A run either makes it again or says
clearly what is wrong; nothing wrong is ever given out, and the run after that is well."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import described
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

ENGINES = ["fakenpu", "fakenpu_cli"]
KINDS = ["program", "record", "log", "manifest"]
CLEAR = {"DATA_LOSS", "FAILED_PRECONDITION", "PERMISSION_DENIED", "UNAVAILABLE"}


def kind_of(file: Path) -> str:
    content = file.read_bytes()
    if "entries" in file.parts:
        return "manifest"
    if content.startswith(b"FAKENPU 1"):
        return "program"
    return "record" if content.startswith(b"{") else "log"


def regions(content: bytes, kind: str) -> dict[str, tuple[int, int]]:
    """Every byte belongs to one."""
    if kind != "program":
        third = max(1, len(content) // 3)
        return {"head": (0, third), "middle": (third, 2 * third), "tail": (2 * third, len(content))}
    marks = [content.index(word) for word in (b"input ", b"constant ", b"\nstep ", b"end\n")]
    first = content.index(b"\n", marks[1]) + 1
    edges = [0, marks[0], marks[1], first, marks[2] + 1, marks[3], len(content)]
    names = ["magic", "ports", "constant_head", "numbers", "steps", "end"]
    return {name: (begin, end) for name, begin, end in zip(names, edges, edges[1:], strict=False)}


PLACES = [("program", name) for name in ("magic", "ports", "constant_head", "numbers", "steps", "end")]
PLACES += [(kind, name) for kind in KINDS[1:] for name in ("head", "middle", "tail")]


def flip(content: bytes, begin: int, end: int) -> bytes:
    """One bit of every byte of the region: whatever is there is not what was."""
    return content[:begin] + bytes(byte ^ 0x04 for byte in content[begin:end]) + content[end:]


def expected(model: Path) -> np.ndarray:
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(model).graph.initializer}
    feeds = np.load(model.parent / "in.npz")
    return np.maximum(feeds["x"] @ weights["w"] + weights["b"], 0) * feeds["scale"]


def made(axle, model: Path, engine: str) -> str:
    """Runs, checks the numbers, and tells whether the artefact was found."""
    answer = described.run(axle, model, engine)
    assert answer.code == 0, answer.out + answer.err
    np.testing.assert_allclose(np.load(model.parent / "out" / "y.npy"), expected(model), rtol=1e-5, atol=1e-6)
    return answer.json["plan"]["partitions"][0]["cache"]


def files_of(cache: Path, kind: str) -> list[Path]:
    files = [file for file in cache.rglob("*") if file.is_file() and {"objects", "entries"} & set(file.parts)]
    return [file for file in files if kind_of(file) == kind]


def replace(file: Path, content: bytes) -> None:
    file.chmod(0o600)
    file.write_bytes(content)


def survives(axle, model: Path, engine: str) -> None:
    """After damage: made again, or a clear status; and well afterwards without anybody's help."""
    answer = described.run(axle, model, engine)
    if answer.code == 0:
        assert answer.json["plan"]["partitions"][0]["cache"] == "miss"
        np.testing.assert_allclose(np.load(model.parent / "out" / "y.npy"), expected(model), rtol=1e-5, atol=1e-6)
    else:
        assert described.error_of(answer)["code"] in CLEAR, answer.out
    assert made(axle, model, engine) in ("hit", "miss")
    assert made(axle, model, engine) == "hit"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("kind", "region"), PLACES)
def test_a_changed_region_is_never_given_out(axle, vendor, model, tmp_path, engine, kind, region):
    vendor(engine)
    assert made(axle, model, engine) == "miss"
    files = files_of(tmp_path / "cache", kind)
    assert files
    for file in files:
        content = file.read_bytes()
        replace(file, flip(content, *regions(content, kind)[region]))
    survives(axle, model, engine)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", ["empty", "half", "longer", "gone", "folder"])
def test_a_file_that_is_cut_or_gone_is_made_again(axle, vendor, model, tmp_path, kind, damage):
    vendor("fakenpu")
    assert made(axle, model, "fakenpu") == "miss"
    for file in files_of(tmp_path / "cache", kind):
        content = file.read_bytes()
        if damage in ("gone", "folder"):
            file.unlink()
        if damage == "folder":
            file.mkdir()
        elif damage != "gone":
            replace(file, {"empty": b"", "half": content[: len(content) // 2], "longer": content + b"\n"}[damage])
    survives(axle, model, "fakenpu")


def test_an_artefact_of_other_numbers_under_the_right_name_is_refused(axle, vendor, model, tmp_path):
    """A whole program of the vendor's, but not the one that was compiled: only the digest can tell."""
    vendor("fakenpu")
    assert made(axle, model, "fakenpu") == "miss"
    (file,) = files_of(tmp_path / "cache", "program")
    content = file.read_bytes()
    begin, _ = regions(content, "program")["numbers"]
    replace(file, content[:begin] + np.float32(7).tobytes() + content[begin + 4 :])
    survives(axle, model, "fakenpu")


def test_a_library_that_hangs_is_left_when_the_user_has_enough(axle, vendor, model, tmp_path):
    folder = vendor("fakenpu")
    assert made(axle, model, "fakenpu") == "miss"
    (folder / "fault").write_text("run_hang", encoding="utf-8")
    command = [os.environ["AXLE_COMMAND"], "run", model, "--inputs", model.parent / "in.npz", "--engine", "fakenpu", "--device", "npu#sim"]
    environment = {**os.environ, "AXLE_CACHE_DIR": str(tmp_path / "cache")}
    with subprocess.Popen(
        [*map(str, command), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not (folder / "fault.reached").exists():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline, "the run never reached the library"
                time.sleep(0.02)
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode != 0
    assert '"CANCELLED"' in out, out + err
    assert time.monotonic() - begin < 20
    (folder / "fault").unlink()
    assert made(axle, model, "fakenpu") == "hit"
