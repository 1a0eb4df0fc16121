"""The account page: password and API tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hatang_collector.ledger import audit, users
from hatang_collector.ledger.engine import Connection
from hatang_collector.ledger.passwords import MAX_LENGTH, MIN_LENGTH
from hatang_collector.ledger.sessions import ApiToken
from hatang_collector.ledger.users import LoginRefusal, Role, User
from hatang_collector.web.problems import Refusal
from hatang_collector.web.render import page
from hatang_collector.web.security import (
    LOGGED_IN,
    VIEWER,
    bearer,
    put_session,
    services_of,
)

router = APIRouter(prefix="/account", include_in_schema=False)


def owner_of(token: ApiToken) -> str:
    """The user who made a token: the part of its name before the slash, which no user name has."""
    return token.name.partition("/")[0]


def _person(request: Request, user: User) -> User:
    """The caller, when it is a person with a session: a token may not make tokens or change passwords."""
    if bearer(request) is not None:
        raise Refusal(HTTPStatus.FORBIDDEN, "an API token may not do this", "log in at /login")
    return user


def _shown_tokens(c: Connection, user: User) -> list[ApiToken]:
    return [one for one in users.api_tokens(c) if user.role is Role.ADMIN or owner_of(one) == user.name]


def _show(
    request: Request,
    user: User,
    status: HTTPStatus = HTTPStatus.OK,
    new_token: str = "",
    done: str = "",
) -> HTMLResponse:
    with services_of(request).ledger.read() as c:
        tokens = _shown_tokens(c, user)
    roles = [role for role in Role if user.role is Role.ADMIN or role is user.role]
    values = {"tokens": tokens, "roles": roles, "new_token": new_token, "done": done, "owner_of": owner_of}
    return page(request, "account.html", user, values, status)


@router.get("")
def account(request: Request, user: Annotated[User, Depends(VIEWER)]) -> HTMLResponse:
    """Who is logged in, and the tokens."""
    return _show(request, user)


def _password_page(request: Request, user: User, refusal: str, status: HTTPStatus) -> HTMLResponse:
    values = {"refusal": refusal, "shortest": MIN_LENGTH, "longest": MAX_LENGTH}
    return page(request, "password.html", user, values, status)


@router.get("/password")
def password_form(request: Request, user: Annotated[User, Depends(LOGGED_IN)]) -> HTMLResponse:
    """The form; the first password leads here until it is changed."""
    return _password_page(request, user, "", HTTPStatus.OK)


def _refused_password(request: Request, user: User, present: str, new: str, again: str) -> str:
    """Why a password is not taken, empty when it is."""
    if new != again:
        return "differ"
    if not MIN_LENGTH <= len(new) <= MAX_LENGTH:
        return "length"
    services = services_of(request)
    found = users.login(services.ledger, user.name, present, services.now_ms())
    if isinstance(found, LoginRefusal):
        return str(found)
    return "same" if new == present else ""


@router.post("/password")
def change_password(
    request: Request,
    user: Annotated[User, Depends(LOGGED_IN)],
    present: Annotated[str, Form(max_length=1000)] = "",
    new: Annotated[str, Form(max_length=1000)] = "",
    again: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Change the password; every other session of the user ends."""
    _person(request, user)
    refusal = _refused_password(request, user, present, new, again)
    if refusal:
        return _password_page(request, user, refusal, HTTPStatus.BAD_REQUEST)
    services = services_of(request)
    now_ms = services.now_ms()
    with services.ledger.write() as c:
        users.set_password(c, user.name, new)
        text = users.open_session(c, user.name, now_ms)
        audit.append(
            c, who=user.name, role=user.role, action="user.password", subject=user.name, now_ms=now_ms
        )
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    put_session(request, response, text)
    return response


@router.post("/tokens")
def create_token(
    request: Request,
    user: Annotated[User, Depends(VIEWER)],
    note: Annotated[str, Form(max_length=60)] = "",
    role: Annotated[Role, Form()] = Role.VIEWER,
) -> HTMLResponse:
    """Make an API token and show it this once. An admin may choose any role, others their own."""
    _person(request, user)
    if role is not user.role and user.role is not Role.ADMIN:
        step = f"make one for the role {user.role}, or ask an administrator"
        raise Refusal(
            HTTPStatus.FORBIDDEN, f"the role {user.role} may not make this token", step, "forbidden"
        )
    services = services_of(request)
    now_ms = services.now_ms()
    name = f"{user.name}/{note.strip() or 'API'}"
    with services.ledger.write() as c:
        text = users.create_api_token(c, name, role, now_ms)
        subject = text.partition("-")[0]
        audit.append(
            c,
            who=user.name,
            role=user.role,
            action="api_token.create",
            subject=subject,
            now_ms=now_ms,
            detail=role,
        )
    return _show(request, user, HTTPStatus.CREATED, new_token=text)


@router.post("/tokens/revoke")
def revoke_token(
    request: Request,
    user: Annotated[User, Depends(VIEWER)],
    token: Annotated[str, Form(alias="id", max_length=20)] = "",
) -> Response:
    """Take a token's right away: one's own, or as an admin anyone's."""
    _person(request, user)
    services = services_of(request)
    now_ms = services.now_ms()
    with services.ledger.write() as c:
        if token not in {one.id for one in _shown_tokens(c, user)}:
            step = "reload the account page: the list may have changed"
            raise Refusal(HTTPStatus.NOT_FOUND, "no token of yours has this id", step, "unknown_token")
        users.revoke_api_token(c, token)
        audit.append(
            c, who=user.name, role=user.role, action="api_token.revoke", subject=token, now_ms=now_ms
        )
    return RedirectResponse("/account", HTTPStatus.SEE_OTHER)
