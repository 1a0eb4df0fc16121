"""Problems: each one found, told once, in one line with place, cause and next step."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from hatang_collector.domain import checks
from hatang_collector.domain.checks import EstateRefused, Problem, problems
from hatang_collector.domain.estate import (
    Asset,
    AssetKind,
    DayKind,
    Estate,
    Link,
    LinkKind,
    Method,
    Network,
    Service,
    Site,
    SiteUnit,
    SpecialDay,
    StaffCount,
    StaffGroup,
    Succession,
    SuccessionKind,
    Target,
    Unit,
)
from support.communes import nam_dong, province

D1, D2, D3 = (date(2020, month, 1) for month in (1, 2, 3))
SOUND = Estate(
    units=(
        Unit("r", "r"),
        Unit("a", "a", parent="r", valid_to=D2),
        Unit("b", "b", parent="r", valid_from=D2),
    ),
    successions=(Succession("a", "b", D2, SuccessionKind.RENAME),),
    sites=(Site("s", "s", hours="T2-T6 07:00-11:00"),),
    site_units=(SiteUnit("s", "a"),),
    special_days=(SpecialDay("", D1, DayKind.WORKED), SpecialDay("unit:a", D1, DayKind.CLOSED)),
    links=(Link("l", "s", LinkKind.FTTH, down_mbps=0.0),),
    services=(Service("sv", "sv"),),
    targets=(Target("t", Network.SERVICE, Method.TCP, "x:1", "sv", "a"),),
    staff_groups=(StaffGroup("g", "g"),),
    staff_counts=(StaffCount("a", "g", 0),),
    assets=(Asset("x", AssetKind.NAS, "a", "s", "g"),),
)


def having(noun: str, *rows: object) -> Estate:
    """The sound estate with rows more."""
    changed = {noun: (*getattr(SOUND, noun), *rows)}
    return replace(SOUND, **changed)


@pytest.mark.parametrize(
    "estate", [Estate(), SOUND, nam_dong(), province(5, 3)], ids=["empty", "small", "Nam Đông", "province"]
)
def test_sound_estates_have_no_problems(estate: Estate) -> None:
    """What may be saved is saved."""
    assert problems(estate) == []


CASES: dict[str, tuple[Estate, str]] = {
    "parent unknown": (
        having("units", Unit("c", "c", parent="zz")),
        "units c, parent: 'zz' is not among the units; add it there or correct it",
    ),
    "parent ends before its child": (
        having("units", Unit("c", "c", parent="a", valid_from=D1)),
        "units c, parent: a is not there all the time from 2020-01-01 to further notice; correct the days",
    ),
    "parent begins after its child": (
        having("units", Unit("c", "c", parent="b", valid_from=D1, valid_to=D3)),
        "units c, parent: b is not there all the time from 2020-01-01 to 2020-03-01; correct the days",
    ),
    "its own parent": (
        having("units", Unit("c", "c", parent="c")),
        "units c, parent: goes round in a circle: c → c; correct one parent",
    ),
    "two in a circle": (
        having("units", Unit("c", "c", parent="d"), Unit("d", "d", parent="c")),
        "units c, parent: goes round in a circle: c → d → c; correct one parent",
    ),
    "in a circle for a month": (
        having(
            "units",
            Unit("c", "c", valid_to=D1),
            Unit("c", "c", parent="d", valid_from=D1),
            Unit("d", "d", parent="c", valid_to=D2),
            Unit("d", "d", parent="r", valid_from=D2),
        ),
        "units c, parent: goes round in a circle: c → d → c; correct one parent",
    ),
    "empty code": (having("units", Unit(" ", "c")), "units  , code: is empty; fill it in"),
    "empty reference": (
        having("assets", Asset("y", AssetKind.NAS, "")),
        "assets y, unit: is empty; fill it in",
    ),
    "the same first day": (
        having("sites", Site("s", "again")),
        "sites s, code: stands there 2 times; keep one",
    ),
    "two of an undated noun": (
        having("staff_groups", StaffGroup("g", "again")),
        "staff_groups g, code: stands there 2 times; keep one",
    ),
    "overlap": (
        having("sites", Site("s", "later", valid_from=D1)),
        "sites s, valid_from: holds from 2020-01-01 although another version goes on until further notice;"
        " correct one of them",
    ),
    "overlap inside a longer one": (
        having(
            "sites",
            Site("u", "u", valid_to=D3),
            Site("u", "u", "", "", D1, D2),
            Site("u", "u", "", "", D3),
        ),
        "sites u, valid_from: holds from 2020-01-01 although another version goes on until 2020-03-01;"
        " correct one of them",
    ),
    "no day at all": (
        having("sites", Site("u", "u", valid_from=D2, valid_to=D2)),
        "sites u, valid_to: ends on 2020-02-01, not after its first day 2020-02-01; correct one of the days",
    ),
    "old unit unknown": (
        having("successions", Succession("zz", "b", D2, SuccessionKind.MERGE)),
        "successions zz b 2020-02-01, old: 'zz' is not among the units; add it there or correct it",
    ),
    "old unit already gone": (
        having("successions", Succession("a", "b", D3, SuccessionKind.MERGE)),
        "successions a b 2020-03-01, on: a is not there until that day, which is on 2020-03-01;"
        " correct the day or the unit",
    ),
    "old unit only begins that day": (
        having("successions", Succession("b", "r", D2, SuccessionKind.MERGE)),
        "successions b r 2020-02-01, on: b is not there until that day, which is on 2020-02-01;"
        " correct the day or the unit",
    ),
    "new unit not there yet": (
        having("successions", Succession("a", "b", D1, SuccessionKind.MERGE)),
        "successions a b 2020-01-01, on: b is not there on 2020-01-01; correct the day or the unit",
    ),
    "follows itself": (
        having("successions", Succession("r", "r", D1, SuccessionKind.RENAME)),
        "successions r r 2020-01-01, new: r cannot follow itself; name another unit or give it a new version",
    ),
    "unit of a site unknown": (
        having("site_units", SiteUnit("s", "zz")),
        "site_units s zz, unit: 'zz' is not among the units; add it there or correct it",
    ),
    "site unknown": (
        having("links", Link("m", "zz", LinkKind.LTE)),
        "links m, site: 'zz' is not among the sites; add it there or correct it",
    ),
    "service unknown": (
        having("targets", Target("u", Network.SERVICE, Method.ICMP, "x", "zz")),
        "targets u, service: 'zz' is not among the services; add it there or correct it",
    ),
    "service missing": (
        having("targets", Target("u", Network.SERVICE, Method.ICMP, "x")),
        "targets u, service: is empty although the target proves a service; name the service",
    ),
    "group unknown": (
        having("staff_counts", StaffCount("r", "zz", 1)),
        "staff_counts r zz, staff_group: 'zz' is not among the staff_groups; add it there or correct it",
    ),
    "fewer than nobody": (
        having("staff_counts", StaffCount("r", "g", -1)),
        "staff_counts r g, people: is -1; give a number that is not below zero",
    ),
    "rate below zero": (
        having("links", Link("m", "s", LinkKind.LTE, up_mbps=-2.0)),
        "links m, up_mbps: is -2.0; give a number that is not below zero",
    ),
    "rate that is no number": (
        having("links", Link("m", "s", LinkKind.LTE, up_mbps=float("nan"))),
        "links m, up_mbps: is nan; give a number that is not below zero",
    ),
    "hours": (
        having("sites", Site("u", "u", hours="T2-T8 07:00-11:00")),
        "sites u, hours: cannot be read: 't2-t8': 't8' is no day: write T2 … T7, CN or Mon … Sun",
    ),
    "scope": (
        having("special_days", SpecialDay("commune:a", D1, DayKind.CLOSED)),
        "special_days commune:a 2020-01-01, scope: is 'commune:a'; write nothing, unit:CODE or site:CODE",
    ),
    "scope of an unknown site": (
        having("special_days", SpecialDay("site:zz", D1, DayKind.CLOSED)),
        "special_days site:zz 2020-01-01, scope: 'zz' is not among the sites; add it there or correct it",
    ),
}


@pytest.mark.parametrize(("estate", "line"), CASES.values(), ids=CASES)
def test_each_problem_is_told_once(estate: Estate, line: str) -> None:
    """One thing wrong, one line, and no second problem because of the first."""
    assert [str(problem) for problem in problems(estate)] == [line]


def test_every_overlap_is_told() -> None:
    """Each version is held against the one that lasts longest, not only against its neighbour."""
    periods = [(D1, None), (D2, D3), (D3, None)]
    versions = [Site("u", "u", valid_to=D1), *(Site("u", "u", "", "", *period) for period in periods)]

    assert [problem.values["valid_from"] for problem in problems(having("sites", *versions))] == [
        "2020-02-01",
        "2020-03-01",
    ]


def test_every_code_has_a_case() -> None:
    """A code nobody can meet would be a text nobody needs."""
    met = {problem.code for estate, _ in CASES.values() for problem in problems(estate)}

    assert met == set(checks.CODES)


def test_everything_is_told_at_once() -> None:
    """A person corrects a file once, not once per mistake."""
    both = replace(having("units", Unit("c", "c", parent="zz")), links=(Link("m", "zz", LinkKind.LTE),))

    assert [(problem.noun, problem.field) for problem in problems(both)] == [
        ("units", "parent"),
        ("links", "site"),
    ]


@pytest.mark.parametrize(("number", "end"), [(1, "r"), (5, "r"), (7, " (and 2 more)")])
def test_a_refusal_says_why_in_one_line(number: int, end: str) -> None:
    """Five reasons, then how many more."""
    told = [Problem("sites", (f"s{one}",), "hours", "hours", {"reason": "r"}) for one in range(number)]
    refused = EstateRefused(told)

    assert refused.problems == told
    assert str(refused).startswith("sites s0, hours: cannot be read: r")
    assert str(refused).endswith(end)
    assert "\n" not in str(refused)
