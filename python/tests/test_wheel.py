"""The wheel: built by pip, installed into a fresh environment, and used from there: ./dev test -R '^wheel$'."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow

USE = """
import sys
import numpy as np, axle, gpukit, rm_abstract
for package in (axle, gpukit, rm_abstract):
    assert package.__file__.startswith(sys.prefix), package.__file__
session = axle.Session.create(sys.argv[1], engine="onnxruntime", threads=1)
print(session.run({"x": np.arange(4, dtype=np.float32), "y": np.ones(4, np.float32)})["z"].tolist())
print(sorted({"onnxruntime", "openvino"} & {engine.name for engine in axle.engines() if engine.present}))
"""


def run(*command, **environment) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=3000, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built by pip with this environment's tools; AXLE_TEST_WHEEL names one that is there already.

    The build folder stays, as deep below the checkout as that of a preset, so that the compiler cache has what a preset compiled.
    """
    if "AXLE_TEST_WHEEL" in os.environ:
        return Path(os.environ["AXLE_TEST_WHEEL"])
    folder = tmp_path_factory.mktemp("wheel")
    launcher = {"CMAKE_CXX_COMPILER_LAUNCHER": "ccache", "CMAKE_C_COMPILER_LAUNCHER": "ccache"} if shutil.which("ccache") else {}
    # The presets' names of the compilers, not those that Python was built with: another name is another compiler to the cache.
    cache = {"CC": "cc", "CXX": "c++", "CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1"}
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    settings = ["--config-settings", f"build-dir={ROOT}/build/wheel"]
    run(*pip, "wheel", ROOT, "--no-build-isolation", "--no-deps", "-w", folder, *settings, **launcher, **cache)
    return next(folder.glob("axle-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A fresh environment with the wheel; numpy and the engines are seen where they are."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin" / "python", "-m", "pip", "install", "--no-index", "--no-deps", wheel)
    return folder


def elsewhere(**more) -> dict[str, str]:
    return {"PYTHONPATH": sysconfig.get_paths()["purelib"], "VIRTUAL_ENV": sys.prefix, **more}


def test_the_wheel_holds_what_it_should(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"axle/__init__.py", "axle/py.typed", "axle/_core.pyi", "gpukit/__init__.py", "gpukit/py.typed"} <= names
    assert {"rm_abstract/__init__.py", "rm_abstract/core/plugin.py", "rm_abstract/py.typed"} <= names
    assert {"axle/libaxle.so.0", "axle/axle-worker", "axle/bin/axle"} <= names
    assert {f"axle/engines/libaxle_engine_{engine}.so" for engine in ("onnxruntime", "openvino", "qnn", "described", "pim")} <= names
    assert any(name.startswith("axle/_core.") and name.endswith(".so") for name in names)
    unwanted = [name for name in names if name.endswith((".h", ".a", ".cmake", ".cc")) or "tests/" in name]
    assert not unwanted


def test_the_packages_work_from_a_fresh_environment(installed, add_model, tmp_path):
    out = run(installed / "bin" / "python", "-P", "-c", USE, add_model, **elsewhere(AXLE_CACHE_DIR=str(tmp_path / "cache")))
    assert out == "[1.0, 2.0, 3.0, 4.0]\n['onnxruntime', 'openvino']\n"


def test_the_command_works_from_a_fresh_environment(installed, add_model, tmp_path):
    environment = elsewhere(AXLE_CACHE_DIR=str(tmp_path / "cache"))
    assert run(installed / "bin" / "axle", "version", **environment).startswith("axle ")
    out = run(installed / "bin" / "axle", "run", add_model, "--random", "1", "--engine", "openvino", **environment)
    assert "openvino@cpu:0" in out


def test_an_engine_runs_in_a_process_of_its_own_from_a_fresh_environment(installed, add_model, tmp_path):
    (tmp_path / "policy.toml").write_text('[execution]\nisolation = "process"\n')
    command = (installed / "bin" / "axle", "run", add_model, "--random", "1", "--engine", "onnxruntime")
    out = run(*command, "--policy", tmp_path / "policy.toml", **elsewhere(AXLE_CACHE_DIR=str(tmp_path / "cache")))
    assert "+process" in out
