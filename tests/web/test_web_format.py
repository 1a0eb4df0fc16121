"""How numbers and times look."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.web import format as fmt
from hatang_collector.web.format import Language

NOW = 1_795_137_960_000


@pytest.mark.parametrize(
    ("value", "language", "text"),
    [
        (12.5, "vi", "12%"),
        (9.94, "vi", "9,9%"),
        (0.0, "vi", "0,0%"),
        (0.0, "en", "0.0%"),
        (100.0, "en", "100%"),
    ],
)
def test_percent_writes_the_languages_decimal_sign(value: float, language: Language, text: str) -> None:
    """Shares have a decimal below ten only, with a comma in Vietnamese."""
    assert fmt.percent(value, language) == text


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        (0, "0 bit/s"),
        (999, "999 bit/s"),
        (1000, "1,0 kbit/s"),
        (999_600, "1,0 Mbit/s"),
        (1_250_000, "1,2 Mbit/s"),
        (1e9, "1,0 Gbit/s"),
    ],
)
def test_rate_steps_by_a_thousand(bits: float, text: str) -> None:
    """Line speeds step by 1,000 and never read as a thousand of the smaller unit."""
    assert fmt.rate(bits, "vi") == text


def test_size_steps_by_1024() -> None:
    """Bytes step by 1,024."""
    assert fmt.size(240_057_409_536, "vi") == "224 GB"
    assert fmt.size(1536, "en") == "1.5 KB"


def test_thousands_are_grouped_the_languages_way() -> None:
    """1,234,567.8 in English is 1.234.567,8 in Vietnamese."""
    assert fmt.number(1234567.8, 1, "en") == "1,234,567.8"
    assert fmt.number(1234567.8, 1, "vi") == "1.234.567,8"


@pytest.mark.parametrize(
    ("seconds", "vi", "en"),
    [
        (0, "0 giây", "0 seconds"),
        (1, "1 giây", "1 second"),
        (61, "1 phút 1 giây", "1 minute 1 second"),
        (3600, "1 giờ", "1 hour"),
        (90_000, "1 ngày 1 giờ", "1 day 1 hour"),
        (86_400 * 3 + 59, "3 ngày", "3 days"),
    ],
)
def test_duration_uses_two_units(seconds: float, vi: str, en: str) -> None:
    """A span is told in its two largest units."""
    assert (fmt.duration(seconds, "vi"), fmt.duration(seconds, "en")) == (vi, en)


@pytest.mark.parametrize(
    ("before_ms", "vi", "en"),
    [
        (4_000, "4 giây trước", "4 seconds ago"),
        (999, "vừa xong", "just now"),
        (-60_000, "vừa xong", "just now"),
        (60_000, "1 phút trước", "1 minute ago"),
        (7_200_000, "2 giờ trước", "2 hours ago"),
        (3 * 86_400_000, "3 ngày trước", "3 days ago"),
    ],
)
def test_age_is_one_unit(before_ms: int, vi: str, en: str) -> None:
    """Ages are told in one unit; a time ahead of us is just now."""
    assert (fmt.age(NOW - before_ms, NOW, "vi"), fmt.age(NOW - before_ms, NOW, "en")) == (vi, en)


def test_times_are_vietnamese_on_pages_and_utc_for_machines() -> None:
    """Pages show UTC+7 as dd/mm/yyyy, machines read UTC."""
    assert fmt.date_time_seconds(NOW) == "20/11/2026 08:26:00"
    assert fmt.date_time(NOW) == "20/11/2026 08:26"
    assert fmt.iso(NOW) == "2026-11-20T01:26:00.000Z"


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_midnight_is_at_most_a_day_before(at_ms: int) -> None:
    """The last Vietnamese midnight lies within the day before, and reads 00:00."""
    midnight = fmt.midnight_ms(at_ms)
    assert 0 <= at_ms - midnight < 86_400_000
    assert fmt.clock_time(midnight) == "00:00"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12.5, "%", "12%"),
        (2048, "B", "2,0 KB"),
        (8e6, "bit/s", "8,0 Mbit/s"),
        (90, "s", "1 phút 30 giây"),
        (0.25, "", "0,2"),
        (3, "", "3"),
        (7, "°C", "7 °C"),
    ],
)
def test_measured_follows_the_unit(value: float, unit: str, text: str) -> None:
    """A live value is written by the unit it travelled in."""
    assert fmt.measured(value, unit, "vi") == text


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=0, max_value=1e18))
def test_no_finite_value_breaks_the_writers(value: float) -> None:
    """Whatever an agent sends is written as something."""
    for write in (fmt.percent, fmt.rate, fmt.size, fmt.duration):
        assert write(value, "vi")
