"""The suites that time calls: each measures one promise and says whether its goal is met. Processes: process_suites.py."""

from __future__ import annotations

import importlib
import math
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from context import (
    ENGINES,
    Context,
    RealModel,
    Report,
    Row,
    SkipError,
    bootstrap,
    conditions,
    core_speeds,
    met,
    microseconds,
    progress,
    ratio_text,
)
from inputs import write_add, write_mlp
from placements import each_process, merged_pair
from prediction_suite import prediction
from process_suites import cold_warm_start, memory


def peer(context: Context, engine: str, threads: list[int]) -> list[str]:
    """Arguments that add a peer to axle_benchmark_pair."""
    return ["--peer", f"{engine}={context.library(engine)}:{','.join(map(str, threads))}"]


def rounds_of(document: dict[str, Any]) -> int:
    """How many rounds stand behind the figures."""
    return document["rounds"] + (document["disturbed_rounds"] if document["noisy"] else 0)


# ---- 1. what axle adds to a call ---------------------------------------------------------------------------------


def call_overhead(context: Context) -> Report:
    """A bound call through axle against the same call on the engine's own C API, tensors bound in advance."""
    report = Report("call_overhead")
    rounds = ["--rounds", "8" if context.quick else "30", "--block-ms", "60", "--limit-s", "40", *core_speeds(context)]
    tiny, millisecond = context.scratch / "add.onnx", context.scratch / "mlp.onnx"
    cases = [("1 Add, 4 floats", tiny, write_add(tiny)), ("MLP, 32 rows", millisecond, write_mlp(millisecond, (256, 1024, 1024, 64), 32))]
    for name, path, arrays in cases:
        for engine in ENGINES:
            cache = context.cache("overhead")
            document = context.call(
                [
                    *map(str, (context.program("pair"), path, context.flat(name, arrays))),
                    *("--engine", engine, "--threads", "1", "--session"),
                    *peer(context, engine, [1]),
                    *rounds,
                ],
                cache=cache,
            )
            theirs = document["peers"][0]
            low, high = theirs["added_interval_ns"]
            is_tiny = path == tiny
            goal_met = theirs["added_ns"] <= 1000 if is_tiny else 1 / theirs["ratio"] <= 1.01
            report.rows.append(
                Row(
                    f"{name}, {engine}",
                    microseconds(document["call_ns"]),
                    microseconds(theirs["call_ns"]),
                    f"added {theirs['added_ns']:+.0f} ns [{low:+.0f}, {high:+.0f}]"
                    if is_tiny
                    else ratio_text(theirs["ratio"], theirs["interval"]),
                    "<= 1 us added" if is_tiny else ">= 0.990",
                    met(goal_met, rounds_of(document)),
                    f"{conditions(document)}; Session::run adds {document['session']['added_to_bound_ns']:.0f} ns",
                )
            )
            report.data.append({"case": name, "engine": engine, **document})
    return report


# ---- 2. what the Python package adds -----------------------------------------------------------------------------


def alternating(calls: dict[str, Callable[[], object]], *, rounds: int, block_s: float) -> dict[str, list[float]]:
    """Seconds per call of each block, in ABBA order; the first two rounds are dropped."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for i in range(rounds + 2):
        order = list(calls.items())
        for name, call in order if i % 2 == 0 else reversed(order):
            for _ in range(50):
                call()
            batches, started = [], time.perf_counter()
            while time.perf_counter() - started < block_s:
                before = time.perf_counter()
                for _ in range(100):
                    call()
                batches.append((time.perf_counter() - before) / 100)
            if i >= 2:
                times[name].append(statistics.median(batches))
    return times


def python_overhead(context: Context) -> Report:
    """session.run of the Python package against onnxruntime's own, tiny model, dict of numpy arrays in and out."""
    try:
        axle, onnxruntime = importlib.import_module("axle"), importlib.import_module("onnxruntime")
    except ImportError as error:
        raise SkipError(f"{error}: put the built packages on PYTHONPATH (./dev python does)") from None
    report = Report("python_overhead")
    path = context.scratch / "add_python.onnx"
    feeds = write_add(path)
    os.environ["AXLE_CACHE_DIR"] = str(context.cache("python"))
    ours = axle.Session.create(str(path), engine="onnxruntime", threads=1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    theirs = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    calls = {"axle": lambda: ours.run(feeds), "onnxruntime": lambda: theirs.run(None, feeds)}
    times = alternating(calls, rounds=8 if context.quick else 30, block_s=0.06)
    ratio, low, high = (math.exp(v) for v in bootstrap([math.log(b / a) for a, b in zip(times["axle"], times["onnxruntime"], strict=True)]))
    added, added_low, added_high = bootstrap([(a - b) * 1e9 for a, b in zip(times["axle"], times["onnxruntime"], strict=True)])
    report.rows.append(
        Row(
            "1 Add, 4 floats, Python",
            microseconds(statistics.median(times["axle"]) * 1e9),
            microseconds(statistics.median(times["onnxruntime"]) * 1e9),
            f"added {added:+.0f} ns [{added_low:+.0f}, {added_high:+.0f}]",
            "<= 1 us added",
            met(added <= 1000),
            f"ratio {ratio_text(ratio, [low, high])}",
        )
    )
    report.data.append({"axle_ns": [t * 1e9 for t in times["axle"]], "onnxruntime_ns": [t * 1e9 for t in times["onnxruntime"]]})
    return report


# ---- 3. whether the plan is the best choice ----------------------------------------------------------------------


def tune(context: Context, model: RealModel, cache: Path, policy: Path) -> dict[str, Any]:
    """What `axle tune` found, with a budget as a person would give it."""
    budget = "4s" if context.quick else "20s"
    arguments = [str(model.model), "--inputs", str(model.npz), "--budget", budget, "--policy", str(policy), "--json"]
    return context.call([str(context.command()), "tune", *arguments], cache=cache)


def tuned_pair(context: Context, model: RealModel, cache: Path, policy: Path) -> dict[str, Any]:
    """Tune, then pair what the policy plans with both engines used well."""
    tuned = tune(context, model, cache, policy)
    threads = sorted({1, context.cores})
    peers = [argument for engine in ENGINES for argument in peer(context, engine, threads)]
    limits = [
        "--rounds",
        "4" if context.quick else "8",
        "--block-ms",
        "100",
        "--limit-s",
        "6" if context.quick else "14",
        *core_speeds(context),
    ]
    arguments = [*map(str, (context.program("pair"), model.model, model.flat)), "--policy", str(policy), "--itself", *peers, *limits]
    document = merged_pair(each_process(context, arguments, cache))
    return {**document, "tune": {key: tuned[key] for key in ("candidates", "elapsed_ms", "noisy_machine", "notes")}}


GATES = {"f32": "", "1e-2": "[accuracy]\nmax_relative_error = 1e-2\n", "cosine 0.999": "[accuracy]\ncosine_min = 0.999\n"}


def auto_plan_row(model: RealModel, gate: str, document: dict[str, Any]) -> Row:
    """The plan against the better peer."""
    by_peer = sorted(document["peers"], key=lambda row: row["ratio"])
    better = by_peer[0]
    judged = met(better["ratio"] >= 0.99 and better["interval"][0] > 0.97, rounds_of(document))
    return Row(
        f"{model.name}, {gate}",
        f"{microseconds(document['call_ns'])} {document['candidate']}",
        ", ".join(f"{row['peer']} t{row['threads']} {microseconds(row['call_ns'])}" for row in by_peer),
        ratio_text(better["ratio"], better["interval"]),
        ">= 0.990, low > 0.97" if gate == "f32" else "",
        judged if gate == "f32" else "",
        f"{conditions(document)}; error to {better['peer']} {better['max_relative_error']:.1e}; "
        f"against itself {ratio_text(document['itself']['ratio'], document['itself']['interval'])}",
    )


def geometric_means(data: list[dict[str, Any]]) -> list[str]:
    """Over all models: each gate against the better f32 engine of each model, f32 against one engine for all of them."""

    def mean(documents: list[dict[str, Any]], engine: str = "") -> float:
        ratios = [min(peer["ratio"] for peer in document["peers"] if engine in ("", peer["peer"])) for document in documents]
        return math.exp(statistics.mean(math.log(ratio) for ratio in ratios))

    notes = []
    for gate in GATES:
        documents = [document for document in data if document["policy"] == gate]
        if not documents:
            continue
        lower = [f"{d['model']} {d['candidate'].split('/')[1]}" for d in documents if "/f32/" not in d["candidate"]]
        notes.append(f"{gate}: geometric mean over {len(documents)} models {mean(documents):.3f}x the better engine of each")
        of_f32 = [document for document in documents if "qdq" not in document["model"]]
        if len(of_f32) != len(documents):
            notes.append(f"{gate}: over the {len(of_f32)} that are f32 as they come {mean(of_f32):.3f}x")
        notes.append(f"{gate}: not f32: {', '.join(lower) or 'none'}")
        if gate == "f32":
            notes += [
                f"f32: {mean(documents, engine):.3f}x {engine} for all models, its better thread count for each" for engine in ENGINES
            ]
    return notes


def auto_plan(context: Context) -> Report:
    """The plan after tuning against both engines used well: f32, and within two bounds of error."""
    report = Report("auto_plan")
    for model in context.real_models():
        cache = context.cache(model.name)
        for gate, text in GATES.items():
            if context.only_gates and gate not in context.only_gates:
                continue
            policy = context.scratch / f"{gate.replace(' ', '_')}.toml"
            policy.write_text(text)
            document = tuned_pair(context, model, cache, policy)
            report.rows.append(auto_plan_row(model, gate, document))
            report.data.append({"model": model.name, "policy": gate, **document})
            row = report.rows[-1]
            progress(f"{row.case}: {row.ours}; {row.theirs}; {row.ratio}")
    report.notes += geometric_means(report.data)
    return report


# ---- 6. whether there is a better choice ---------------------------------------------------------------------------

REGRET_POLICIES = {**{name: GATES[name] for name in ("f32", "1e-2")}, "one thread": "[execution]\nthreads = 1\n"}


def regret(context: Context) -> Report:
    """The chosen plan against all that its policy admits, every one of them measured in turns."""
    report = Report("regret")
    limits = [
        "--rounds",
        "4" if context.quick else "10",
        "--block-ms",
        "40",
        "--limit-s",
        "20" if context.quick else "60",
        *core_speeds(context),
    ]
    measured, seconds = 0, 0.0
    for model in context.real_models():
        cache = context.cache(f"regret {model.name}")
        for name, text in REGRET_POLICIES.items():
            policy = context.scratch / f"regret_{name.replace(' ', '_')}.toml"
            policy.write_text(text)
            started = time.monotonic()
            tune(context, model, cache, policy)
            seconds += time.monotonic() - started
            arguments = [str(context.program("regret")), str(model.model), str(model.flat), "--policy", str(policy)]
            document = context.call([*arguments, *limits], cache=cache)
            measured += document["looked_at"]
            report.data.append({"model": model.name, "policy": name, **document})
            report.rows.append(
                Row(
                    f"{model.name}, {name}",
                    f"{microseconds(document['chosen_ns'])} {document['chosen']}",
                    f"{microseconds(document['best_ns'])} {document['best']}",
                    ratio_text(document["ratio"], document["interval"]),
                    ">= 0.970",
                    met(document["ratio"] >= 0.97, rounds_of(document)),
                    f"{conditions(document)}; {document['looked_at']} plans",
                )
            )
            progress(f"{report.rows[-1].case}: {report.rows[-1].ours}; {report.rows[-1].theirs}; {report.rows[-1].ratio}")
    report.notes.append(f"{measured} plans measured against {len(report.rows)} choices; tuning took {seconds:.0f} s in all")
    return report


# ---- 7. planning -------------------------------------------------------------------------------------------------


PLAN_SIZES = (10, 100, 1_000, 10_000, 50_000)


def plan_speed(context: Context) -> Report:
    """One decision, graph and verdicts in memory: 1,000 nodes, and how time and memory grow with the graph."""
    report = Report("plan_speed")
    for nodes in PLAN_SIZES:
        repetitions = 300 if nodes <= 1000 else 20
        arguments = [str(context.program("plan_speed")), str(nodes), str(max(3, repetitions // 6) if context.quick else repetitions)]
        document = context.call(arguments, cache=context.scratch)
        for case in ("all_supported", "half_refused", "mixed"):
            found = document[case]
            judged = nodes == 1000 and case != "mixed"
            report.rows.append(
                Row(
                    f"{nodes} nodes, {case.replace('_', ' ')}",
                    f"{found['p50_us'] / 1e3:.2f} ms",
                    f"{found['p50_us'] / nodes:.2f} us, {found['added_kib'] / nodes:.2f} KiB a node",
                    f"p95 {found['p95_us'] / 1e3:.2f} ms",
                    "< 10 ms" if judged else "",
                    met(found["p50_us"] < 10_000) if judged else "",
                    f"{found['decisions']} decisions, {found['partitions']} parts, {document['repetitions']} repetitions",
                )
            )
        report.data.append(document)
    for case in ("all_supported", "half_refused", "mixed"):
        small, large = (next(d for d in report.data if d["nodes"] == nodes)[case] for nodes in (1_000, 50_000))
        time, memory = large["p50_us"] / small["p50_us"] / 50, large["added_kib"] / max(1, small["added_kib"]) / 50
        report.notes.append(
            f"{case.replace('_', ' ')}: from 1,000 to 50,000 nodes {time:.2f}x the time and {memory:.2f}x the memory per node"
        )
    return report


# ---- 8. an engine in a process of its own -------------------------------------------------------------------------

ISOLATED_CASES = [
    ("apart", "spinning", "worker on another core, waiting actively", 15_000),
    ("together", "same_core", "worker on the caller's core", 15_000),
    ("apart", "blocking", "worker on another core, blocking", 60_000),
]


def worker_call(context: Context) -> Report:
    """A bound call of the null engine's Identity in axle-worker against the same call in this process."""
    report = Report("worker_call")
    plugin = context.build / "lib" / "axle" / "engines" / "libaxle_engine_null.so"
    rounds = ["6", "30"] if context.quick else ["24", "100"]
    for floats, name in ((4, "4 floats"), (262_144, "1 MiB in, 1 MiB out")):
        found = context.call([str(context.program("worker_call")), str(plugin), str(floats), *rounds], cache=context.scratch)
        for group, case, where, goal_ns in ISOLATED_CASES:
            if group not in found:
                report.notes.append(f"{name}, {where}: needs two cores")
                continue
            ours, theirs = found[group][case], found[group]["in_process"]
            report.rows.append(
                Row(
                    f"{name}, {where}",
                    microseconds(ours["call_ns"]),
                    microseconds(theirs["call_ns"]),
                    f"added {ours['added_ns'] / 1e3:.2f} us [{ours['low_ns'] / 1e3:.2f}, {ours['high_ns'] / 1e3:.2f}]",
                    f"<= {goal_ns // 1000} us" if floats == 4 else "",
                    met(ours["added_ns"] <= goal_ns, rounds_of(found[group])) if floats == 4 else "",
                    conditions(found[group]),
                )
            )
        for case in ("blocking_after_idle", "same_core_after_idle"):
            idle = found[case]
            report.notes.append(
                f"{name}, {case.replace('_', ' ')} of 2 ms: p50 {idle['p50_ns'] / 1e3:.1f} us, p95 {idle['p95_ns'] / 1e3:.1f} us"
            )
        report.data.append(found)
    return report


SUITES: dict[str, Callable[[Context], Report]] = {
    "call_overhead": call_overhead,
    "python_overhead": python_overhead,
    "auto_plan": auto_plan,
    "regret": regret,
    "cold_warm_start": cold_warm_start,
    "memory": memory,
    "plan_speed": plan_speed,
    "prediction": prediction,
    "worker_call": worker_call,
}
