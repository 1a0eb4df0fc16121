"""How numbers and times look on pages. Pure: a value, a language and, for ages, ``now_ms`` go in.

Dates are ``dd/mm/yyyy``, clock times UTC+7, in both languages; Vietnamese writes a decimal comma.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Literal

Language = Literal["vi", "en"]

VIETNAM: Final = timezone(timedelta(hours=7))
_SEPARATORS: Final[dict[Language, dict[int, int]]] = {"vi": str.maketrans(",.", ".,"), "en": {}}
_BYTE_UNITS: Final = ("B", "KB", "MB", "GB", "TB", "PB")
_RATE_UNITS: Final = ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s")
_STEPS_S: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_WORDS: Final[dict[Language, dict[str, tuple[str, str]]]] = {
    "vi": {
        "day": ("ngày", "ngày"),
        "hour": ("giờ", "giờ"),
        "minute": ("phút", "phút"),
        "second": ("giây", "giây"),
    },
    "en": {
        "day": ("day", "days"),
        "hour": ("hour", "hours"),
        "minute": ("minute", "minutes"),
        "second": ("second", "seconds"),
    },
}
_AGO: Final[dict[Language, tuple[str, str]]] = {"vi": ("{} trước", "vừa xong"), "en": ("{} ago", "just now")}


def number(value: float, digits: int, language: Language) -> str:
    """A number with a fixed count of decimals; thousands are grouped."""
    return f"{value:,.{digits}f}".translate(_SEPARATORS[language])


def percent(value: float, language: Language) -> str:
    """A percentage given as 0 to 100, one decimal below ten, none above."""
    digits = 1 if abs(value) < 9.95 else 0
    return f"{number(value, digits, language)}%"


def _scaled(value: float, base: float, units: tuple[str, ...], language: Language) -> str:
    step = 0
    while abs(value) >= base * 0.9995 and step < len(units) - 1:
        value /= base
        step += 1
    digits = 0 if step == 0 or abs(value) >= 99.95 else 1
    return f"{number(value, digits, language)} {units[step]}"


def size(count: float, language: Language) -> str:
    """A count of bytes, in steps of 1,024."""
    return _scaled(count, 1024.0, _BYTE_UNITS, language)


def rate(bits_per_s: float, language: Language) -> str:
    """A rate in bits per second, in steps of 1,000 as line speeds are."""
    return _scaled(bits_per_s, 1000.0, _RATE_UNITS, language)


def _counted(count: int, unit: str, language: Language) -> str:
    one, many = _WORDS[language][unit]
    return f"{count} {one if count == 1 else many}"


def duration(seconds: float, language: Language) -> str:
    """A span of time in its two largest units: ``3 ngày 4 giờ``."""
    rest = max(0, math.floor(seconds))
    for place, (unit, length) in enumerate(_STEPS_S):
        if rest >= length or unit == "second":
            whole, rest = divmod(rest, length)
            text = _counted(whole, unit, language)
            if rest and place + 1 < len(_STEPS_S):
                smaller, smaller_length = _STEPS_S[place + 1]
                if rest >= smaller_length:
                    text += f" {_counted(rest // smaller_length, smaller, language)}"
            return text
    raise AssertionError("the last unit always matches")


def age(at_ms: int, now_ms: int, language: Language) -> str:
    """How long ago, in one unit: ``4 giây trước``. A time ahead of ``now_ms`` reads as just now."""
    pattern, fresh = _AGO[language]
    seconds = (now_ms - at_ms) // 1000
    if seconds < 1:
        return fresh
    unit, length = next((unit, length) for unit, length in _STEPS_S if seconds >= length)
    return pattern.format(_counted(seconds // length, unit, language))


def age_words(language: Language) -> dict[str, str]:
    """What a script needs to keep ages ticking: ``pattern``, ``fresh`` and ``one|many`` per unit."""
    pattern, fresh = _AGO[language]
    units = {unit: "|".join(words) for unit, words in _WORDS[language].items()}
    return {"pattern": pattern, "fresh": fresh, **units}


def _vietnam(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(VIETNAM)


def date_time(at_ms: int) -> str:
    """``20/11/2026 08:26``, UTC+7."""
    return _vietnam(at_ms).strftime("%d/%m/%Y %H:%M")


def date_time_seconds(at_ms: int) -> str:
    """``20/11/2026 08:26:05``, UTC+7."""
    return _vietnam(at_ms).strftime("%d/%m/%Y %H:%M:%S")


def clock_time(at_ms: int) -> str:
    """``08:26``, UTC+7."""
    return _vietnam(at_ms).strftime("%H:%M")


def day_month(at_ms: int) -> str:
    """``20/11``, UTC+7."""
    return _vietnam(at_ms).strftime("%d/%m")


def iso(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds, for machines."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def midnight_ms(at_ms: int) -> int:
    """The last midnight in Vietnam at or before ``at_ms``."""
    day = _vietnam(at_ms).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(day.timestamp() * 1000)


def measured(value: float, unit: str, language: Language) -> str:
    """A value with the unit it travelled in, in the form people read it."""
    writers = {"%": percent, "bytes": size, "B": size, "bit/s": rate, "bps": rate, "s": duration}
    writer = writers.get(unit)
    if writer is not None:
        return writer(value, language)
    digits = 0 if float(value).is_integer() else 1
    return f"{number(value, digits, language)} {unit}".strip()
