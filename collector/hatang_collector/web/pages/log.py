"""The audit log: who changed what and when, found by person, act, words and day; as a table and as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse, StreamingResponse

from hatang_collector.domain.localtime import midnight_ms
from hatang_collector.ledger import audit, machines
from hatang_collector.ledger.audit import Change
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.users import User
from hatang_collector.web import format as fmt
from hatang_collector.web import i18n
from hatang_collector.web.acts import ADMIN
from hatang_collector.web.days import read_day
from hatang_collector.web.downloads import BOM, csv_text
from hatang_collector.web.i18n import Texts
from hatang_collector.web.log_words import action_words, words
from hatang_collector.web.problems import Refusal
from hatang_collector.web.render import language_of, page
from hatang_collector.web.security import services_of

router = APIRouter(include_in_schema=False)

ROWS: Final = 100
CSV_ROWS: Final = 1_000
"""Rows read from the ledger at a time; a download of any length holds no more than these."""

DAY_MS: Final = 86_400_000
_MOST_ID: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Filter:
    """What somebody looks for; an empty value takes everything."""

    who: str = ""
    action: str = ""
    q: str = ""
    day: str = ""

    def query(self, **more: object) -> str:
        """The filter as the query of an address."""
        own = {"who": self.who, "action": self.action, "q": self.q, "day": self.day}
        return urlencode({name: value for name, value in {**own, **more}.items() if value})

    def criteria(self) -> dict[str, Any]:
        """What the ledger is asked for. Raises Refusal (400) for a day that cannot be read."""
        try:
            day = read_day(self.day)
        except ValueError as error:
            step = "write the day as dd/mm/yyyy, or leave it empty"
            raise Refusal(HTTPStatus.BAD_REQUEST, f"day: {error}", step, "invalid") from error
        start_ms = None if day is None else midnight_ms(day)
        return {
            "who": self.who.strip(),
            "action": self.action,
            "text": self.q.strip(),
            "from_ms": start_ms,
            "to_ms": None if start_ms is None else start_ms + DAY_MS,
        }


Text = Annotated[str, Query(max_length=200)]


def _filter(who: Text = "", action: Text = "", q: Text = "", day: Text = "") -> Filter:
    return Filter(who, action, q, day)


Wanted = Annotated[Filter, Depends(_filter)]


@router.get("/log")
def log(
    request: Request,
    user: Annotated[User, Depends(ADMIN)],
    wanted: Wanted,
    before: Annotated[int | None, Query(ge=1, le=_MOST_ID)] = None,
) -> HTMLResponse:
    """Acts, newest first, a page at a time."""
    criteria = wanted.criteria()
    with services_of(request).ledger.read() as c:
        found = audit.search(c, **criteria, before_id=before, limit=ROWS + 1)
        people, actions = audit.people(c), audit.actions(c)
        labels = {one.agent: one.label for one in machines.every(c)}
    t = i18n.texts(language_of(request))
    values = {
        "wanted": wanted,
        "rows": [words(one, t) for one in found[:ROWS]],
        "older": wanted.query(before=found[ROWS - 1].id) if len(found) > ROWS else "",
        "newest": wanted.query() if before else None,
        "csv": wanted.query(),
        "labels": labels,
        "people": people,
        "actions": sorted(((one, action_words(one, t)) for one in actions), key=lambda one: one[1]),
    }
    return page(request, "log.html", user, values)


@router.get("/log.csv", dependencies=[Depends(ADMIN)])
def log_as_csv(request: Request, wanted: Wanted) -> StreamingResponse:
    """Every act the filter finds, for a spreadsheet: UTF-8 with a mark, semicolons."""
    services = services_of(request)
    criteria = wanted.criteria()
    t = i18n.texts(language_of(request))
    first = _some(services.ledger, criteria, None)  # before the answer begins, while it can still fail
    name = f"nhat-ky-{fmt.iso(services.now_ms())[:10]}.csv"
    return StreamingResponse(
        _lines(_all(services.ledger, criteria, first), t),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _some(ledger: Ledger, criteria: dict[str, Any], before: int | None) -> list[Change]:
    with ledger.read() as c:
        return audit.search(c, **criteria, before_id=before, limit=CSV_ROWS)


def _all(ledger: Ledger, criteria: dict[str, Any], first: list[Change]) -> Iterator[list[Change]]:
    found = first
    while found:
        yield found
        found = _some(ledger, criteria, found[-1].id) if len(found) == CSV_ROWS else []


def _lines(batches: Iterable[Sequence[Change]], t: Texts) -> Iterator[str]:
    """The file, in pieces."""
    columns = ("id", "at", "who", "role", "action", "subject", "changes")
    yield BOM + csv_text([[t(f"log.{name}") for name in columns]])
    for batch in batches:
        told = [words(one, t) for one in batch]
        yield csv_text(
            [
                [
                    str(one.id),
                    fmt.date_time_seconds(one.at_ms),
                    one.who,
                    one.role,
                    one.action,
                    one.subject,
                    "\n".join(one.changes),
                ]
                for one in told
            ]
        )
