"""The tree of a day, and who stands for whom on another day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.domain.estate import Succession, SuccessionKind, Unit
from hatang_collector.domain.tree import Resolved, Tree, Way, vietnamese_order
from support.communes import (
    DISTRICT,
    DISTRICTS_MERGED,
    HUONG_XUAN,
    MERGED,
    NEXT_DISTRICT,
    TWO_TIERS,
    nam_dong,
)
from support.estates import DAYS, SUCCESSIONS, UNITS

EVE = timedelta(days=1)
D1, D2, D3, D4 = (date(year, 1, 1) for year in (2020, 2021, 2022, 2023))


@pytest.fixture(scope="module")
def tree() -> Tree:
    """Nam Đông from 2015 until today."""
    estate = nam_dong()
    return Tree(estate.units, estate.successions)


def steps(*texts: str) -> list[Succession]:
    """``a>b 2020`` is a succession on the first day of a year."""
    kind = SuccessionKind.MERGE
    return [Succession(t[0], t[2], date(int(t[4:]), 1, 1), kind) for t in texts]


def units(*texts: str) -> list[Unit]:
    """``a 2020-2022`` is a unit with its years; either may be missing."""
    made = []
    for text in texts:
        code, _, years = text.partition(" ")
        first, _, last = years.partition("-")
        made.append(
            Unit(
                code,
                code,
                valid_from=date(int(first or 1900), 1, 1),
                valid_to=date(int(last), 1, 1) if last else None,
            )
        )
    return made


def test_children_come_in_official_order(tree: Tree) -> None:
    """By position (STT), which is not the alphabet."""
    names = [unit.name for unit in tree.children(DISTRICT, date(2015, 4, 13))]

    assert names[:4] == [
        "UBND thị trấn Khe Tre",
        "UBND xã Hương Phú",
        "UBND xã Hương Giang",
        "UBND xã Hương Lộc",
    ]
    assert len(names) == 13


@pytest.mark.parametrize(
    ("day", "communes"),
    [
        (MERGED - EVE, 11),
        (MERGED, 10),
        (DISTRICTS_MERGED, 10),
        (TWO_TIERS - EVE, 10),
        (TWO_TIERS, 3),
    ],
)
def test_communes_below_the_root(tree: Tree, day: date, communes: int) -> None:
    """Whatever the levels between, on the day of a merger already the new number."""
    below = tree.subtree("46", day) - {"46", DISTRICT, NEXT_DISTRICT, "HND-VP", "HND-VH"}

    assert len(below) == communes


def test_chain_changes_with_the_day(tree: Tree) -> None:
    """A commune stays itself while what is above it changes."""
    chains = [
        [unit.name for unit in tree.chain("ND02", day)] for day in (MERGED, DISTRICTS_MERGED, TWO_TIERS)
    ]

    assert chains == [
        ["UBND xã Hương Phú", "Huyện Nam Đông", "Tỉnh Thừa Thiên Huế"],
        ["UBND xã Hương Phú", "Huyện Phú Lộc", "Thành phố Huế"],
        [],
    ]


@pytest.mark.parametrize(
    ("code", "day", "found"),
    [
        ("ND03", MERGED - EVE, Resolved("ND03", Way.SAME)),
        ("ND03", MERGED, Resolved(HUONG_XUAN, Way.FOLLOWED)),
        ("ND03", TWO_TIERS, Resolved("20179", Way.FOLLOWED)),
        (HUONG_XUAN, MERGED - EVE, Resolved(None, Way.MERGED, ("ND03", "ND07"))),
        ("20179", MERGED, Resolved(None, Way.MERGED, ("ND05", "ND09", HUONG_XUAN))),
        (DISTRICT, DISTRICTS_MERGED, Resolved(NEXT_DISTRICT, Way.FOLLOWED)),
        (DISTRICT, TWO_TIERS, Resolved(None, Way.NOT_THEN)),
        ("HND-VP", TWO_TIERS, Resolved(None, Way.NOT_THEN)),
        ("99999", TWO_TIERS, Resolved(None, Way.UNKNOWN)),
    ],
)
def test_who_stands_for_whom(tree: Tree, code: str, day: date, found: Resolved) -> None:
    """Through one and through several reorganisations, both ways."""
    assert tree.resolve(code, day) == found


def test_what_a_unit_has_today_need_not_have_been_its_own(tree: Tree) -> None:
    """Phú Lộc was there in 2024; what it has since 2025 may have come from Nam Đông."""
    assert tree.resolve(NEXT_DISTRICT, date(2024, 6, 1)) == Resolved(NEXT_DISTRICT, Way.SAME)
    assert tree.resolve(NEXT_DISTRICT, date(2024, 6, 1), seen=date(2025, 3, 1)) == Resolved(
        None, Way.MERGED, (DISTRICT, NEXT_DISTRICT)
    )


@pytest.mark.parametrize(
    ("rows", "successions", "code", "day", "found"),
    [
        (["a -2020", "b 2020"], ["a>b 2020"], "b", 2019, Resolved("a", Way.TRACED_BACK)),
        (
            ["a -2020", "b 2020", "c 2020"],
            ["a>b 2020", "a>c 2020"],
            "a",
            2021,
            Resolved(None, Way.SPLIT, ("b", "c")),
        ),
        (
            ["a -2020", "b 2020", "c 2020"],
            ["a>b 2020", "a>c 2020"],
            "b",
            2019,
            Resolved("a", Way.TRACED_BACK),
        ),
        (["a", "b 2020"], ["a>b 2020"], "a", 2021, Resolved("a", Way.SAME)),
        (["a", "b 2020"], ["a>b 2020"], "b", 2019, Resolved("a", Way.TRACED_BACK)),
        (
            ["a -2020", "b 2020-2021", "c 2020-2021", "d 2021"],
            ["a>b 2020", "a>c 2020", "b>d 2021", "c>d 2021"],
            "a",
            2022,
            Resolved("d", Way.FOLLOWED),
        ),
        (
            ["a -2020", "b 2020-2021", "c 2020"],
            ["a>b 2020", "a>c 2020"],
            "a",
            2022,
            Resolved(None, Way.SPLIT, ("", "c")),
        ),
        (["a -2020", "b -2020", "c 2020"], ["a>b 2020", "b>c 2020"], "a", 2021, Resolved("c", Way.FOLLOWED)),
        (
            ["a -2020", "b -2020", "c 2020"],
            ["b>c 2020", "a>b 2020"],
            "c",
            2019,
            Resolved(None, Way.MERGED, ("a", "b")),
        ),
        (
            ["a -2020", "b 2020-2022", "a 2022"],
            ["a>b 2020", "b>a 2022"],
            "a",
            2021,
            Resolved("b", Way.FOLLOWED),
        ),
        (
            ["a -2020", "b 2020-2022", "a 2022"],
            ["a>b 2020", "b>a 2022"],
            "b",
            2023,
            Resolved("a", Way.FOLLOWED),
        ),
        (["a -2020", "b -2020"], ["a>b 2020", "b>a 2020"], "a", 2021, Resolved(None, Way.NOT_THEN)),
        (["a 2020"], [], "a", 2019, Resolved(None, Way.NOT_THEN)),
        (["a -2020"], [], "a", 2020, Resolved(None, Way.NOT_THEN)),
    ],
    ids=[
        "renamed, seen from before",
        "split",
        "part of a split, seen from before",
        "gave a part away and went on",
        "the part it gave away",
        "split and merged again",
        "one branch of a split leads nowhere",
        "twice on one day",
        "twice on one day, seen from before",
        "there and back, between",
        "there and back, after",
        "round in a circle on one day",
        "not yet",
        "no longer",
    ],
)
def test_small_histories(
    rows: list[str], successions: list[str], code: str, day: int, found: Resolved
) -> None:
    """Each kind of history on its own."""
    assert Tree(units(*rows), steps(*successions)).resolve(code, date(day, 6, 1)) == found


def test_giving_a_part_away_makes_the_past_ambiguous() -> None:
    """What a had before b was cut out of it may be either's today."""
    tree = Tree(units("a", "b 2020"), steps("a>b 2020"))

    assert tree.resolve("a", D2, seen=D1 - EVE) == Resolved(None, Way.SPLIT, ("a", "b"))
    assert tree.resolve("a", D2, seen=D1) == Resolved("a", Way.SAME)


def test_names_of_days_without_the_unit(tree: Tree) -> None:
    """The name in force, else the nearest, else the code."""
    assert tree.name_of("46", DISTRICTS_MERGED - EVE) == "Tỉnh Thừa Thiên Huế"
    assert tree.name_of("46", DISTRICTS_MERGED) == "Thành phố Huế"
    assert tree.name_of("ND03", TWO_TIERS) == "UBND xã Hương Giang"
    assert tree.name_of("20179", MERGED) == "UBND xã Nam Đông"
    assert tree.name_of("?", TWO_TIERS) == "?"


def test_the_nearest_of_several_names() -> None:
    """In a hole between two versions the nearer one, on equal terms the older."""
    tree = Tree([Unit("a", "old", valid_to=D1), Unit("a", "new", valid_from=D3)])

    assert tree.name_of("a", D1 + EVE) == "old"
    assert tree.name_of("a", D3 - EVE) == "new"


@pytest.mark.parametrize(
    ("day", "nearest"),
    [(D1 - EVE, D1), (D1, D1), (D2 - EVE, D2 - EVE), (D2, D2 - EVE), (D3, D3), (D4, D3 + EVE)],
)
def test_the_nearest_day_a_unit_was_there(day: date, nearest: date) -> None:
    """That day, else the last one before it, else its first one."""
    tree = Tree(
        [Unit("a", "a", valid_from=D1, valid_to=D2), Unit("a", "a", valid_from=D3, valid_to=D3 + 2 * EVE)]
    )

    assert tree.nearest_day("a", day) == nearest
    assert tree.nearest_day("?", day) is None


def test_the_first_day_of_all_days_is_no_trap() -> None:
    """A unit that ended before any day is simply not there."""
    assert Tree([Unit("a", "a", valid_to=date.min)]).resolve("a", D1) == Resolved(None, Way.NOT_THEN)


def test_nobody_vanishes_when_a_parent_is_missing() -> None:
    """A child of a unit that is not there that day is a root of that day."""
    tree = Tree([Unit("p", "p", valid_to=D2), Unit("c", "c", parent="p")])

    assert [unit.code for unit in tree.roots(D1)] == ["p"]
    assert [unit.code for unit in tree.roots(D2)] == ["c"]


def test_a_circle_of_parents_ends_every_walk() -> None:
    """Such an estate is refused elsewhere; here it must not hang."""
    tree = Tree([Unit("a", "a", parent="b"), Unit("b", "b", parent="a")])

    assert [unit.code for unit in tree.chain("a", D1)] == ["a", "b"]
    assert tree.subtree("a", D1) == {"a", "b"}


def test_successors_and_predecessors(tree: Tree) -> None:
    """By day, with their documents."""
    assert [(step.new, step.document) for step in tree.successors("ND03")] == [
        (HUONG_XUAN, "834/NQ-UBTVQH14")
    ]
    assert [step.old for step in tree.predecessors("20182")] == ["ND06", "ND08", "ND10"]


@pytest.mark.parametrize(
    "ordered",
    [
        ["An", "Ăn", "Ân", "Ba", "Da", "Đa", "Ea"],
        ["Hoa", "Hòa", "Hỏa", "Hõa", "Hóa", "Họa"],
        ["Hương Giang", "Hương Hòa", "Hương Hữu", "Thượng Long", "Thượng Lộ"],
        ["Xã 1", "xã a"],
    ],
)
def test_vietnamese_order(ordered: list[str]) -> None:
    """Letters before tones, đ after d, capitals as small ones."""
    backwards = list(reversed(ordered))

    assert sorted(backwards, key=vietnamese_order) == ordered


@given(st.lists(UNITS, max_size=8), st.lists(SUCCESSIONS, max_size=12), DAYS, st.one_of(st.none(), DAYS))
def test_any_history_is_answered(
    rows: list[Unit], successions: list[Succession], day: date, seen: date | None
) -> None:
    """Circles, holes, overlaps: an answer comes, and what stands for a unit is there that day."""
    tree = Tree(rows, successions)
    for code in {unit.code for unit in rows}:
        found = tree.resolve(code, day, seen)
        named = [found.unit] if found.unit is not None else [one for one in found.candidates if one]

        assert all(tree.unit(one, day) is not None for one in named)
        assert (found.unit is not None) == (found.how in {Way.SAME, Way.FOLLOWED, Way.TRACED_BACK})
        assert (found.how is Way.SAME) == (found.unit == code)
        assert tree.subtree(code, day) >= ({code} if tree.unit(code, day) else set())
        assert len(tree.chain(code, day)) == len({unit.code for unit in tree.chain(code, day)})


@given(st.lists(UNITS, max_size=8, unique_by=lambda unit: unit.code), DAYS)
def test_every_unit_of_a_day_is_below_a_root_or_in_a_circle(rows: list[Unit], day: date) -> None:
    """Roots and what is below them is everybody who is there, circles aside."""
    tree = Tree(rows)
    below: set[str] = set()
    for root in tree.roots(day):
        below |= tree.subtree(root.code, day)
    missing = {unit.code for unit in rows if tree.unit(unit.code, day)} - below

    assert all(
        tree.chain(code, day)[-1].parent in {unit.code for unit in tree.chain(code, day)} for code in missing
    )
