"""Wrong passwords, by name: after three free attempts each costs twice the wait of the one before."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger.tables import LOGIN_FAILURES, insert, storable

FREE: Final = 3
FIRST_WAIT_MS: Final = 1_000
LONGEST_WAIT_MS: Final = 15 * 60_000
FORGET_MS: Final = 24 * 3_600_000
_MAX_NAME: Final = 64


class Attempt(StrEnum):
    """Whether a password may be tried now."""

    ALLOWED = "allowed"
    REFUSED = "refused"


def wait_ms(failures: int) -> int:
    """How long to wait after that many failures in a row."""
    if failures <= FREE:
        return 0
    return min(FIRST_WAIT_MS << min(failures - FREE - 1, 20), LONGEST_WAIT_MS)


def attempt(c: Connection, name: str, now_ms: int) -> Attempt:
    """Count an attempt as failed until :func:`forget` says otherwise, or refuse it as too early."""
    named = storable(name[:_MAX_NAME])
    c.execute(sa.delete(LOGIN_FAILURES).where(LOGIN_FAILURES.c.next_ms < now_ms - FORGET_MS))
    first = insert(c, LOGIN_FAILURES).values(name=named, failures=0, next_ms=now_ms)
    c.execute(first.on_conflict_do_nothing(index_elements=["name"]))
    row = c.execute(sa.select(LOGIN_FAILURES).where(LOGIN_FAILURES.c.name == named).with_for_update()).one()
    if now_ms < row.next_ms:
        return Attempt.REFUSED
    failures = row.failures + 1
    changed = {"failures": failures, "next_ms": now_ms + wait_ms(failures)}
    c.execute(sa.update(LOGIN_FAILURES).where(LOGIN_FAILURES.c.name == named).values(changed))
    return Attempt.ALLOWED


def forget(c: Connection, name: str) -> None:
    """The password was right, or is a new one: start over."""
    c.execute(sa.delete(LOGIN_FAILURES).where(LOGIN_FAILURES.c.name == storable(name[:_MAX_NAME])))
