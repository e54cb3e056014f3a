"""`Session`: a loaded plan, ready to run."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, Unpack

import numpy as np

from axle import _core
from axle._core import CancelToken, KernelTime, Lock, Model, Plan, QosViolation, Runtime
from axle.errors import InvalidArgumentError
from axle.policy import Choice, PolicyLike, Words, make_policy, split_words

ModelLike = Model | str | os.PathLike[str] | bytes
Progress = Callable[[str, float], object]

_VIOLATION_WAIT_NS = 100_000_000

_pool_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def open_model(model: ModelLike, runtime: Runtime, verify: bool = False) -> Model:
    """Give the model itself, or read it from a path or from the bytes of an ONNX file."""
    if isinstance(model, Model):
        return model
    if isinstance(model, bytes | bytearray | memoryview):
        return Model.from_bytes(bytes(model))
    return runtime.open_model(os.fspath(model), verify)


def _executor() -> ThreadPoolExecutor:
    """Threads for run_async. They hold no GIL while a model runs; done-callbacks run on them, never on an engine's."""
    global _pool  # noqa: PLW0603
    with _pool_lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max_workers=2 * (os.cpu_count() or 1), thread_name_prefix="axle-run")
        return _pool


def _forget_executor() -> None:
    """After fork: the parent's threads are not there."""
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_executor)


class Session(_core.SessionCore):
    """A loaded plan: immutable, and `run` may be called from many threads at once.

    Made by `create` (plans under a policy) or `load` (exactly this plan or lock). `inputs` and `outputs` declare the tensors, `plan`
    says what runs where and why not otherwise, `substitutions` lists every allowed fallback that was taken. A session made before
    ``os.fork()`` refuses to run in the child (FailedPreconditionError).
    """

    __slots__ = ()

    @classmethod
    def create(
        cls,
        model: ModelLike,
        policy: PolicyLike = None,
        samples: Mapping[str, Any] | None = None,
        *,
        runtime: Runtime | None = None,
        verify: bool = False,
        profile: bool = False,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
        **choice: Unpack[Choice],
    ) -> Self:
        """Plan under a policy, compile or fetch from the cache, and load. Blocks with the GIL released; Ctrl-C stops it.

        Args:
            model: path of a model file or folder, a `Model`, or the bytes of an ONNX file.
            policy: see `make_policy`.
            samples: ``{input name: array}``, the shapes to plan for and what measuring feeds; kept for `lock`.
            runtime: None = the process's own.
            verify: hash files instead of trusting their stamps.
            profile: record a trace of every run, for `profile`.
            progress: called as ``progress(what, fraction)`` on this thread; the fraction is negative when unknown.
            cancel: a token that stops planning, compiling and loading.
            **choice: what lies over the policy, as in `make_policy`: `device`, `engine`, `precision`, `threads`, `objective`,
                `allow_fallback`, `kernel`, `tuning_budget`.

        Raises:
            FailedPreconditionError: the policy cannot be satisfied here; nothing was substituted.
            InvalidArgumentError: a bad model, policy or sample.
            NotFoundError: no such model.
            UnavailableError: an engine is missing; the hint is the command that installs it.
            axle.Error: any other failure, see axle.errors.

        """
        made = make_policy(policy, **choice)
        runtime = runtime or Runtime.default()
        # The engine of last time opens while the model is read and planned for; what runs, the plan decides.
        ahead = _core.open_engine_ahead(runtime, os.fspath(model), made) if isinstance(model, str | os.PathLike) else None
        opened = open_model(model, runtime, verify)
        made_of = cls(opened, made, samples, runtime, verify=verify, profile=profile, progress=progress, cancel=cancel)
        del ahead
        return made_of

    @classmethod
    def load(
        cls,
        model: ModelLike,
        plan: Plan | Lock | str | os.PathLike[str],
        *,
        runtime: Runtime | None = None,
        verify: bool = False,
        profile: bool = False,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
        waive: Words = None,
    ) -> Self:
        """Load exactly this plan, or the plan of a lock (a path is a lock file) where it holds; nothing is planned.

        Args:
            model: path of a model file or folder, a `Model`, or the bytes of an ONNX file.
            plan: a plan, a lock, or the path of one.
            runtime: None = the process's own.
            verify: hash files instead of trusting their stamps.
            profile: record a trace of every run, for `profile`.
            progress: called as ``progress(what, fraction)`` on this thread.
            cancel: a token that stops compiling and loading.
            waive: fields of a lock (`drift_fields`) whose drift is tolerated beside the lock's own ``[lock] waive``; what is
                tolerated is in `substitutions`.

        Raises:
            AbortedError: the plan is for another model, or the lock does not hold here: each field with both values.
            axle.Error: as `create`.

        """
        runtime = runtime or Runtime.default()
        opened = open_model(model, runtime, verify)
        fields = split_words(waive)
        if isinstance(plan, str | os.PathLike):
            plan = _core.load_lock(os.fspath(plan))
        if isinstance(plan, Plan):
            if fields:
                raise InvalidArgumentError("a plan has no fields to waive", hint="load the lock it is in")
            return cls(opened, _core.Policy(), None, runtime, plan, None, verify, profile, progress, cancel)
        # Without a policy of the caller's the lock's own holds.
        return cls(opened, _core.Policy(), None, runtime, None, plan, verify, profile, progress, cancel, fields)

    def run_async(self, feeds: Mapping[str, Any], cancel: CancelToken | None = None, timeout_ns: int = 0) -> Future[dict[str, np.ndarray]]:
        """Run on another thread; arguments and errors as `run`.

        The arrays are kept until the run has ended and must not be written meanwhile. ``future.cancel()`` takes back a run that
        has not started; `cancel` stops one that has.
        """
        return _executor().submit(self.run, dict(feeds), cancel, timeout_ns)

    def violations(self, timeout: float | None = None) -> Iterator[QosViolation]:
        """Give each violation of the policy's latency and throughput bounds as it happens, on the thread that iterates.

        Ends after `timeout` seconds without one; None = never. Nothing comes where the policy bounds neither.
        """
        seen: list[int] = []
        while True:
            until = None if timeout is None else time.monotonic() + timeout
            while not (found := self.wait_violations(seen, _VIOLATION_WAIT_NS))[0]:
                if until is not None and time.monotonic() >= until:
                    return
            seen = found[1]
            yield from found[0]

    def explain(self, verbose: bool = False, width: int = 100) -> str:
        """Say in words what runs where, why, and what was turned down; `verbose`: every candidate and node reason."""
        return _core.explain_session_text(self, verbose, width)

    def to_dict(self) -> dict[str, Any]:
        """Give the document of ``axle run --json`` for this session: model, policy, machine, plan, decisions, timing."""
        document: dict[str, Any] = json.loads(_core.explain_session_json(self))
        return document

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """Give the plan and its reasons as one page of HTML, and write it to `path` when one is given.

        A session made with ``profile=True`` adds the time line of its last run, one loaded from a lock the graph, roofline and
        memory; `PlannedModel.to_html` has those of any plan.
        """
        text = _core.explain_session_html(self)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def kernel_times(self) -> list[KernelTime]:
        """Give the time of the last recorded run by node or kernel, the longest first; empty where engines told of none.

        Raises:
            FailedPreconditionError: the session was not made with ``profile=True``.

        """
        return _core.kernel_times(self)

    def profile(self, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
        """Give the Perfetto / Chrome trace of the runs so far, and write it to `path` when one is given.

        Raises:
            FailedPreconditionError: the session was not made with ``profile=True``.

        """
        text = self.profile_json()
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        document: dict[str, Any] = json.loads(text)
        return document

    def lock(self, path: str | os.PathLike[str] | None = None) -> Lock:
        """Give the plan with everything it was decided on, and write it to `path` when one is given.

        Raises:
            AbortedError: what is known now leads to another plan than the one this session runs.

        """
        made = self.to_lock()
        if path is not None:
            made.save(os.fspath(path))
        return made
