"""Sums over the tree: of any day, in the structure of any day, nothing twice and nothing lost."""

from __future__ import annotations

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.domain import checks, edits
from hatang_collector.domain.estate import (
    Asset,
    AssetKind,
    AssetState,
    Estate,
    Link,
    LinkKind,
    Site,
    SiteUnit,
    StaffCount,
    Succession,
    SuccessionKind,
    Unit,
)
from hatang_collector.domain.totals import EVERYTHING, Sums, Totals, Unattributed, totals
from hatang_collector.domain.tree import Tree, Way
from support.communes import DISTRICT, HUONG_XUAN, MERGED, TODAY, TWO_TIERS, nam_dong, province
from support.estates import trees

BEFORE, AFTER = date(2019, 6, 1), date(2021, 6, 1)
D1, D2 = date(2020, 1, 1), date(2021, 1, 1)


def tree_of(estate: Estate) -> Tree:
    """Its tree."""
    return Tree(estate.units, estate.successions)


def of(estate: Estate, unit: str, day: date, structure: date | None = None) -> Totals:
    """The sums of one unit."""
    return totals(estate, tree_of(estate), unit, day, structure)


def numbers(total: Totals) -> tuple[int, int, int, int]:
    """People, assets of any state, sites and links."""
    return total.people(), total.count(states=None), len(total.sites), len(total.links)


def test_a_commune_and_its_district() -> None:
    """People by group, things by kind, state and group; lines and houses by code."""
    estate = nam_dong()
    commune = of(estate, "ND03", BEFORE)

    assert commune.staff == {"cbcc": 19, "ban_chuyen_trach": 11}
    assert commune.assets[AssetKind.DESKTOP, AssetState.IN_USE, "cbcc"] == 11
    assert commune.count({AssetKind.DESKTOP}) == 14
    assert commune.count({AssetKind.DESKTOP}, None) == 15
    assert commune.count({AssetKind.DESKTOP}, staff_group="ban_chuyen_trach") == 3
    assert (commune.sites, commune.links) == (("TS-ND03",), ("ND03-CPNET", "ND03-FTTH"))
    assert commune.people("cbcc") == 19
    assert numbers(of(estate, DISTRICT, BEFORE)) == (333, 271, 12, 23)


@pytest.mark.parametrize("day", [BEFORE, AFTER, date(2025, 3, 1), date(2026, 11, 20)])
def test_reorganisations_lose_nothing(day: date) -> None:
    """The province has the same things whatever happened to those below it; 30 people left in 2025."""
    people, assets, _, _ = numbers(of(nam_dong(), "46", day))

    assert (people, assets) == (333 if day < date(2025, 1, 1) else 303, 271)


@pytest.mark.parametrize(("new", "name", "olds"), TODAY)
def test_a_new_commune_has_what_the_old_ones_had(new: str, name: str, olds: tuple[str, ...]) -> None:
    """The sums under the new unit are those of the old ones on the day before."""
    estate = nam_dong()
    sums = Sums(estate, tree_of(estate), date(2025, 6, 30))
    before = [numbers(sums.of(old)) for old in olds]

    assert numbers(of(estate, new, TWO_TIERS)) == tuple(map(sum, zip(*before, strict=True)))


def test_today_in_the_structure_of_2019() -> None:
    """What the communes of today have, by the houses it stands in, is back with those of 2019."""
    estate = nam_dong()
    today = date(2026, 11, 20)

    for code in ("ND03", "ND07", "ND11"):
        assert numbers(of(estate, code, today, BEFORE)) == numbers(of(estate, code, BEFORE))


def test_what_the_merged_unit_declared_belongs_to_no_old_one() -> None:
    """22 people of Hương Xuân: counted for the district of 2019, named for each of the two communes."""
    estate = edits.put(nam_dong(), StaffCount(HUONG_XUAN, "cbcc", 22, valid_from=MERGED))
    named = Unattributed("staff_counts", (HUONG_XUAN, "cbcc"), HUONG_XUAN, 22, Way.MERGED, ("ND03", "ND07"))
    by_structure = Sums(estate, tree_of(estate), AFTER, BEFORE)

    for code in ("ND03", "ND07"):
        assert named in by_structure.of(code).unattributed
        assert by_structure.of(code).people("cbcc") == 0
    assert by_structure.of("ND02").unattributed == ()
    assert by_structure.of(DISTRICT).unattributed == ()
    assert by_structure.of(DISTRICT).people("cbcc") == of(estate, DISTRICT, AFTER).people("cbcc")


def test_people_counted_anew_after_a_merger_are_not_counted_twice() -> None:
    """The old counts still stand in the register; the newer one of the successor replaces them."""
    estate = nam_dong()
    old = of(estate, HUONG_XUAN, AFTER).people("cbcc")
    anew = edits.put(estate, StaffCount(HUONG_XUAN, "cbcc", 22, valid_from=MERGED))
    counted = of(anew, HUONG_XUAN, AFTER)

    assert old == 19 + 18
    assert counted.people("cbcc") == 22
    assert [count.unit for count in counted.replaced] == ["ND03", "ND07"]
    assert counted.people("ban_chuyen_trach") == of(estate, HUONG_XUAN, AFTER).people("ban_chuyen_trach")
    assert of(anew, "20179", TWO_TIERS).people("cbcc") == 22 + 16 + 20


def test_a_count_from_before_the_merger_does_not_include_the_others() -> None:
    """When b takes a in, what b declared before does not replace what a declared."""
    estate = Estate(
        units=(Unit("a", "a"), Unit("b", "b")),
        staff_counts=(StaffCount("a", "g", 10), StaffCount("b", "g", 5, valid_from=date(2019, 12, 31))),
    )
    estate = edits.succeed(estate, ["a"], [Unit("b", "b")], SuccessionKind.MERGE, D1)
    again = edits.put(estate, StaffCount("b", "g", 12, valid_from=D2))

    assert of(estate, "b", D1).people() == 15
    assert of(again, "b", D1).people() == 15
    assert of(again, "b", D2).people() == 12


def split() -> Estate:
    """One unit was split into b and c; what it had was never declared again."""
    estate = Estate(
        units=(Unit("r", "r"), Unit("a", "a", parent="r")),
        sites=(Site("s", "s"), Site("t", "t")),
        site_units=(SiteUnit("s", "a", valid_to=D1), SiteUnit("t", "a")),
        links=(Link("l", "t", LinkKind.FTTH),),
        staff_counts=(StaffCount("a", "g", 10),),
        assets=(
            Asset("x", AssetKind.NAS, "a", "s"),
            Asset("y", AssetKind.NAS, "a", "t"),
            Asset("z", AssetKind.NAS, "a"),
        ),
    )
    news = [Unit("b", "b", parent="r"), Unit("c", "c", parent="r")]
    estate = edits.succeed(estate, ["a"], news, SuccessionKind.SPLIT, D1)
    return edits.put(estate, SiteUnit("s", "b", D1))


def test_after_a_split_the_house_decides_and_the_rest_is_named() -> None:
    """One asset stands in b's house; of the others only the parent is certain."""
    sums = Sums(split(), tree_of(split()), D2)
    open_things = {
        ("sites", ("t",), 1),
        ("links", ("l",), 1),
        ("staff_counts", ("a", "g"), 10),
        ("assets", ("y",), 1),
        ("assets", ("z",), 1),
    }

    assert numbers(sums.of("b")) == (0, 1, 1, 0)
    assert numbers(sums.of("c")) == (0, 0, 0, 0)
    assert numbers(sums.of("r")) == (10, 3, 2, 1)
    for code in ("b", "c"):
        assert {(one.noun, one.key, one.count) for one in sums.of(code).unattributed} == open_things
        assert {(one.why, one.candidates) for one in sums.of(code).unattributed} == {(Way.SPLIT, ("b", "c"))}
    assert sums.of("r").unattributed == ()


def test_between_two_roots_everything_is_certain() -> None:
    """Nobody knows which of the two has it, but that one of them has."""
    estate = Estate(units=(Unit("a", "a"),), staff_counts=(StaffCount("a", "g", 10),))
    estate = edits.succeed(estate, ["a"], [Unit("b", "b"), Unit("c", "c")], SuccessionKind.SPLIT, D1)

    assert of(estate, EVERYTHING, D2).people() == 10
    assert of(estate, EVERYTHING, D2).unattributed == ()
    assert [one.count for one in of(estate, "b", D2).unattributed] == [10]


def test_after_a_split_both_must_count_again() -> None:
    """The count of a stays open until b and c have both declared their own."""
    one = edits.put(split(), StaffCount("b", "g", 6, valid_from=D1))
    both = edits.put(one, StaffCount("c", "g", 5, valid_from=D1))

    assert of(one, "r", D2).people() == 16
    assert of(both, "r", D2).people() == 11
    assert [count.unit for count in of(both, "r", D2).replaced] == ["a"]


def test_what_belongs_nowhere_is_told_near_where_it_was() -> None:
    """A unit that ended without a successor left a printer behind: its parent and all above are told."""
    estate = Estate(
        units=(
            Unit("r", "r"),
            Unit("p", "p", parent="r"),
            Unit("q", "q", parent="r"),
            Unit("a", "a", "", "p", 0, D1, D2),
        ),
        assets=(Asset("x", AssetKind.PRINTER, "a"),),
    )
    sums = Sums(estate, tree_of(estate), D2)
    named = (Unattributed("assets", ("x",), "a", 1, Way.NOT_THEN),)

    assert [sums.of(code).unattributed for code in ("p", "r", EVERYTHING, "q")] == [named, named, named, ()]
    assert sums.of("r").count() == 0


@pytest.mark.parametrize(
    "estate",
    [
        Estate(units=(Unit("r", "r"),), assets=(Asset("x", AssetKind.NAS, "?"),)),
        Estate(units=(Unit("r", "r"),), sites=(Site("x", "x"),)),
        Estate(assets=(Asset("x", AssetKind.NAS, "?"),)),
    ],
    ids=["a unit nobody knows", "a site without a unit", "no unit at all"],
)
def test_what_has_no_unit_is_told_at_the_top(estate: Estate) -> None:
    """It is in no sum, and everybody who looks at everything sees it."""
    everything = of(estate, EVERYTHING, D1)

    assert numbers(everything) == (0, 0, 0, 0)
    assert [(one.key, one.why) for one in everything.unattributed] == [(("x",), Way.UNKNOWN)]


def test_a_building_of_two_units_is_one_for_their_parent() -> None:
    """Each of them has it; above them it is not counted twice."""
    sums = Sums(nam_dong(), tree_of(nam_dong()), BEFORE)

    assert [sums.of(code).sites for code in ("HND-VP", "HND-VH")] == [("TS-HND",), ("TS-HND",)]
    assert sums.of("HND-VP").links == ("HND-WAN",)
    assert len(sums.of(DISTRICT).sites) == 12


def test_a_unit_of_another_time_is_no_zero() -> None:
    """Asking for it is refused, because a blank is never zero."""
    with pytest.raises(LookupError, match="ND03 is no unit on 2021-06-01"):
        of(nam_dong(), "ND03", AFTER)


@given(trees())
def test_the_parts_add_up(estate: Estate) -> None:
    """What a unit has is its own and that of its children, at each level."""
    tree = tree_of(estate)
    sums = Sums(estate, tree, D1)
    for unit in estate.units:
        own = [count for count in estate.staff_counts if count.unit == unit.code]
        things = [asset for asset in estate.assets if asset.unit == unit.code]
        below = [sums.of(child.code) for child in tree.children(unit.code, D1)]
        whole = sums.of(unit.code)

        assert whole.people() == sum(count.people for count in own) + sum(child.people() for child in below)
        assert whole.count(states=None) == len(things) + sum(child.count(states=None) for child in below)
        assert whole.count() == whole.count(AssetKind)
        assert whole.unattributed == ()
    assert sums.of(EVERYTHING).assets == sums.of("r").assets


@given(trees(), st.data())
def test_merging_keeps_the_sums(estate: Estate, data: st.DataObject) -> None:
    """Whoever merges: the new unit has what the old ones had, the root has what it had."""
    leaves = [
        unit.code for unit in estate.units if not any(child.parent == unit.code for child in estate.units)
    ]
    olds = data.draw(st.lists(st.sampled_from(leaves), min_size=1, unique=True))
    sums = Sums(estate, tree_of(estate), D1)
    before = [numbers(sums.of(old)) for old in olds]
    merged = edits.succeed(estate, olds, [Unit("new", "new", parent="r")], SuccessionKind.MERGE, D1)
    after = Sums(merged, tree_of(merged), D2)

    assert checks.problems(merged) == []
    assert numbers(after.of("new")) == tuple(map(sum, zip(*before, strict=True)))
    assert (after.of("r").staff, after.of("r").assets) == (sums.of("r").staff, sums.of("r").assets)
    back = Sums(merged, tree_of(merged), D2, BEFORE)
    assert [numbers(back.of(old)) for old in olds] == before


@given(trees(), st.data())
def test_everything_is_counted_or_named(estate: Estate, data: st.DataObject) -> None:
    """In the structure of a day on which anything may have happened, nothing disappears."""
    codes = [unit.code for unit in estate.units if unit.code != "r"]
    for number, old in enumerate(data.draw(st.lists(st.sampled_from(codes), unique=True, max_size=3))):
        news = [Unit(f"n{number}{part}", "n", parent="r") for part in range(data.draw(st.integers(0, 2)))]
        if news:
            kind = SuccessionKind.SPLIT if len(news) > 1 else SuccessionKind.RENAME
            estate = edits.succeed(estate, [old], news, kind, D1)
        else:
            estate = edits.end(estate, Unit, old, D1)
    for day, structure in ((BEFORE, D2), (D2, BEFORE), (D2, D2)):
        everything = of(estate, EVERYTHING, day, structure)
        open_people = sum(one.count for one in everything.unattributed if one.noun == "staff_counts")
        open_assets = sum(one.count for one in everything.unattributed if one.noun == "assets")

        assert everything.people() + open_people == sum(count.people for count in estate.staff_counts)
        assert everything.count(states=None) + open_assets == len(estate.assets)


def test_the_whole_country_in_two_seconds() -> None:
    """3,321 communes with 100,000 assets: the tree and the sums of every one of them."""
    estate = province(3321, 30)
    start = time.process_time()
    tree = tree_of(estate)
    sums = Sums(estate, tree, AFTER.replace(year=2026))
    people = sum(sums.of(unit.code).people() for unit in tree.children("98", date(2026, 1, 1)))
    took = time.process_time() - start

    assert people == sums.of("98").people()
    assert took < 2


def test_a_circle_of_successions_is_no_trap() -> None:
    """Such an estate is refused elsewhere; sums of it still come."""
    estate = Estate(
        units=(
            Unit("r", "r"),
            Unit("a", "a", parent="r", valid_to=D1),
            Unit("b", "b", parent="r", valid_to=D1),
        ),
        successions=(
            Succession("a", "b", D1, SuccessionKind.RENAME),
            Succession("b", "a", D1, SuccessionKind.RENAME),
        ),
        assets=(Asset("x", AssetKind.NAS, "a"),),
        staff_counts=(StaffCount("a", "g", 1),),
    )

    assert [one.why for one in of(estate, "r", D2).unattributed] == [Way.NOT_THEN, Way.NOT_THEN]
