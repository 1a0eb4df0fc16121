"""Who changed what, and when. Rows are only ever added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger.tables import AUDIT, storable

COMMAND_LINE: Final = "command line"
"""``who`` of an act done by a command on the collector's own machine."""


@dataclass(frozen=True, slots=True)
class Change:
    """One act: ``action`` such as ``user.add`` on ``subject``. Never a secret in ``detail``."""

    id: int
    at_ms: int
    who: str
    role: str
    action: str
    subject: str
    detail: str


def append(
    c: Connection, *, who: str, role: str, action: str, subject: str, now_ms: int, detail: str = ""
) -> None:
    """Note an act, in the transaction that does it."""
    row = {"at_ms": now_ms, "who": who, "role": role, "action": action, "subject": subject, "detail": detail}
    c.execute(sa.insert(AUDIT).values({k: storable(v) if isinstance(v, str) else v for k, v in row.items()}))


def latest(c: Connection, limit: int = 200) -> list[Change]:
    """The last acts, newest first."""
    return [Change(*row) for row in c.execute(sa.select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit))]
