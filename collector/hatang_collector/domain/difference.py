"""What changed between two estates, row by row and field by field, as texts.

Texts because a difference is read by people, kept in the audit log and compared years later: days
are ISO, enums their value, booleans ``true`` and ``false``, and None means "no value".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Any, Final, TypeVar, cast, get_args, get_type_hints

from hatang_collector.domain.edits import DATED, KEYS, NOUN_OF, NOUNS, Key, Row
from hatang_collector.domain.estate import Estate

Texts = Mapping[str, str | None]
R = TypeVar("R", bound=Row)


class Kind(StrEnum):
    """What happened to a row."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that came, changed or went.

    ``noun`` is the field of the Estate. ``key`` is that of :data:`.edits.KEYS`, followed for dated
    rows by the first day: it names one row. ``fields`` are (name, before, after); an added row
    has every field with None before, a removed one with None after.
    """

    noun: str
    key: Key
    kind: Kind
    fields: tuple[tuple[str, str | None, str | None], ...]


def identity(row: Row) -> Key:
    """What names one row among all of its noun: its key, and its first day when it is dated."""
    key = KEYS[type(row)](row)
    return (*key, row.valid_from.isoformat()) if type(row) in DATED else key  # type: ignore[union-attr]


def difference(before: Estate, after: Estate) -> list[Difference]:
    """Every row that differs, by noun and key. The order of rows is no difference."""
    found: list[Difference] = []
    for noun in NOUNS:
        olds, news = getattr(before, noun), getattr(after, noun)
        if olds is not news and olds != news:
            found += _of_noun(noun, olds, news)
    return found


def apply(before: Estate, differences: Iterable[Difference]) -> Estate:
    """The estate after the differences. Raises ValueError when they are not about this one."""
    by_noun: dict[str, list[Difference]] = {}
    for one in differences:
        by_noun.setdefault(one.noun, []).append(one)
    changed: dict[str, Any] = {
        noun: _applied(noun, getattr(before, noun), ones) for noun, ones in by_noun.items()
    }
    return replace(before, **changed)


def texts_of(row: Row) -> dict[str, str | None]:
    """Every field of a row as text."""
    return {name: _text(getattr(row, name)) for name in _readers(NOUN_OF[type(row)])}


def row_of(row_type: type[R], texts: Texts) -> R:
    """The row that :func:`texts_of` wrote. Raises ValueError naming the field that cannot be read."""
    values: dict[str, Any] = {}
    for name, (read, may_be_none) in _readers(NOUN_OF[cast("type[Row]", row_type)]).items():
        text = texts.get(name)
        if text is None:
            if not may_be_none:
                raise ValueError(f"{name} has no value: give one")
            values[name] = None
            continue
        try:
            values[name] = read(text)
        except (ValueError, KeyError) as e:
            raise ValueError(f"{name} cannot be {text[:80]!r}: {e}") from None
    return row_type(**values)


def _of_noun(noun: str, olds: tuple[Row, ...], news: tuple[Row, ...]) -> list[Difference]:
    before = {identity(row): row for row in olds}
    after = {identity(row): row for row in news}
    found = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if old is None and new is not None:
            found.append(Difference(noun, key, Kind.ADDED, _fields({}, texts_of(new))))
        elif old is not None and new is None:
            found.append(Difference(noun, key, Kind.REMOVED, _fields(texts_of(old), {})))
        elif old is not None and new is not None:
            found.append(Difference(noun, key, Kind.CHANGED, _fields(texts_of(old), texts_of(new))))
    return found


def _fields(before: Texts, after: Texts) -> tuple[tuple[str, str | None, str | None], ...]:
    names = dict.fromkeys((*before, *after))
    changed = [(name, before.get(name), after.get(name)) for name in names]
    if not before or not after:
        return tuple(changed)
    return tuple((name, old, new) for name, old, new in changed if old != new)


def _applied(noun: str, rows: tuple[Row, ...], ones: list[Difference]) -> tuple[Row, ...]:
    by_key = {identity(row): row for row in rows}
    for one in ones:
        old = by_key.pop(one.key, None)
        there: Texts = {} if old is None else texts_of(old)
        if (old is None) != (one.kind is Kind.ADDED) or any(
            there.get(name) != was for name, was, _ in one.fields
        ):
            raise ValueError(
                f"{noun} {' '.join(one.key)} is not as the difference says: it was changed since"
            )
        if one.kind is not Kind.REMOVED:
            new = row_of(NOUNS[noun], {**there, **{name: text for name, _, text in one.fields}})
            by_key[identity(new)] = new
    return tuple(by_key.values())


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case date():
            return value.isoformat()
        case _:
            return str(value)


@cache
def _readers(noun: str) -> Mapping[str, tuple[Callable[[str], Any], bool]]:
    """Per field what reads its text, and whether it may have no value."""
    row_type = NOUNS[noun]
    hints = get_type_hints(row_type)
    readers: dict[str, tuple[Callable[[str], Any], bool]] = {}
    for field in fields(row_type):
        kinds = get_args(hints[field.name]) or (hints[field.name],)
        kind = next(kind for kind in kinds if kind is not NoneType)
        readers[field.name] = (_READERS.get(kind, kind), NoneType in kinds)
    return readers


_READERS: Final[Mapping[type[Any], Callable[[str], Any]]] = {
    bool: {"true": True, "false": False}.__getitem__,
    date: date.fromisoformat,
}
