"""Histories of dated rows: a new version closes the old one, and no day ever has two.

Rows with one key are the versions of one thing. A hole between two versions is allowed: the thing
was not there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any, TypeVar, cast

from hatang_collector.domain.dated import Dated, holds

T = TypeVar("T", bound=Dated)


def put(rows: tuple[T, ...], row: T, key: Callable[[T], Hashable]) -> tuple[T, ...]:
    """The rows with one version put in; see :func:`put_all`."""
    return put_all(rows, (row,), key)


def put_all(rows: tuple[T, ...], new: Iterable[T], key: Callable[[T], Hashable]) -> tuple[T, ...]:
    """The rows with versions put in, one after the other, in time linear in their number.

    A version with the same key and first day is replaced: that is a correction. Otherwise the
    version in force on that day ends there. A version without an end ends where the next one
    begins; one with an end pushes what follows behind its end, so that afterwards it holds on each
    of its days. Rows of other keys stay as and where they are.
    """
    new = tuple(new)
    histories: dict[Hashable, list[T]] = {key(row): [] for row in new}
    for row in rows:
        if (history := histories.get(key(row))) is not None:
            history.append(row)
    for row in new:
        histories[key(row)] = _put(histories[key(row)], row)
    together: list[T] = []
    for row in rows:
        if (name := key(row)) not in histories:
            together.append(row)
        else:  # a history stands where its first version stood
            together += histories[name]
            histories[name] = []
    for history in histories.values():
        together += history
    return tuple(together)


def end(rows: tuple[T, ...], key_value: Hashable, day: date, key: Callable[[T], Hashable]) -> tuple[T, ...]:
    """The rows with one thing gone from a day on: closed that day, its later versions dropped.

    Raises LookupError when nothing has that key.
    """
    if not any(key(row) == key_value for row in rows):
        raise LookupError(f"nothing called {key_value!r} can end on {day}: check the code")
    together = []
    for row in rows:
        if key(row) != key_value:
            together.append(row)
        elif row.valid_from < day:
            together.append(_from_to(row, row.valid_from, day) if holds(row, day) else row)
    return tuple(together)


def _put(versions: list[T], row: T) -> list[T]:
    later = [version.valid_from for version in versions if version.valid_from > row.valid_from]
    if row.valid_to is None and later:
        row = _from_to(row, row.valid_from, min(later))
    together = [row]
    for version in versions:
        start, stop = version.valid_from, version.valid_to
        if start == row.valid_from:
            continue
        if start < row.valid_from and holds(version, row.valid_from):
            version = _from_to(version, start, row.valid_from)
        elif start > row.valid_from and row.valid_to is not None and start < row.valid_to:
            if stop is not None and stop <= row.valid_to:
                continue
            version = _from_to(version, row.valid_to, stop)
        together.append(version)
    return sorted(together, key=lambda version: version.valid_from)


def _from_to(row: T, valid_from: date, valid_to: date | None) -> T:
    return cast("T", replace(cast("Any", row), valid_from=valid_from, valid_to=valid_to))
