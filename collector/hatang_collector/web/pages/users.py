"""The page of the people who may log in: add, change the role, give a new password, remove."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hatang_collector.ledger import accounts, secrets, users
from hatang_collector.ledger.users import Refused, Role, User, UserRefusal
from hatang_collector.web.acts import ADMIN, ADMIN_PERSON, note
from hatang_collector.web.render import page
from hatang_collector.web.security import services_of

router = APIRouter(prefix="/users", include_in_schema=False)

PASSWORD_LETTERS = 16
SELF = "self"
"""The reason of a refusal: what people may not do to themselves."""


def _tidy(name: Annotated[str, Path(max_length=100)]) -> str:
    """A name as it is stored, so that nobody is somebody else by a capital letter."""
    return name.strip().lower()


Admin = Annotated[User, Depends(ADMIN_PERSON)]
Name = Annotated[str, Depends(_tidy)]
_STATUS = {UserRefusal.UNKNOWN: HTTPStatus.NOT_FOUND, UserRefusal.BAD_NAME: HTTPStatus.BAD_REQUEST}


def _show(
    request: Request,
    user: User,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    refusal: str = "",
    about: str = "",
    password: str = "",
    role: Role = Role.VIEWER,
) -> HTMLResponse:
    """The list; ``about`` is whom a refusal or a new password concerns."""
    with services_of(request).ledger.read() as c:
        found = accounts.every(c)
    admins = [one.user.name for one in found if one.user.role is Role.ADMIN]
    values = {
        "accounts": found,
        "last_admin": admins[0] if len(admins) == 1 else None,
        "roles": list(Role),
        "refusal": refusal,
        "about": about,
        "password": password,
        "chosen": role,
    }
    return page(request, "users.html", user, values, status)


def _refused(request: Request, user: User, error: Refused, about: str, role: Role = Role.VIEWER) -> Response:
    status = _STATUS.get(error.reason, HTTPStatus.CONFLICT)
    return _show(request, user, status, refusal=str(error.reason), about=about, role=role)


def _own(request: Request, user: User) -> Response:
    return _show(request, user, HTTPStatus.CONFLICT, refusal=SELF, about=user.name)


@router.get("")
def list_of_users(request: Request, user: Annotated[User, Depends(ADMIN)]) -> HTMLResponse:
    """Who may log in, and since when."""
    return _show(request, user)


@router.post("")
def add(
    request: Request,
    user: Admin,
    name: Annotated[str, Form(max_length=200)] = "",
    role: Annotated[Role, Form()] = Role.VIEWER,
) -> Response:
    """Add a person; the first password is shown this once and has to be changed."""
    services = services_of(request)
    now_ms, tidy, password = services.now_ms(), name.strip().lower(), secrets.text(PASSWORD_LETTERS)
    try:
        with services.ledger.write() as c:
            users.create(c, tidy, role, password, must_change=True, now_ms=now_ms)
            note(c, user, "user.add", tidy, now_ms, role=role)
    except Refused as error:
        return _refused(request, user, error, name.strip(), role)
    return _show(request, user, HTTPStatus.CREATED, about=tidy, password=password)


@router.post("/{name}/role")
def change_role(
    request: Request, user: Admin, name: Name, role: Annotated[Role, Form()] = Role.VIEWER
) -> Response:
    """Give somebody else another role."""
    if name == user.name:
        return _own(request, user)
    services = services_of(request)
    now_ms = services.now_ms()
    try:
        with services.ledger.write() as c:
            before = users.get(c, name)
            users.change_role(c, name, role)
            if before is not None and before.role is not role:
                note(c, user, "user.role", before.name, now_ms, role=(before.role, role))
    except Refused as error:
        return _refused(request, user, error, name)
    return RedirectResponse("/users", HTTPStatus.SEE_OTHER)


@router.post("/{name}/reset")
def reset_password(request: Request, user: Admin, name: Name) -> Response:
    """Give somebody else a new password, shown this once; their sessions end."""
    if name == user.name:
        return _own(request, user)
    services = services_of(request)
    now_ms, password = services.now_ms(), secrets.text(PASSWORD_LETTERS)
    try:
        with services.ledger.write() as c:
            users.set_password(c, name, password, must_change=True)
            note(c, user, "user.reset", name, now_ms)
    except Refused as error:
        return _refused(request, user, error, name)
    return _show(request, user, about=name, password=password)


@router.post("/{name}/remove")
def remove(request: Request, user: Admin, name: Name) -> Response:
    """Remove somebody else, with sessions and API tokens."""
    if name == user.name:
        return _own(request, user)
    services = services_of(request)
    now_ms = services.now_ms()
    try:
        with services.ledger.write() as c:
            before = users.get(c, name)
            users.remove(c, name)
            note(c, user, "user.remove", name, now_ms, role=(before.role if before else None, None))
    except Refused as error:
        return _refused(request, user, error, name)
    return RedirectResponse("/users", HTTPStatus.SEE_OTHER)
