"""Puts the API and the pages together."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response

from hatang_collector import __version__
from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.ledger.errors import LedgerUnavailable
from hatang_collector.web import api, pages, static_files
from hatang_collector.web.cards import Cards
from hatang_collector.web.feed import Feed
from hatang_collector.web.guard import Guard
from hatang_collector.web.held_files import HeldFiles
from hatang_collector.web.problems import Problem, Refusal, next_step_of
from hatang_collector.web.render import page
from hatang_collector.web.security import Sightings
from hatang_collector.web.services import Services
from hatang_collector.web.sparks import Sparks

_DESCRIPTION: Final = (
    "Machines, their series and the collector's health. Log in with an API token: "
    "`Authorization: Bearer …`, made on the account page. Times are UTC in milliseconds. "
    "Errors are JSON with place, cause and next_step."
)


def routers() -> list[APIRouter]:
    """The ``router`` of every module in ``api`` and ``pages`` that has one, by name."""
    found = []
    for package in (api, pages):
        for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda one: one.name):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            router = getattr(module, "router", None)
            if isinstance(router, APIRouter):
                found.append(router)
    return found


def create_app(services: Services) -> FastAPI:
    """The application. Whoever runs it calls ``app.state.feed.close()`` before waiting for open requests."""
    feed = Feed(services)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with feed.running():
            yield

    app = FastAPI(
        title="Hạ Tầng",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        middleware=[Middleware(Guard), Middleware(GZipMiddleware, minimum_size=500)],
        responses={
            401: {"model": Problem, "description": "nobody is logged in"},
            422: {"model": Problem, "description": "a parameter is not as described"},
        },
    )
    app.state.services = services
    app.state.feed = feed
    app.state.cards = Cards()
    app.state.sparks = Sparks(services.store)
    app.state.sightings = Sightings()
    app.state.held_files = HeldFiles()
    for router in routers():
        app.include_router(router)
    app.mount("/static", static_files.CachedFiles(directory=static_files.FOLDER), name="static")
    _answer_errors(app)
    return app


def _wants_page(request: Request) -> bool:
    """Whether a person looks at the answer: not the API, and not a script of ours."""
    path = request.url.path
    programs = path.startswith(("/api/v1/", "/board/", "/static/")) or path in {
        "/metrics",
        "/api/openapi.json",
    }
    return not programs and "text/html" in request.headers.get("accept", "text/html")


def _problem(request: Request, refusal: Refusal) -> Response:
    """A refusal in the form the caller reads."""
    if _wants_page(request):
        if refusal.page == "login":
            wanted = request.url.path if request.method == "GET" else "/"
            return RedirectResponse(f"/login?next={wanted}", HTTPStatus.SEE_OTHER)
        if refusal.page == "must_change":
            return RedirectResponse("/account/password", HTTPStatus.SEE_OTHER)
        return page(request, "error.html", None, {"refusal": refusal}, refusal.status)
    problem = Problem(
        place=f"{request.method} {request.url.path}", cause=refusal.cause, next_step=refusal.next_step
    )
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == HTTPStatus.UNAUTHORIZED else {}
    if refusal.retry_after_s:
        headers["Retry-After"] = str(refusal.retry_after_s)
    return JSONResponse(problem.model_dump(), int(refusal.status), headers)


def _answer_errors(app: FastAPI) -> None:
    """Every way a request can end badly becomes one problem."""

    @app.exception_handler(Refusal)
    def refused(request: Request, refusal: Refusal) -> Response:
        return _problem(request, refusal)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"])
        step = "correct it; every parameter is described at /api/docs"
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return _problem(request, Refusal(status, f"{where}: {first['msg']}", step, "invalid"))

    @app.exception_handler(HTTPException)
    def refused_by_framework(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        kind = "unknown_page" if status is HTTPStatus.NOT_FOUND else "invalid"
        return _problem(request, Refusal(status, error.detail, next_step_of(status), kind))

    @app.exception_handler(StoreUnavailable)
    def store_away(request: Request, error: StoreUnavailable) -> Response:
        step = getattr(error, "hint", "") or "look whether the series store runs"
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return _problem(request, Refusal(status, f"series store: {error}", step, "store_away", 30))

    @app.exception_handler(LedgerUnavailable)
    def ledger_away(request: Request, error: LedgerUnavailable) -> Response:
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return _problem(request, Refusal(status, str(error), error.hint, "ledger_away", 30))

    @app.exception_handler(Exception)
    def broken(request: Request, _: Exception) -> Response:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return _problem(request, Refusal(status, "the collector has a fault", next_step_of(status), "fault"))
