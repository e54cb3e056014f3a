"""What a wheel holds, installed from this build into a folder, and used from there. test_wheel.py builds the wheel itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import axle

BUILD = Path(axle._core.__file__).parents[2]

USE = """
import sys
import numpy as np, axle, gpukit, rm_abstract
for package in (axle, gpukit, rm_abstract):
    assert package.__file__.startswith(sys.argv[2]), package.__file__
feeds = {"x": np.arange(4, dtype=np.float32), "y": np.ones(4, np.float32)}
for policy in (None, {"execution": {"isolation": "process"}}):
    session = axle.Session.create(sys.argv[1], policy, engine="onnxruntime", threads=1)
    print(session.run(feeds)["z"].tolist(), session.plan.partitions[0].isolated)
print(gpukit.InferenceSession(sys.argv[1], device="cpu", engine="openvino").run(feeds)["z"].tolist())
print(sorted({"onnxruntime", "openvino", "qnn", "pim"} & {engine.name for engine in axle.engines()}))
print(sorted(one.engine for one in axle.engine_packages())[:1], "vela" in {one.name for one in axle.known_engine_descriptions()})
with open("/proc/self/maps") as maps:
    used = {line.split()[-1] for line in maps if "axle" in line.split()[-1].rpartition("/")[2] or "_core." in line}
print([path for path in used if not path.startswith(sys.argv[2])])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    cmake = shutil.which("cmake")
    if cmake is None or not (BUILD / "cmake_install.cmake").is_file():
        pytest.skip("wants cmake, and packages that stand in a build folder")
    folder = tmp_path_factory.mktemp("installed")
    command = [cmake, "--install", str(BUILD), "--component", "python", "--prefix", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"build the target axle_wheel first: {done.stderr}"
    return folder


def test_the_packages_work_from_a_folder_alone(folder, add_model, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AXLE_")}
    environment |= {"PYTHONPATH": str(folder), "AXLE_CACHE_DIR": str(tmp_path / "cache"), "VIRTUAL_ENV": sys.prefix}
    command = [sys.executable, "-P", "-c", USE, add_model, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "[1.0, 2.0, 3.0, 4.0] False",
        "[1.0, 2.0, 3.0, 4.0] True",
        "[1.0, 2.0, 3.0, 4.0]",
        "['onnxruntime', 'openvino', 'pim', 'qnn']",
        "['qnn'] True",
        "[]",
    ]


def test_the_folder_holds_what_a_wheel_should_and_nothing_else(folder):
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"axle/__init__.py", "axle/explain.py", "axle/py.typed", "axle/_core.pyi", "axle/libaxle.so.0", "axle/axle-worker"} <= files
    assert {"gpukit/py.typed", "rm_abstract/py.typed", "axle/bin/axle", "axle/axle-convert.py", "axle/axle-export.py"} <= files
    assert {f"axle/engines/libaxle_engine_{name}.so" for name in ("onnxruntime", "openvino", "qnn", "described", "pim")} <= files
    assert {Path(file).parts[0] for file in files} == {"axle", "gpukit", "rm_abstract"}
    assert not [file for file in files if file.endswith((".h", ".a", ".cmake", ".cc"))]
