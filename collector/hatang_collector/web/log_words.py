"""The audit log in words: what was done, and each field as it was and as it is. Pure.

The detail of an act is a JSON object of fields, each a value or ``[old, new]``. Other programs and
former versions wrote plain text; that is shown as it is. Fields of what is declared are called as
in its sheet, so that the log, the files and the forms use the same words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any, Final

from hatang_collector.domain.dated import BEGINNING
from hatang_collector.ledger.audit import COMMAND_LINE, Change
from hatang_collector.sheets.contract import Column, Sheet, sheets
from hatang_collector.sheets.labels import label
from hatang_collector.web import format as fmt
from hatang_collector.web.days import write_day
from hatang_collector.web.i18n import Texts

NOTHING: Final = "–"
ARROW: Final = " → "
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TRUTHS: Final = {"true": "yes", "false": "no"}
_FAR_MS: Final = 10**13
"""About 300 years: what is written as a moment and is further away is shown as the number it is."""

ADDED: Final = "add"


@dataclass(frozen=True, slots=True)
class Words:
    """One act for people. ``changes`` has a line for each field."""

    id: int
    at_ms: int
    who: str
    role: str
    action: str
    subject: str
    changes: tuple[str, ...]


def words(change: Change, t: Texts) -> Words:
    """An act in the language of ``t``; names without a text stay as they are."""
    return Words(
        change.id,
        change.at_ms,
        person_words(change.who, t),
        t.or_name(f"user.{change.role}", change.role) if change.role else "",
        action_words(change.action, t),
        change.subject.removesuffix(f"/{BEGINNING.isoformat()}"),
        tuple(change_words(change.action, change.detail, t)),
    )


def person_words(who: str, t: Texts) -> str:
    """Who did something; a command on the server itself has no name."""
    return t("log.command_line") if who == COMMAND_LINE else who


def action_words(action: str, t: Texts) -> str:
    """``Chuyển máy`` for ``machine.move``; an unknown action reads as itself."""
    sheet, verb = _sheet_of(action)
    if sheet is not None and f"act.{verb}" in t.entries:
        return t(f"act.{verb}", what=sheet.one(t.language))
    return t.or_name(f"act.{action}", action)


def change_words(action: str, detail: str, t: Texts) -> list[str]:
    """A line for each field of a detail: ``Quyền: Người xem → Quản trị viên``."""
    if not detail:
        return []
    found = _fields(detail)
    if found is None:
        return [detail]
    sheet, verb = _sheet_of(action)
    columns = {column.field: column for column in sheet.columns} if sheet is not None else {}
    lines = []
    for name, value in found.items():
        column = columns.get(name)
        text = _change_of(action, name, value, column, added=verb == ADDED, t=t)
        if text:
            lines.append(f"{_title(action, name, column, t)}: {text}")
    return lines


def _title(action: str, name: str, column: Column | None, t: Texts) -> str:
    if column is not None:
        return column.title(t.language)
    noun = action.partition(".")[0]
    return t.or_name(f"field.{noun}.{name}", t.or_name(f"field.{name}", name))


def reason_of(detail: str) -> str:
    """The reason somebody gave for an act, empty when it has none."""
    return str((_fields(detail) or {}).get("reason", ""))


def _fields(detail: str) -> dict[str, Any] | None:
    """A detail as its fields, None when it is plain text."""
    try:
        found = json.loads(detail)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


@cache
def _by_act() -> Mapping[str, Sheet]:
    return {noun.removesuffix("s"): sheet for noun, sheet in sheets().items()}


def _sheet_of(action: str) -> tuple[Sheet | None, str]:
    noun, _, verb = action.rpartition(".")
    return _by_act().get(noun), verb


def _change_of(action: str, name: str, value: Any, column: Column | None, *, added: bool, t: Texts) -> str:
    """One field; empty when there was nothing and is nothing."""
    if not isinstance(value, list) or len(value) != 2:
        return _value(action, name, value, column, t)
    old, new = (_value(action, name, one, column, t) for one in value)
    if old == new == NOTHING:
        return ""
    return new if added and old == NOTHING else f"{old}{ARROW}{new}"


def _value(action: str, name: str, value: Any, column: Column | None, t: Texts) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return t("yes") if value else t("no")
    if isinstance(value, int | float):
        return _number(name, value, t)
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if column is not None:
        return _declared(value, column, t)
    if name == "role":
        return t.or_name(f"user.{value}" if action.startswith("user.") else f"role.{value}", value)
    if name == "kind":
        return t.or_name(f"finding.{value}", value)
    return _day(value)


def _declared(value: str, column: Column, t: Texts) -> str:
    """A value of a sheet's column, which the log holds as text."""
    if column.choices is not None:
        return _label(column.choices, value, t)
    if value in _TRUTHS and column.kind == "yes_no":
        return t(_TRUTHS[value])
    if column.kind == "decimal":
        whole = value.removesuffix(".0")
        return whole.replace(".", ",") if t.language == "vi" else whole
    return _day(value) if column.kind == "day" else value


def _label(kind: type[StrEnum], value: str, t: Texts) -> str:
    try:
        return label(kind(value), t.language)
    except ValueError:
        return value


def _number(name: str, value: float, t: Texts) -> str:
    if name.endswith("_ms") and isinstance(value, int) and abs(value) < _FAR_MS:
        return fmt.date_time_seconds(value)
    text = str(value)
    return text.replace(".", ",") if t.language == "vi" else text


def _day(value: str) -> str:
    if not _DAY.fullmatch(value):
        return value
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return value
    return NOTHING if day == BEGINNING else write_day(day)
