"""What is typed about an office becomes the office that was meant, or a fault beside the field."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.domain.checks import problems
from hatang_collector.domain.dated import BEGINNING
from hatang_collector.domain.edits import put_all
from hatang_collector.domain.estate import STAFF_GROUPS, Estate, LinkKind, Site, SiteUnit, Unit
from hatang_collector.domain.hours import ORDINARY
from hatang_collector.offices import wanted
from hatang_collector.offices.form import (
    defaults,
    find_unit,
    option,
    proposed_code,
    read_day,
    read_link,
    read_office,
    read_wanted,
    typed_rate,
)
from hatang_collector.offices.request import NewLink, NewUnit, OfficeRequest, Wanted, office_rows

TODAY = date(2026, 11, 20)
MERGED = date(2025, 7, 1)
UNITS = (
    Unit("46", "Thành phố Huế", "thành phố", valid_to=MERGED),
    Unit("46", "Thành phố Huế (mới)", "thành phố", valid_from=MERGED),
    Unit("20161", "Xã Khe Tre", "xã", "46", valid_from=MERGED),
    Unit("20179", "Xã Nam Đông", "xã", "46", valid_from=MERGED),
    Unit("19867", "Xã Nam Đông Thượng", "xã", "46", valid_from=MERGED),
    Unit("old", "Xã Hương Giang", "xã", "46", valid_to=MERGED),
)
ESTATE = Estate(
    units=UNITS,
    sites=(Site("20179", "UBND xã Nam Đông"),),
    site_units=(SiteUnit("20179", "20179", MERGED),),
    staff_groups=STAFF_GROUPS,
)
EMPTY = Estate(staff_groups=STAFF_GROUPS)
NEW = {"unit_how": "new", "unit_name": "UBND xã Thượng Lộ"}


def office(fields: dict[str, str], estate: Estate = ESTATE) -> OfficeRequest:
    """The office of a form that has no fault."""
    found = read_office({**defaults(estate), **fields}, estate, TODAY)
    assert isinstance(found, OfficeRequest), found
    return found


def faults(fields: dict[str, str], estate: Estate = ESTATE) -> dict[str, str]:
    """The codes of the faults by field."""
    found = read_office({**defaults(estate), **fields}, estate, TODAY)
    return {} if isinstance(found, OfficeRequest) else {name: one.code for name, one in found.items()}


def test_the_least_one_can_type_is_a_whole_office() -> None:
    """A name is enough on an empty installation; the rest is what is usual."""
    assert office(NEW, EMPTY) == OfficeRequest(
        "ubnd-xa-thuong-lo",
        "UBND xã Thượng Lộ",
        NewUnit("ubnd-xa-thuong-lo", "UBND xã Thượng Lộ"),
        wanted=Wanted({}, probe=True, days=14),
    )


def test_everything_that_can_be_typed_arrives() -> None:
    """Each field has its place in the request; unknown rates stay unknown."""
    found = office(
        {
            "unit": "khe tre",
            "site_name": "  Nhà  một cửa ",
            "address": "Thôn 1",
            "hours": "T2-T7 7h30-11h30",
            "link1_kind": "cpnet",
            "link1_provider": "VNPT",
            "link1_down": "20",
            "link1_up": "0,5",
            "link1_essential": "on",
            "link3_kind": "lte",
            "link3_essential": "",
            "link3_metered": "on",
            "pcs_cbcc": "12",
            "pcs_chung": "2",
            "pcs_vien_chuc": "0",
            "probe": "",
            "days": "30",
        }
    )
    links = (NewLink(LinkKind.CPNET, "VNPT", 20.0, 0.5), NewLink(LinkKind.LTE, essential=False, metered=True))
    machines = Wanted({"cbcc": 12, "chung": 2}, probe=False, days=30)
    assert found == OfficeRequest(
        "20161", "Nhà một cửa", None, "Thôn 1", "T2-T7 07:30-11:30", links, machines
    )


@pytest.mark.parametrize("typed", ["", ORDINARY, "Mon-Fri 7h30-11h30, 13h30-17h00"])
def test_the_ordinary_week_is_stored_as_such(typed: str) -> None:
    """However it is spelled, so that a later change of the ordinary week reaches the office."""
    assert office({**NEW, "hours": typed}).hours == ""


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("20161", "20161"),
        ("Xã Khe Tre (20161)", "20161"),
        ("XÃ KHE TRE", "20161"),
        ("xa khe tre", "20161"),
        ("khe", "20161"),
        ("Xã Nam Đông", "20179"),
        ("thuong", "19867"),
        ("nam đông", "unit_many"),
        ("", "unit_missing"),
        ("Bỉm Sơn", "unit_unknown"),
        ("old", "unit_unknown"),
    ],
)
def test_a_unit_is_found_as_people_type_it(typed: str, found: str) -> None:
    """By code, by what is offered, by name without marks, by a part of one name only; never an ended one."""
    units = [unit for unit in UNITS if unit.valid_to is None]
    assert find_unit(typed, units).code == found


@given(st.sampled_from([unit for unit in UNITS if unit.valid_to is None]))
def test_what_is_offered_is_found(unit: Unit) -> None:
    """Whatever the list offers leads to the unit it names."""
    found = find_unit(option(unit), [one for one in UNITS if one.valid_to is None])
    assert found == unit


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"unit": ""}, {"unit": "unit_missing"}),
        ({"unit_how": "new"}, {"unit_name": "name_missing"}),
        ({**NEW, "unit_code": "20161"}, {"unit_code": "code_taken"}),
        ({**NEW, "unit_code": "old"}, {"unit_code": "code_taken"}),
        ({**NEW, "unit_code": "a/b"}, {"unit_code": "code_signs"}),
        ({**NEW, "unit_code": "x" * 33}, {"unit_code": "long"}),
        ({**NEW, "unit_parent": "nowhere"}, {"unit_parent": "unit_unknown"}),
        (
            {"unit_how": "new", "unit_name": "xã khe tre", "unit_parent": "46"},
            {"unit_name": "unit_exists"},
        ),
        ({"unit": "20179", "site_name": "ubnd  xã nam đông"}, {"site_name": "site_exists"}),
        ({**NEW, "hours": "T2-T9 07:30-11:30"}, {"hours": "hours"}),
        ({**NEW, "address": "a\u202eb"}, {"address": "unprintable"}),
        ({**NEW, "link2_provider": "VNPT"}, {"link2_kind": "kind_missing"}),
        ({**NEW, "link1_kind": "dsl"}, {"link1_kind": "kind"}),
        ({**NEW, "link1_kind": "ftth", "link1_down": "0"}, {"link1_down": "mbps"}),
        ({**NEW, "link1_kind": "ftth", "link1_down": "-5"}, {"link1_down": "mbps"}),
        ({**NEW, "link1_kind": "ftth", "link1_up": "1.000"}, {"link1_up": "thousands"}),
        ({**NEW, "link1_kind": "ftth", "link1_up": "9" * 30}, {"link1_up": "mbps"}),
        ({**NEW, "pcs_cbcc": "mười"}, {"pcs_cbcc": "whole"}),
        ({**NEW, "pcs_cbcc": "1000"}, {"pcs_cbcc": "whole"}),
        ({**NEW, "days": "0"}, {"days": "whole"}),
        ({**NEW, "days": "٣"}, {"days": "whole"}),
    ],
)
def test_each_fault_stands_at_its_field(fields: dict[str, str], wrong: dict[str, str]) -> None:
    """What cannot be read is told where it was typed, and nothing else is."""
    assert faults(fields) == wrong


def test_all_faults_are_told_at_once() -> None:
    """A form is corrected once."""
    found = faults({"unit_how": "new", "hours": "x", "days": "x", "link1_kind": "ftth", "link1_down": "x"})
    assert set(found) == {"unit_name", "hours", "days", "link1_down"}


@given(st.dictionaries(st.sampled_from([*defaults(ESTATE), "unit", "unit_name", "link1_down"]), st.text()))
def test_no_text_breaks_the_form(fields: dict[str, str]) -> None:
    """Anything typed gives an office or faults, and an office is one that may be saved."""
    found = read_office({**defaults(ESTATE), **fields}, ESTATE, TODAY)
    if isinstance(found, OfficeRequest):
        assert problems(put_all(ESTATE, office_rows(found, ESTATE, TODAY).each())) == []
    else:
        assert found


@given(st.floats(0.001, 90_000))
def test_a_rate_is_shown_as_it_may_be_typed(rate: float) -> None:
    """The form of a contract that nobody touched can be sent."""
    found = read_link({"link1_kind": "ftth", "link1_down": typed_rate(rate)})
    assert isinstance(found, NewLink)
    assert found.down_mbps == pytest.approx(rate, abs=0.00006)


@pytest.mark.parametrize(("mbps", "text"), [(100.0, "100"), (0.5, "0,5"), (1.544, "1,5440"), (1e5, "100000")])
def test_rates_as_text(mbps: float, text: str) -> None:
    """A comma, no thousands, nothing that looks like them."""
    assert typed_rate(mbps) == text


@pytest.mark.parametrize(
    ("typed", "day"),
    [("20/11/2026", date(2026, 11, 20)), ("1-2-2026", date(2026, 2, 1)), ("2026-11-20", date(2026, 11, 20))],
)
def test_days(typed: str, day: date) -> None:
    """As Vietnam writes them, and as browsers send them."""
    assert read_day(typed) == day


@pytest.mark.parametrize("typed", ["", "31/02/2026", "20/11", "hôm nay", "1/1/99999"])
def test_what_is_no_day(typed: str) -> None:
    """It is told, not guessed."""
    assert not isinstance(read_day(typed), date)


def test_tokens_for_nobody_are_refused() -> None:
    """A form of new tokens needs a machine."""
    assert read_wanted({"probe": "on"}, ESTATE) == Wanted({}, probe=True)
    assert read_wanted({"pcs_cbcc": "3", "days": "2"}, ESTATE) == Wanted({"cbcc": 3}, probe=False, days=2)
    refused = read_wanted({}, ESTATE)
    assert not isinstance(refused, Wanted)
    assert refused["probe"].code == "nobody"


def test_rows_hold_as_long_as_what_they_stand_on() -> None:
    """A unit below one that began begins with it, a site was always there, codes follow the unit."""
    fields = {**NEW, "unit_parent": "20161", "unit_code": "vp", "link1_kind": "ftth", "link2_kind": "ftth"}
    rows = office_rows(office(fields), ESTATE, TODAY)
    assert rows.unit == Unit("vp", "UBND xã Thượng Lộ", parent="20161", valid_from=MERGED)
    assert rows.site_unit == SiteUnit("vp", "vp", MERGED)
    assert rows.site.valid_from == BEGINNING
    assert [link.code for link in rows.links] == ["vp-ftth", "vp-ftth-2"]


def test_a_second_site_of_a_unit_gets_a_number() -> None:
    """No code is given twice, and an unbroken past of the unit counts as one."""
    rows = office_rows(office({"unit": "20179", "site_name": "Trạm y tế"}), ESTATE, TODAY)
    assert rows.site.code == "20179-2"
    whole = office_rows(office({"unit": "46"}), ESTATE, TODAY)
    assert whole.site_unit.valid_from == BEGINNING


def test_a_unit_that_will_end_takes_its_office_along() -> None:
    """A merger that is already decided does not make the form fail."""
    ends = date(2027, 1, 1)
    estate = Estate(units=(Unit("a", "A", valid_to=ends),), staff_groups=STAFF_GROUPS)
    rows = office_rows(office({**NEW, "unit_parent": "a"}, estate), estate, TODAY)
    assert rows.unit is not None
    assert (rows.unit.valid_to, rows.site_unit.valid_to) == (ends, ends)
    assert problems(put_all(estate, rows.each())) == []


@given(st.text(max_size=60))
def test_a_proposed_code_is_a_code(name: str) -> None:
    """Whatever a unit is called, the form accepts the code it proposes itself."""
    assert "unit_code" not in faults({"unit_how": "new", "unit_name": name})
    assert proposed_code(name)


@given(
    st.text(max_size=120),
    st.dictionaries(st.sampled_from([group.code for group in STAFF_GROUPS]), st.integers(1, 999)),
)
def test_a_note_reads_back(name: str, machines: dict[str, int]) -> None:
    """What a token is for is found again in its note, whatever the office is called."""
    groups = [group.code for group in STAFF_GROUPS]
    text = wanted.note(name, machines)
    if machines:
        assert wanted.wanted(text, groups) == machines


@pytest.mark.parametrize("text", ["", "tầng 2", "3 máy", "Khe Tre: 2 cbcc và 3 chung", "2 nobody"])
def test_a_note_of_somebody_else_tells_nothing(text: str) -> None:
    """It is not guessed at."""
    assert wanted.wanted(text, ["cbcc", "chung"]) == {}
