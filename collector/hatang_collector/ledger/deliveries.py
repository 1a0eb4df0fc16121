"""What was signed for every machine, and what each of them last said about it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.domain.settings import Delivery, Told, delivery
from hatang_collector.ledger import facts
from hatang_collector.ledger.tables import CONFIG_NUMBERS, FACTS_CLOSED

KIND: Final = "config"
"""The fact by which an agent tells what became of its configuration."""
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True)
class Report:
    """One machine: the number sent, the number it took last with the time of that, its latest word."""

    state: Delivery
    sent: int | None
    in_force: int | None
    since_ms: int | None
    told: Told | None


def stored(c: Connection) -> dict[str, tuple[int, str]]:
    """(number, content as JSON) last signed for each agent."""
    rows = c.execute(sa.select(CONFIG_NUMBERS.c.agent, CONFIG_NUMBERS.c.number, CONFIG_NUMBERS.c.content))
    return {agent: (number, content) for agent, number, content in rows}


def reports(c: Connection, agents: Collection[str]) -> dict[str, Report]:
    """How far the newest configuration of each of these machines has come."""
    told = {row.agent: _told(row.fields, row.since_ms) for row in facts.every(c, KIND)}
    before = _accepted_before(c, [agent for agent, one in told.items() if not one.accepted])
    rows = c.execute(sa.select(CONFIG_NUMBERS.c.agent, CONFIG_NUMBERS.c.number))
    sent = {row.agent: int(row.number) for row in rows}
    return {
        agent: _report(sent.get(agent), told.get(agent), before.get(agent, (None, None))) for agent in agents
    }


def _told(fields: Mapping[str, Any], since_ms: int) -> Told:
    number = fields.get("number")
    return Told(
        number if isinstance(number, int) else 0,
        fields.get("state") != REFUSED,
        str(fields.get("reason") or ""),
        since_ms,
    )


def _report(sent: int | None, told: Told | None, before: tuple[int | None, int | None]) -> Report:
    if told is not None and told.accepted:
        return Report(delivery(sent, told), sent, told.number, told.since_ms, told)
    in_force, since_ms = before
    return Report(delivery(sent, told, in_force), sent, in_force, since_ms, told)


def _accepted_before(c: Connection, agents: Collection[str]) -> dict[str, tuple[int | None, int | None]]:
    """(number, since when) that these agents accepted last before they refused something."""
    found: dict[str, tuple[int | None, int | None]] = {}
    if not agents:
        return found
    chosen = (FACTS_CLOSED.c.agent, FACTS_CLOSED.c.since_ms, FACTS_CLOSED.c.fields)
    rows = sa.select(*chosen).where(FACTS_CLOSED.c.kind == KIND, FACTS_CLOSED.c.agent.in_(agents))
    for agent, since_ms, fields in c.execute(rows.order_by(FACTS_CLOSED.c.since_ms)):
        told = _told(json.loads(fields), since_ms)
        if told.accepted:
            found[agent] = (told.number, since_ms)
    return found
