"""What holds from one day until another. Days are calendar days of Vietnam, never instants.

``valid_from`` is the first day something holds, ``valid_to`` the first day it no longer does, None
for "until further notice". So a unit that merged on 01/01/2020 has ``valid_to`` 01/01/2020 and its
successor ``valid_from`` 01/01/2020, and on every day exactly one of them holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final, Protocol, TypeVar

BEGINNING: Final = date(1900, 1, 1)
"""``valid_from`` of what has always been so, as far as anybody knows. Printed as a dash."""


class Dated(Protocol):
    """Anything that holds from a day until a day."""

    @property
    def valid_from(self) -> date:
        """The first day it holds."""
        ...

    @property
    def valid_to(self) -> date | None:
        """The first day it no longer holds, None for an open end."""
        ...


D = TypeVar("D", bound=Dated)


def holds(row: Dated, day: date) -> bool:
    """Whether it holds on a day."""
    return row.valid_from <= day and (row.valid_to is None or day < row.valid_to)


def on(rows: Iterable[D], day: date) -> list[D]:
    """The rows that hold on a day, in their order."""
    return [row for row in rows if holds(row, day)]


def overlap(one: Dated, other: Dated) -> bool:
    """Whether there is a day on which both hold."""
    starts_before_end = other.valid_to is None or one.valid_from < other.valid_to
    ends_after_start = one.valid_to is None or other.valid_from < one.valid_to
    return starts_before_end and ends_after_start
