"""What schedules bring: replicas against pinned processes, a pipeline against one core set, one plan for each load; processes' cost."""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
from pathlib import Path

from context import Context, RealModel, Report, Row, SkipError, bootstrap, conditions, core_speeds, met, microseconds, progress, ratio_text
from placements import each_process, merged, over_processes

ENGINE = "onnxruntime"
MODELS = ("efficientnet-lite0", "all-minilm-l6-v2", "basic-pitch")


def split_policy(context: Context, cores: list[int], kind: str) -> Path:
    """Two core sets of one core each."""
    path = context.scratch / f"{kind}.toml"
    path.write_text(
        f'[engines]\nallow = ["{ENGINE}"]\n[resources]\nsplit = {{ "cpu:0" = [[{cores[0]}], [{cores[1]}]] }}\n[schedule]\nkind = "{kind}"\n'
    )
    return path


def bench(context: Context, model: RealModel, seconds: float, *extra: str, core: int | None = None) -> list[str]:
    """Arguments of one `axle bench`, confined to a core when one is given."""
    confine = ["taskset", "-c", str(core)] if core is not None else []
    command = [str(context.command()), "bench", str(model.model), "--inputs", str(model.npz), "--duration", f"{seconds}s", "--json"]
    return [*confine, *command, *extra]


def together(context: Context, commands: list[list[str]], cache: Path) -> float:
    """Calls per second of commands that run at the same time."""
    environment = context.environment(cache)
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for command in commands
    ]
    total = 0.0
    for process in running:
        out, err = process.communicate(timeout=300)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(process.args)}: {err.strip()}")
        total += json.loads(out)["throughput_per_s"]
    return total


def in_turns(context: Context, sides: dict[str, list[list[str]]], rounds: int, cache: Path) -> dict[str, list[float]]:
    """Calls per second of each side in each round, there and back; the first round warms up and does not count."""
    rates: dict[str, list[float]] = {side: [] for side in sides}
    for i in range(rounds + 1):
        for side in list(sides) if i % 2 == 0 else reversed(sides):
            rate = together(context, sides[side], cache)
            if i > 0:
                rates[side].append(rate)
    return rates


def rate_ratio(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """Ours over theirs with its 95 % interval, of rates that were taken in the same rounds."""
    ratio, low, high = (math.exp(value) for value in bootstrap([math.log(a / b) for a, b in zip(ours, theirs, strict=True)]))
    return ratio, low, high


def schedules(context: Context) -> Report:
    """Two core sets: replicas against two pinned processes at once, and a pipeline against one of the sets."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or shutil.which("taskset") is None:
        raise SkipError("needs two cores and taskset")
    report = Report("schedules")
    seconds, rounds = (1.0, 3) if context.quick else (3.0, 8)
    alone = ["--engine", ENGINE, "--compute-threads", "1"]
    for model in [m for m in context.real_models() if m.name in MODELS]:
        cache = context.cache(f"schedules-{model.name}")
        sides = {
            "one": [bench(context, model, seconds, *alone, core=cores[0])],
            "two": [bench(context, model, seconds, *alone, core=core) for core in cores[:2]],
            "replicas": [bench(context, model, seconds, "--policy", str(split_policy(context, cores, "replicas")), "--threads", "4")],
            "pipeline": [bench(context, model, seconds, "--policy", str(split_policy(context, cores, "pipeline")), "--threads", "4")],
        }
        rates = in_turns(context, sides, rounds, cache)
        for side, base, goal in (("replicas", "two", 0.95), ("pipeline", "one", 1.6)):
            ratio, low, high = rate_ratio(rates[side], rates[base])
            ours, theirs = statistics.median(rates[side]), statistics.median(rates[base])
            report.rows.append(
                Row(
                    f"{model.name}, {side}",
                    f"{ours:.1f}/s",
                    f"{theirs:.1f}/s {'two pinned processes' if base == 'two' else 'one core set'}",
                    ratio_text(ratio, [low, high]),
                    f">= {goal}",
                    met(ratio >= goal),
                    f"{rounds} rounds of {seconds:.0f} s, 4 callers",
                )
            )
            progress(f"{report.rows[-1].case}: {ratio:.3f} [{low:.3f}, {high:.3f}]")
        report.data.append({"model": model.name, "calls_per_s": rates})
    return report


def isolated_policy(context: Context, isolation: str) -> Path:
    """One thread, so that both sides of a comparison find a core for it."""
    path = context.scratch / f"isolated-{isolation}.toml"
    path.write_text(f'[engines]\nallow = ["{ENGINE}"]\n[execution]\nthreads = 1\nisolation = "{isolation}"\n')
    return path


def isolated_row(case: str, ours: str, theirs: str, ratio: list[float], goal: float, note: str) -> Row:
    """A ratio of at least the goal."""
    row = Row(case, ours, theirs, ratio_text(ratio[0], ratio[1:]), f">= {goal}", met(ratio[0] >= goal), note)
    progress(f"{row.case}: {row.ratio}")
    return row


def worker_models(context: Context) -> Report:
    """Models of over 1 ms in axle-worker against the same plan in this process: one request at a time, and the rate of two callers."""
    report = Report("worker_models")
    seconds, rounds = (1.0, 3) if context.quick else (3.0, 8)
    limits = ["--rounds", "4" if context.quick else "12", "--block-ms", "100", "--limit-s", "10", *core_speeds(context)]
    policies = {isolation: str(isolated_policy(context, isolation)) for isolation in ("process", "none")}
    for model in [m for m in context.real_models() if m.name in MODELS]:
        cache = context.cache(f"worker-{model.name}")
        program = [str(context.program("isolated")), str(model.model), str(model.flat), policies["process"]]
        latencies = {}
        for memory, flags in (("tensors of the caller's own", []), ("tensors that both see", ["--shared"])):
            documents = each_process(context, [*program, *flags, *limits], cache)
            found = merged(documents, "call_ns", "in_process_ns")
            found["ratio"], found["interval"] = over_processes([document["ratio"] for document in documents])
            ratio = [found["ratio"], *found["interval"]]
            times = [microseconds(found[side]) for side in ("call_ns", "in_process_ns")]
            report.rows.append(isolated_row(f"{model.name}, one at a time, {memory}", *times, ratio, 0.98, conditions(found)))
            latencies[memory] = found
        sides = {side: [bench(context, model, seconds, "--policy", path, "--threads", "2")] for side, path in policies.items()}
        rates = in_turns(context, sides, rounds, cache)
        per_s = [f"{statistics.median(rates[side]):.1f}/s" for side in ("process", "none")]
        ratio = list(rate_ratio(rates["process"], rates["none"]))
        note = f"{rounds} rounds of {seconds:.0f} s, 2 callers"
        report.rows.append(isolated_row(f"{model.name}, throughput", *per_s, ratio, 0.98, note))
        report.data.append({"model": model.name, "latency": latencies, "calls_per_s": rates})
    return report


def objective_policy(context: Context, cores: list[int], objective: str) -> Path:
    """Each core may serve alone; what does is the objective's matter."""
    path = context.scratch / f"objective-{objective}.toml"
    path.write_text(f'[objective]\nminimize = "{objective}"\n[resources]\nsplit = {{ "cpu:0" = [[{cores[0]}], [{cores[1]}]] }}\n')
    return path


def hybrid(context: Context) -> Report:
    """The hybrid objective against the latency objective with one caller, and against the throughput objective with four."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SkipError("needs two cores")
    report = Report("hybrid")
    seconds, rounds, budget = (1.0, 3, "4s") if context.quick else (3.0, 8, "20s")
    policies = {objective: str(objective_policy(context, cores, objective)) for objective in ("latency", "throughput", "hybrid")}
    for model in [m for m in context.real_models() if m.name in MODELS]:
        cache = context.cache(f"hybrid-{model.name}")
        inputs = [str(model.model), "--inputs", str(model.npz), "--json"]
        context.call([str(context.command()), "tune", *inputs, "--policy", policies["hybrid"], "--budget", budget], cache=cache)
        planned = context.call([str(context.command()), "plan", *inputs, "--policy", policies["hybrid"]], cache=cache)
        for callers, peer in ((1, "latency"), (4, "throughput")):
            sides = {
                side: [bench(context, model, seconds, "--policy", policies[side], "--threads", str(callers))] for side in ("hybrid", peer)
            }
            rates = in_turns(context, sides, rounds, cache)
            ratio, low, high = rate_ratio(rates["hybrid"], rates[peer])
            report.rows.append(
                Row(
                    f"{model.name}, {callers} caller{'' if callers == 1 else 's'}",
                    f"{statistics.median(rates['hybrid']):.1f}/s",
                    f"{statistics.median(rates[peer]):.1f}/s {peer} objective",
                    ratio_text(ratio, [low, high]),
                    ">= 0.97",
                    met(ratio >= 0.97),
                    f"{rounds} rounds of {seconds:.0f} s, schedule {planned['plan']['schedule']}",
                )
            )
            progress(f"{report.rows[-1].case}: {ratio:.3f} [{low:.3f}, {high:.3f}]")
            report.data.append({"model": model.name, "callers": callers, "calls_per_s": rates, "plan": planned["plan"]})
    return report
