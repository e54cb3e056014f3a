"""Help, the manual page and docs/cli.md say what the commands take: all of it, in the space of a small terminal."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS, COLUMNS = 24, 80


@pytest.fixture
def commands(axle) -> list[str]:
    overview = axle("--help").out
    rows = [line for line in overview.splitlines() if re.match(r"^(?:[A-Z][a-z ]{0,12}|\s{13})\s*[a-z]+  ", line)]
    names = [re.findall(r"[a-z]+", line[13:])[0] for line in rows]
    assert {"run", "plan", "tune", "explain", "deploy", "doctor"} <= set(names)
    return names


def test_the_overview_fits_a_small_terminal(axle):
    lines = axle("--help").out.splitlines()
    assert len(lines) < ROWS  # the prompt wants a row too
    assert max(map(len, lines)) <= COLUMNS


def test_every_command_explains_itself_and_ends_with_two_examples(axle, commands):
    for name in commands:
        answer = axle(name, "--help")
        assert answer.code == 0, name
        assert max(map(len, answer.out.splitlines())) <= COLUMNS, name
        examples = answer.out.split("\nExamples\n")[1].splitlines()
        calls, words = examples[0::2], examples[1::2]
        assert len(calls) == len(words) == 2, f"{name}: {examples}"
        assert all(re.match(r"  (?:[A-Z_]+=\S+ )?axle ", call) for call in calls), f"{name}: {calls}"
        assert all(line.startswith("      ") for line in words), name
        assert axle("help", name).out == answer.out


def flags_of(text: str) -> set[str]:
    return set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", text, re.MULTILINE))


def test_the_manual_page_and_the_reference_name_every_command_and_flag(axle, commands):
    manual = axle("help", "--man").out
    reference = axle("help", "--markdown").out
    assert manual.startswith(".TH AXLE 1")
    for name in commands:
        assert f"\n.SS axle {name}\n" in manual
        assert f"\n## axle {name}\n" in reference
        in_manual = manual.split(f"\n.SS axle {name}\n")[1].split("\n.SS ")[0].replace("\\-", "-")
        in_reference = reference.split(f"\n## axle {name}\n")[1].split("\n## ")[0]
        flags = flags_of(axle(name, "--help").out)
        assert flags or name == "version", name
        for flag in flags:
            assert re.search(rf"^\.B .*{flag}\b", in_manual, re.MULTILINE), f"axle.1 lacks {name} {flag}"
            assert re.search(rf"^\| `.*{flag}\b", in_reference, re.MULTILINE), f"docs/cli.md lacks {name} {flag}"
    for section in ("ENVIRONMENT", "EXIT STATUS"):
        assert f"\n.SH {section}\n" in manual


def test_the_reference_in_docs_is_the_current_one(axle):
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == axle("help", "--markdown").out, (
        "docs/cli.md is old: ./dev axle help --markdown > docs/cli.md"
    )


def test_the_manual_page_is_what_man_reads(axle, tmp_path):
    if shutil.which("man") is None:
        pytest.skip("man is not installed: the page was not formatted")
    page = tmp_path / "axle.1"
    page.write_text(axle("help", "--man").out)
    done = subprocess.run(
        ["man", "--warnings", "-l", str(page)], capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert "axle deploy" in done.stdout


def test_an_unknown_command_is_a_usage_error(axle):
    answer = axle("help", "runn")
    assert answer.code == 2
    assert "did you mean 'run'" in answer.err
