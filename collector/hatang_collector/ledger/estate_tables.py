"""The tables of what people declare, one for each noun of ``domain/estate.py``, column for field.

They are made from the dataclasses, so that a row in the ledger is the row everybody uses. Days are
text as ISO 8601 writes them; an open end is NULL. A change of a dataclass needs a migration, and the
test that compares the migrations with these tables says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from enum import StrEnum
from types import NoneType
from typing import Any, Final, get_args, get_type_hints

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from hatang_collector.domain.estate import (
    Asset,
    Estate,
    Link,
    Service,
    Site,
    SiteUnit,
    SpecialDay,
    StaffCount,
    StaffGroup,
    Succession,
    Target,
    Unit,
)
from hatang_collector.ledger.tables import METADATA, storable, upsert

_KEYS: Final[Mapping[type[Any], tuple[str, ...]]] = {
    Unit: ("code", "valid_from"),
    Succession: ("old", "new", "on"),
    Site: ("code", "valid_from"),
    SiteUnit: ("site", "unit", "valid_from"),
    SpecialDay: ("scope", "day"),
    Link: ("code", "valid_from"),
    Service: ("code", "valid_from"),
    Target: ("code", "valid_from"),
    StaffGroup: ("code",),
    StaffCount: ("unit", "staff_group", "valid_from"),
    Asset: ("code", "valid_from"),
}
_COLUMNS: Final[Mapping[type[Any], type[sa.types.TypeEngine[Any]]]] = {
    str: sa.Text,
    date: sa.Text,
    bool: sa.Boolean,
    int: sa.BigInteger,
    float: sa.Double,
}


class Noun:
    """One noun: its table, and its rows as they are stored and as they are used."""

    def __init__(self, name: str, row_type: type[Any]) -> None:
        self.name = name
        self.key = _KEYS[row_type]
        self._type = row_type
        self._kinds = {one: _kind(hint) for one, hint in get_type_hints(row_type).items()}
        self._converted = [
            (at, kind)
            for at, (kind, _) in enumerate(self._kinds.values())
            if kind is date or issubclass(kind, StrEnum)
        ]
        self.table = sa.Table(name, METADATA, *(self._column(one.name) for one in fields(row_type)))

    def load(self, c: Connection) -> tuple[Any, ...]:
        """Every row, by its key; the order is the same on every database."""
        found = [self._row(row) for row in c.execute(sa.select(self.table))]
        return tuple(sorted(found, key=self.key_of))

    def key_of(self, row: Any) -> tuple[Any, ...]:
        """What no two rows have in common."""
        return tuple([getattr(row, name) for name in self.key])

    def put(self, c: Connection, rows: Sequence[Any]) -> None:
        """Insert rows, or overwrite those of the same key."""
        upsert(c, self.table, [self._values(row, self._kinds) for row in rows])

    def remove(self, c: Connection, rows: Sequence[Any]) -> None:
        """Delete the rows of the same keys."""
        if rows:
            named = [self.table.c[name] == sa.bindparam(f"the_{name}") for name in self.key]
            keys = [
                {f"the_{name}": value for name, value in self._values(row, self.key).items()} for row in rows
            ]
            c.execute(sa.delete(self.table).where(*named), keys)

    def _column(self, name: str) -> sa.Column[Any]:
        kind, optional = self._kinds[name]
        column = _COLUMNS[str if issubclass(kind, StrEnum) else kind]
        if name in self.key:
            return sa.Column(name, column, primary_key=True, autoincrement=False)
        return sa.Column(name, column, nullable=optional)

    def _row(self, row: Row[Any]) -> Any:
        values = list(row)
        for at, kind in self._converted:
            text = values[at]
            if text is not None:
                values[at] = date.fromisoformat(text) if kind is date else kind(text)
        return self._type(*values)

    def _values(self, row: Any, names: Iterable[str]) -> dict[str, Any]:
        return {name: _stored(getattr(row, name)) for name in names}


def _kind(hint: Any) -> tuple[type[Any], bool]:
    """(type, whether None is allowed) of an annotation such as ``date | None``."""
    kinds = get_args(hint) or (hint,)
    return next(kind for kind in kinds if kind is not NoneType), NoneType in kinds


def _stored(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    return value.isoformat() if isinstance(value, date) else value


def _row_type(hint: Any) -> type[Any]:
    found: type[Any] = get_args(hint)[0]
    return found


NOUNS: Final = tuple(Noun(name, _row_type(hint)) for name, hint in get_type_hints(Estate).items())
"""The nouns in the order of :class:`Estate`, named like its fields."""
