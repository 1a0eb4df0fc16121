"""One row of a register in a form: add, correct, change from a day on, end, or remove a mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hatang_collector.domain.checks import EstateRefused
from hatang_collector.domain.estate import Estate
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger.users import User
from hatang_collector.sheets.contract import Sheet
from hatang_collector.web import register_edit
from hatang_collector.web.acts import ADMIN
from hatang_collector.web.days import write_day
from hatang_collector.web.estate import estate_of
from hatang_collector.web.format import Language
from hatang_collector.web.problems import Refusal
from hatang_collector.web.register_edit import RowRefused, Wrong, key_fields, mark_of
from hatang_collector.web.register_form import fields_of, proposals
from hatang_collector.web.register_names import LONGEST_QUERY, sheet_named
from hatang_collector.web.register_table import find, names_of, shown, table_of, versions_of
from hatang_collector.web.render import language_of, page
from hatang_collector.web.security import services_of

router = APIRouter(prefix="/registers", include_in_schema=False)

MOST_TOLD: Final = 20
"""Reasons of one refusal on a page; a correction of the first often settles the others."""

KeyQuery = Annotated[list[str], Query(max_length=4)]
KeyForm = Annotated[list[str], Form(max_length=4)]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the form says about what was sent. ``warnings`` can be set aside by sending it again."""

    wrong: Sequence[Wrong] = ()
    warnings: Sequence[str] = ()
    stale: bool = False
    end_day: str = ""
    status: HTTPStatus = HTTPStatus.OK


class _Slip(Exception):  # noqa: N818 - undoes the transaction
    """What is wanted may be, but probably is not meant."""

    def __init__(self, warnings: Sequence[str]) -> None:
        super().__init__()
        self.warnings = warnings


class _Stale(Exception):  # noqa: N818 - undoes the transaction
    """The row is not what it was when the form was opened."""


class _Gone(Exception):  # noqa: N818 - undoes the transaction
    """The row is not there any more."""


def _gone(sheet: Sheet, key: Sequence[str]) -> Refusal:
    step = "find it in the register: somebody may have changed it"
    cause = f"{sheet.one_en} {' / '.join(key)} is not there"
    return Refusal(HTTPStatus.NOT_FOUND, cause, step, "unknown_row")


def _form(
    request: Request,
    user: User,
    sheet: Sheet,
    key: Sequence[str],
    texts: Mapping[str, str] | None = None,
    answer: _Answer = _Answer(),
) -> HTMLResponse:
    """The form with the texts, else with those of the row as it is; raises Refusal when it is gone."""
    now, language = estate_of(request), language_of(request)
    row = find(sheet, now.estate, key) if key else None
    if key and row is None:
        raise _gone(sheet, key)
    names = names_of(now.estate, now.tree, now.today)
    versions = versions_of(sheet, now.estate, row) if sheet.dated and row is not None else []
    texts = shown(sheet, row, language) if texts is None else texts
    fields = fields_of(sheet, texts, row, names, language, answer.wrong, stale=answer.stale)
    told = {one.name for one in fields} | {"end_day"}
    values = {
        "sheet": sheet,
        "key": list(key),
        "title": _title(sheet, row, language),
        "fields": fields,
        "proposals": proposals(sheet, now.estate, names, language),
        "mark": mark_of(row),
        "answer": answer,
        "whole": [one.line(language) for one in answer.wrong if one.field not in told][:MOST_TOLD],
        "more": sum(1 for one in answer.wrong if one.field not in told) - MOST_TOLD,
        "end_wrong": [one.line(language) for one in answer.wrong if one.field == "end_day"],
        "versions": table_of(sheet, versions, names, language) if len(versions) > 1 else None,
        "newest": row is None or not versions or versions[-1] == row,
        "former": register_edit.before_it(now.estate, row) if row is not None else None,
        "today": write_day(now.today),
    }
    return page(request, "register_row.html", user, values, answer.status)


def _title(sheet: Sheet, row: Any | None, language: Language) -> str:
    """What the row is of, as people say it; '' for a new one."""
    if row is None:
        return ""
    texts = shown(sheet, row, language)
    key = " / ".join(texts[name] for name in key_fields(sheet) if texts[name])
    name = getattr(row, "name", "")
    return f"{key} {name}" if name and name != key else key


@router.get("/{noun}/row")
def row_form(
    request: Request,
    user: Annotated[User, Depends(ADMIN)],
    noun: str,
    key: KeyQuery = [],  # noqa: B006
) -> HTMLResponse:
    """The form of one row, or a blank one."""
    return _form(request, user, sheet_named(noun), key)


@router.post("/{noun}/row")
async def save_row(request: Request, user: Annotated[User, Depends(ADMIN)], noun: str) -> Response:
    """Put the row in; a form that cannot be taken comes back as it was typed."""
    sheet = sheet_named(noun)
    typed = await request.form()
    texts = {name: value for name, value in typed.items() if isinstance(value, str)}
    key = [value for value in typed.getlist("key") if isinstance(value, str)]
    return await run_in_threadpool(_save, request, user, sheet, texts, key)


def _save(request: Request, user: User, sheet: Sheet, texts: dict[str, str], key: Sequence[str]) -> Response:
    language, today = language_of(request), estate_of(request).today

    def change(estate: Estate) -> Estate:
        if key:
            row = _there(sheet, estate, key)
            # Which thing it is cannot be changed, whatever a browser sends.
            texts.update({name: shown(sheet, row, language)[name] for name in key_fields(sheet)})
            if texts.get("mark", "") != mark_of(row):
                raise _Stale
        typed = register_edit.read_form(sheet, texts, estate)
        done = register_edit.put(typed, estate, today, new=not key)
        told = [f"{one.cause.of(language)}; {one.next_step.of(language)}" for one in done.warnings]
        if told and texts.get("accepted") != _accepted(told):
            raise _Slip(told)
        return done.estate

    try:
        _change(request, user, sheet, key, change)
    except RowRefused as refused:
        answer = _Answer(refused.wrong, status=HTTPStatus.BAD_REQUEST)
    except _Slip as slip:
        answer = _Answer(warnings=slip.warnings, status=HTTPStatus.CONFLICT)
    except _Stale:
        answer = _Answer(stale=True, status=HTTPStatus.CONFLICT)
    else:
        return _to_register(sheet, [texts.get(name, "") for name in key_fields(sheet)])
    return _form(request, user, sheet, key, texts, answer)


def _accepted(warnings: Sequence[str]) -> str:
    """What the form sends back when somebody read these warnings and saves all the same."""
    return " ".join("\n".join(warnings).split())


def _there(sheet: Sheet, estate: Estate, key: Sequence[str]) -> Any:
    row = find(sheet, estate, key)
    if row is None:
        raise _Gone
    return row


def _change(
    request: Request, user: User, sheet: Sheet, key: Sequence[str], change: Callable[[Estate], Estate]
) -> None:
    """Change the estate; raises Refusal when the row is gone, RowRefused, and what ``change`` raises."""
    services = services_of(request)
    try:
        estates.edit(services.ledger, change, who=user.name, role=user.role, now_ms=services.now_ms())
    except _Gone:
        raise _gone(sheet, key) from None
    except EstateRefused as refused:  # not reached as long as the form and the ledger check the same
        step = "correct what it names and try again"
        raise Refusal(HTTPStatus.CONFLICT, str(refused), step, "invalid") from refused
    services.poke()


def _to_register(sheet: Sheet, words: Sequence[str]) -> RedirectResponse:
    """The register with what was changed, all its versions."""
    query = {"q": " ".join(" ".join(words).split())[:LONGEST_QUERY], "saved": "true"}
    if sheet.dated:
        query["history"] = "true"
    return RedirectResponse(f"/registers/{sheet.noun}?{urlencode(query)}", HTTPStatus.SEE_OTHER)


@router.post("/{noun}/end")
def end_row(
    request: Request,
    user: Annotated[User, Depends(ADMIN)],
    noun: str,
    key: KeyForm = [],  # noqa: B006
    end_day: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Say from which day on something no longer holds."""
    sheet, language = sheet_named(noun), language_of(request)
    if not sheet.dated:
        step = "remove the row instead"
        raise Refusal(HTTPStatus.BAD_REQUEST, f"{sheet.title_en} have no period", step, "invalid")
    words: list[str] = []

    def change(estate: Estate) -> Estate:
        row = _there(sheet, estate, key)
        words.extend(shown(sheet, row, language)[name] for name in key_fields(sheet))
        return register_edit.ended(estate, row, until)

    try:
        until = register_edit.read_day(end_day, estate_of(request).today)
        _change(request, user, sheet, key, change)
    except RowRefused as refused:
        answer = _Answer(refused.wrong, end_day=end_day, status=HTTPStatus.BAD_REQUEST)
        return _form(request, user, sheet, key, None, answer)
    return _to_register(sheet, words)


@router.post("/{noun}/remove")
def remove_row(
    request: Request,
    user: Annotated[User, Depends(ADMIN)],
    noun: str,
    key: KeyForm = [],  # noqa: B006
    sure: Annotated[str, Form(max_length=10)] = "",
    reopen: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Take out a row that was a mistake; the change log keeps it."""
    sheet = sheet_named(noun)

    def change(estate: Estate) -> Estate:
        row = _there(sheet, estate, key)
        if sure != "yes":
            raise RowRefused([register_edit.NOT_SURE])
        return register_edit.without(estate, row, reopen=bool(reopen))

    try:
        _change(request, user, sheet, key, change)
    except RowRefused as refused:
        answer = _Answer(refused.wrong, status=HTTPStatus.BAD_REQUEST)
        return _form(request, user, sheet, key, None, answer)
    return RedirectResponse(f"/registers/{sheet.noun}?saved=true", HTTPStatus.SEE_OTHER)
