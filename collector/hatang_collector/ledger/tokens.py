"""Enrolment tokens: the right to become a machine, for a role, a number of times, until a day."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger import secrets
from hatang_collector.ledger.tables import TOKENS, storable


class TokenRefusal(StrEnum):
    """Why a token gives no right."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED_UP = "used_up"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class EnrolToken:
    """A token as it is stored: ``id`` is the public part of its text, the secret is not kept.

    ``unit``, ``site`` and ``staff_group`` are where a machine is placed that enrols with it, '' when
    nobody said.
    """

    id: str
    role: str
    uses: int
    used: int
    expires_ms: int
    created_ms: int
    revoked_ms: int | None
    note: str
    unit: str
    site: str
    staff_group: str

    def refusal(self, now_ms: int) -> TokenRefusal | None:
        """Why it would be refused now, or None."""
        if self.revoked_ms is not None:
            return TokenRefusal.REVOKED
        if now_ms >= self.expires_ms:
            return TokenRefusal.EXPIRED
        return TokenRefusal.USED_UP if self.used >= self.uses else None


def create(
    c: Connection,
    *,
    role: str,
    uses: int,
    expires_ms: int,
    now_ms: int,
    note: str = "",
    unit: str = "",
    site: str = "",
    staff_group: str = "",
) -> str:
    """Make a token and return its text ``<id>-<secret>``, which is not kept and cannot be shown again."""
    public, whole = secrets.new()
    row = {
        "id": public,
        "hash": secrets.digest(whole),
        "role": role,
        "uses": uses,
        "used": 0,
        "expires_ms": expires_ms,
        "created_ms": now_ms,
        "note": storable(note),
        "unit": storable(unit),
        "site": storable(site),
        "staff_group": storable(staff_group),
    }
    c.execute(sa.insert(TOKENS).values(row))
    return whole


def claim(c: Connection, text: str, now_ms: int) -> EnrolToken | TokenRefusal:
    """Use a token once. Of two claims of the last use at the same time exactly one succeeds."""
    found = _find(c, text)
    if found is None:
        return TokenRefusal.UNKNOWN
    usable = (
        TOKENS.c.id == found.id,
        TOKENS.c.used < TOKENS.c.uses,
        TOKENS.c.expires_ms > now_ms,
        TOKENS.c.revoked_ms.is_(None),
    )
    taken = sa.update(TOKENS).where(*usable).values(used=TOKENS.c.used + 1).returning(*_SHOWN)
    row = c.execute(taken).one_or_none()
    if row is not None:
        return EnrolToken(*row)
    found = _find(c, text)
    return TokenRefusal.UNKNOWN if found is None else found.refusal(now_ms) or TokenRefusal.USED_UP


def peek(c: Connection, text: str, now_ms: int) -> EnrolToken | TokenRefusal:
    """What :func:`claim` would answer, without using the token."""
    found = _find(c, text)
    if found is None:
        return TokenRefusal.UNKNOWN
    return found.refusal(now_ms) or found


def every(c: Connection) -> list[EnrolToken]:
    """All tokens, newest first."""
    rows = c.execute(sa.select(*_SHOWN).order_by(TOKENS.c.created_ms.desc(), TOKENS.c.id))
    return [EnrolToken(*row) for row in rows]


def revoke(c: Connection, id: str, now_ms: int) -> EnrolToken | None:
    """Take the right away. Returns the token as it is now, None when there is none of that id."""
    named = TOKENS.c.id == id
    c.execute(sa.update(TOKENS).where(named, TOKENS.c.revoked_ms.is_(None)).values(revoked_ms=now_ms))
    row = c.execute(sa.select(*_SHOWN).where(named)).one_or_none()
    return None if row is None else EnrolToken(*row)


_SHOWN: tuple[Any, ...] = tuple(column for column in TOKENS.columns if column.name != "hash")


def _find(c: Connection, text: str) -> EnrolToken | None:
    whole = secrets.tidy(text)
    named = sa.select(TOKENS.c.hash, *_SHOWN).where(TOKENS.c.id == storable(secrets.public_id(whole)))
    row = c.execute(named).one_or_none()
    if row is None or not secrets.same(row.hash, secrets.digest(whole)):
        return None
    return EnrolToken(*row[1:])
