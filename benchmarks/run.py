#!/usr/bin/env python3
"""Run the benchmarks and print a table: ratio with its 95 % interval, both absolute numbers, goal, conditions.

`./dev bench` builds what is needed and starts this. Exit code: 0 done (also with missed goals: these are measurements), 1 a suite failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from context import ROOT, Context, Report, Row, SkipError
from schedule_suites import hybrid, schedules, worker_models
from suites import GATES
from suites import SUITES as TIMED_SUITES

SUITES = {**TIMED_SUITES, "schedules": schedules, "hybrid": hybrid, "worker_models": worker_models}

COLUMNS = ("case", "ours", "theirs", "ratio", "goal", "verdict", "note")


def cpu_model() -> str:
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def load() -> float:
    """Running processes, averaged over a minute."""
    return os.getloadavg()[0]


def conditions() -> dict[str, object]:
    """What the figures depend on besides the code."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load_at_start": load(),
        "realtime": os.sched_getscheduler(0) == os.SCHED_RR,
        "python": platform.python_version(),
    }


def print_report(report: Report) -> None:
    """The table of one suite."""
    print(f"\n{report.suite}: {(SUITES[report.suite].__doc__ or '').splitlines()[0]}")
    cells = [[getattr(row, name) for name in COLUMNS] for row in [Row("case", "axle", "peer", "ratio", "goal", "", ""), *report.rows]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    for line in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    for note in report.notes:
        print(f"  note: {note}")
    sys.stdout.flush()


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release", help="build folder")
    parser.add_argument("--models", type=Path, help="folder of real models, each with model.onnx and input.npz")
    parser.add_argument("--model", action="append", default=[], metavar="NAME", help="only this real model; may be repeated")
    parser.add_argument("--only", action="append", default=[], choices=sorted(SUITES), metavar="SUITE", help=", ".join(SUITES))
    parser.add_argument("--gate", action="append", default=[], choices=sorted(GATES), help="auto_plan: only this bound of error")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: shows that it works, intervals are wide")
    parser.add_argument("--realtime", action="store_true", help="run as SCHED_RR, so that other processes cannot take the cores (root)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    arguments = parser.parse_args()
    models = arguments.models or next((path for path in [ROOT.parent / "shared" / "models"] if path.is_dir()), None)
    context = Context(arguments.build, models, quick=arguments.quick, only_models=arguments.model, only_gates=arguments.gate)
    if arguments.realtime:
        # Every program that is started from here inherits it. Not SCHED_FIFO: a thread that spins for another one of its own
        # process could then keep that one from ever running.
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    found = conditions()
    scheduling = "SCHED_RR" if found["realtime"] else "normal scheduling"
    print(f"{found['cpu']}, {found['cores']} cores, load {found['load_at_start']:.2f}, {scheduling}, {found['date']}")
    document: dict[str, object] = {"conditions": found, "suites": {}}
    failed = False
    for name, suite in SUITES.items():
        if arguments.only and name not in arguments.only:
            continue
        started = time.monotonic()
        try:
            report = suite(context)
        except SkipError as reason:
            print(f"\n{name}: SKIPPED, {reason}")
            document["suites"][name] = {"skipped": str(reason)}
            continue
        except (RuntimeError, OSError, ValueError) as error:
            print(f"\n{name}: FAILED, {error}")
            document["suites"][name] = {"failed": str(error)}
            failed = True
            continue
        print_report(report)
        document["suites"][name] = {
            "seconds": round(time.monotonic() - started, 1),
            "rows": [vars(row) for row in report.rows],
            "notes": report.notes,
            "data": report.data,
        }
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
