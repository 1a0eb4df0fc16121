"""Versions: a correction replaces, anything else closes, and no day has two."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.domain import versions
from hatang_collector.domain.dated import BEGINNING, holds, on
from hatang_collector.domain.estate import Site
from support.estates import FIRST, SITES

D1, D2, D3, D4 = (date(2020, month, 1) for month in (1, 2, 3, 4))
ALL_DAYS = [date(1950, 1, 1), *(FIRST + timedelta(days=day) for day in range(-1, 345, 3)), date(2030, 1, 1)]


def site(name: str, valid_from: date = BEGINNING, valid_to: date | None = None, code: str = "s") -> Site:
    """One version of a site."""
    return Site(code, name, valid_from=valid_from, valid_to=valid_to)


def by_code(row: Site) -> str:
    """The key of these tests."""
    return row.code


@pytest.mark.parametrize(
    ("before", "row", "after"),
    [
        ([], site("new"), [site("new")]),
        ([site("old")], site("new"), [site("new")]),
        ([site("old")], site("new", D2), [site("old", BEGINNING, D2), site("new", D2)]),
        ([site("late", D3)], site("new", D1), [site("new", D1, D3), site("late", D3)]),
        (
            [site("old", D1, D3), site("late", D3)],
            site("new", D2),
            [site("old", D1, D2), site("new", D2, D3), site("late", D3)],
        ),
        ([site("old", D1, D2)], site("new", D3), [site("old", D1, D2), site("new", D3)]),
        ([site("old", D1)], site("new", D2, D3), [site("old", D1, D2), site("new", D2, D3)]),
        ([site("old", D1, D3), site("late", D3)], site("old", D1), [site("old", D1, D3), site("late", D3)]),
        ([site("late", D3)], site("new", D2, D4), [site("new", D2, D4), site("late", D4)]),
        ([site("late", D3, D4)], site("new", D2, D4), [site("new", D2, D4)]),
        ([site("x", code="x")], site("new"), [site("x", code="x"), site("new")]),
    ],
    ids=[
        "first",
        "correction",
        "next version",
        "before a later one",
        "between two",
        "after a hole",
        "with an end, nothing is resumed",
        "a correction keeps what follows",
        "with an end, what follows is pushed",
        "with an end, what is inside is dropped",
        "other keys stay",
    ],
)
def test_put(before: list[Site], row: Site, after: list[Site]) -> None:
    """Each way a version can meet the others."""
    assert versions.put(tuple(before), row, by_code) == tuple(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([site("old")], [site("old", BEGINNING, D2)]),
        ([site("old", D1, D2)], [site("old", D1, D2)]),
        ([site("old", D1, D3), site("late", D3)], [site("old", D1, D2)]),
        ([site("late", D2)], []),
        ([site("x", code="x"), site("old")], [site("x", code="x"), site("old", BEGINNING, D2)]),
    ],
    ids=["open end", "already over", "later versions go", "begins that day", "other keys stay"],
)
def test_end(before: list[Site], after: list[Site]) -> None:
    """Each way a thing can end on D2."""
    assert versions.end(tuple(before), "s", D2, by_code) == tuple(after)


def test_ending_what_nobody_knows_is_refused() -> None:
    """A wrong code is told, not ignored."""
    with pytest.raises(LookupError, match="nothing called 'x'"):
        versions.end((site("old"),), "x", D2, by_code)


@given(st.lists(SITES.filter(lambda row: row.valid_to is None or row.valid_to > row.valid_from), max_size=10))
def test_no_day_ever_has_two_versions(rows: list[Site]) -> None:
    """Whatever is put in whatever order; and the newest word holds on each of its days that it named."""
    history: tuple[Site, ...] = ()
    for row in rows:
        history = versions.put(history, row, by_code)
        for day in ALL_DAYS:
            codes = [version.code for version in on(history, day)]

            assert len(codes) == len(set(codes))
            if holds(row, day) and row.valid_to is not None:
                assert [one.name for one in on(history, day) if one.code == row.code] == [row.name]


@given(st.lists(SITES, max_size=10), st.lists(SITES, max_size=10))
def test_many_at_once_are_as_one_by_one(before: list[Site], new: list[Site]) -> None:
    """The fast way says the same."""
    start = versions.put_all((), before, by_code)
    one_by_one = start
    for row in new:
        one_by_one = versions.put(one_by_one, row, by_code)

    assert versions.put_all(start, new, by_code) == one_by_one
