"""The profiler: ranges of the caller's own and the traces of sessions, on one time line."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import axle
from gpukit.runtime.streams import axle_session
from gpukit.session import InferenceSession

_PROCESS = 1  # as in the traces of sessions


@dataclass(frozen=True)
class RangeSummary:
    """All ranges of one name: how many, and their times in nanoseconds."""

    count: int
    total_ns: int
    shortest_ns: int
    longest_ns: int


@dataclass(frozen=True)
class _Range:
    name: str
    thread: int
    start_ns: int
    duration_ns: int | None  # None: a mark


class Profiler:
    """Ranges and marks from any thread, with the runs of sessions that were made with ``profile=True``.

    Times are of the monotonic clock, as the sessions' own. Marks of a GPU's tools (NVTX, CUPTI) are not made.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ranges: list[_Range] = []
        self._sessions: list[axle.Session] = []

    @contextmanager
    def range(self, name: str) -> Iterator[None]:
        """Time what stands under ``with profiler.range("name")``; ranges may lie in each other. A failure ends the range and goes on."""
        start = time.monotonic_ns()
        try:
            yield
        finally:
            self._add(_Range(name, threading.get_native_id(), start, time.monotonic_ns() - start))

    def mark(self, name: str) -> None:
        """Note a moment."""
        self._add(_Range(name, threading.get_native_id(), time.monotonic_ns(), None))

    def add(self, session: InferenceSession | axle.Session) -> None:
        """Have the runs of a session in the trace.

        Raises:
            FailedPreconditionError: the session was not made with ``profile=True``.

        """
        inner = axle_session(session)
        inner.profile_json()
        with self._lock:
            self._sessions.append(inner)

    def summary(self) -> dict[str, RangeSummary]:
        """Give the ranges so far, by name in the order in which the first of each ended; marks are not in it."""
        times: dict[str, list[int]] = {}
        for one in self._snapshot()[0]:
            if one.duration_ns is not None:
                times.setdefault(one.name, []).append(one.duration_ns)
        return {name: RangeSummary(len(all_), sum(all_), min(all_), max(all_)) for name, all_ in times.items()}

    def trace(self) -> dict[str, Any]:
        """Give one Perfetto / Chrome trace (times in microseconds) of ranges, marks and the sessions' runs."""
        ranges, sessions = self._snapshot()
        traces = [session.profile() for session in sessions]
        starts = [int(trace["otherData"]["start_monotonic_ns"]) for trace in traces]
        origin = min([*starts, *(one.start_ns for one in ranges)], default=0)
        events = [_event(one, origin) for one in ranges]
        for trace, start in zip(traces, starts, strict=True):
            for event in trace["traceEvents"]:
                events.append({**event, "ts": event["ts"] + (start - origin) / 1e3} if "ts" in event else event)
        facts = [trace["otherData"] for trace in traces]
        return {
            "displayTimeUnit": "ns",
            "otherData": {"start_monotonic_ns": str(origin), "sessions": facts},
            "traceEvents": events,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `trace` as JSON, for https://ui.perfetto.dev."""
        Path(path).write_text(json.dumps(self.trace()), encoding="utf-8")

    def _add(self, one: _Range) -> None:
        with self._lock:
            self._ranges.append(one)

    def _snapshot(self) -> tuple[list[_Range], list[axle.Session]]:
        with self._lock:
            return list(self._ranges), list(self._sessions)


def _event(one: _Range, origin: int) -> dict[str, Any]:
    event = {"cat": "range", "name": one.name, "pid": _PROCESS, "tid": one.thread, "ts": (one.start_ns - origin) / 1e3}
    if one.duration_ns is None:
        return {**event, "ph": "i", "s": "t"}
    return {**event, "ph": "X", "dur": one.duration_ns / 1e3}
