"""One number that rises with every change of the estate, of placements and of node settings.

Whoever keeps something made of these looks at the number and reads again when it is another one.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger.tables import ESTATE_VERSION


def number(c: Connection) -> int:
    """The number as it is now."""
    return int(c.execute(sa.select(ESTATE_VERSION.c.number)).scalar_one())


def lock(c: Connection) -> None:
    """Let nobody else change the estate until the transaction ends (SQLite has one writer anyway)."""
    c.execute(sa.select(ESTATE_VERSION.c.number).with_for_update())


def rise(c: Connection) -> int:
    """Say that something changed, in the transaction that changes it. Returns the new number."""
    risen = sa.update(ESTATE_VERSION).values(number=ESTATE_VERSION.c.number + 1)
    return int(c.execute(risen.returning(ESTATE_VERSION.c.number)).scalar_one())
