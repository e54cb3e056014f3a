"""How well unmeasured candidates are predicted: estimates against what was measured, over all real models."""

from __future__ import annotations

import shutil
import statistics
import subprocess
from pathlib import Path
from typing import Any

from context import Context, RealModel, Report, Row, microseconds, progress

Times = dict[str, float]


def factor(estimate: float, measured: float) -> float:
    """How far off, in either direction: 2 is twice or half the measured time."""
    return max(estimate / measured, measured / estimate)


def planned(context: Context, model: RealModel, cache: Path, policy: Path) -> dict[str, Any]:
    """What `axle plan` decides, and says of every candidate."""
    arguments = [str(context.command()), "plan", str(model.model), "--inputs", str(model.npz), "--policy", str(policy), "--json"]
    return context.call(arguments, cache=cache)


def estimates(rows: list[dict[str, Any]]) -> Times:
    """Microseconds by candidate; mixed plans and what runs in a process of its own are left out."""
    return {
        row["candidate"]: row["estimate_us"]
        for row in rows
        if row.get("estimate_us", 0) > 0 and "," not in row["candidate"] and not row["candidate"].endswith("+process")
    }


def measurements(rows: list[dict[str, Any]]) -> Times:
    """Microseconds by candidate, where it was measured."""
    return {row["candidate"]: row["evidence"]["p50_us"] for row in rows if (row.get("evidence") or {}).get("p50_us", 0) > 0}


def without(context: Context, model: RealModel, cache: Path) -> Path:
    """A copy of the cache that has no evidence of the model."""
    copy = context.cache(f"without-{model.name}")
    shutil.copytree(cache, copy, dirs_exist_ok=True)
    command = [str(context.command()), "evidence", "rm", "--model", str(model.model)]
    subprocess.run(command, env=context.environment(copy), check=True, capture_output=True, timeout=60)
    return copy


def price(plan: dict[str, Any], measured: Times) -> str:
    """What it costs to go by the estimates: the measured time of the plan that they give against the best that was measured."""
    chosen = ", ".join(part["candidate"] for part in plan["partitions"])
    best = min(measured.values())
    if chosen not in measured:
        return f"chosen by estimate: {chosen}, which was not measured"
    return f"chosen by estimate: {measured[chosen] / best:.2f}x the best measured ({microseconds(best * 1e3)})"


def prediction(context: Context) -> Report:
    """Estimates of every measured candidate: with efficiencies learned from the other models, and from data sheets alone."""
    report = Report("prediction")
    cache = context.cache("prediction")
    use, ignore = context.scratch / "use.toml", context.scratch / "ignore.toml"
    use.write_text('[tuning]\nevidence = "use"\n')
    ignore.write_text('[tuning]\nevidence = "ignore"\n')
    models = context.real_models()
    for model in models:
        budget = ["--budget", "2s" if context.quick else "4s"]
        command = [str(context.command()), "tune", str(model.model), "--inputs", str(model.npz), "--policy", str(use), "--json", *budget]
        context.call(command, cache=cache)
        progress(f"prediction: measured {model.name}")
    all_learned: list[float] = []
    all_plain: list[float] = []
    for model in models:
        measured = measurements(planned(context, model, cache, use)["decisions"])
        plain = estimates(planned(context, model, cache, ignore)["decisions"])
        by_estimate = planned(context, model, without(context, model, cache), use)
        learned = estimates(by_estimate["decisions"])
        common = sorted(set(measured) & set(plain) & set(learned))
        if not common:
            report.notes.append(f"{model.name}: nothing that was measured has an estimate")
            continue
        off_learned = [factor(learned[name], measured[name]) for name in common]
        off_plain = [factor(plain[name], measured[name]) for name in common]
        all_learned += off_learned
        all_plain += off_plain
        report.rows.append(
            Row(
                f"{model.name}, {len(common)} candidates",
                f"{statistics.median(off_learned):.2f}x, worst {max(off_learned):.2f}x",
                f"{statistics.median(off_plain):.2f}x, worst {max(off_plain):.2f}x",
                "",
                "",
                "",
                price(by_estimate["plan"], measured),
            )
        )
        report.data.append({"model": model.name, "measured_us": measured, "plain_us": plain, "learned_us": learned})
        progress(f"{report.rows[-1].case}: learned {report.rows[-1].ours}; data sheets {report.rows[-1].theirs}")
    if all_learned:
        report.notes.append(
            f"{len(all_learned)} candidates of {len(report.rows)} models, off by: learned from the other models median "
            f"{statistics.median(all_learned):.2f}x, worst {max(all_learned):.2f}x; data sheets alone median "
            f"{statistics.median(all_plain):.2f}x, worst {max(all_plain):.2f}x"
        )
    return report
