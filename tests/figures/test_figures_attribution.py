"""Attribution: whose a machine or an asset is, today and in the structure of another day."""

from __future__ import annotations

from datetime import date

import pytest

from hatang_collector.domain.attribution import Attribution, Gap, Place
from hatang_collector.domain.estate import Estate, Site, SiteUnit, Succession, SuccessionKind, Unit
from hatang_collector.domain.tree import Tree

MERGED = date(2020, 1, 1)
SPLIT = date(2024, 1, 1)
ESTATE = Estate(
    units=(
        Unit("top", "Huyện"),
        Unit("giang", "Xã Hương Giang", parent="top", valid_to=MERGED),
        Unit("hoa", "Xã Hương Hòa", parent="top", valid_to=MERGED),
        Unit("xuan", "Xã Hương Xuân", parent="top", valid_from=MERGED),
        Unit("big", "Xã Lớn", parent="top", valid_to=SPLIT),
        Unit("east", "Xã Đông", parent="top", valid_from=SPLIT),
        Unit("west", "Xã Tây", parent="top", valid_from=SPLIT),
        Unit("p1", "Phòng Nội vụ", parent="top"),
        Unit("p2", "Phòng Tư pháp", parent="top"),
    ),
    successions=(
        Succession("giang", "xuan", MERGED, SuccessionKind.MERGE),
        Succession("hoa", "xuan", MERGED, SuccessionKind.MERGE),
        Succession("big", "east", SPLIT, SuccessionKind.SPLIT),
        Succession("big", "west", SPLIT, SuccessionKind.SPLIT),
    ),
    sites=(
        Site("s-giang", "G"),
        Site("s-east", "Đ"),
        Site("s-west", "T"),
        Site("house", "Nhà"),
        Site("x", "X"),
    ),
    site_units=(
        SiteUnit("s-giang", "giang", valid_to=MERGED),
        SiteUnit("s-giang", "xuan", valid_from=MERGED),
        SiteUnit("s-east", "big", valid_to=SPLIT),
        SiteUnit("s-west", "big", valid_to=SPLIT),
        SiteUnit("s-east", "east", valid_from=SPLIT),
        SiteUnit("s-west", "west", valid_from=SPLIT),
        SiteUnit("house", "p1"),
        SiteUnit("house", "p2"),
    ),
)
TREE = Tree(ESTATE.units, ESTATE.successions)
TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("unit", "site", "place"),
    [
        ("p1", "house", Place("p1", "house")),
        ("p1", "", Place("p1", "house")),
        ("", "s-east", Place("east", "s-east")),
        ("", "house", Place("", "house", Gap.SEVERAL_UNITS, ("p1", "p2"))),
        ("giang", "", Place("xuan", "s-giang")),
        ("giang", "s-giang", Place("xuan", "s-giang")),
        ("big", "s-east", Place("east", "s-east")),
        ("big", "", Place("", "", Gap.SEVERAL_UNITS, ("east", "west"))),
        ("big", "house", Place("", "house", Gap.SEVERAL_UNITS, ("east", "west"))),
        ("", "", Place("", "", Gap.NOT_PLACED)),
        ("", "x", Place("", "x", Gap.NO_UNIT_AT_SITE)),
        ("nobody", "", Place("", "", Gap.UNKNOWN_UNIT)),
        ("nobody", "s-east", Place("east", "s-east")),
        ("p1", "gone", Place("p1", "house")),
    ],
)
def test_today(unit: str, site: str, place: Place) -> None:
    """What follows is filled in; where several are possible nothing is guessed."""
    assert Attribution(ESTATE, TREE, TODAY).place(unit, site) == place


@pytest.mark.parametrize(
    ("unit", "site", "found"),
    [
        ("xuan", "s-giang", "giang"),
        ("xuan", "", "giang"),
        ("east", "s-east", "big"),
        ("west", "", "big"),
        ("p2", "", "p2"),
    ],
)
def test_todays_data_in_the_structure_of_2019(unit: str, site: str, found: str) -> None:
    """A merged unit is told apart by its building, a split one is whole again."""
    assert Attribution(ESTATE, TREE, TODAY, date(2019, 6, 1)).place(unit, site).unit == found


def test_units_at_a_site_are_those_of_the_structure() -> None:
    """One building, one unit, another name before the merger."""
    assert Attribution(ESTATE, TREE, TODAY).units_at("s-giang") == ("xuan",)
    assert Attribution(ESTATE, TREE, TODAY, date(2019, 6, 1)).units_at("s-giang") == ("giang",)
    assert Attribution(ESTATE, TREE, TODAY).units_at("house") == ("p1", "p2")
