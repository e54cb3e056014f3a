"""Bad input of every kind: each ends in a clear error that says what, where and what to do, and nothing is lost or half-written."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def mlp(scale: float = 1.0, width: int = 64, opset: int = 17) -> onnx.ModelProto:
    """x[n,8] -> MatMul -> Relu -> y[n,width]."""
    weights = np.full((8, width), scale, dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"], name="mul"), helper.make_node("Relu", ["h"], ["y"], name="act")],
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", width])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    return model


def save(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def model(tmp_path) -> Path:
    return save(mlp(), tmp_path / "mlp.onnx")


@pytest.fixture
def feeds(tmp_path) -> Path:
    path = tmp_path / "in.npz"
    np.savez(path, x=np.ones((2, 8), dtype=np.float32))
    return path


def is_clear(answer, code: int, *words: str) -> None:
    """The exit code, every word, at most three lines, a next step."""
    assert answer.code == code, (answer.code, answer.err)
    for word in words:
        assert word in answer.err, answer.err
    assert len(answer.err.strip().splitlines()) <= 3, answer.err
    assert not answer.out, "nothing on stdout"


# ---- models


def cyclic() -> onnx.ModelProto:
    made = mlp()
    made.graph.node[0].input[0] = "y"
    return made


def unknown_op() -> onnx.ModelProto:
    made = mlp()
    made.graph.node[1].op_type = "Frobnicate"
    return made


def unknown_domain() -> onnx.ModelProto:
    made = mlp()
    made.graph.node[1].op_type = "Frobnicate"
    made.graph.node[1].domain = "com.example"
    made.opset_import.append(helper.make_opsetid("com.example", 1))
    return made


def claims_two_gigabytes() -> onnx.ModelProto:
    made = mlp()
    made.graph.initializer[0].dims[:] = [8, 64 * 1024 * 1024]
    made.graph.initializer[0].raw_data = made.graph.initializer[0].raw_data[:256]
    return made


def external(location: str, offset: int = 0, length: int = 2048) -> onnx.ModelProto:
    made = mlp()
    weight = made.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": str(offset), "length": str(length)}.items():
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    return made


@pytest.mark.parametrize(
    ("made", "code", "words"),
    [
        (cyclic(), 3, ["cycl"]),
        (unknown_op(), 4, ["Frobnicate"]),
        (unknown_domain(), 4, ["com.example"]),
        (mlp(opset=999), 4, ["opset 999"]),
        (claims_two_gigabytes(), 3, ["w"]),
        (external("../../../../etc/passwd"), 3, ["../"]),
        (external("/etc/passwd"), 3, ["/etc/passwd"]),
        (external("weights.bin", offset=1 << 40), 3, ["weights.bin"]),
        (external("weights.bin", length=1 << 50), 3, ["'w'"]),
        (external("nowhere.bin"), 3, ["nowhere.bin"]),
    ],
    ids=["cycle", "op", "domain", "opset", "2gb", "escape", "absolute", "offset", "length", "absent"],
)
def test_a_broken_model_is_refused_with_the_place(axle, tmp_path, feeds, made, code, words):
    (tmp_path / "weights.bin").write_bytes(b"\0" * 4096)
    started = time.monotonic()
    is_clear(axle("run", save(made, tmp_path / "bad.onnx"), "--inputs", feeds), code, *words)
    assert time.monotonic() - started < 30


def test_external_data_through_a_link_out_of_the_folder_is_refused(axle, tmp_path, feeds):
    outside = tmp_path / "outside.bin"
    outside.write_bytes(b"\0" * 2048)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").symlink_to(outside)
    is_clear(axle("run", save(external("weights.bin"), folder / "m.onnx"), "--inputs", feeds), 3, "weights.bin")


@pytest.mark.parametrize("keep", [0, 1, 10, 100, 1000])
def test_a_file_cut_short_is_refused(axle, tmp_path, model, feeds, keep):
    path = tmp_path / "short.onnx"
    path.write_bytes(model.read_bytes()[:keep])
    is_clear(axle("run", path, "--inputs", feeds), 3, "short.onnx")


# ---- cache


def outputs_of(axle, model: Path, feeds: Path, folder: Path, **environment) -> np.ndarray:
    answer = axle("run", model, "--inputs", feeds, "--output-dir", folder, "-q", **environment)
    assert answer.code == 0, answer.err
    return np.load(folder / "y.npy")


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_flipped_bit_in_any_cache_file_costs_only_time(axle, tmp_path, model, feeds, engine):
    cache = tmp_path / "cache"
    arguments = ("run", model, "--inputs", feeds, "--engine", engine, "--output-dir", tmp_path / "out", "-q")
    assert axle(*arguments).code == 0
    good = np.load(tmp_path / "out" / "y.npy")
    files = [path for path in sorted(cache.rglob("*")) if path.is_file() and path.stat().st_size > 0]
    assert len(files) >= 3, files
    for path in files:
        if not path.exists():
            continue
        content = bytearray(path.read_bytes())
        kept = path.stat()
        content[len(content) // 2] ^= 0x10
        path.chmod(0o600)
        path.write_bytes(content)
        os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
        answer = axle(*arguments)
        assert answer.code == 0, (path, answer.err)
        assert np.array_equal(np.load(tmp_path / "out" / "y.npy"), good), path
    axle("cache", "verify", "--remove")  # statistics and evidence keep their sound lines
    assert axle("cache", "verify").code == 0


def test_weights_swapped_at_the_same_size_and_time_are_seen(axle, tmp_path, model, feeds):
    first = outputs_of(axle, model, feeds, tmp_path / "out")
    time.sleep(2.5)  # older than the shortest age at which a stamp is trusted
    assert np.array_equal(outputs_of(axle, model, feeds, tmp_path / "out"), first)
    kept, size = model.stat(), model.stat().st_size
    other = mlp(scale=3.0).SerializeToString()
    assert len(other) == size
    model.write_bytes(other)
    os.utime(model, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert np.array_equal(outputs_of(axle, model, feeds, tmp_path / "out"), 3 * first)


def limited(bytes_: int):
    """Run before exec: no file may grow beyond so many bytes. A write over it sends a signal that ends who does not expect it."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))

    return limit


def test_no_space_for_the_outputs_leaves_no_half_file(tmp_path):
    model = save(mlp(width=4096), tmp_path / "wide.onnx")
    np.savez(tmp_path / "in.npz", x=np.ones((64, 8), dtype=np.float32))  # 1 MiB of output
    command = [os.environ["AXLE_COMMAND"], "run", model, "--inputs", tmp_path / "in.npz", "--output-dir", tmp_path / "out"]
    environment = {**os.environ, "AXLE_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120, preexec_fn=limited(512 * 1024)
    )
    assert done.returncode == 7, (done.returncode, done.stderr)
    assert "y.npy" in done.stderr, done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == []


def test_no_space_for_the_cache_costs_only_the_cache(tmp_path, feeds):
    model = save(mlp(width=65536), tmp_path / "wide.onnx")  # 2 MiB of weights, 0.5 MiB of output
    command = [os.environ["AXLE_COMMAND"], "run", model, "--inputs", feeds, "--output-dir", tmp_path / "out"]
    environment = {**os.environ, "AXLE_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120, preexec_fn=limited(1024 * 1024)
    )
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "out" / "y.npy").shape == (2, 65536)


def test_two_processes_compile_once(axle, tmp_path):
    model = save(mlp(width=2048), tmp_path / "m.onnx")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: axle("compile", model, "--device", "cpu", "--engine", "openvino"), range(4)))
    assert [answer.code for answer in answers] == [0, 0, 0, 0], [answer.err for answer in answers]
    stats = axle("cache", "stats", "--json").json
    assert stats["entries"] == 1, stats
    assert stats["misses"] == 1, stats


def test_a_process_killed_while_it_compiles_leaves_a_sound_cache(axle, tmp_path):
    model = save(mlp(width=16384), tmp_path / "m.onnx")
    command = [os.environ["AXLE_COMMAND"], "compile", model, "--device", "cpu", "--engine", "openvino"]
    environment = {**os.environ, "AXLE_CACHE_DIR": str(tmp_path / "cache")}
    killed = 0
    for delay_ms in range(20, 300, 25):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay_ms / 1000)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        assert axle("cache", "verify").code == 0
    assert killed > 0
    assert axle("compile", model, "--device", "cpu", "--engine", "openvino").code == 0
    left = list((tmp_path / "cache").rglob("*scratch*/*"))
    axle("cache", "gc")
    left = list((tmp_path / "cache").rglob("*scratch*/*"))
    assert left == [], "what dead processes left behind is removed"


# ---- engine libraries


@pytest.mark.parametrize("kind", ["missing", "text", "other"])
def test_an_engine_library_that_cannot_be_used_is_said_and_nothing_else_breaks(axle, tmp_path, model, feeds, kind):
    library = tmp_path / "libonnxruntime.so"
    if kind == "text":
        library.write_text("this is no library\n")
    elif kind == "other":
        library.symlink_to("/lib/x86_64-linux-gnu/libm.so.6")
        if not library.exists():
            pytest.skip("no libm at the usual place")
    environment = {"AXLE_ONNXRUNTIME_LIBRARY": str(library)}
    listed = axle("engines", "--json", **environment).json
    entry = next(engine for engine in listed["engines"] if engine["name"] == "onnxruntime")
    assert entry["present"] is False
    assert "libonnxruntime.so" in entry["reason"] or "libm" in entry["reason"], entry
    refused = axle("run", model, "--inputs", feeds, "--engine", "onnxruntime", **environment)
    assert refused.code in (4, 6), refused.err
    assert "onnxruntime" in refused.err
    assert axle("run", model, "--inputs", feeds, **environment).code == 0, "the other engine serves"


def test_hostile_documents_are_refused(axle, tmp_path, model, feeds):
    deep = tmp_path / "deep.lock"
    deep.write_text("[" * 100000)
    is_clear(axle("run", model, "--inputs", feeds, "--locked", deep), 3, "deep.lock")
    for name, content in {
        "not.toml": "this = is = wrong",
        "key.toml": "[objective]\nminimise = 'latency'\n",
        "binary.toml": "\x00\x01\x02",
    }.items():
        policy = tmp_path / name
        policy.write_text(content)
        is_clear(axle("run", model, "--inputs", feeds, "--policy", policy), 3, name)
    broken = tmp_path / "broken.npz"
    broken.write_bytes(feeds.read_bytes()[:100])
    is_clear(axle("run", model, "--inputs", broken), 3, "broken.npz")
    is_clear(axle("plan", model, "--machine", deep), 3, "deep.lock", "axle devices --record")
    is_clear(axle("evidence", "import", broken), 3, "broken.npz", "axle evidence export")


def test_a_place_that_cannot_be_written_says_what_to_do(axle, tmp_path, model, feeds):
    nowhere = tmp_path / "nowhere" / "file"
    for call in [
        ("plan", model, "-o", nowhere),
        ("devices", "--record", nowhere),
        ("evidence", "export", nowhere),
        ("run", model, "--inputs", feeds, "--profile", nowhere),
    ]:
        answer = axle(*call)
        assert answer.code == 3, answer.err
        assert "check the path" in answer.err, answer.err
    is_clear(axle("run", model, "--inputs", feeds, "--policy", nowhere), 3, str(nowhere), "check the path")
