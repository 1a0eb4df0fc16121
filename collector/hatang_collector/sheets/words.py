"""What changed, as sentences for people, in both languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Final

from hatang_collector.domain.dated import BEGINNING
from hatang_collector.domain.difference import Difference, Kind
from hatang_collector.sheets.cells import DASH, as_text
from hatang_collector.sheets.contract import Column, Sheet, sheets
from hatang_collector.sheets.contract import Kind as CellKind
from hatang_collector.sheets.labels import label
from hatang_collector.sheets.said import Language, Said

_VERBS: Final = {
    Kind.ADDED: Said("thêm", "added"),
    Kind.CHANGED: Said("sửa", "changed"),
    Kind.REMOVED: Said("bỏ", "removed"),
}
_BLANK: Final = Said("(trống)", "(blank)")


def sentence(one: Difference, language: Language) -> str:
    """One change: ``sửa tài sản KT-01: Tình trạng “Đang sử dụng” → “Hỏng”``."""
    sheet = sheets()[one.noun]
    key = list(one.key)
    since = ""
    if sheet.dated and (first := key.pop()) != BEGINNING.isoformat():
        since = f" {'từ' if language == 'vi' else 'from'} {_day(first)}"
    what = f"{sheet.one(language)} {' / '.join(_day(part) for part in key if part)}"
    return f"{_VERBS[one.kind].of(language)} {what}{since}{_fields(one, sheet, language)}"


def summary(differences: Iterable[Difference], language: Language) -> str:
    """How many rows of what came, changed or went: ``Đơn vị: 11 thêm; Tài sản: 3 sửa``."""
    counts = Counter((one.noun, one.kind) for one in differences)
    parts = []
    for noun, sheet in sheets().items():
        told = [f"{counts[noun, kind]} {_VERBS[kind].of(language)}" for kind in Kind if counts[noun, kind]]
        if told:
            parts.append(f"{sheet.title(language)}: {', '.join(told)}")
    nothing = "không có gì thay đổi" if language == "vi" else "nothing changes"
    return "; ".join(parts) or nothing


def _fields(one: Difference, sheet: Sheet, language: Language) -> str:
    key_fields = set(one.key)
    told = []
    for name, before, after in one.fields:
        column = sheet.column(name)
        title, now = column.title(language), _shown(column, after, language)
        if one.kind is Kind.CHANGED:
            told.append(f"{title} {_shown(column, before, language)} → {now}")
        elif (
            one.kind is Kind.ADDED
            and after
            and after not in key_fields
            and not _is_default(sheet, name, after)
        ):
            told.append(f"{title} {now}")
    return f": {', '.join(told)}" if told else ""


def _is_default(sheet: Sheet, name: str, text: str) -> bool:
    default = sheet.defaults.get(name)
    return str(default).lower() == text if isinstance(default, bool) else str(default) == text


def _shown(column: Column, text: str | None, language: Language) -> str:
    """The text of a difference as people read it."""
    if not text:
        return _BLANK.of(language)
    if column.choices is not None:
        text = label(column.choices(text), language)
    elif column.kind is CellKind.YES_NO:
        yes, no = ("có", "không") if language == "vi" else ("yes", "no")
        text = yes if text == "true" else no
    elif column.kind is CellKind.DAY:
        text = _day(text)
    elif column.kind is CellKind.DECIMAL:
        text = as_text(float(text)) if language == "vi" else text
    return f"“{text}”"


def _day(text: str) -> str:
    """A day in ISO as people write it; any other text as it is."""
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    if day is None:
        return text
    return DASH if day == BEGINNING else as_text(day)
