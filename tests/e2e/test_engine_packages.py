"""`axle engines install`: what it asks of pip, where things go, and what a failure leaves. The pip is a stand-in: nothing is fetched."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

PIP = """#!/bin/sh
printf '%s\\n' "$@" > "$(dirname "$0")/arguments"
while [ $# -gt 0 ]; do
  case "$1" in --target) target="$2" ;; esac
  shift
done
mkdir -p "$target/onnxruntime_qnn"
echo half > "$target/onnxruntime_qnn/file"
{last}
"""


@pytest.fixture
def install(axle, tmp_path):
    """Call `axle engines install` with a pip that ends as it is told."""

    def call(*arguments, last="exit 0"):
        pip = tmp_path / "python"
        pip.write_text(PIP.replace("{last}", last))
        pip.chmod(0o755)
        return axle("engines", "install", *arguments, AXLE_PYTHON=str(pip), XDG_DATA_HOME=str(tmp_path / "data"))

    return call


def folder_of(tmp_path: Path) -> Path:
    return tmp_path / "data" / "axle" / "engines" / "qnn"


def test_packages_are_pinned_checked_and_put_into_a_private_folder(install, tmp_path):
    answer = install("qnn")
    assert answer.code == 0, answer.err
    assert "licence: " in answer.err
    assert "Qualcomm AI Stack License" in answer.err
    arguments = (tmp_path / "arguments").read_text().split("\n")
    assert {"--require-hashes", "--no-deps", "--no-input"} <= set(arguments)
    packages = Path(arguments[arguments.index("-r") + 1]).read_text()
    assert "onnxruntime-qnn==" in packages
    assert packages.count("--hash=sha256:") >= 2
    folder = folder_of(tmp_path)
    assert (folder / "onnxruntime_qnn" / "file").is_file()
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert [path.name for path in folder.parent.iterdir()] == ["qnn"]


def test_packages_for_another_python_are_asked_for_as_such(install, tmp_path):
    assert install("sophgo").code == 0
    arguments = (tmp_path / "arguments").read_text().split("\n")
    assert arguments[arguments.index("--python-version") + 1] == "3.10"
    assert "--ignore-requires-python" in arguments
    assert install("vela").code == 0
    assert "--python-version" not in (tmp_path / "arguments").read_text()


def test_the_same_list_is_not_installed_twice_and_another_replaces_it(install, tmp_path):
    assert install("qnn").code == 0
    (tmp_path / "arguments").unlink()
    again = install("qnn")
    assert again.code == 0
    assert "already" in again.err
    assert not (tmp_path / "arguments").exists()
    (folder_of(tmp_path) / "axle-packages.txt").write_text("an earlier list\n")
    (folder_of(tmp_path) / "stale").write_text("")
    assert install("qnn").code == 0
    assert not (folder_of(tmp_path) / "stale").exists()


def test_what_fails_leaves_nothing_and_says_why(install, tmp_path):
    answer = install("qnn", last="echo 'ERROR: No matching distribution found' >&2; exit 1")
    assert answer.code == 6, answer.out + answer.err
    assert "No matching distribution" in answer.err
    assert list(folder_of(tmp_path).parent.iterdir()) == []


def test_only_engines_that_have_a_list(install):
    answer = install("nosuch")
    assert answer.code != 0
    assert "qnn" in answer.err
    assert install().code != 0
