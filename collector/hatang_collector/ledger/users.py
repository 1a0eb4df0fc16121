"""People who may log in, with what right. Their sessions and API tokens are in :mod:`.sessions`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger import passwords, throttle
from hatang_collector.ledger.errors import LedgerError
from hatang_collector.ledger.roles import Role, User
from hatang_collector.ledger.sessions import (
    api_token,
    api_tokens,
    close_session,
    create_api_token,
    open_session,
    revoke_api_token,
    session,
    touch_session,
)
from hatang_collector.ledger.tables import API_TOKENS, SESSIONS, USERS

if TYPE_CHECKING:
    from hatang_collector.ledger.engine import Ledger

__all__ = [
    "LoginRefusal",
    "Refused",
    "Role",
    "User",
    "UserRefusal",
    "api_token",
    "api_tokens",
    "change_role",
    "close_session",
    "create",
    "create_api_token",
    "every",
    "get",
    "login",
    "open_session",
    "remove",
    "revoke_api_token",
    "session",
    "set_password",
    "touch_session",
    "verify",
]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


class UserRefusal(StrEnum):
    """Why a change of the users is refused."""

    BAD_NAME = "bad_name"
    NAME_TAKEN = "name_taken"
    UNKNOWN = "unknown"
    LAST_ADMIN = "last_admin"
    PASSWORD_TOO_SHORT = "password_too_short"  # noqa: S105 - the name of a reason


_TOLD: Final = {
    UserRefusal.BAD_NAME: "a user name has 1 to 64 of a-z 0-9 . _ @ -, a letter or digit first",
    UserRefusal.NAME_TAKEN: "this user name is taken; choose another",
    UserRefusal.UNKNOWN: "there is no such user; see 'hatang-collector users list'",
    UserRefusal.LAST_ADMIN: "this is the last admin; make another one first",
    UserRefusal.PASSWORD_TOO_SHORT: f"a password has at least {passwords.MIN_LENGTH} characters; "
    "choose a longer one",
}


class Refused(LedgerError):  # noqa: N818 - an outcome with a reason
    """A change of the users was refused; ``reason`` is for programs, the text for people."""

    def __init__(self, reason: UserRefusal) -> None:
        super().__init__(_TOLD[reason])
        self.reason = reason


class LoginRefusal(StrEnum):
    """Why a login is refused. ``throttled``: too many wrong passwords, whatever this one was."""

    WRONG = "wrong"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class _Stored:
    user: User
    password: str


def create(
    c: Connection, name: str, role: Role | str, password: str, *, must_change: bool, now_ms: int
) -> None:
    """Add a user. Raises Refused. The name is kept in small letters."""
    tidy = _tidy(name)
    if not _NAME.fullmatch(tidy):
        raise Refused(UserRefusal.BAD_NAME)
    if get(c, tidy) is not None:
        raise Refused(UserRefusal.NAME_TAKEN)
    row = {
        "name": tidy,
        "role": str(Role(role)),
        "password": _encoded(password),
        "must_change": must_change,
        "created_ms": now_ms,
    }
    c.execute(sa.insert(USERS).values(row))


def get(c: Connection, name: str) -> User | None:
    """The user of that name, or None."""
    stored = _stored(c, name)
    return None if stored is None else stored.user


def every(c: Connection) -> list[User]:
    """All users by name."""
    rows = c.execute(sa.select(USERS.c.name, USERS.c.role, USERS.c.must_change).order_by(USERS.c.name))
    return [User(row.name, Role(row.role), row.must_change) for row in rows]


def verify(c: Connection, name: str, password: str) -> User | None:
    """The user when the password is right. It does not throttle: people log in through :func:`login`."""
    return _checked(_stored(c, name), password)


def login(ledger: Ledger, name: str, password: str, now_ms: int) -> User | LoginRefusal:
    """Check a password that came from outside; each wrong one makes the next attempt wait longer.

    The attempt is counted before it is checked, so that parallel guesses wait too. The slow hash
    runs outside of any transaction, so that it holds up no writer.
    """
    tidy = _tidy(name)
    with ledger.write() as c:
        if throttle.attempt(c, tidy, now_ms) is throttle.Attempt.REFUSED:
            return LoginRefusal.THROTTLED
    with ledger.read() as c:
        stored = _stored(c, tidy)
    user = _checked(stored, password)
    if user is None:
        return LoginRefusal.WRONG
    with ledger.write() as c:
        throttle.forget(c, tidy)
    return user


def set_password(c: Connection, name: str, password: str, *, must_change: bool = False) -> None:
    """Give a user another password and end the user's sessions. Raises Refused."""
    tidy = _tidy(name)
    changed = {"password": _encoded(password), "must_change": must_change}
    if c.execute(sa.update(USERS).where(USERS.c.name == tidy).values(changed)).rowcount == 0:
        raise Refused(UserRefusal.UNKNOWN)
    c.execute(sa.delete(SESSIONS).where(SESSIONS.c.name == tidy))
    throttle.forget(c, tidy)


def change_role(c: Connection, name: str, role: Role | str) -> None:
    """Give a user another role. Raises Refused, also for the last admin.

    API tokens of the user that may do more than the new role are gone.
    """
    _keep_an_admin(c, _tidy(name), Role(role))
    c.execute(sa.update(USERS).where(USERS.c.name == _tidy(name)).values(role=str(Role(role))))
    rising = list(Role)
    more = [str(one) for one in rising[rising.index(Role(role)) + 1 :]]
    c.execute(sa.delete(API_TOKENS).where(_own_tokens(name), API_TOKENS.c.role.in_(more)))


def remove(c: Connection, name: str) -> None:
    """Remove a user with sessions and API tokens. Raises Refused, also for the last admin."""
    _keep_an_admin(c, _tidy(name), None)
    c.execute(sa.delete(API_TOKENS).where(_own_tokens(name)))
    c.execute(sa.delete(USERS).where(USERS.c.name == _tidy(name)))


def _keep_an_admin(c: Connection, name: str, becomes: Role | None) -> None:
    # Locked, so that two admins who remove each other at the same time cannot both succeed.
    rows = c.execute(sa.select(USERS.c.name, USERS.c.role).order_by(USERS.c.name).with_for_update()).all()
    roles = {row.name: row.role for row in rows}
    if name not in roles:
        raise Refused(UserRefusal.UNKNOWN)
    others = [other for other, role in roles.items() if role == Role.ADMIN and other != name]
    if roles[name] == Role.ADMIN and becomes is not Role.ADMIN and not others:
        raise Refused(UserRefusal.LAST_ADMIN)


def _own_tokens(name: str) -> sa.ColumnElement[bool]:
    return API_TOKENS.c.name.startswith(f"{_tidy(name)}/", autoescape=True)  # named <user>/<note>


def _tidy(name: str) -> str:
    return name.strip().lower()


def _encoded(password: str) -> str:
    if len(password) < passwords.MIN_LENGTH:
        raise Refused(UserRefusal.PASSWORD_TOO_SHORT)
    return passwords.encode(password)


def _stored(c: Connection, name: str) -> _Stored | None:
    if not _NAME.fullmatch(_tidy(name)):
        return None
    row = c.execute(sa.select(USERS).where(USERS.c.name == _tidy(name))).one_or_none()
    return None if row is None else _Stored(User(row.name, Role(row.role), row.must_change), row.password)


def _checked(stored: _Stored | None, password: str) -> User | None:
    if stored is None:
        passwords.waste_time(password)
        return None
    return stored.user if passwords.matches(password, stored.password) else None
