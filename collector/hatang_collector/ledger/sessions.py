"""Logged-in browsers and API tokens. Only SHA-256 hashes are kept: a copy of the ledger lets nobody in."""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger import secrets
from hatang_collector.ledger.engine import writable
from hatang_collector.ledger.roles import Role, User
from hatang_collector.ledger.tables import API_TOKENS, SESSIONS, USERS, storable

IDLE_MS: Final = 12 * 3_600_000
TOUCH_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class ApiToken:
    """An API token as it is stored: ``id`` is the public part of its text, the secret is not kept."""

    id: str
    name: str
    role: Role
    created_ms: int
    used_ms: int | None


def open_session(c: Connection, name: str, now_ms: int) -> str:
    """Log a user in and return the text for the cookie. Sessions that ran out are cleared away."""
    tidy = name.strip().lower()
    c.execute(sa.update(USERS).where(USERS.c.name == tidy).values(used_ms=now_ms))
    c.execute(sa.delete(SESSIONS).where(SESSIONS.c.used_ms <= now_ms - IDLE_MS))
    text = random.token_urlsafe(32)
    row = {"hash": secrets.digest(text), "name": tidy, "opened_ms": now_ms, "used_ms": now_ms}
    c.execute(sa.insert(SESSIONS).values(row))
    return text


def session(c: Connection, text: str, now_ms: int) -> User | None:
    """Whose session it is, or None. Twelve hours without use end it.

    On a connection of ``Ledger.write()`` the use is noted too; on one of ``Ledger.read()`` call
    :func:`touch_session` now and then.
    """
    chosen = (
        sa.select(USERS.c.name, USERS.c.role, USERS.c.must_change)
        .join(SESSIONS, SESSIONS.c.name == USERS.c.name)
        .where(SESSIONS.c.hash == secrets.digest(text), SESSIONS.c.used_ms > now_ms - IDLE_MS)
    )
    row = c.execute(chosen).one_or_none()
    if row is None:
        return None
    if writable(c):
        touch_session(c, text, now_ms)
    return User(row.name, Role(row.role), row.must_change)


def touch_session(c: Connection, text: str, now_ms: int) -> None:
    """Note that a session and its user are here; at most once a minute. A dead session stays dead."""
    due = (
        SESSIONS.c.hash == secrets.digest(text),
        SESSIONS.c.used_ms > now_ms - IDLE_MS,
        SESSIONS.c.used_ms <= now_ms - TOUCH_MS,
    )
    # The user first, as where a user is removed: two transactions never wait for each other.
    whose = sa.select(SESSIONS.c.name).where(*due).scalar_subquery()
    c.execute(sa.update(USERS).where(USERS.c.name == whose).values(used_ms=now_ms))
    c.execute(sa.update(SESSIONS).where(*due).values(used_ms=now_ms))


def close_session(c: Connection, text: str) -> None:
    """Log out; unknown texts are ignored."""
    c.execute(sa.delete(SESSIONS).where(SESSIONS.c.hash == secrets.digest(text)))


def create_api_token(c: Connection, name: str, role: Role | str, now_ms: int) -> str:
    """Make a token for programs and return its text, which is not kept and cannot be shown again."""
    public, whole = secrets.new()
    row = {
        "id": public,
        "hash": secrets.digest(whole),
        "name": storable(name.strip()),
        "role": str(Role(role)),
        "created_ms": now_ms,
    }
    c.execute(sa.insert(API_TOKENS).values(row))
    return whole


def api_token(c: Connection, text: str, now_ms: int) -> User | None:
    """Who a token speaks for, or None. Use is noted on a connection of ``Ledger.write()``."""
    whole = secrets.tidy(text)
    named = API_TOKENS.c.id == storable(secrets.public_id(whole))
    row = c.execute(sa.select(API_TOKENS).where(named)).one_or_none()
    if row is None or not secrets.same(row.hash, secrets.digest(whole)):
        return None
    if writable(c) and now_ms - (row.used_ms or 0) >= TOUCH_MS:
        c.execute(sa.update(API_TOKENS).where(named).values(used_ms=now_ms))
    return User(row.name, Role(row.role))


def api_tokens(c: Connection) -> list[ApiToken]:
    """All API tokens, newest first."""
    rows = c.execute(sa.select(API_TOKENS).order_by(API_TOKENS.c.created_ms.desc(), API_TOKENS.c.id))
    return [ApiToken(row.id, row.name, Role(row.role), row.created_ms, row.used_ms) for row in rows]


def revoke_api_token(c: Connection, id: str) -> None:
    """Take a token's right away; unknown ids are ignored."""
    c.execute(sa.delete(API_TOKENS).where(API_TOKENS.c.id == id))
