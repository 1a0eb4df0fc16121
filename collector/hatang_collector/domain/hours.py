"""When an office is open: the week of a site, public holidays, and the days that differ from both.

A working day is decided by the nearest word on it: a special day of the site, of its unit or one
above, of everybody; then the public holidays (Bộ luật Lao động 2019, Điều 112, with the days that
are worked in exchange, from the ``holidays`` library); then the week of the site. Times are UTC+7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

from hatang_collector.domain.dated import holds
from hatang_collector.domain.estate import DayKind, Estate, Site, SiteUnit, SpecialDay
from hatang_collector.domain.localtime import DAY_MS, day_of, midnight_ms
from hatang_collector.domain.tree import Tree

ORDINARY: Final = "T2-T6 07:30-11:30 13:30-17:00"
"""The week of an office that did not say otherwise."""

_MINUTE_MS: Final = 60_000
_DAYS: Final = ("T2", "T3", "T4", "T5", "T6", "T7", "CN")
_DAY_NUMBERS: Final[Mapping[str, int]] = {
    **{name.casefold(): number for number, name in enumerate(_DAYS)},
    **{name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))},
}
_TIME: Final = re.compile(r"(\d{1,2})[:h](\d{2})")

Periods = tuple[tuple[int, int], ...]
"""Sorted (from, to) in minutes since local midnight, never touching each other."""


@dataclass(frozen=True, slots=True)
class Week:
    """Opening hours of the seven days, Monday first."""

    days: tuple[Periods, ...]

    @classmethod
    def parse(cls, text: str) -> Week:
        """Read ``T2-T6 07:30-11:30 13:30-17:00; T7 07:30-11:30``.

        Days are T2 … T7 and CN, or Mon … Sun; groups are separated by a semicolon or a comma. Times
        are ``07:30`` or ``7h30``, 24:00 is the end of a day. Days nobody names are closed.

        Raises:
            ValueError: It cannot be read; the text says where and what is expected there.
        """
        days: list[list[tuple[int, int]]] = [[] for _ in _DAYS]
        group: list[int] = []
        times_seen = False
        for word in _words(text):
            if word[0].isalpha():
                if times_seen:
                    group, times_seen = [], False
                group += _days(word)
                continue
            if not group:
                raise ValueError(f"{word!r} has no day before it: write for example {ORDINARY!r}")
            times_seen = True
            for day in group:
                days[day].append(_period(word))
        if not times_seen:
            where = f"after {text.strip()[-20:]!r}" if text.strip() else "in an empty text"
            raise ValueError(f"times are missing {where}: write for example {ORDINARY!r}")
        return cls(tuple(_joined(number, periods) for number, periods in enumerate(days)))

    def __str__(self) -> str:
        """The one spelling of this week, which :meth:`parse` reads."""
        groups: list[tuple[int, int, Periods]] = []
        for number, periods in enumerate(self.days):
            if groups and groups[-1][1] == number - 1 and groups[-1][2] == periods:
                groups[-1] = (groups[-1][0], number, periods)
            elif periods:
                groups.append((number, number, periods))
        return "; ".join(_group(*group) for group in groups)

    def first_hours(self) -> Periods:
        """The hours of its first open day; kept on a day that is worked though the week has none for it."""
        return next((periods for periods in self.days if periods), ())


class Reason(StrEnum):
    """Why a day is a working day or not."""

    WEEK = "week"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    EXCHANGED = "exchanged"
    SPECIAL_WORKED = "special_worked"
    SPECIAL_CLOSED = "special_closed"
    NO_SITE = "no_site"


WORKING: Final = frozenset({Reason.WEEK, Reason.EXCHANGED, Reason.SPECIAL_WORKED})


@dataclass(frozen=True, slots=True)
class Reasoned:
    """Whether a day is worked, why, and the name of the holiday or special day. True when it is worked."""

    working: bool
    why: Reason
    name: str = ""

    def __bool__(self) -> bool:
        return self.working


class Calendar:
    """Working days and opening hours of the sites of an estate.

    A site nobody declared ('' too) has the ordinary week; a declared one is closed outside its own
    days. What a unit declares reaches a site through the units that work there that day; when
    they disagree, one that works keeps the building open.
    """

    def __init__(self, estate: Estate, tree: Tree) -> None:
        self._tree = tree
        self._sites: dict[str, list[Site]] = {}
        self._units: dict[str, list[SiteUnit]] = {}
        self._special: dict[tuple[str, date], SpecialDay] = {}
        for site in estate.sites:
            self._sites.setdefault(site.code, []).append(site)
        for stay in estate.site_units:
            self._units.setdefault(stay.site, []).append(stay)
        for special in estate.special_days:
            self._special[special.scope, special.day] = special

    def day_kind(self, site: str, day: date) -> Reason:
        """What kind of day it is at a site."""
        return self.is_working_day(site, day).why

    def is_working_day(self, site: str, day: date) -> Reasoned:
        """Whether people work at a site on a local day, and why."""
        if site in self._sites and self._site(site, day) is None:
            return Reasoned(False, Reason.NO_SITE)
        if special := self._special_day(site, day):
            worked = special.kind is DayKind.WORKED
            return Reasoned(worked, Reason.SPECIAL_WORKED if worked else Reason.SPECIAL_CLOSED, special.name)
        names, exchanged = _public(day.year)
        if name := names.get(day):
            return Reasoned(False, Reason.HOLIDAY, name)
        if self._week(site, day).days[day.weekday()]:
            return Reasoned(True, Reason.WEEK)
        if day in exchanged:
            return Reasoned(True, Reason.EXCHANGED)
        return Reasoned(False, Reason.WEEKEND)

    def periods(self, site: str, day: date) -> list[tuple[int, int]]:
        """The opening hours of a local day as (from, to) in UTC milliseconds, ``to`` not included."""
        if not self.is_working_day(site, day):
            return []
        week = self._week(site, day)
        midnight = midnight_ms(day)
        minutes = week.days[day.weekday()] or week.first_hours()
        return [(midnight + start * _MINUTE_MS, midnight + stop * _MINUTE_MS) for start, stop in minutes]

    def is_open(self, site: str, at_ms: int) -> bool:
        """Whether a site is open at a moment in UTC milliseconds."""
        return any(start <= at_ms < stop for start, stop in self.periods(site, day_of(at_ms)))

    def open_ms(self, site: str, start_ms: int, end_ms: int) -> int:
        """How many milliseconds a site was open between two moments; 0 when the second is not later."""
        together = 0
        midnight = midnight_ms(day_of(start_ms))
        while midnight < end_ms:
            for start, stop in self.periods(site, day_of(midnight)):
                together += max(0, min(stop, end_ms) - max(start, start_ms))
            midnight += DAY_MS
        return together

    def _site(self, site: str, day: date) -> Site | None:
        return next((version for version in self._sites.get(site, ()) if holds(version, day)), None)

    def _week(self, site: str, day: date) -> Week:
        found = self._site(site, day)
        return _parsed(found.hours if found is not None and found.hours else ORDINARY)

    def _special_day(self, site: str, day: date) -> SpecialDay | None:
        if special := self._special.get((f"site:{site}", day)):
            return special
        here = [
            self._special_day_of(stay.unit, day) for stay in self._units.get(site, ()) if holds(stay, day)
        ]
        said = [special for special in here if special is not None]
        worked = next((special for special in said if special.kind is DayKind.WORKED), None)
        if worked is not None:
            return worked
        if said and len(said) == len(here):
            return said[0]
        return self._special.get(("", day))

    def _special_day_of(self, unit: str, day: date) -> SpecialDay | None:
        for above in self._tree.chain(unit, day):
            if special := self._special.get((f"unit:{above.code}", day)):
                return special
        return None


@cache
def _public(year: int) -> tuple[Mapping[date, str], frozenset[date]]:
    """Public holidays of a year with their Vietnamese names, and the weekend days worked in exchange."""
    import holidays  # costs 50 ms: only who asks for a day pays

    found = holidays.country_holidays("VN", language="vi", years=year)
    names = {day: name for day, name in found.items() if day.year == year}
    return MappingProxyType(names), frozenset(found.weekend_workdays)


@lru_cache(maxsize=256)
def _parsed(hours: str) -> Week:
    return Week.parse(hours)


def _words(text: str) -> list[str]:
    plain = re.sub(r"\s*[-–—]\s*", "-", text.casefold())
    return re.split(r"[\s,;]+", plain.strip(" \t\r\n,;")) if plain.strip(" \t\r\n,;") else []


def _days(word: str) -> Iterable[int]:
    first, dash, last = word.partition("-")
    for name in (first, last) if dash else (first,):
        if name not in _DAY_NUMBERS:
            raise ValueError(f"{word!r}: {name!r} is no day: write T2 … T7, CN or Mon … Sun")
    start, stop = _DAY_NUMBERS[first], _DAY_NUMBERS[last if dash else first]
    if stop < start:
        raise ValueError(f"{word!r} counts backwards: a week goes from T2 to CN")
    return range(start, stop + 1)


def _period(word: str) -> tuple[int, int]:
    start, dash, stop = word.partition("-")
    if not dash:
        raise ValueError(f"{word!r} has no end: write for example 07:30-11:30")
    period = _minutes(start, word), _minutes(stop, word)
    if period[1] <= period[0]:
        raise ValueError(f"{word!r} ends before it begins: times go from 00:00 to 24:00")
    return period


def _minutes(text: str, word: str) -> int:
    found = _TIME.fullmatch(text)
    minutes = int(found[1]) * 60 + int(found[2]) if found else -1
    if found is None or int(found[2]) > 59 or minutes > 24 * 60:
        raise ValueError(f"{word!r}: {text!r} is no time: write for example 07:30")
    return minutes


def _joined(day: int, periods: list[tuple[int, int]]) -> Periods:
    """Sorted, with what touches joined. Raises ValueError when two overlap."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(periods):
        if joined and start < joined[-1][1]:
            raise ValueError(
                f"{_DAYS[day]} has {_clock(start)}-{_clock(stop)} twice: times of a day cannot overlap"
            )
        if joined and start == joined[-1][1]:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)


def _group(first: int, last: int, periods: Periods) -> str:
    days = _DAYS[first] if first == last else f"{_DAYS[first]}-{_DAYS[last]}"
    return " ".join((days, *(f"{_clock(start)}-{_clock(stop)}" for start, stop in periods)))


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
