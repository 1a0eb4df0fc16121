"""Who asks, and whether they may. Every route names what it needs: a role, a login, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from fastapi import Request
from starlette.responses import Response

from hatang_collector.ledger import users
from hatang_collector.ledger.users import Role, User
from hatang_collector.web.guard import is_loopback
from hatang_collector.web.problems import Refusal
from hatang_collector.web.services import Services

SESSION_COOKIE: Final = "hatang_session"
ORDER: Final = (Role.VIEWER, Role.INSPECTOR, Role.ADMIN)
"""Roles from least to most; each may do what those before it may."""

NOTE_MS: Final = 60_000
MOST_NOTED: Final = 10_000
_LOGIN_STEP: Final = "log in at /login, or send an API token as 'Authorization: Bearer …'"


class Sightings:
    """Says when a session or token was last noted as used, so that most requests only read the ledger."""

    def __init__(self) -> None:
        self._noted: dict[int, int] = {}

    def due(self, text: str, now_ms: int) -> bool:
        """Whether its use should be noted again now; True once a minute for each text."""
        key = hash(text)
        if now_ms - self._noted.get(key, -NOTE_MS) < NOTE_MS:
            return False
        if len(self._noted) >= MOST_NOTED:
            self._noted.clear()
        self._noted[key] = now_ms
        return True


def services_of(request: Request) -> Services:
    """What the web part was handed."""
    services: Services = request.app.state.services
    return services


def suffices(role: Role, needed: Role) -> bool:
    """Whether a role may do what another one may."""
    return ORDER.index(role) >= ORDER.index(needed)


def bearer(request: Request) -> str | None:
    """The API token of a request (RFC 6750, section 2.1), None without one."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" and text.strip() else None


def identify(request: Request) -> User | None:
    """Who asks, by API token or else by session; None for nobody.

    Raises Refusal (401) for a token that is not valid: a caller who sent one meant it.
    """
    services = services_of(request)
    now_ms = services.now_ms()
    token = bearer(request)
    text = token or request.cookies.get(SESSION_COOKIE)
    if not text:
        return None
    sightings: Sightings = request.app.state.sightings
    look = users.session if token is None else users.api_token
    transaction = services.ledger.write if sightings.due(text, now_ms) else services.ledger.read
    with transaction() as c:
        user = look(c, text, now_ms)
    if user is None and token is not None:
        step = "create a token on the account page; a revoked one stays revoked"
        raise Refusal(HTTPStatus.UNAUTHORIZED, "the API token is not valid", step)
    return user


@dataclass(frozen=True, slots=True)
class Needs:
    """A dependency: the caller has at least this role, and a password of their own choosing."""

    role: Role
    even_must_change: bool = False

    def __call__(self, request: Request) -> User:
        """Give the caller, or raise Refusal: 401 for nobody, 403 for too little."""
        user = identify(request)
        if user is None:
            raise Refusal(HTTPStatus.UNAUTHORIZED, "nobody is logged in", _LOGIN_STEP, page="login")
        if user.must_change and not self.even_must_change:
            step = "choose a password of your own at /account/password"
            raise Refusal(
                HTTPStatus.FORBIDDEN, "the first password must be changed", step, page="must_change"
            )
        if not suffices(user.role, self.role):
            step = f"ask an administrator for the role {self.role}"
            raise Refusal(
                HTTPStatus.FORBIDDEN, f"the role {user.role} may not do this", step, page="forbidden"
            )
        return user


@dataclass(frozen=True, slots=True)
class Open:
    """A dependency that says: anyone may, on purpose. Gives the caller if there is one."""

    def __call__(self, request: Request) -> User | None:
        """Give the caller or None; raises nothing but for an invalid token."""
        return identify(request)


@dataclass(frozen=True, slots=True)
class LocalOr:
    """A dependency: a request of this very machine, or a caller with the role."""

    role: Role

    def __call__(self, request: Request) -> None:
        """Return, or raise Refusal as :class:`Needs` does."""
        host = request.client.host if request.client else ""
        if bearer(request) is None and is_loopback(host, request.headers):
            return
        Needs(self.role)(request)


VIEWER: Final = Needs(Role.VIEWER)
LOGGED_IN: Final = Needs(Role.VIEWER, even_must_change=True)
ANYONE: Final = Open()


def is_https(request: Request) -> bool:
    """Whether people reach the pages by HTTPS, at us or at a proxy in front."""
    return request.url.scheme == "https" or services_of(request).address.startswith("https:")


def put_session(request: Request, response: Response, text: str) -> None:
    """Hand the session to the browser: no script reads it, no other site sends it."""
    response.set_cookie(
        SESSION_COOKIE, text, httponly=True, samesite="strict", secure=is_https(request), path="/"
    )


def drop_session(request: Request, response: Response) -> None:
    """Take the session cookie back."""
    response.delete_cookie(
        SESSION_COOKIE, httponly=True, samesite="strict", secure=is_https(request), path="/"
    )


def local_path(wanted: str) -> str:
    """A place on this site to go to after a form; anything else is the board."""
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if plain and all(sign.isprintable() and sign != "\\" for sign in wanted) else "/"
