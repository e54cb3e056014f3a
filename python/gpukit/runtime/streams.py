"""Streams: work in order, beside the caller; events between them; runs captured once and replayed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self, TypeVar

import numpy as np

import axle
from gpukit.runtime.device import DeviceManager
from gpukit.session import InferenceSession

T = TypeVar("T")


def axle_session(session: InferenceSession | axle.Session) -> axle.Session:
    """Give the axle session behind gpukit's, or the one that it is."""
    return session.session if isinstance(session, InferenceSession) else session


class _Mark:
    """One recording of an event: reached once, and for good."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self.at_ns = 0

    def reach(self) -> None:
        self.at_ns = time.monotonic_ns()
        self._reached.set()

    def reached(self) -> bool:
        return self._reached.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._reached.wait(timeout)


class Event:
    """A point in a stream. Made and recorded by `Stream.record`.

    Recorded anew it is not reached until its stream comes to the new place, as in CUDA; who waits already waits for the place that it
    had then. Before the first recording it is not reached.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recorded = False
        self._mark = _Mark()

    def _record(self, put_in: Callable[[Callable[[], None]], object]) -> None:
        """Have `put_in` take what marks the new place; the event is as it was when that fails."""
        with self._lock:
            # Those who wait for the first recording have its mark already.
            mark = _Mark() if self._recorded else self._mark
            put_in(mark.reach)
            self._mark, self._recorded = mark, True

    def query(self) -> bool:
        """Give whether the stream has come to it."""
        return self._mark.reached()

    def synchronize(self, timeout: float | None = None) -> None:
        """Wait until the stream has come to it.

        Args:
            timeout: seconds; None = no limit.

        Raises:
            DeadlineExceededError: the time was up.

        """
        if not self._mark.wait(timeout):
            raise axle.DeadlineExceededError(f"the event was not reached in {timeout} s", hint="wait longer, or look at the stream's work")

    def elapsed_time(self, end: Event) -> float:
        """Give the milliseconds from this event to `end`.

        Raises:
            FailedPreconditionError: one of them has not been reached.

        """
        first, last = self._mark, end._mark
        if not (first.reached() and last.reached()):
            raise axle.FailedPreconditionError("the time between events is known once both were reached", hint="synchronize() them first")
        return (last.at_ns - first.at_ns) / 1e6


class Stream:
    """Work of one device in order: what is put in runs one after the other, beside the caller. Made by `StreamManager.stream`.

    On a CPU it is a thread; a run uses the cores that the session's plan gives it.
    """

    def __init__(self, device: axle.Resource, on_close: Callable[[Stream], object] | None = None):
        self.device = device
        self._on_close = on_close
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._last: Future[Any] | None = None
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"gpukit-{device.id}")

    def run(self, session: InferenceSession | axle.Session, feeds: Mapping[str, Any]) -> Future[dict[str, np.ndarray]]:
        """Run a session on `feeds` when its turn comes; arguments, result and errors as `InferenceSession.run`.

        The arrays must not be written until the run has ended.

        Raises:
            InvalidArgumentError: the session's plan uses another device than the stream's.

        """
        inner = axle_session(session)
        places = sorted({part.candidate.resource for part in inner.plan.partitions})
        if any(place.split("/")[0] != self.device.id for place in places):
            raise axle.InvalidArgumentError(
                f"the session runs on {', '.join(places)}, the stream is of {self.device.id}", hint="make a stream of the session's device"
            )
        return self.submit(inner.run, dict(feeds))

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Call ``work(*arguments)`` when its turn comes.

        Raises:
            FailedPreconditionError: the stream is closed.

        """
        with self._lock:
            if self._closed:
                raise axle.FailedPreconditionError(f"the stream of {self.device.id} is closed", hint="make another one")
            self._last = future = self._thread.submit(work, *arguments)
        future.add_done_callback(self._note)
        return future

    def record(self, event: Event | None = None) -> Event:
        """Give an event that is reached when all that was put in before has ended; one that is given is not reached until then."""
        event = event or Event()
        event._record(self.submit)
        return event

    def wait_event(self, event: Event) -> None:
        """Hold what is put in from now on until `event`, of any stream, is reached as it is recorded now. Returns at once."""
        self.submit(event._mark.wait)

    def query(self) -> bool:
        """Give whether all that was put in has ended."""
        return self._last is None or self._last.done()

    def synchronize(self) -> None:
        """Wait until all that was put in has ended.

        Raises:
            Exception: the first failure since the last call; what came after the failed work has still run.

        """
        if not self._closed:
            self.record().synchronize()
        with self._lock:
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Wait until all has ended and end the thread; nothing can be put in any more. Failures stay in their futures."""
        with self._lock:
            self._closed = True
        self._thread.shutdown(wait=True)
        if self._on_close is not None:
            self._on_close(self)

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._closed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note(self, future: Future[Any]) -> None:
        failure = None if future.cancelled() else future.exception()
        if failure is not None:
            with self._lock:
                self._failure = self._failure or failure


class CapturedGraph:
    """A run captured once and replayed: addresses and shapes are fixed, nothing is looked up. One thread at a time.

    On a CPU this is an axle `Binding`; the results are those of `InferenceSession.run`. Made by `StreamManager.capture`.

    Attributes:
        inputs: the arrays that each replay reads; write into them for another run.

    """

    def __init__(self, session: InferenceSession | axle.Session, feeds: Mapping[str, Any]):
        inner = axle_session(session)
        self.inputs: dict[str, np.ndarray] = {name: np.array(value, order="C") for name, value in feeds.items()}
        self._binding = inner.make_binding()
        self._outputs = [spec.name for spec in inner.outputs]
        for name, array in self.inputs.items():
            self._binding.bind_input(name, array)
        self._binding.run()

    def replay(self) -> dict[str, np.ndarray]:
        """Run again on what `inputs` hold now, and give fresh outputs by name."""
        self._binding.run()
        return {name: np.asarray(self._binding.output(name)) for name in self._outputs}


class StreamManager:
    """Makes streams, events and captured runs for the devices here.

    Args:
        runtime: None = the process's own.

    """

    def __init__(self, runtime: axle.Runtime | None = None):
        self._devices = DeviceManager(runtime)
        self._lock = threading.Lock()
        self._streams: list[Stream] = []

    @property
    def streams(self) -> list[Stream]:
        """The streams that were made here and are not closed."""
        with self._lock:
            return [stream for stream in self._streams if not stream.closed]

    def stream(self, device: str = "cpu") -> Stream:
        """Give a new stream of a device.

        Raises:
            FailedPreconditionError: no such device here.
            UnimplementedError: a device other than a CPU: its engine's own streams are not reached from Python yet.

        """
        found = self._devices.find(device)
        if found.kind != "cpu":
            raise axle.UnimplementedError(f"there are no streams of {found.id} in this version", hint="sessions on it run without")
        made = Stream(found, self._forget)
        with self._lock:
            self._streams.append(made)
        return made

    def _forget(self, closed: Stream) -> None:
        with self._lock:
            self._streams = [stream for stream in self._streams if stream is not closed]

    def synchronize(self) -> None:
        """Wait until all streams have ended their work. Errors as `Stream.synchronize`."""
        for stream in self.streams:
            stream.synchronize()

    def capture(self, session: InferenceSession | axle.Session, feeds: Mapping[str, Any]) -> CapturedGraph:
        """Run once on a copy of `feeds` and keep all of it for replays.

        Args:
            session: what to run.
            feeds: ``{input name: array}`` with the dtypes and shapes of every replay.

        Raises:
            InvalidArgumentError: a missing input, wrong dtype, rank or size.

        """
        return CapturedGraph(session, feeds)
