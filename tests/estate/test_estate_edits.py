"""Changes of the estate: put, end, remove, and what a reorganisation takes along."""

from __future__ import annotations

from datetime import date

import pytest

from hatang_collector.domain import checks, edits
from hatang_collector.domain.dated import BEGINNING, on
from hatang_collector.domain.edits import DATED, KEYS, NOUN_OF, NOUNS
from hatang_collector.domain.estate import (
    DayKind,
    Estate,
    Service,
    Site,
    SiteUnit,
    SpecialDay,
    StaffGroup,
    Succession,
    SuccessionKind,
    Unit,
)
from support.communes import DISTRICT, HUONG_XUAN, MERGED, nam_dong

D1, D2, D3 = (date(2020, month, 1) for month in (1, 2, 3))
MERGE, SPLIT, RENAME, MOVE = (
    SuccessionKind.MERGE,
    SuccessionKind.SPLIT,
    SuccessionKind.RENAME,
    SuccessionKind.MOVE,
)


def small() -> Estate:
    """A root with a and b, a village below a, and a house for each; both also meet in a hall."""
    return Estate(
        units=(
            Unit("r", "r"),
            Unit("a", "a", parent="r"),
            Unit("b", "b", parent="r"),
            Unit("v", "v", parent="a"),
        ),
        sites=(Site("A", "A"), Site("B", "B"), Site("hall", "hall")),
        site_units=(SiteUnit("A", "a"), SiteUnit("B", "b"), SiteUnit("hall", "a"), SiteUnit("hall", "b")),
    )


def test_every_noun_of_the_estate_is_known() -> None:
    """A new field of the Estate cannot be forgotten here."""
    assert list(NOUNS) == list(Estate.__dataclass_fields__)
    assert set(KEYS) == set(NOUNS.values()) == set(NOUN_OF)
    assert {row_type for row_type in NOUNS.values() if hasattr(row_type, "valid_to")} == DATED


def test_put_finds_the_noun_by_the_type() -> None:
    """Rows of several types in one go."""
    rows = (Unit("x", "x"), Service("s", "s"), StaffGroup("g", "g"), Unit("y", "y"))
    estate = edits.put_all(Estate(), rows)

    assert estate == Estate(
        units=(Unit("x", "x"), Unit("y", "y")),
        services=(Service("s", "s"),),
        staff_groups=(StaffGroup("g", "g"),),
    )


def test_put_of_an_undated_row_replaces_it() -> None:
    """A group and a special day have no history."""
    before = Estate(staff_groups=(StaffGroup("g", "old"), StaffGroup("h", "h")))

    assert edits.put(before, StaffGroup("g", "new")).staff_groups == (
        StaffGroup("g", "new"),
        StaffGroup("h", "h"),
    )


def test_end_takes_a_code_or_a_key() -> None:
    """One-part keys may be given as they are."""
    by_code = edits.end(small(), Unit, "v", D1)

    assert by_code == edits.end(small(), Unit, ("v",), D1)
    assert by_code.units[3] == Unit("v", "v", parent="a", valid_to=D1)
    assert edits.end(small(), SiteUnit, ("A", "a"), D1).site_units[0].valid_to == D1


def test_what_has_no_period_cannot_end() -> None:
    """A succession is removed, not ended."""
    with pytest.raises(ValueError, match="successions have no period"):
        edits.end(small(), Succession, ("a", "b", "2020-01-01"), D1)


def test_remove_takes_exactly_that_row() -> None:
    """A row read before somebody else changed it is not found, and nothing happens."""
    estate = small()

    assert edits.remove(estate, Site("B", "B")).sites == (Site("A", "A"), Site("hall", "hall"))
    with pytest.raises(LookupError, match="sites have no such row"):
        edits.remove(estate, Site("B", "another name"))


def test_a_merger_takes_sites_and_children_along() -> None:
    """The new unit has both houses and the hall once; the village is below it; the old ones end."""
    after = edits.succeed(small(), ["a", "b"], [Unit("n", "n", parent="r")], MERGE, D1, "NQ 1")

    assert checks.problems(after) == []
    assert {(unit.code, unit.parent) for unit in on(after.units, D1)} == {("r", ""), ("n", "r"), ("v", "n")}
    assert {(stay.site, stay.unit) for stay in on(after.site_units, D1)} == {
        ("A", "n"),
        ("B", "n"),
        ("hall", "n"),
    }
    assert on(after.site_units, date(2019, 12, 31)) == [
        SiteUnit(stay.site, stay.unit, valid_to=D1) for stay in small().site_units
    ]
    assert after.successions == (
        Succession("a", "n", D1, MERGE, "NQ 1"),
        Succession("b", "n", D1, MERGE, "NQ 1"),
    )


def test_a_unit_that_takes_in_another_one_goes_on() -> None:
    """Same code: a new version, its own sites untouched, one succession."""
    after = edits.succeed(small(), ["a", "b"], [Unit("b", "b and a", parent="r")], MERGE, D1)

    assert checks.problems(after) == []
    assert [unit.name for unit in after.units if unit.code == "b"] == ["b", "b and a"]
    assert after.successions == (Succession("a", "b", D1, MERGE),)
    assert {(stay.site, stay.unit) for stay in on(after.site_units, D1)} == {
        ("A", "b"),
        ("B", "b"),
        ("hall", "b"),
    }
    assert SiteUnit("B", "b") in after.site_units


def test_a_rename_with_the_same_code_is_a_new_version() -> None:
    """Nothing moves and nothing succeeds."""
    after = edits.succeed(small(), ["a"], [Unit("a", "A new name", parent="r")], RENAME, D1)

    assert after.successions == ()
    assert after.site_units == small().site_units
    assert [(unit.name, unit.valid_from) for unit in after.units if unit.code == "a"] == [
        ("a", BEGINNING),
        ("A new name", D1),
    ]


def test_a_new_code_under_another_parent() -> None:
    """A move that changes the code takes sites and children along as a merger does."""
    after = edits.succeed(small(), ["a"], [Unit("a2", "a", parent="b")], MOVE, D1)

    assert checks.problems(after) == []
    assert [unit.parent for unit in on(after.units, D1) if unit.code == "v"] == ["a2"]
    assert SiteUnit("A", "a2", D1) in after.site_units


def test_a_split_leaves_to_a_person_who_gets_what() -> None:
    """Sites stay where they were, and a child without a parent is told as a problem."""
    after = edits.succeed(
        small(), ["a"], [Unit("a1", "a1", parent="r"), Unit("a2", "a2", parent="r")], SPLIT, D1
    )

    assert after.site_units == small().site_units
    assert [(problem.key, problem.code) for problem in checks.problems(after)] == [
        (("v",), "parent_not_then")
    ]


def test_what_only_begins_later_moves_too() -> None:
    """A child and a site announced for after the merger are those of the new unit from the start."""
    before = edits.put_all(
        small(), (Unit("w", "w", parent="a", valid_from=D2), SiteUnit("B", "a", D2, D3), Site("C", "C"))
    )
    after = edits.succeed(before, ["a"], [Unit("n", "n", parent="r")], RENAME, D1)

    assert checks.problems(after) == []
    assert [unit for unit in after.units if unit.code == "w"] == [Unit("w", "w", parent="n", valid_from=D2)]
    assert [stay for stay in after.site_units if stay.site == "B"] == [
        SiteUnit("B", "b"),
        SiteUnit("B", "n", D2, D3),
    ]


@pytest.mark.parametrize(
    ("olds", "news", "kind", "match"),
    [
        (["x"], ["n"], MERGE, "x is no unit on the day before"),
        (["a"], ["n", "m"], MERGE, "exactly one new unit, not 2"),
        (["a", "b"], ["n"], RENAME, "exactly one old unit, not 2"),
        (["a", "b"], ["n", "m"], SPLIT, "exactly one old unit, not 2"),
        ([], ["n"], MERGE, "merge of nothing on 2020-01-01: there is no old or no new unit"),
        (["a"], [], SPLIT, "no old or no new unit"),
    ],
)
def test_successions_that_make_no_sense_are_refused(
    olds: list[str], news: list[str], kind: SuccessionKind, match: str
) -> None:
    """With what to do about it."""
    with pytest.raises(ValueError, match=match):
        edits.succeed(small(), olds, [Unit(new, new, parent="r") for new in news], kind, D1)


def test_a_unit_that_began_that_day_was_not_there_before() -> None:
    """The old unit must have been there on the day before."""
    before = edits.put(small(), Unit("late", "late", parent="r", valid_from=D1))

    with pytest.raises(ValueError, match="late is no unit on the day before"):
        edits.succeed(before, ["late"], [Unit("n", "n")], RENAME, D1)


def test_what_ended_that_day_anyway_may_have_a_successor() -> None:
    """The end came first, from another document; the house it left that day does not go over."""
    before = edits.end(edits.end(small(), Unit, "v", D1), SiteUnit, ("A", "a"), D1)
    before = edits.end(edits.put(before, Unit("w", "w", parent="r", valid_to=D1)), Unit, "w", D1)
    after = edits.succeed(before, ["w", "a"], [Unit("n", "n", parent="r")], MERGE, D1)

    assert checks.problems(after) == []
    assert [step.old for step in after.successions] == ["w", "a"]
    assert [stay for stay in after.site_units if stay.site == "A"] == [SiteUnit("A", "a", valid_to=D1)]


def test_the_communes_are_a_sound_estate() -> None:
    """Three reorganisations made with these functions leave nothing wrong, and sites in history."""
    estate = nam_dong()
    stays = [(stay.unit, stay.valid_from) for stay in estate.site_units if stay.site == "TS-ND03"]

    assert checks.problems(estate) == []
    assert stays == [("ND03", BEGINNING), (HUONG_XUAN, MERGED), ("20179", date(2025, 7, 1))]
    assert Succession("ND03", HUONG_XUAN, MERGED, MERGE, "834/NQ-UBTVQH14") in estate.successions
    assert (
        len([unit for unit in on(estate.units, MERGED) if unit.parent == DISTRICT and unit.kind != "phòng"])
        == 11
    )


def test_a_special_day_is_one_per_scope_and_day() -> None:
    """The second word on a day replaces the first."""
    day = SpecialDay("", D1, DayKind.WORKED)
    renamed = SpecialDay("", D1, DayKind.WORKED, "Làm bù")

    assert edits.put(edits.put(Estate(), day), renamed).special_days == (renamed,)
