"""Machines: who was enrolled, under which label, with which hardware fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger.tables import FINGERPRINTS, MACHINES, storable


@dataclass(frozen=True, slots=True)
class Machine:
    """An enrolled computer. ``role`` is ``pc`` or ``probe``; a retired one keeps its history.

    Where it stands and whom it serves is told by its placements (:mod:`.placements`).
    """

    agent: str
    label: str
    asset_code: str
    role: str
    enrolled_ms: int
    retired_ms: int | None = None


def add(c: Connection, machine: Machine) -> None:
    """Store a new machine. Raises sqlalchemy's IntegrityError when its agent is known."""
    row = asdict(machine)
    c.execute(
        sa.insert(MACHINES).values({k: storable(v) if isinstance(v, str) else v for k, v in row.items()})
    )


def get(c: Connection, agent: str) -> Machine | None:
    """The machine of an agent, or None."""
    row = c.execute(sa.select(MACHINES).where(MACHINES.c.agent == agent)).one_or_none()
    return None if row is None else Machine(*row)


def every(c: Connection) -> list[Machine]:
    """All machines, retired ones too, by label."""
    rows = c.execute(sa.select(MACHINES).order_by(MACHINES.c.label, MACHINES.c.agent))
    return [Machine(*row) for row in rows]


def change(
    c: Connection,
    agent: str,
    *,
    label: str | None = None,
    asset_code: str | None = None,
) -> Machine | None:
    """Change what is given and leave the rest. Returns the machine as it is now, None when unknown."""
    given = {"label": label, "asset_code": asset_code}
    changed = {name: storable(value) for name, value in given.items() if value is not None}
    if changed:
        c.execute(sa.update(MACHINES).where(MACHINES.c.agent == agent).values(changed))
    return get(c, agent)


def retire(c: Connection, agent: str, now_ms: int) -> None:
    """Mark a machine as gone; doing it again keeps the first time."""
    c.execute(
        sa.update(MACHINES)
        .where(MACHINES.c.agent == agent, MACHINES.c.retired_ms.is_(None))
        .values(retired_ms=now_ms)
    )


def put_fingerprint(c: Connection, agent: str, values: Mapping[str, str], now_ms: int) -> None:
    """Replace the hardware values known of a machine."""
    c.execute(sa.delete(FINGERPRINTS).where(FINGERPRINTS.c.agent == agent))
    rows = [
        {"agent": agent, "name": storable(name), "value": storable(value), "seen_ms": now_ms}
        for name, value in values.items()
    ]
    if rows:
        c.execute(sa.insert(FINGERPRINTS), rows)


def fingerprints(c: Connection) -> dict[str, dict[str, str]]:
    """Hardware values by name, by agent."""
    found: dict[str, dict[str, str]] = {}
    for agent, name, value, _ in c.execute(sa.select(FINGERPRINTS)):
        found.setdefault(agent, {})[name] = value
    return found
