"""Secrets of agents, sealed: encrypted with the installation's key before they come here."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger.tables import CREDENTIALS, upsert


def put(c: Connection, agent: str, sealed: bytes, now_ms: int) -> None:
    """Store or replace an agent's sealed secret."""
    upsert(c, CREDENTIALS, [{"agent": agent, "sealed": sealed, "created_ms": now_ms}])


def get(c: Connection, agent: str) -> bytes | None:
    """An agent's sealed secret, or None."""
    found = c.execute(
        sa.select(CREDENTIALS.c.sealed).where(CREDENTIALS.c.agent == agent)
    ).scalar_one_or_none()
    return None if found is None else bytes(found)


def every(c: Connection) -> list[tuple[str, bytes]]:
    """(agent, sealed secret) of every agent, by agent."""
    rows = c.execute(sa.select(CREDENTIALS.c.agent, CREDENTIALS.c.sealed).order_by(CREDENTIALS.c.agent))
    return [(agent, bytes(sealed)) for agent, sealed in rows]


def remove(c: Connection, agent: str) -> None:
    """Forget an agent's secret; it can no longer be let in."""
    c.execute(sa.delete(CREDENTIALS).where(CREDENTIALS.c.agent == agent))
