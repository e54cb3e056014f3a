"""Policies from whatever a caller has: TOML text, a file, a mapping, keywords."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TypedDict

from axle import _toml
from axle._core import Policy

PolicyLike = Policy | str | os.PathLike[str] | Mapping[str, object] | None
Words = str | Iterable[str] | None


class Choice(TypedDict, total=False):
    """The choices of `make_policy` as keywords of every call that plans: what `plan`, `tune` and `Session.create` hand on to it."""

    device: Words
    engine: Words
    precision: Words
    threads: int | None
    objective: str | None
    allow_fallback: Words
    kernel: Mapping[str, str] | None
    tuning_budget: str | float | None


def make_policy(
    policy: PolicyLike = None,
    *,
    device: Words = None,
    engine: Words = None,
    precision: Words = None,
    threads: int | None = None,
    objective: str | None = None,
    allow_fallback: Words = None,
    kernel: Mapping[str, str] | None = None,
    tuning_budget: str | float | None = None,
) -> Policy:
    """Make a policy and lay choices over it, as the command line's flags do. The argument is never changed.

    Args:
        policy: a `Policy`; TOML text (a str with a line break or ``=`` in it); a path of a TOML file; or a mapping with the shape of
            the TOML document, ``{"execution": {"precision": ["int8", "f16"]}}`` (docs/formats/policy.md).
        device: selectors of where it may run: ``"npu"``, ``"gpu@nvidia"``, ``["cpu:0/0", "cpu:0/1"]``.
        engine: this engine and no other.
        precision: one is forced, several are gated on accuracy in this order.
        threads: compute threads; 0 = the planner's choice.
        objective: ``"latency"``, ``"throughput"``, ``"energy"``, ``"cost"``, ``"memory"`` or ``"hybrid"``.
        allow_fallback: selectors of resources that may stand in; what is not named may not.
        kernel: ``{op: kernel}``, forced.
        tuning_budget: how long may be measured: ``"10s"``, or seconds.

    Raises:
        InvalidArgumentError: what cannot be understood, with the place and the nearest known word.
        NotFoundError: no such file.

    """
    made = _base_policy(policy)
    for flag, words in (("device", device), ("engine", engine), ("precision", precision), ("allow-fallback", allow_fallback)):
        if words is not None:
            made.apply_flag(flag, words if isinstance(words, str) else ",".join(words))
    if threads is not None:
        made.apply_flag("threads", str(int(threads)))
    if objective is not None:
        made.apply_flag("objective", objective)
    for op, name in (kernel or {}).items():
        made.apply_flag("kernel", f"{op}={name}")
    if tuning_budget is not None:
        made.apply_flag("tuning-budget", tuning_budget if isinstance(tuning_budget, str) else f"{round(tuning_budget * 1e9)}ns")
    return made


def split_words(given: Words) -> list[str]:
    """Give words as a list: those of a text between its commas, where an empty one is none; None is none."""
    if given is None:
        return []
    return [word.strip() for word in given.split(",") if word.strip()] if isinstance(given, str) else list(given)


def _base_policy(policy: PolicyLike) -> Policy:
    if policy is None:
        return Policy()
    if isinstance(policy, Policy):
        return policy.__copy__()
    if isinstance(policy, Mapping):
        return Policy.parse(_toml.dumps(policy), "policy mapping")
    text = os.fspath(policy)
    if isinstance(policy, str) and ("\n" in text or "=" in text):
        return Policy.parse(text)
    return Policy.load(text)
