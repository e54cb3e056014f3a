"""One comparison over several processes: where memory comes to lie is drawn anew by each and moves a ratio by percents."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from context import Context, bootstrap

PROCESSES = 8


def each_process(context: Context, arguments: Sequence[str], cache: Path) -> list[dict[str, Any]]:
    """Documents of the program, started anew each time; every other one opens the sides in the other order."""
    count = 4 if context.quick else PROCESSES
    return [context.call([*arguments, *(["--swap"] if i % 2 else [])], cache=cache) for i in range(count)]


def over_processes(ratios: list[float]) -> tuple[float, list[float]]:
    """The median of the processes' ratios with its 95 % bootstrap interval: a process is one draw, whatever its rounds."""
    ratio, low, high = bootstrap(ratios)
    return ratio, [low, high]


def merged(documents: list[dict[str, Any]], *times: str) -> dict[str, Any]:
    """What all processes say together: rounds added up, `times` by their median. They ran the same plan."""
    candidates = {document["candidate"] for document in documents}
    if len(candidates) > 1:
        raise RuntimeError(f"the processes ran different plans: {', '.join(sorted(candidates))}")
    sums = {key: sum(document[key] for document in documents) for key in ("rounds", "disturbed_rounds")}
    medians = {key: statistics.median(document[key] for document in documents) for key in times}
    return {**documents[0], **sums, **medians, "noisy": any(document["noisy"] for document in documents), "processes": len(documents)}


def merged_pair(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Documents of axle_benchmark_pair as one. A peer's thread count counts where at least half of the processes kept it."""
    document = merged(documents, "call_ns")
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for one in documents:
        for peer in one["peers"]:
            found.setdefault((peer["peer"], peer["threads"]), []).append(peer)
    document["peers"] = []
    for (name, threads), peers in found.items():
        if 2 * len(peers) < len(documents):
            continue
        ratios = [peer["ratio"] for peer in peers]
        ratio, interval = over_processes(ratios)
        document["peers"].append(
            {
                "peer": name,
                "threads": threads,
                "call_ns": statistics.median(peer["call_ns"] for peer in peers),
                "ratio": ratio,
                "interval": interval,
                "ratios": ratios,
                "added_ns": statistics.median(peer["added_ns"] for peer in peers),
                "max_relative_error": max(peer["max_relative_error"] for peer in peers),
            }
        )
    if "itself" in documents[0]:
        ratios = [one["itself"]["ratio"] for one in documents]
        ratio, interval = over_processes(ratios)
        document["itself"] = {"ratio": ratio, "interval": interval, "ratios": ratios}
    return document
