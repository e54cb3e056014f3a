"""The artefact store on the command line: pins, and archives that carry entries to another cache."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def compiled(axle, models):
    """A model with an artefact in the cache."""
    model = models / "breast-cancer-mlp" / "model.onnx"
    if axle("compile", model, "--engine", "onnxruntime", "-q").code != 0:
        pytest.skip("onnxruntime is not here")
    return model


def keys(axle, **environment):
    return sorted(entry["key"] for entry in axle("cache", "ls", "--json", **environment).json["entries"])


def test_pinned_by_model_survives_collection(axle, compiled):
    pinned = axle("cache", "pin", compiled, "--json")
    assert pinned.json == {"entries": len(keys(axle)), "pinned": True}
    assert axle("cache", "gc", "--max-size", "0").code == 0
    assert len(keys(axle)) == pinned.json["entries"]
    assert all(entry["pinned"] for entry in axle("cache", "ls", "--json").json["entries"])
    assert axle("cache", "unpin", keys(axle)[0][:20], "--json").json == {"entries": 1, "pinned": False}
    assert axle("cache", "gc", "--max-size", "0").code == 0
    assert len(keys(axle)) == pinned.json["entries"] - 1
    assert axle("cache", "pin", "ffffffffffff").code == 3
    assert axle("cache", "pin").code == 3


def test_an_archive_warms_another_cache(axle, compiled, tmp_path):
    archive = tmp_path / "model.axc"
    there = {"AXLE_CACHE_DIR": str(tmp_path / "there")}
    written = axle("cache", "export", archive, compiled, "--json").json
    assert written["entries"] == len(keys(axle))
    assert written["bytes"] > 0
    read = axle("cache", "import", archive, "--json", **there).json
    assert (read["entries"], read["already_there"]) == (written["entries"], 0)
    assert keys(axle, **there) == keys(axle)
    assert axle("cache", "import", archive, "--json", **there).json["already_there"] == written["entries"]
    assert axle("cache", "verify", **there).code == 0
    compiled_there = axle("compile", compiled, "--engine", "onnxruntime", "--json", **there).json
    assert compiled_there["timing"]["cache"] == "hit"


def test_a_hostile_archive_changes_nothing(axle, compiled, tmp_path):
    archive = tmp_path / "model.axc"
    there = {"AXLE_CACHE_DIR": str(tmp_path / "there")}
    assert axle("cache", "export", archive, "-q").code == 0
    good = archive.read_bytes()
    for bad in (
        b"",
        good[:-1],
        good + b"x",
        good[:-1] + bytes([good[-1] ^ 1]),
        os.urandom(4096),
        good.replace(b"archive 1", b"archive 2", 1),
    ):
        archive.write_bytes(bad)
        refused = axle("cache", "import", archive, "--json", **there)
        assert refused.code == 3, refused.out
        assert refused.json["error"]["message"]
        assert keys(axle, **there) == []
    archive.write_bytes(good)
    archive.chmod(0o666)
    assert axle("cache", "import", archive, **there).code == 3
    archive.chmod(0o600)
    assert axle("cache", "import", archive, **there).code == 0
