"""Opening hours: the week of a site, public holidays, special days, and time between two moments."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.domain.estate import DayKind, Estate, Site, SiteUnit, SpecialDay, Unit
from hatang_collector.domain.hours import ORDINARY, WORKING, Calendar, Reason, Reasoned, Week
from hatang_collector.domain.localtime import DAY_MS, VIETNAM, day_of, midnight_ms
from hatang_collector.domain.tree import Tree

HOUR = 3_600_000
MONDAY = date(2026, 11, 16)
CLOSED, WORKED = DayKind.CLOSED, DayKind.WORKED


def ms(day: date, clock: str) -> int:
    """UTC milliseconds of a local time of day."""
    hour, _, minute = clock.partition(":")
    moment = datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=VIETNAM)
    return int(moment.timestamp() * 1000)


def calendar(*special: SpecialDay) -> Calendar:
    """Sites of every kind; ``shared`` is the building of two units below one root."""
    estate = Estate(
        units=(Unit("r", "r"), Unit("a", "a", parent="r"), Unit("b", "b", parent="r")),
        sites=(
            Site("office", "office"),
            Site("desk", "desk", hours="T2-T6 07:30-11:30 13:30-17:00; T7 07:30-11:30"),
            Site("hub", "hub", hours="T2-CN 00:00-24:00"),
            Site("shared", "shared"),
            Site("new", "new", valid_from=MONDAY),
        ),
        site_units=(
            SiteUnit("office", "a"),
            SiteUnit("shared", "a"),
            SiteUnit("shared", "b"),
        ),
        special_days=special,
    )
    return Calendar(estate, Tree(estate.units))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (ORDINARY, ORDINARY),
        ("T2-T6 07:30-11:30 13:30-17:00; T7 07:30-11:30", "T2-T6 07:30-11:30 13:30-17:00; T7 07:30-11:30"),
        ("t2 - t6 7:30–11:30, 13:30 - 17:00, t7 7h30-11h30", "T2-T6 07:30-11:30 13:30-17:00; T7 07:30-11:30"),
        ("Mon-Fri 08:00-17:00; Sun 08:00-12:00", "T2-T6 08:00-17:00; CN 08:00-12:00"),
        ("T2,T4,T6 08:00-12:00", "T2 08:00-12:00; T4 08:00-12:00; T6 08:00-12:00"),
        ("T2 08:00-12:00; T3 08:00-12:00", "T2-T3 08:00-12:00"),
        ("T2-CN 00:00-24:00", "T2-CN 00:00-24:00"),
        ("T2 13:00-17:00 08:00-12:00", "T2 08:00-12:00 13:00-17:00"),
        ("T2 08:00-12:00 12:00-16:00", "T2 08:00-16:00"),
        (
            "T2-T6 08:00-12:00; T4 13:00-17:00",
            "T2-T3 08:00-12:00; T4 08:00-12:00 13:00-17:00; T5-T6 08:00-12:00",
        ),
    ],
)
def test_weeks_as_people_write_them(text: str, canonical: str) -> None:
    """Vietnamese and English days, dashes, commas; one spelling comes out and reads the same."""
    assert str(Week.parse(text)) == canonical
    assert Week.parse(canonical) == Week.parse(text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "times are missing in an empty text"),
        ("T2-T6", "times are missing after 'T2-T6'"),
        ("T2 08:00-12:00; T7", "times are missing after"),
        ("07:30-11:30", "'07:30-11:30' has no day before it"),
        ("T8 07:30-11:30", "'t8' is no day"),
        ("T2-T9 07:30-11:30", "'t9' is no day"),
        ("T6-T2 07:30-11:30", "'t6-t2' counts backwards"),
        ("T2 07:30", "'07:30' has no end"),
        ("T2 11:30-07:30", "'11:30-07:30' ends before it begins"),
        ("T2 07:30-07:30", "'07:30-07:30' ends before it begins"),
        ("T2 07:60-08:00", "'07:60' is no time"),
        ("T2 07:30-25:00", "'25:00' is no time"),
        ("T2 07:30-24:01", "'24:01' is no time"),
        ("T2 0730-1130", "'0730' is no time"),
        ("T2 07:00-12:00 11:00-13:00", "T2 has 11:00-13:00 twice"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text: str, match: str) -> None:
    """A person finds the word and what to write instead."""
    with pytest.raises(ValueError, match=match):
        Week.parse(text)


@given(
    st.lists(
        st.lists(st.integers(0, 1440), max_size=6, unique=True).map(sorted), min_size=7, max_size=7
    ).filter(lambda days: any(len(day) > 1 for day in days))
)
def test_every_week_can_be_written_and_read(days: list[list[int]]) -> None:
    """Whatever the hours, the canonical text means the same week."""
    week = Week(tuple(tuple(zip(day[::2], day[1::2], strict=False)) for day in days))

    assert Week.parse(str(week)) == week


@given(st.text(alphabet="T2345678CNtMonSu0:h-–,; ", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """A ValueError at worst, and what was read can be written."""
    try:
        week = Week.parse(text)
    except ValueError:
        return
    assert Week.parse(str(week)) == week


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 11, 20), Reasoned(True, Reason.WEEK)),
        (date(2026, 11, 21), Reasoned(False, Reason.WEEKEND)),
        (date(2015, 4, 18), Reasoned(False, Reason.WEEKEND)),
        (date(2026, 2, 17), Reasoned(False, Reason.HOLIDAY, "Tết Nguyên Đán")),
        (date(2026, 9, 2), Reasoned(False, Reason.HOLIDAY, "Quốc khánh")),
        (date(2026, 4, 27), Reasoned(False, Reason.HOLIDAY, "Ngày Giỗ Tổ Hùng Vương (nghỉ bù)")),
        (date(2025, 5, 2), Reasoned(False, Reason.HOLIDAY, "Ngày nghỉ (thay cho ngày 26/04/2025)")),
        (date(2025, 4, 26), Reasoned(True, Reason.EXCHANGED)),
    ],
)
def test_days_of_an_ordinary_office(day: date, expected: Reasoned) -> None:
    """Weekends, Tết, observed holidays and the Saturday worked for a bridge day."""
    assert calendar().is_working_day("office", day) == expected
    assert bool(expected) == (calendar().day_kind("office", day) in WORKING)


def test_a_site_that_works_on_saturday() -> None:
    """Its own week decides; a holiday is one there too."""
    assert calendar().is_working_day("desk", date(2026, 11, 21)) == Reasoned(True, Reason.WEEK)
    assert calendar().day_kind("hub", date(2026, 2, 17)) is Reason.HOLIDAY


def test_a_site_before_its_first_day_is_closed() -> None:
    """A building that was not there is not "down"."""
    assert calendar().is_working_day("new", MONDAY - timedelta(days=3)) == Reasoned(False, Reason.NO_SITE)
    assert calendar().is_working_day("new", MONDAY)


@pytest.mark.parametrize("site", ["", "never declared"])
def test_where_nobody_said_where_the_week_is_ordinary(site: str) -> None:
    """A machine without a site has ordinary hours."""
    assert calendar().is_open(site, ms(MONDAY, "08:00"))
    assert not calendar().is_open(site, ms(MONDAY, "12:00"))


@pytest.mark.parametrize(
    ("special", "site", "day", "expected"),
    [
        (("", CLOSED), "office", MONDAY, Reason.SPECIAL_CLOSED),
        (("", WORKED), "office", date(2026, 11, 21), Reason.SPECIAL_WORKED),
        (("", WORKED), "office", date(2026, 2, 17), Reason.SPECIAL_WORKED),
        (("unit:r", CLOSED), "office", MONDAY, Reason.SPECIAL_CLOSED),
        (("unit:b", CLOSED), "office", MONDAY, Reason.WEEK),
        (("site:office", CLOSED), "office", MONDAY, Reason.SPECIAL_CLOSED),
        (("site:desk", CLOSED), "office", MONDAY, Reason.WEEK),
        (("unit:a", CLOSED), "shared", MONDAY, Reason.WEEK),
        (("unit:a", WORKED), "shared", date(2026, 11, 21), Reason.SPECIAL_WORKED),
    ],
    ids=[
        "closed everywhere",
        "worked everywhere",
        "worked on a holiday",
        "closed below a unit",
        "another unit",
        "this site",
        "another site",
        "one of two units is away",
        "one of two units works",
    ],
)
def test_special_days(special: tuple[str, DayKind], site: str, day: date, expected: Reason) -> None:
    """Whom a special day reaches."""
    assert calendar(SpecialDay(special[0], day, special[1])).day_kind(site, day) is expected


def test_the_nearest_word_wins() -> None:
    """Site before unit, unit before its parent, that before everybody."""
    words = [
        SpecialDay("", MONDAY, CLOSED, "everybody"),
        SpecialDay("unit:r", MONDAY, WORKED, "r"),
        SpecialDay("unit:a", MONDAY, CLOSED, "a"),
        SpecialDay("site:office", MONDAY, WORKED, "office"),
    ]

    names = [calendar(*words[:number]).is_working_day("office", MONDAY).name for number in range(1, 5)]

    assert names == ["everybody", "r", "a", "office"]


def test_both_units_away_closes_their_building() -> None:
    """And the name of the day is told."""
    both = [SpecialDay(f"unit:{code}", MONDAY, CLOSED, "Hội nghị") for code in ("a", "b")]

    assert calendar(*both).is_working_day("shared", MONDAY) == Reasoned(
        False, Reason.SPECIAL_CLOSED, "Hội nghị"
    )


def test_a_worked_saturday_has_the_hours_of_monday() -> None:
    """The week has none for it."""
    saturday = date(2025, 4, 26)

    assert calendar().open_ms("office", midnight_ms(saturday), midnight_ms(saturday) + DAY_MS) == 7.5 * HOUR


@pytest.mark.parametrize(
    ("clock", "expected"),
    [("07:29", False), ("07:30", True), ("11:29", True), ("11:30", False), ("13:30", True), ("17:00", False)],
)
def test_open_at_a_moment(clock: str, expected: bool) -> None:
    """From the first minute on, until the last one is over; 07:30 here is 00:30 UTC."""
    assert calendar().is_open("office", ms(MONDAY, clock)) is expected


@pytest.mark.parametrize(
    ("site", "start", "end", "hours"),
    [
        ("office", (0, "00:00"), (7, "00:00"), 37.5),
        ("desk", (0, "00:00"), (7, "00:00"), 41.5),
        ("hub", (0, "00:00"), (7, "00:00"), 168),
        ("office", (0, "11:00"), (0, "14:00"), 1.0),
        ("office", (0, "16:30"), (1, "08:00"), 1.0),
        ("office", (4, "17:00"), (7, "07:30"), 0),
        ("office", (0, "09:00"), (0, "08:00"), 0),
        ("hub", (0, "23:59"), (1, "00:01"), 2 / 60),
    ],
)
def test_open_time_between_two_moments(
    site: str, start: tuple[int, str], end: tuple[int, str], hours: float
) -> None:
    """Lunch, nights and weekends do not count."""
    start_ms, end_ms = (ms(MONDAY + timedelta(days=days), clock) for days, clock in (start, end))

    assert calendar().open_ms(site, start_ms, end_ms) == hours * HOUR


WEEKS = st.integers(midnight_ms(date(2026, 2, 9)), midnight_ms(date(2026, 3, 2)))


@given(st.sampled_from(["office", "desk", "hub", "new"]), WEEKS, WEEKS, WEEKS)
def test_open_time_adds_up(site: str, one: int, two: int, three: int) -> None:
    """Cutting a period into two changes nothing, over Tết too."""
    start, middle, end = sorted((one, two, three))
    year = calendar()

    assert year.open_ms(site, start, middle) + year.open_ms(site, middle, end) == year.open_ms(
        site, start, end
    )


@given(st.sampled_from(["office", "desk", "hub"]), WEEKS)
def test_a_moment_is_open_when_it_lasts(site: str, at: int) -> None:
    """is_open and open_ms never disagree."""
    assert calendar().open_ms(site, at, at + 1) == int(calendar().is_open(site, at))


@given(st.integers(-(10**13), 10**14))
def test_a_local_day_is_24_hours_around_its_moments(at: int) -> None:
    """UTC+7 without summer time."""
    start = midnight_ms(day_of(at))

    assert start <= at < start + DAY_MS
    assert datetime.fromtimestamp(start / 1000, VIETNAM).date() == day_of(at)


def test_a_utc_day_begins_at_seven() -> None:
    """06:59 local time is still yesterday in UTC, and today here."""
    assert day_of(ms(MONDAY, "06:59")) == MONDAY
    assert midnight_ms(date(1970, 1, 1)) == -7 * HOUR


def test_holidays_cost_nothing_until_somebody_asks() -> None:
    """Starting the program does not load a library of the holidays of the world."""
    lines = "import sys, hatang_collector.domain.hours; print('holidays' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "False"
