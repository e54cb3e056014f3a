"""Compiling as a job of its own: progress, cancelling, logs, archives, and machines that are not here."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

BOARD = Path(__file__).resolve().parents[1] / "machines" / "rk3588-board.json"
# Not simulated: a device that the board has and this machine has not.
ON_THE_BOARD = (
    ('simulated = true\nbackend = "FAKE NPU, computed on the host\'s CPU"\n', "simulated = false\n"),
    ('tags = ["fake"]', 'tags = ["fake"]\npci_ids = ["1e60:2864"]'),
)
HERE = ("--engine", "fakenpu", "--device", "npu#sim")


def entries(axle, **environment) -> list[dict]:
    return [entry for entry in axle("cache", "ls", "--json", **environment).json["entries"] if entry["made_from"]["engine"] == "fakenpu"]


def logs(axle, *names) -> list[dict]:
    answer = axle("cache", "log", *names, "--json")
    assert answer.code == 0, answer.out + answer.err
    return answer.json["logs"]


def processes_that_name(text: str) -> list[str]:
    """Command lines of processes that have `text` in them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if text in line:
                found.append(line)
    return found


def wait_until(condition, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


class OnTerminal:
    """The command with a terminal of its own as stderr."""

    def __init__(self, tmp_path: Path, *arguments):
        self.master, terminal = pty.openpty()
        command = [os.environ["AXLE_COMMAND"], *map(str, arguments)]
        environment = {**os.environ, "AXLE_CACHE_DIR": str(tmp_path / "cache")}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, env=environment, start_new_session=True)
        os.close(terminal)
        os.set_blocking(self.master, False)
        self.shown = ""

    def shows(self, words: str) -> bool:
        with contextlib.suppress(OSError):  # nothing yet, or closed at the other end
            self.shown += os.read(self.master, 65536).decode(errors="replace")
        return words in self.shown

    def end(self, seconds: float) -> int:
        try:
            return self.process.wait(seconds)
        finally:
            self.process.kill()
            self.shows("")
            os.close(self.master)


@pytest.fixture
def hanging(vendor):
    """A compiler that takes a minute, were it let."""
    folder = vendor("fakenpu", ('timeout = "5s"\nmemory', 'timeout = "60s"\nmemory'))
    (folder / "fault").write_text("compile_hang", encoding="utf-8")
    return folder


def test_progress_is_shown_and_an_interrupt_leaves_nothing(axle, hanging, model, tmp_path):
    running = OnTerminal(tmp_path, "compile", model, *HERE)
    assert wait_until(lambda: running.shows("translate"), 20), running.shown
    assert processes_that_name(str(tmp_path / "cache"))
    os.killpg(running.process.pid, signal.SIGINT)
    assert running.end(10) == 8, running.shown
    assert "was cancelled by the caller" in running.shown
    assert "nothing half-made is left" in running.shown
    assert wait_until(lambda: not processes_that_name(str(tmp_path / "cache")), 5), processes_that_name(str(tmp_path / "cache"))
    assert entries(axle) == []
    assert not list((tmp_path / "cache" / "store-1" / "scratch").iterdir())
    assert logs(axle) == []
    (hanging / "fault").write_text("", encoding="utf-8")
    again = axle("compile", model, *HERE, "--json")
    assert again.code == 0, again.out + again.err
    assert again.json["timing"]["cache"] == "miss"


def test_a_vendor_does_not_outlive_a_command_that_was_killed(axle, hanging, model, tmp_path):
    running = OnTerminal(tmp_path, "compile", model, *HERE)
    assert wait_until(lambda: any("fakenpu-compile" in line for line in processes_that_name(str(tmp_path / "cache"))), 20)
    running.process.kill()
    running.end(5)
    assert wait_until(lambda: not processes_that_name(str(tmp_path / "cache")), 10), processes_that_name(str(tmp_path / "cache"))
    (hanging / "fault").write_text("", encoding="utf-8")
    assert axle("compile", model, *HERE).code == 0
    assert len(entries(axle)) == 1


def test_with_json_a_terminal_shows_nothing(vendor, model, tmp_path):
    folder = vendor("fakenpu", ('timeout = "5s"\nmemory', 'timeout = "2s"\nmemory'))
    (folder / "fault").write_text("compile_hang", encoding="utf-8")
    running = OnTerminal(tmp_path, "compile", model, *HERE, "--json")
    out, _ = running.process.communicate(timeout=30)
    assert running.end(1) == 7, out
    assert running.shown == ""
    assert b"DEADLINE_EXCEEDED" in out


def test_what_the_tools_printed_is_kept(axle, vendor, model):
    vendor("fakenpu")
    assert axle("compile", model, *HERE).code == 0
    (log,) = logs(axle, model)
    assert (log["failed"], log["kept"], log["engine"]) == (False, True, "fakenpu")
    assert re.search(r"## step translate\n.*\[Success\]: FAKE compile\n.*## step check\n.*FAKE artefact is whole", log["text"], re.DOTALL)
    shown = axle("cache", "log", log["key"][:20])
    assert shown.code == 0
    assert log["text"] in shown.out
    assert axle("cache", "log", "ffffffffffff").code == 3


def test_what_the_tools_printed_before_they_failed_is_kept_too(axle, vendor, model):
    folder = vendor("fakenpu")
    (folder / "fault").write_text("compile_lie", encoding="utf-8")
    refused = axle("compile", model, *HERE, "--json")
    assert refused.code != 0
    command = re.search(r"axle cache log ([0-9a-f]{12})", refused.json["error"]["hint"])
    assert command, refused.out
    (log,) = logs(axle, command[1])
    assert log["failed"] is True
    assert "/npu_operators is 0" in log["message"]
    assert "[Success]: FAKE compile" in log["text"], "what the vendor claimed"
    assert entries(axle) == []
    (folder / "fault").write_text("", encoding="utf-8")
    assert axle("compile", model, *HERE).code == 0
    assert [log["failed"] for log in logs(axle)] == [False], "the failure was put right"


def test_two_at_once_compile_once(axle, vendor, model, tmp_path):
    vendor("fakenpu")
    command = [os.environ["AXLE_COMMAND"], "compile", str(model), *HERE, "--json"]
    environment = {**os.environ, "AXLE_CACHE_DIR": str(tmp_path / "cache")}
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    assert len(entries(axle)) == 1
    assert sum(b'"cache":"miss"' in one.stdout.read() for one in both) == 1


def test_an_archive_spares_another_cache_the_compiler(axle, vendor, model, tmp_path):
    folder = vendor("fakenpu")
    archive = tmp_path / "model.axc"
    compiled = axle("compile", model, *HERE, "-o", archive, "--json")
    assert compiled.code == 0, compiled.out + compiled.err
    (entry,) = entries(axle)
    (part,) = compiled.json["plan"]["partitions"]
    assert (part["artefact"], part["artefact_bytes"], part["cache"]) == (entry["key"], entry["size_bytes"], "miss")
    assert "wrote" in compiled.err
    there = {"AXLE_CACHE_DIR": str(tmp_path / "there")}
    assert axle("cache", "import", archive, **there).code == 0
    assert axle("cache", "verify", **there).code == 0
    (folder / "fault").write_text("compile_crash", encoding="utf-8")
    ran = axle("run", model, *HERE, "--inputs", tmp_path / "in.npz", "--output-dir", tmp_path / "out", "--json", **there)
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["plan"]["partitions"][0]["cache"] == "hit"
    assert [log["kept"] for log in axle("cache", "log", "--json", **there).json["logs"]] == [True], "the log came along"


def test_for_a_machine_that_is_not_here(axle, vendor, model, tmp_path):
    vendor("fakenpu", *ON_THE_BOARD)
    here = axle("compile", model, "--engine", "fakenpu", "--device", "npu", "--json")
    assert here.code == 4, "no such device is here: " + here.out
    archive = tmp_path / "board.axc"
    board = ("compile", model, "--machine", BOARD, "--engine", "fakenpu", "--target", "npu:0")
    compiled = axle(*board, "-o", archive, "--json")
    assert compiled.code == 0, compiled.out + compiled.err
    (entry,) = entries(axle)
    assert compiled.json["plan"]["partitions"][0]["artefact"] == entry["key"]
    assert entry["made_from"]["target"] == "hailo Hailo-8 hailo 4.17.0"
    assert "asimddp" in entry["made_from"]["isa"], "this description does not say that its artefacts are portable"
    again = axle(*board)
    assert again.code == 0, again.out + again.err
    assert "in the cache already" in again.out
    assert "not loaded" in again.out
    there = {"AXLE_CACHE_DIR": str(tmp_path / "there")}
    assert axle("cache", "import", archive, **there).code == 0
    assert [one["key"] for one in entries(axle, **there)] == [entry["key"]]
    assert axle(*board, "--files", tmp_path / "files").code == 0
    assert (tmp_path / "files" / "program.fnpu").read_bytes().startswith(b"FAKENPU")
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == ["axle-log.txt", "axle-record.json", "program.fnpu"]


PORTABLE = ("[artefact]\n", "[artefact]\nportable = true\n")


def another_build(command: str, folder: Path, monkeypatch) -> None:
    """Plugin and tools of the same versions that differ in every digest, as those of another architecture do."""
    built = Path(command).resolve().parents[1] / "lib" / "axle"
    home = folder / "vendor"
    for source, target in (
        (built / "engines" / "libaxle_engine_described.so", folder / "engines" / "libaxle_engine_described.so"),
        (built / "testing" / "fakenpu" / "bin" / "fakenpu-compile", home / "bin" / "fakenpu-compile"),
        (built / "testing" / "fakenpu" / "lib" / "libfakenpu.so", home / "lib" / "libfakenpu.so"),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes() + b"\0")
        target.chmod(0o755)
    monkeypatch.setenv("AXLE_ENGINE_PATH", str(folder / "engines"))
    monkeypatch.setenv("FAKENPU_HOME", str(home))


def test_another_build_of_axle_and_tools_finds_an_artefact_for_a_board(axle, vendor, model, tmp_path, monkeypatch):
    vendor("fakenpu", *ON_THE_BOARD, PORTABLE)
    archive = tmp_path / "board.axc"
    board = ("compile", model, "--machine", BOARD, "--engine", "fakenpu", "--target", "npu:0")
    assert axle(*board, "-o", archive).code == 0
    (made,) = entries(axle)
    digest = {engine["name"]: engine["library_digest"] for engine in axle("engines", "--json").json["engines"]}["fakenpu"]
    assert made["made_from"]["plugin_digest"].startswith("portable-1:")
    assert made["made_from"]["isa"] == ""
    assert made["made_from"]["library_digests"]["tool.compiler"] == "1.4.2"
    assert made["compatibility"]["producer"]["library_digest"] == digest
    another_build(os.environ["AXLE_COMMAND"], tmp_path / "other", monkeypatch)
    there = {"AXLE_CACHE_DIR": str(tmp_path / "there")}
    others = {engine["name"]: engine["library_digest"] for engine in axle("engines", "--json", **there).json["engines"]}["fakenpu"]
    assert others != digest
    assert axle("cache", "import", archive, **there).code == 0
    again = axle(*board, **there)
    assert again.code == 0, again.out + again.err
    assert "in the cache already" in again.out
    (tmp_path / "level.toml").write_text('[engines.fakenpu]\nlevel = "2"\n', encoding="utf-8")
    level = axle(*board, "--policy", tmp_path / "level.toml", **there)
    assert level.code == 0, level.out + level.err
    assert "compiled in" in level.out, "another option is another artefact"


def test_a_vendor_does_not_outlive_a_command_that_isolates_nothing(axle, hanging, model, tmp_path):
    (tmp_path / "policy.toml").write_text('[execution]\nisolation = "none"\n', encoding="utf-8")
    running = OnTerminal(tmp_path, "run", model, *HERE, "--random", "1", "--policy", tmp_path / "policy.toml")
    assert wait_until(lambda: any("fakenpu-compile" in line for line in processes_that_name(str(tmp_path / "cache"))), 20)
    running.process.kill()
    running.end(5)
    assert wait_until(lambda: not processes_that_name(str(tmp_path / "cache")), 10), processes_that_name(str(tmp_path / "cache"))


def test_an_engine_that_compiles_only_where_it_runs_says_so(axle, vendor, model):
    engines = {engine["name"]: engine["present"] for engine in axle("engines", "--json").json["engines"]}
    if not engines.get("onnxruntime"):
        pytest.skip("onnxruntime is not here")
    refused = axle("compile", model, "--machine", BOARD, "--engine", "onnxruntime", "--device", "cpu", "--json")
    assert refused.code == 4, refused.out
    assert "onnxruntime compiles for no cpu like '4x Cortex-A55 + 4x Cortex-A76' of another machine" in refused.json["error"]["message"]
    assert entries(axle) == []
