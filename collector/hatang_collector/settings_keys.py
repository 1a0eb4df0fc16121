"""The keys that a signed configuration may carry, as the agent's code generated them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from hatang_collector.domain.settings import Key, Kind

FILE: Final = Path(__file__).with_name("settings_keys.json")


@cache
def keys() -> Mapping[str, Key]:
    """Every key by name, in the order of the agent's sample file; read once."""
    return {one["key"]: _key(one) for one in _generated()["keys"]}


def registers() -> Mapping[str, str]:
    """The keys that nobody sets, because the register of targets fills them in, by the probe's name."""
    found: Mapping[str, str] = _generated()["registers"]
    return found


@cache
def _generated() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def _key(told: Mapping[str, Any]) -> Key:
    return Key(
        name=told["key"],
        kind=Kind(told["kind"]),
        help=told["help"],
        defaults=told["defaults"],
        roles=tuple(told["roles"]),
        minimum=told.get("minimum"),
        maximum=told.get("maximum"),
        choices=tuple(told.get("choices", ())),
        items=Kind(told.get("items", Kind.TEXT)),
        follows=told.get("follows", ""),
    )
