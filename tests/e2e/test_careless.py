"""What scripts and shells do without meaning it: empty variables, outputs that are no files, limits, a full device."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
from pathlib import Path

import pytest
from test_hostile import mlp, save

pytest.importorskip("onnx")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(mlp(), tmp_path / "mlp.onnx")


@pytest.fixture
def command(tmp_path: Path):
    """The command as a shell runs it, without what the `axle` fixture adds."""
    base = {**os.environ, "AXLE_CACHE_DIR": str(tmp_path / "cache")}

    def run(*arguments, environment=None, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [os.environ["AXLE_COMMAND"], *map(str, arguments)],
            env={**base, **(environment or {})},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
            **options,
        )

    return run


@pytest.mark.parametrize("flag", ["--locked", "--device", "--engine", "--policy", "--precision"])
def test_an_option_given_empty_is_refused(command, model, flag):
    done = command("run", model, flag, "", stdout=subprocess.DEVNULL)
    assert done.returncode == 2, done.stderr
    assert flag in done.stderr


def test_a_model_given_empty_is_refused(command):
    assert command("plan", "", stdout=subprocess.DEVNULL).returncode == 2


def test_a_page_for_a_device_leaves_the_device(command, model, tmp_path):
    link = tmp_path / "page.html"
    link.symlink_to("/dev/null")
    done = command("explain", model, "--format", "html", "-o", link, stdout=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert link.is_symlink()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_page_for_a_link_is_written_where_it_leads(command, model, tmp_path):
    (tmp_path / "pages").mkdir()
    link = tmp_path / "page.html"
    link.symlink_to(tmp_path / "pages" / "real.html")
    (tmp_path / "pages" / "real.html").write_text("old")
    other = tmp_path / "other"
    other.write_text("not to be touched")
    (tmp_path / "pages" / "real.html.part").symlink_to(other)
    done = command("explain", model, "--format", "html", "-o", link, stdout=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert link.is_symlink()
    assert "<html" in (tmp_path / "pages" / "real.html").read_text()
    assert other.read_text() == "not to be touched"
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == ["real.html", "real.html.part"]


@pytest.mark.parametrize("arguments", [["devices", "--json"], ["engines"], ["version"]])
def test_output_that_cannot_be_written_is_a_failure(command, arguments):
    with Path("/dev/full").open("w") as full:
        done = command(*arguments, stdout=full)
    assert done.returncode not in (0, None)
    assert done.returncode > 0
    assert "could not be written" in done.stderr


def test_a_small_limit_on_files_ends_nothing_by_a_signal(command, model):
    """Shared memory counts as a file for the limit."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    for arguments in (["devices"], ["run", model, "--random", "1"]):
        done = command(*arguments, stdout=subprocess.DEVNULL, preexec_fn=limit)
        assert done.returncode == 0, done.stderr


def test_without_an_engine_the_install_command_is_told(command, model, tmp_path):
    missing = {
        "AXLE_ONNXRUNTIME_LIBRARY": "/nowhere/libonnxruntime.so",
        "AXLE_OPENVINO_LIBRARY": "/nowhere/libopenvino_c.so",
        "AXLE_QNN_LIBRARY": "/nowhere/libonnxruntime.so",
    }
    done = command("run", model, "--random", "1", environment=missing, stdout=subprocess.DEVNULL)
    assert done.returncode == 6, done.stderr
    assert "pip install" in done.stderr


def test_a_pin_on_no_node_leaves_no_entry_in_the_ledger(command, model, tmp_path):
    policy = tmp_path / "pin.toml"
    policy.write_text('[[pin]]\nop_types = ["Conv"]\nrequire = { kernel = "onednn" }\n')
    done = command("run", model, "--random", "1", "--policy", policy, "--json", stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert '"fallback.kernel"' not in done.stdout


def test_a_pin_on_a_kernel_says_that_there_are_none_and_what_to_pin_instead(command, model, tmp_path):
    policy = tmp_path / "pin.toml"
    policy.write_text('[[pin]]\nop_types = ["MatMul"]\nrequire = { kernel = "onednn" }\n')
    done = command("run", model, "--random", "1", "--policy", policy)
    assert done.returncode == 4, done.stderr
    assert "pin 1 requires kernel onednn" in done.stderr
    assert "lets no kernel be chosen by name" in done.stderr
    assert "[[pin]] with require = { engine = " in done.stderr
    assert '[fallback] kernel = ["engine"]' in done.stderr
    forced = command("run", model, "--random", "1", "--kernel", "matmul=onednn")
    assert forced.returncode == 4, forced.stderr
    assert "[[pin]] with require = { engine = " in forced.stderr
    policy.write_text('[[pin]]\nop_types = ["MatMul"]\nrequire = { engine = "onnxruntime" }\n')
    assert command("run", model, "--random", "1", "--policy", policy).returncode == 0
