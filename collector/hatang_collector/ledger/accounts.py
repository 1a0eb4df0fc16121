"""The users as an administrator sees them: with what right, since when, and when last here."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger.roles import Role, User
from hatang_collector.ledger.tables import USERS


@dataclass(frozen=True, slots=True)
class Account:
    """A user. ``used_ms``: the last request of a session, to the minute; None for never."""

    user: User
    created_ms: int
    used_ms: int | None


def every(c: Connection) -> list[Account]:
    """All users by name."""
    rows = c.execute(sa.select(USERS).order_by(USERS.c.name))
    return [
        Account(User(row.name, Role(row.role), row.must_change), row.created_ms, row.used_ms) for row in rows
    ]
