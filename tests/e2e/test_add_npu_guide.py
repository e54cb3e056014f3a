"""The commands of docs/guides/add-your-npu.md, executed as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

ROOT = Path(__file__).resolve().parents[2]


def test_the_guide_works(tmp_path):
    command = Path(os.environ["AXLE_COMMAND"]).resolve()
    home = command.parents[1] / "lib" / "axle" / "testing" / "fakenpu"
    if not (home / "bin" / "fakenpu-compile").exists():
        pytest.skip("the FAKE vendor is not built: target axle_fakenpu")
    if shutil.which("cmake") is None:
        pytest.skip("there is no cmake to build the plugin with")
    conformance = next(command.parents[1].rglob("axle_conformance"), None)
    if conformance is None:
        pytest.skip("the conformance suite is not built: target axle_conformance")
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], name="relu")], "g", value[:1], value[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "model.onnx")
    text = (ROOT / "docs" / "guides" / "add-your-npu.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    environment = {
        **os.environ,
        "PATH": f"{command.parent}:{conformance.parent}:{os.environ['PATH']}",
        "AXLE_ROOT": str(ROOT),
        "FAKENPU_HOME": str(home),
        "MODEL": str(tmp_path / "model.onnx"),
        "AXLE_CACHE_DIR": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    script = "set -euo pipefail\n" + "\n".join(blocks)
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "acme by Acme" in done.stdout
    assert "FAKE NPU F1" in done.stdout
    assert len(re.findall(r"^\[  PASSED  \] \d+ tests\.$", done.stdout, re.MULTILINE)) == 2, "the suite on both engines"
    assert "acme_plugin@" in done.stdout, "a model ran on the plugin"
