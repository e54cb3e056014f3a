"""Mappings as TOML 1.0 text, for the strict reader in C++ to judge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from numbers import Integral, Real


def dumps(document: Mapping[str, object]) -> str:
    """Give `document` as TOML: one line per top-level key, tables inline.

    Raises:
        TypeError: a value that TOML cannot hold.

    """
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in document.items() if value is not None)


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"keys of a policy are text, not {type(key).__name__}")
    return json.dumps(key, ensure_ascii=False)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    # numpy's numbers too, whose own repr is no TOML.
    if isinstance(value, Integral):
        return repr(int(value))
    if isinstance(value, Real):
        return repr(float(value))
    if isinstance(value, str):
        # JSON's escapes of control characters and quotes are TOML's; DEL is the one that JSON leaves alone.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items() if item is not None) + " }"
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return "[" + ", ".join(_value(item) for item in items) + "]"
    raise TypeError(f"a policy cannot hold a {type(value).__name__}")
