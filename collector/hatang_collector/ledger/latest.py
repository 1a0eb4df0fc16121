"""The latest facts of some kinds of some machines, read with few statements, and who reported since."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_agent.wire.report import Scalar
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.tables import (
    AGENT_STATES,
    FACTS,
    FACTS_CLOSED,
    INVENTORIES,
    MACHINES,
    PROBE_STATES,
    ROWS_PER_STATEMENT,
)


@dataclass(frozen=True, slots=True)
class Told:
    """A fact of an agent. ``seen_ms``: the latest run that confirms it."""

    agent: str
    kind: str
    fields: Mapping[str, Scalar]
    seen_ms: int


def reports(c: Connection) -> dict[str, int]:
    """How many reports of each agent were taken in. While it stays the same, so do the agent's facts."""
    rows = c.execute(sa.select(AGENT_STATES.c.agent, AGENT_STATES.c.reports))
    return {agent: count for agent, count in rows}  # noqa: C416 - dict() of rows is slower


def facts(
    c: Connection, probes: Sequence[str], kinds: Sequence[str], agents: Iterable[str]
) -> Iterator[Told]:
    """The facts of these kinds in force, told by these probes of some agents."""
    held = sa.and_(INVENTORIES.c.agent == FACTS.c.agent, INVENTORIES.c.probe == FACTS.c.probe)
    columns = (FACTS.c.agent, FACTS.c.kind, FACTS.c.fields, INVENTORIES.c.seen_ms)
    # With the probes the primary key is used; the index of kinds would read every agent's rows.
    told = (FACTS.c.probe.in_(probes), FACTS.c.kind.in_(kinds))
    chosen = sa.select(*columns).join(INVENTORIES, held).where(*told)
    for agent, kind, fields, seen_ms in _rows(c, chosen, FACTS.c.agent, agents):
        yield Told(agent, kind, json.loads(fields), seen_ms)


def facts_at(
    c: Connection, probes: Sequence[str], kinds: Sequence[str], at_ms: int, agents: Iterable[str]
) -> Iterator[Told]:
    """The same as they were at a moment; ``seen_ms`` is when each was first told so."""
    wanted = sorted(set(agents))
    for table in (FACTS, FACTS_CLOSED):
        columns = (table.c.agent, table.c.kind, table.c.fields, table.c.since_ms)
        told = (table.c.probe.in_(probes), table.c.kind.in_(kinds))
        chosen = sa.select(*columns).where(*told, table.c.since_ms <= at_ms)
        if table is FACTS_CLOSED:
            chosen = chosen.where(FACTS_CLOSED.c.closed_ms > at_ms)
        for agent, kind, fields, since_ms in _rows(c, chosen, table.c.agent, wanted):
            yield Told(agent, kind, json.loads(fields), since_ms)


def ended(c: Connection, probes: Sequence[str], agents: Iterable[str]) -> Iterator[tuple[str, str, str, int]]:
    """How the latest run of each of these probes ended: agent, probe, status, UTC milliseconds."""
    columns = (PROBE_STATES.c.agent, PROBE_STATES.c.probe, PROBE_STATES.c.status, PROBE_STATES.c.at_ms)
    chosen = sa.select(*columns).where(PROBE_STATES.c.probe.in_(probes))
    yield from _rows(c, chosen, PROBE_STATES.c.agent, agents)


def machines(c: Connection, agents: Iterable[str]) -> dict[str, Machine]:
    """Some machines by agent."""
    return {row.agent: Machine(*row) for row in _rows(c, sa.select(MACHINES), MACHINES.c.agent, agents)}


def _rows(
    c: Connection, chosen: sa.Select[Any], owner: sa.Column[Any], agents: Iterable[str]
) -> Iterator[Any]:
    wanted = sorted(set(agents))
    for at in range(0, len(wanted), ROWS_PER_STATEMENT):
        yield from c.execute(chosen.where(owner.in_(wanted[at : at + ROWS_PER_STATEMENT])))
