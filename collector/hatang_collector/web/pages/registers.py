"""The registers: everything that is declared, one table per noun, as of a day or with its history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse, Response

from hatang_collector.domain.dated import on as holding_on
from hatang_collector.domain.estate import Estate
from hatang_collector.ledger.users import User
from hatang_collector.sheets import export
from hatang_collector.sheets.contract import Sheet, sheets
from hatang_collector.web.days import asked_day, write_day
from hatang_collector.web.downloads import XLSX, download
from hatang_collector.web.estate import EstateNow, estate_of
from hatang_collector.web.format import Language
from hatang_collector.web.register_names import LONGEST_QUERY, PER_PAGE, sheet_named
from hatang_collector.web.register_table import Names, chosen, is_number, names_of, table_of
from hatang_collector.web.render import language_of, page
from hatang_collector.web.security import VIEWER

router = APIRouter(prefix="/registers", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Count:
    """How much stands in a register: things that hold today, and rows with those that no longer do."""

    today: int
    rows: int


@dataclass(frozen=True, slots=True)
class Filter:
    """What somebody wants to see of a register."""

    q: str = ""
    on: str = ""
    history: bool = False

    def query(self, page_number: int = 1) -> str:
        """The filter as the query of an address."""
        own = {"q": self.q, "on": self.on, "history": "true" if self.history else ""}
        if page_number > 1:
            own["page"] = str(page_number)
        return urlencode({name: value for name, value in own.items() if value})


def _filter(
    q: Annotated[str, Query(max_length=LONGEST_QUERY)] = "",
    on: Annotated[str, Query(max_length=20)] = "",
    history: Annotated[bool, Query()] = False,
) -> Filter:
    return Filter(q.strip(), on.strip(), history)


Wanted = Annotated[Filter, Depends(_filter)]


@router.get("")
def registers(
    request: Request,
    user: Annotated[User, Depends(VIEWER)],
    imported: Annotated[bool, Query()] = False,
) -> HTMLResponse:
    """Every register with how much stands in it today; ``imported``: an import has just been done."""
    now = estate_of(request)
    found = [(sheet, _count(now, sheet)) for sheet in sheets().values()]
    values = {"registers": found, "imported": imported, "empty": now.estate == _nothing_declared(now)}
    return page(request, "registers.html", user, values)


def _count(now: EstateNow, sheet: Sheet) -> Count:
    rows = getattr(now.estate, sheet.noun)
    return Count(len(holding_on(rows, now.today)) if sheet.dated else len(rows), len(rows))


def _nothing_declared(now: EstateNow) -> Estate:
    """The estate of a new installation, which has staff groups and nothing else."""
    return Estate(staff_groups=now.estate.staff_groups)


@router.get("/workbook", dependencies=[Depends(VIEWER)])
def workbook(request: Request) -> Response:
    """All registers with their history as one workbook, which can be imported again."""
    now = estate_of(request)
    content = export.workbook(now.estate, language=language_of(request))
    return download(content, XLSX, f"so-khai-bao-{now.today.isoformat()}.xlsx")


@router.get("/template", dependencies=[Depends(VIEWER)])
def blank_workbook(request: Request) -> Response:
    """The workbook to fill in."""
    return download(export.template(language=language_of(request)), XLSX, "mau-khai-bao.xlsx")


@router.get("/{noun}")
def register(
    request: Request,
    user: Annotated[User, Depends(VIEWER)],
    noun: str,
    wanted: Wanted,
    saved: Annotated[bool, Query()] = False,
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> HTMLResponse:
    """One register as of a day, or with every version; ``saved``: a row of it has just been changed."""
    sheet, now, language = sheet_named(noun), estate_of(request), language_of(request)
    day = asked_day(wanted.on, now.today)
    rows, names = _rows(now, sheet, wanted, day, language)
    pages = max(1, -(-len(rows) // PER_PAGE))
    number = min(number, pages)
    first = (number - 1) * PER_PAGE
    values = {
        "sheet": sheet,
        "table": table_of(sheet, rows[first : first + PER_PAGE], names, language),
        "is_number": is_number,
        "found": len(rows),
        "wanted": replace(wanted, on="" if day == now.today else write_day(day)),
        "on": write_day(day),
        "first": first + 1,
        "last": min(first + PER_PAGE, len(rows)),
        "number": number,
        "pages": pages,
        "saved": saved,
    }
    return page(request, "register.html", user, values)


@router.get("/{noun}/csv", dependencies=[Depends(VIEWER)])
def as_csv(request: Request, noun: str, wanted: Wanted) -> Response:
    """What the page shows, all pages of it, as CSV for Excel; it can be imported again."""
    sheet, now, language = sheet_named(noun), estate_of(request), language_of(request)
    rows, _ = _rows(now, sheet, wanted, asked_day(wanted.on, now.today), language)
    some: dict[str, Any] = {sheet.noun: tuple(rows)}
    (content,) = export.csv_files(Estate(**some), {sheet.noun}, language).values()
    return download(content, "text/csv; charset=utf-8", f"{sheet.name}-{now.today.isoformat()}.csv")


def _rows(
    now: EstateNow, sheet: Sheet, wanted: Filter, day: date, language: Language
) -> tuple[list[Any], Names]:
    names = names_of(now.estate, now.tree, day)
    rows = chosen(sheet, now.estate, names, language, query=wanted.q, every_version=wanted.history)
    return rows, names
