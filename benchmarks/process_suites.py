"""The suites that start processes: time to the first output, and memory."""

from __future__ import annotations

import math
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from context import ENGINES, Context, RealModel, Report, Row, SkipError, bootstrap, met
from inputs import write_add, write_mlp

# ---- 4. starts ---------------------------------------------------------------------------------------------------


def start_pairs(context: Context, ours: list[str], theirs: list[str], *, cache: Path, pairs: int) -> dict[str, list[dict[str, Any]]]:
    """Fresh processes in ABBA order; the first pair is dropped."""
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
    for i in range(pairs + 1):
        order = [("ours", ours), ("theirs", theirs)]
        for side, arguments in order if i % 2 == 0 else reversed(order):
            document = context.call(arguments, cache=cache)
            if i > 0:
                runs[side].append(document)
    return runs


def paired_times(runs: dict[str, list[dict[str, Any]]], key: str) -> tuple[float, float, tuple[float, float, float]]:
    """Medians of both sides, and ours over theirs with its interval."""
    ours, theirs = ([run[key] for run in runs[side]] for side in ("ours", "theirs"))
    ratio = bootstrap([math.log(a / b) for a, b in zip(ours, theirs, strict=True)])
    return statistics.median(ours), statistics.median(theirs), (math.exp(ratio[0]), math.exp(ratio[1]), math.exp(ratio[2]))


def peer_cache(context: Context, engine: str, name: str) -> Path:
    """What the peer keeps: a folder for OpenVINO, a file for ONNX Runtime."""
    folder = context.cache(f"peer-{engine}-{name}")
    return folder / "optimised.ort" if engine == "onnxruntime" else folder


def session_starts(context: Context, report: Report, model: RealModel, engine: str) -> None:
    """From opening a session to the first output, nothing cached and everything cached."""
    library = context.library(engine)
    own = [*map(str, (context.program("start_axle"), model.model, model.flat)), engine, str(context.cores)]
    base = [*map(str, (context.program("start_peer"), model.model, model.flat)), engine, str(context.cores), str(library)]
    cold_ours, cold_theirs = [], []
    for _ in range(2 if context.quick else 5):
        cold_ours.append(context.call(own, cache=context.cache("cold"))["first_output_ms"])
        cold_theirs.append(context.call([*base, str(peer_cache(context, engine, "cold"))], cache=context.scratch)["first_output_ms"])
    cold, peer_cold = statistics.median(cold_ours), statistics.median(cold_theirs)
    cache, kept = context.cache("warm"), str(peer_cache(context, engine, "warm"))
    for _ in range(2):
        context.call(own, cache=cache)
        context.call([*base, kept], cache=cache)
    # A stamp is trusted only when it is older than two seconds.
    time.sleep(2.5)
    context.call(own, cache=cache)
    runs = start_pairs(context, own, [*base, kept], cache=cache, pairs=6 if context.quick else 20)
    ours, theirs, ratio = paired_times(runs, "first_output_ms")
    report.rows.append(
        Row(f"{model.name}, {engine}, cold", f"{cold:.1f} ms", f"{peer_cold:.1f} ms", f"{cold / peer_cold:.2f} of theirs", "", "", "")
    )
    report.rows.append(
        Row(
            f"{model.name}, {engine}, warm",
            f"{ours:.1f} ms",
            f"{theirs:.1f} ms",
            f"{ratio[0]:.3f} [{ratio[1]:.3f}, {ratio[2]:.3f}] of theirs",
            "<= 1.10",
            met(ratio[0] <= 1.10),
            f"cache: {runs['ours'][-1]['cache']}, plan {statistics.median(r['plan_ms'] for r in runs['ours']):.1f} ms",
        )
    )
    report.data.append({"model": model.name, "engine": engine, "cold_ms": cold_ours, "peer_cold_ms": cold_theirs, **runs})


def timed_process(arguments: list[str], environment: dict[str, str]) -> float:
    """Milliseconds from starting a process to its end; its output goes nowhere."""
    null = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, null, 1)]
    started = time.perf_counter()
    child = os.posix_spawn(arguments[0], arguments, environment, file_actions=actions)
    _, status = os.waitpid(child, 0)
    took = (time.perf_counter() - started) * 1e3
    os.close(null)
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"{' '.join(arguments[:3])} failed")
    return took


def command_starts(context: Context, report: Report, engine: str) -> None:
    """`axle run` as a whole against a minimal program on the engine, model of 10 MB, both with their caches filled."""
    path = context.scratch / "mlp10.onnx"
    arrays = write_mlp(path, (256, 1400, 1400, 256), 1)
    npz = context.scratch / "mlp10.npz"
    np.savez(npz, **arrays)
    flat = context.flat("mlp10", arrays)
    cache, kept = context.cache("command"), str(peer_cache(context, engine, "command"))
    ours = [str(context.command()), "run", str(path), "--inputs", str(npz), "--output-dir", str(context.scratch / "outputs")]
    ours += ["--engine", engine, "--threads", str(context.cores), "-q"]
    theirs = [*map(str, (context.program("start_peer"), path, flat)), engine, str(context.cores), str(context.library(engine)), kept]
    theirs.append(str(context.scratch / "outputs.bin"))
    environment = context.environment(cache)
    for _ in range(2):
        timed_process(ours, environment)
        timed_process(theirs, environment)
    time.sleep(2.5)
    timed_process(ours, environment)
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for i in range(6 if context.quick else 24):
        order = [("ours", ours), ("theirs", theirs)]
        for side, arguments in order if i % 2 == 0 else reversed(order):
            times[side].append(timed_process(arguments, environment))
    runs = {side: [{"ms": value} for value in values] for side, values in times.items()}
    mine, other, ratio = paired_times(runs, "ms")
    report.rows.append(
        Row(
            f"axle run, {path.stat().st_size / 1e6:.0f} MB, {engine}",
            f"{mine:.1f} ms",
            f"{other:.1f} ms",
            f"{ratio[0]:.3f} [{ratio[1]:.3f}, {ratio[2]:.3f}] of theirs",
            "< 1.30",
            met(ratio[0] < 1.30),
            "process start to its end",
        )
    )
    report.data.append({"command": engine, **times})


def lock_checks(context: Context, report: Report, models: list[tuple[str, Path]]) -> None:
    """`axle plan MODEL --check LOCK` as a whole with every file stamped, beside a command that does nothing."""
    environment = context.environment(context.cache("check"))
    idle = [str(context.command()), "version"]
    for name, path in models:
        lock = context.scratch / f"{name}.lock"
        timed_process([str(context.command()), "plan", str(path), "-o", str(lock), "-q"], environment)
        # A stamp is trusted only when it is older than two seconds.
        time.sleep(2.5)
        check = [str(context.command()), "plan", str(path), "--check", str(lock), "-q"]
        timed_process(check, environment)
        times: dict[str, list[float]] = {"check": [], "idle": []}
        for _ in range(6 if context.quick else 40):
            times["check"].append(timed_process(check, environment))
            times["idle"].append(timed_process(idle, environment))
        took, floor = statistics.median(times["check"]), statistics.median(times["idle"])
        report.rows.append(
            Row(
                f"axle plan --check, {name}",
                f"{took:.1f} ms",
                "",
                f"{floor:.1f} ms of it are `axle version`",
                "< 20 ms",
                met(took < 20),
                f"process start to its end, lock of {lock.stat().st_size / 1024:.0f} KiB",
            )
        )
        report.data.append({"check": name, **times})


def cold_warm_start(context: Context) -> Report:
    """Time to first output in fresh processes."""
    report = Report("cold_warm_start")
    wanted = ("ultraface-rfb-320",) if context.quick else ("ultraface-rfb-320", "efficientnet-lite0", "all-minilm-l6-v2")
    for engine in ENGINES:
        command_starts(context, report, engine)
    try:
        models = [model for model in context.real_models() if model.name in wanted]
    except SkipError as reason:
        report.notes.append(f"sessions of real models: {reason}")
        lock_checks(context, report, [("mlp10", context.scratch / "mlp10.onnx")])
        return report
    lock_checks(context, report, [(model.name, model.model) for model in models])
    for model in models:
        for engine in ENGINES:
            session_starts(context, report, model, engine)
    return report


# ---- 5. memory ---------------------------------------------------------------------------------------------------


def memory(context: Context) -> Report:
    """Resident memory of the host library without engines, and peak memory of a session against the peer."""
    report = Report("memory")
    tiny = context.scratch / "add_memory.onnx"
    write_add(tiny)
    host = context.call([str(context.program("host_memory")), str(tiny)], cache=context.cache("memory"))
    report.rows.append(
        Row(
            "host library, no engine",
            f"{host['runtime_kib'] / 1024:.1f} MB",
            "",
            f"{host['runtime_anonymous_kib'] / 1024:.1f} MB of it not files",
            "< 15 MB",
            met(host["runtime_kib"] < 15 * 1024),
            f"after reading a tiny model {host['model_kib'] / 1024:.1f} MB",
        )
    )
    report.data.append({"host": host})
    try:
        models = context.real_models()
    except SkipError as reason:
        report.notes.append(str(reason))
        return report
    for model in models[:2] if context.quick else models:
        for engine in ENGINES:
            cache, kept = context.cache("memory"), str(peer_cache(context, engine, "memory"))
            own = [*map(str, (context.program("start_axle"), model.model, model.flat)), engine, "1"]
            other = [*map(str, (context.program("start_peer"), model.model, model.flat)), engine, "1", str(context.library(engine)), kept]
            for _ in range(2):
                ours, theirs = context.call(own, cache=cache), context.call(other, cache=cache)
            difference = (ours["peak_kib"] - theirs["peak_kib"]) / 1024
            report.rows.append(
                Row(
                    f"{model.name}, {engine}",
                    f"{ours['peak_kib'] / 1024:.1f} MB",
                    f"{theirs['peak_kib'] / 1024:.1f} MB",
                    f"{ours['peak_kib'] / theirs['peak_kib']:.2f} of theirs ({difference:+.1f} MB)",
                    "",
                    "",
                    f"peak, cached start, 1 thread; private: {ours['anonymous_kib'] / 1024:.1f} / {theirs['anonymous_kib'] / 1024:.1f} MB",
                )
            )
            report.data.append({"model": model.name, "engine": engine, "ours": ours, "theirs": theirs})
    return report
