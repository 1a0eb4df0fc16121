"""Where each machine stands and whom it serves, and since when. The past is kept."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.domain.estate import Placement
from hatang_collector.ledger import estate_version
from hatang_collector.ledger.tables import PLACEMENTS, storable, upsert


def put(c: Connection, placement: Placement) -> None:
    """Store a placement; one of the same machine and moment is corrected. The estate's number rises."""
    row = {k: storable(v) if isinstance(v, str) else v for k, v in asdict(placement).items()}
    upsert(c, PLACEMENTS, [row])
    estate_version.rise(c)


def current(c: Connection) -> dict[str, Placement]:
    """The newest placement of each machine that was placed, by agent."""
    return _newest(c, sa.true())


def at(c: Connection, at_ms: int) -> dict[str, Placement]:
    """The placement of each machine at a moment, by agent; one that was placed later is missing."""
    return _newest(c, PLACEMENTS.c.from_ms <= at_ms)


def of(c: Connection, agent: str) -> Placement | None:
    """The newest placement of one machine, None when nobody placed it."""
    return _newest(c, PLACEMENTS.c.agent == agent).get(agent)


def history(c: Connection, agent: str) -> list[Placement]:
    """Every placement of one machine, oldest first."""
    chosen = sa.select(PLACEMENTS).where(PLACEMENTS.c.agent == agent).order_by(PLACEMENTS.c.from_ms)
    return [Placement(*row) for row in c.execute(chosen)]


def _newest(c: Connection, which: sa.ColumnElement[bool]) -> dict[str, Placement]:
    latest = (
        sa.select(PLACEMENTS.c.agent, sa.func.max(PLACEMENTS.c.from_ms).label("from_ms"))
        .where(which)
        .group_by(PLACEMENTS.c.agent)
        .subquery()
    )
    same = (PLACEMENTS.c.agent == latest.c.agent) & (PLACEMENTS.c.from_ms == latest.c.from_ms)
    rows = c.execute(sa.select(PLACEMENTS).join(latest, same).order_by(PLACEMENTS.c.agent))
    return {row.agent: Placement(*row) for row in rows}
