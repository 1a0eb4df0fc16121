"""Facts: the described things of each machine as they are now, and as they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_agent.wire.report import Scalar
from hatang_collector.ledger.tables import FACTS, FACTS_CLOSED, INVENTORIES


@dataclass(frozen=True, slots=True)
class FactRow:
    """A fact in force. ``since_ms``: first run that told it so; ``seen_ms``: latest run that confirms it.

    ``run_id`` is the run that carried it in full; ``certain`` whether ``seen_ms`` is.
    """

    agent: str
    kind: str
    key: str
    fields: Mapping[str, Scalar]
    seen_ms: int
    since_ms: int
    run_id: str
    certain: bool
    probe: str = ""


@dataclass(frozen=True, slots=True)
class ClosedFact:
    """A fact that was in force from ``since_ms`` until ``closed_ms``, when it changed or went."""

    agent: str
    probe: str
    kind: str
    key: str
    since_ms: int
    closed_ms: int
    fields: Mapping[str, Scalar]


def of(c: Connection, agent: str) -> list[FactRow]:
    """Every fact of an agent, by kind and key."""
    return _rows(c, FACTS.c.agent == agent)


def every(c: Connection, kind: str) -> list[FactRow]:
    """Every fact of a kind, of all agents, by agent and key."""
    return _rows(c, FACTS.c.kind == kind)


def closed(c: Connection, agent: str) -> list[ClosedFact]:
    """What an agent's facts were before, oldest first."""
    order = (FACTS_CLOSED.c.since_ms, FACTS_CLOSED.c.kind, FACTS_CLOSED.c.key)
    rows = c.execute(sa.select(FACTS_CLOSED).where(FACTS_CLOSED.c.agent == agent).order_by(*order))
    return [
        ClosedFact(
            row.agent, row.probe, row.kind, row.key, row.since_ms, row.closed_ms, json.loads(row.fields)
        )
        for row in rows
    ]


def retain(c: Connection, before_ms: int) -> int:
    """Drop facts that ended before; those in force stay. Returns how many rows went."""
    return int(c.execute(sa.delete(FACTS_CLOSED).where(FACTS_CLOSED.c.closed_ms < before_ms)).rowcount)


def _rows(c: Connection, chosen: sa.ColumnElement[bool]) -> list[FactRow]:
    held = sa.and_(INVENTORIES.c.agent == FACTS.c.agent, INVENTORIES.c.probe == FACTS.c.probe)
    told = (INVENTORIES.c.seen_ms, INVENTORIES.c.run_id, INVENTORIES.c.certain)
    order = (FACTS.c.agent, FACTS.c.kind, FACTS.c.key, FACTS.c.probe)
    rows = c.execute(sa.select(FACTS, *told).join(INVENTORIES, held).where(chosen).order_by(*order))
    return [
        FactRow(
            agent=row.agent,
            kind=row.kind,
            key=row.key,
            fields=json.loads(row.fields),
            seen_ms=row.seen_ms,
            since_ms=row.since_ms,
            run_id=row.run_id,
            certain=row.certain,
            probe=row.probe,
        )
        for row in rows
    ]
