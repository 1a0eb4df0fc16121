"""How far a projection has read each stream of the journal."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger.tables import CURSORS, upsert


def get(c: Connection, projection: str, stream: str) -> int:
    """Index of the next entry wanted; 0 at first."""
    chosen = (CURSORS.c.projection == projection, CURSORS.c.stream == stream)
    return c.execute(sa.select(CURSORS.c.next_index).where(*chosen)).scalar_one_or_none() or 0


def put(c: Connection, projection: str, stream: str, next_index: int) -> None:
    """Move the cursor, in the same transaction as what was projected."""
    upsert(c, CURSORS, [{"projection": projection, "stream": stream, "next_index": next_index}])


def clear(c: Connection, projection: str) -> None:
    """Set every cursor of a projection back to the start."""
    c.execute(sa.delete(CURSORS).where(CURSORS.c.projection == projection))
