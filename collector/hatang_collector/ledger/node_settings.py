"""What was set at a node of the estate, for the machines below it. What it means is not known here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger import estate_version
from hatang_collector.ledger.tables import NODE_SETTINGS, storable, upsert


@dataclass(frozen=True, slots=True)
class Setting:
    """One key at one node.

    ``scope`` is ``all``, ``unit:CODE``, ``site:CODE`` or ``machine:AGENT``; ``role`` is ``pc``,
    ``probe`` or '' for both; ``value`` is what JSON can hold.
    """

    scope: str
    role: str
    key: str
    value: Any
    changed_ms: int
    changed_by: str


def every(c: Connection) -> list[Setting]:
    """All settings, by scope, role and key."""
    found = [
        Setting(scope, role, key, json.loads(value), changed_ms, changed_by)
        for scope, role, key, value, changed_ms, changed_by in c.execute(sa.select(NODE_SETTINGS))
    ]
    return sorted(found, key=lambda one: (one.scope, one.role, one.key))


def put(c: Connection, scope: str, role: str, key: str, value: Any, *, who: str, now_ms: int) -> None:
    """Set a key at a node, in place of what was set there. The estate's number rises.

    Raises TypeError or ValueError for a value that JSON cannot hold. The caller notes the act.
    """
    row = {
        "scope": storable(scope),
        "role": storable(role),
        "key": storable(key),
        "value": json.dumps(value, allow_nan=False),
        "changed_ms": now_ms,
        "changed_by": storable(who),
    }
    upsert(c, NODE_SETTINGS, [row])
    estate_version.rise(c)


def drop(c: Connection, scope: str, role: str, key: str) -> bool:
    """Take back what was set at a node, so that it inherits again. False when nothing was set there."""
    named = (NODE_SETTINGS.c.scope == scope, NODE_SETTINGS.c.role == role, NODE_SETTINGS.c.key == key)
    gone = c.execute(sa.delete(NODE_SETTINGS).where(*named)).rowcount > 0
    if gone:
        estate_version.rise(c)
    return gone
