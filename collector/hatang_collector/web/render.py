"""Templates, and what every page is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import jinja2
from fastapi import Request
from markupsafe import Markup
from starlette.responses import HTMLResponse

from hatang_agent.wire.report import Status
from hatang_collector.ledger.users import User
from hatang_collector.web import format as fmt
from hatang_collector.web import i18n, menu
from hatang_collector.web.format import Language
from hatang_collector.web.freshness import SYMBOLS, State
from hatang_collector.web.security import services_of
from hatang_collector.web.static_files import address_of

_FOLDER: Final = Path(__file__).parent / "templates"

RUN_SYMBOLS: Final = {
    Status.OK: "●",
    Status.NO_DATA: "○",
    Status.FAILED: "✕",
    Status.TIMEOUT: "▲",
    Status.DISABLED: "–",
}


@cache
def templates() -> jinja2.Environment:
    """The templates: everything is escaped, an unknown name is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True, slots=True)
class Writer:
    """How values are written in one language; templates call it ``w``. None reads as not measured."""

    language: Language
    now_ms: int

    def _or_unmeasured(self, write: Callable[[float, Language], str], value: float | None) -> str:
        return i18n.texts(self.language)("not_measured") if value is None else write(value, self.language)

    def percent(self, value: float | None) -> str:
        """``12,5%``."""
        return self._or_unmeasured(fmt.percent, value)

    def rate(self, value: float | None) -> str:
        """``1,3 Mbit/s``."""
        return self._or_unmeasured(fmt.rate, value)

    def duration(self, value: float | None) -> str:
        """``3 ngày 4 giờ``."""
        return self._or_unmeasured(fmt.duration, value)

    def count(self, value: float) -> str:
        """A whole number with its thousands grouped."""
        return fmt.number(value, 0, self.language)

    def age(self, at_ms: int) -> str:
        """``4 giây trước``."""
        return fmt.age(at_ms, self.now_ms, self.language)

    def at(self, at_ms: int) -> str:
        """``20/11/2026 08:26:05``."""
        return fmt.date_time_seconds(at_ms)

    def iso(self, at_ms: int) -> str:
        """For the ``datetime`` attribute."""
        return fmt.iso(at_ms)


def language_of(request: Request) -> Language:
    """The language of whoever asks."""
    return i18n.language_of(request.cookies.get(i18n.COOKIE))


def context(language: Language, now_ms: int) -> dict[str, Any]:
    """What every template and fragment may use."""
    return {
        "t": i18n.texts(language),
        "w": Writer(language, now_ms),
        "language": language,
        "now_ms": now_ms,
        "symbols": SYMBOLS,
        "State": State,
        "run_symbols": RUN_SYMBOLS,
    }


def fragment(name: str, language: Language, now_ms: int, values: Mapping[str, Any]) -> Markup:
    """A part of a page; safe to put into another one, because every value in it was escaped."""
    text = templates().get_template(name).render({**context(language, now_ms), **values})
    return Markup(text)  # noqa: S704 - rendered by an environment that escapes


def page(
    request: Request,
    name: str,
    user: User | None,
    values: Mapping[str, Any] | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    """A whole page for whoever asks, never kept by caches."""
    language = language_of(request)
    query = f"?{request.url.query}" if request.url.query and request.method == "GET" else ""
    common = {
        "user": user,
        "here": (request.url.path if request.method == "GET" else "/") + query,
        "path": request.url.path,
        "menu": menu.menu(user),
        "submenu": menu.submenu(user, request.url.path),
        "languages": i18n.LANGUAGES,
        "age_words": fmt.age_words(language),
        "static": partial(address_of),
    }
    now_ms = services_of(request).now_ms()
    body = fragment(name, language, now_ms, {**common, **(values or {})})
    return HTMLResponse(body, status, headers={"Cache-Control": "no-store", "Content-Language": language})
