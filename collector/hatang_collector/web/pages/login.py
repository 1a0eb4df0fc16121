"""Logging in and out, and the language switch."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hatang_collector.ledger import users
from hatang_collector.ledger.users import LoginRefusal, User
from hatang_collector.web import i18n
from hatang_collector.web.render import page
from hatang_collector.web.security import (
    ANYONE,
    SESSION_COOKIE,
    drop_session,
    is_https,
    local_path,
    put_session,
    services_of,
)

router = APIRouter(include_in_schema=False)

_YEAR_S = 31_536_000
_STATUS = {
    LoginRefusal.WRONG: HTTPStatus.UNAUTHORIZED,
    LoginRefusal.THROTTLED: HTTPStatus.TOO_MANY_REQUESTS,
}


@router.get("/login", dependencies=[Depends(ANYONE)])
def login_page(
    request: Request, wanted: Annotated[str, Query(alias="next", max_length=500)] = "/"
) -> HTMLResponse:
    """The form."""
    return page(request, "login.html", None, {"wanted": local_path(wanted), "refusal": "", "name": ""})


@router.post("/login", dependencies=[Depends(ANYONE)])
def login(
    request: Request,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    wanted: Annotated[str, Form(alias="next", max_length=500)] = "/",
) -> Response:
    """Open a session, or say why not; the same words for a wrong name and a wrong password."""
    services = services_of(request)
    now_ms = services.now_ms()
    found = users.login(services.ledger, name, password, now_ms)
    if isinstance(found, LoginRefusal):
        values = {"wanted": local_path(wanted), "refusal": str(found), "name": name}
        return page(request, "login.html", None, values, _STATUS[found])
    with services.ledger.write() as c:
        text = users.open_session(c, found.name, now_ms)
    target = "/account/password" if found.must_change else local_path(wanted)
    response = RedirectResponse(target, HTTPStatus.SEE_OTHER)
    put_session(request, response, text)
    return response


@router.post("/logout")
def logout(request: Request, _: Annotated[User | None, Depends(ANYONE)]) -> Response:
    """End the session."""
    text = request.cookies.get(SESSION_COOKIE)
    if text:
        with services_of(request).ledger.write() as c:
            users.close_session(c, text)
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    drop_session(request, response)
    return response


@router.post("/language", dependencies=[Depends(ANYONE)])
def switch_language(
    request: Request,
    language: Annotated[str, Form(max_length=10)] = i18n.DEFAULT,
    wanted: Annotated[str, Form(alias="next", max_length=500)] = "/",
) -> Response:
    """Remember a language in a cookie and go back."""
    response = RedirectResponse(local_path(wanted), HTTPStatus.SEE_OTHER)
    chosen = i18n.language_of(language)
    response.set_cookie(
        i18n.COOKIE,
        chosen,
        max_age=_YEAR_S,
        httponly=True,
        samesite="lax",
        secure=is_https(request),
        path="/",
    )
    return response
