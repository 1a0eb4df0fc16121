"""One row of a register as a form sends it, put into the estate by the rules of an import. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from hatang_collector.domain import checks, edits
from hatang_collector.domain.checks import Problem
from hatang_collector.domain.dated import BEGINNING, overlap
from hatang_collector.domain.edits import DATED, KEYS, NOUN_OF, Key
from hatang_collector.domain.estate import Estate
from hatang_collector.sheets import judging, putting
from hatang_collector.sheets.cells import DASH, Value, as_text, read_cell
from hatang_collector.sheets.contract import Kind, Sheet, sheets
from hatang_collector.sheets.lines import Line
from hatang_collector.sheets.references import Names
from hatang_collector.sheets.said import Language, Refused, RowProblem, Said
from hatang_collector.web import days

_KEY_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "successions": ("old", "new", "on"),
    "site_units": ("site", "unit"),
    "special_days": ("scope", "day"),
    "staff_counts": ("unit", "staff_group"),
}

_ISO_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a field of a form, or ('') with the change as a whole."""

    field: str
    cause: Said
    next_step: Said

    def line(self, language: Language) -> str:
        """Cause and next step."""
        return f"{self.cause.of(language)}; {self.next_step.of(language)}"


class RowRefused(Exception):  # noqa: N818 - an answer with its reasons
    """A form cannot be taken; nothing was changed."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        super().__init__("; ".join(one.line("en") for one in wrong))
        self.wrong = wrong


NOT_SURE: Final = Wrong(
    "",
    Said("chưa đánh dấu là chắc chắn bỏ dòng này", "nobody ticked that the row is to go"),
    Said("đánh dấu rồi bấm lại", "tick it and press again"),
)


@dataclass(frozen=True, slots=True)
class Put:
    """The estate with a row in it. ``warnings``: what is allowed but probably a slip."""

    estate: Estate
    warnings: Sequence[RowProblem]


def key_fields(sheet: Sheet) -> tuple[str, ...]:
    """The fields that say which thing a row is of: changing one would make another thing."""
    return _KEY_FIELDS.get(sheet.noun, ("code",))


def mark_of(row: Any) -> str:
    """A short text that changes with any field of a row."""
    return hashlib.sha256(repr(row).encode()).hexdigest()[:16]


def read_day(text: str, today: date) -> date:
    """The day on which something ends, today for a blank field. Raises RowRefused."""
    try:
        return days.read_day(text) or today
    except ValueError:
        cause = Said(f"“{text}” không phải là ngày", f"“{text}” is no day")
        step = Said("ghi ngày/tháng/năm, ví dụ 05/02/2026", "write dd/mm/yyyy, such as 05/02/2026")
        raise RowRefused([Wrong("end_day", cause, step)]) from None


def read_form(sheet: Sheet, texts: Mapping[str, str], estate: Estate) -> Line:
    """What was typed, as values, with codes for names.

    Raises RowRefused with every field that cannot be read or refers to what is not there.
    """
    values: dict[str, Value] = {}
    wrong: list[Wrong] = []
    for column in sheet.columns:
        try:
            values[column.field] = read_cell(column, texts.get(column.field, ""))
        except Refused as refused:
            wrong.append(Wrong(column.field, refused.cause, refused.next_step))
    line = Line(sheet, "", "", 0, values, {})
    names = Names(estate, [line])
    for column in sheet.columns:
        text = values.get(column.field)
        if column.kind not in (Kind.REFERENCE, Kind.SCOPE) or not isinstance(text, str) or not text:
            continue
        try:
            found = names.find_scope(text) if column.kind is Kind.SCOPE else names.find(column.refers, text)
        except Refused as refused:
            wrong.append(Wrong(column.field, refused.cause, refused.next_step))
        else:
            values[column.field] = found.code
    if wrong:
        raise RowRefused(wrong)
    return line


def put(line: Line, estate: Estate, today: date, *, new: bool) -> Put:
    """The estate with a row in it: a correction when its first day is that of a version, else a version.

    Args:
        line: from :func:`read_form`.
        estate: what there is.
        today: from when a change without a first day holds.
        new: it is meant to be a thing that is not there yet, so it may not touch one that is.

    Returns:
        The estate after it; the same rows when nothing was changed.

    Raises:
        RowRefused: it is there already, or contradicts the rest.
    """
    done = putting.put(estate, [line], today)
    ((_, key),) = done.origins
    if new:
        _refuse_known(line, key, estate, today)
    _refuse_contradictions(done.estate, (line.sheet.noun, key))
    odd = judging.oddities(estate, done.estate, done.origins, today)
    return Put(done.estate, [*done.warnings, *odd])


def ended(estate: Estate, row: Any, day: date) -> Estate:
    """The estate in which the newest version of a thing ends on a day. Raises RowRefused."""
    key = KEYS[type(row)](row)
    later = [one for one in _versions(estate, row) if one.valid_from > row.valid_from]
    if later:
        wrong = Wrong(
            "end_day",
            Said(f"đã có phiên bản từ {_day(later[0].valid_from)}",
                 f"there is a version from {_day(later[0].valid_from)}"),
            Said("mở phiên bản cuối để kết thúc", "open the last version to end it"),
        )  # fmt: skip
    elif day <= row.valid_from:
        wrong = Wrong(
            "end_day",
            Said(f"{_day(day)} không sau “Từ ngày” {_day(row.valid_from)}",
                 f"{_day(day)} is not after “From” {_day(row.valid_from)}"),
            Said("ghi ngày sau đó; nếu là nhầm thì bỏ dòng này",
                 "write a later day; if the row is a mistake, remove it"),
        )  # fmt: skip
    elif row.valid_to is not None and day >= row.valid_to:
        wrong = Wrong(
            "end_day",
            Said(f"đã hết hiệu lực từ {_day(row.valid_to)}", f"it ended on {_day(row.valid_to)} already"),
            Said("ghi ngày trước đó, hoặc sửa “Đến ngày”", "write an earlier day, or correct “Until”"),
        )
    else:
        after = edits.end(estate, type(row), key, day)
        _refuse_contradictions(after)
        return after
    raise RowRefused([wrong])


def before_it(estate: Estate, row: Any) -> Any | None:
    """The version that ended where a dated row begins, None when there is none."""
    if type(row) not in DATED:
        return None
    return next((one for one in _versions(estate, row) if one.valid_to == row.valid_from), None)


def without(estate: Estate, row: Any, *, reopen: bool) -> Estate:
    """The estate without a row that was a mistake.

    ``reopen``: the version before it, which it had ended, holds in its place. Raises RowRefused when
    something else needs the row, LookupError when it is gone.
    """
    after = edits.remove(estate, row)
    former = before_it(estate, row)
    if reopen and former is not None:
        after = edits.put(after, replace(former, valid_to=row.valid_to))
    _refuse_contradictions(after)
    return after


def _versions(estate: Estate, row: Any) -> list[Any]:
    """The versions of a dated thing, oldest first."""
    key_of = KEYS[type(row)]
    found = [one for one in getattr(estate, NOUN_OF[type(row)]) if key_of(one) == key_of(row)]
    return sorted(found, key=lambda one: one.valid_from)


def _refuse_known(line: Line, key: Key, estate: Estate, today: date) -> None:
    """Raise RowRefused when a new row would change a thing that is in the register already."""
    sheet = line.sheet
    rows = [row for row in getattr(estate, sheet.noun) if KEYS[sheet.row](row) == key]
    if sheet.dated:
        given, until = line.values.get("valid_from"), line.values.get("valid_to")
        since = given if isinstance(given, date) else today
        period = _Period(since, until if isinstance(until, date) else None)
        rows = [row for row in rows if overlap(row, period)]
    if rows:
        cause = Said(f"{sheet.one_vi} này đã có trong sổ", f"this {sheet.one_en} is in the register already")
        step = Said("mở dòng đó để sửa, hoặc ghi mã khác", "open that row to change it, or write another")
        raise RowRefused([Wrong(key_fields(sheet)[-1], cause, step)])


@dataclass(frozen=True, slots=True)
class _Period:
    """When a new row is to hold."""

    valid_from: date
    valid_to: date | None


def _refuse_contradictions(estate: Estate, own: tuple[str, Key] | None = None) -> None:
    """Raise RowRefused with all that is wrong: at the field in the ``own`` row, by name in others."""
    problems = checks.problems(estate)
    if not problems:
        return
    blamed = {(one.noun, one.key): [Line(sheets()[one.noun], "", "", 0, {}, {})] for one in problems}
    told = [one for _, one in judging.contradictions(estate, blamed, "")]
    raise RowRefused(
        [
            Wrong(problem.field, one.cause, one.next_step)
            if (problem.noun, problem.key) == own
            else _elsewhere(problem, one.cause)
            for problem, one in zip(problems, told, strict=True)
        ]
    )


def _elsewhere(problem: Problem, cause: Said) -> Wrong:
    """A contradiction in another row, which is named."""
    sheet = sheets()[problem.noun]
    key = " / ".join(_as_day(part) for part in problem.key if part)
    column = sheet.column(problem.field)
    return Wrong(
        "",
        Said(
            f"{sheet.one_vi} {key}: “{column.vi}” {cause.vi}",
            f"{sheet.one_en} {key}: “{column.en}” {cause.en}",
        ),
        Said("sửa dòng ấy trước", "correct that row first"),
    )


def _as_day(part: str) -> str:
    """A part of a key as people write it: days are days."""
    return _day(date.fromisoformat(part)) if _ISO_DAY.fullmatch(part) else part


def _day(day: date) -> str:
    return DASH if day == BEGINNING else as_text(day)
