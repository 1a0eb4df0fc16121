"""What is known of an antivirus product, and the pure decision that makes a state of it.

A state is never better than its evidence: what was not told is ``unreadable``, never ``off``,
and nothing is ``protected`` unless it said both that it watches and that its signatures are fresh.
"""

from __future__ import annotations

import calendar
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PROTECTED, OFF, OUT_OF_DATE = "protected", "off", "out_of_date"
UNREADABLE, ABSENT = "unreadable", "absent"

DAY_MS = 86_400_000
MAX_ZONE_MINUTES = 15 * 60
MAX_EVIDENCE = 500
MAX_NAME = 120
MIN_NAME = 4

_BEST_FIRST = (PROTECTED, UNREADABLE, OUT_OF_DATE, OFF)
"""Which product decides for the machine. What cannot be read may be the one that protects it."""


@dataclass(frozen=True, slots=True)
class Found:
    """One product that is here.

    ``active``: whether it watches files as they are used; None when that was not told.
    ``current``: what the product itself says of its signatures; None when it says nothing.
    ``age_days``: whole days since its signatures were made or loaded; None when not told.
    ``why``: a few words on what decided ``active``, where it is not simply True.
    ``evidence``: what was read, as it was read, without personal data.
    """

    key: str
    product: str
    vendor: str = ""
    active: bool | None = None
    current: bool | None = None
    age_days: int | None = None
    why: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """Everything one look at the machine brought.

    ``gaps``: what could not be asked, in words; without any the look was complete.
    ``note``: what was seen and does not count (protection that is built into the system).
    """

    found: Sequence[Found] = ()
    gaps: Sequence[str] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state with its reason; ``product`` is the one that decides."""

    state: str
    why: str
    product: str = ""


def judge(found: Found, limit_days: int) -> Verdict:
    """The state of one product; signatures older than ``limit_days`` are out of date."""
    if found.active is None:
        return Verdict(UNREADABLE, found.why or "does not tell whether it watches", found.product)
    if not found.active:
        return Verdict(OFF, found.why or "real-time protection is off", found.product)
    age = found.age_days
    if age is not None and age > limit_days:
        return Verdict(OUT_OF_DATE, f"signatures are {age} days old, more than {limit_days}", found.product)
    if found.current is False:
        return Verdict(OUT_OF_DATE, "it says its signatures are out of date", found.product)
    if age is None and found.current is None:
        return Verdict(UNREADABLE, "it is on but the age of its signatures is not told", found.product)
    return Verdict(PROTECTED, "on, signatures are current", found.product)


def summarise(look: Look, limit_days: int) -> Verdict:
    """The state of the machine: one product that protects suffices; absent only after a complete look."""
    verdicts = [judge(one, limit_days) for one in look.found]
    if verdicts:
        best = min(verdicts, key=lambda one: _BEST_FIRST.index(one.state))
        return Verdict(best.state, _joined(best.why, look.note), best.product)
    if look.gaps:
        return Verdict(UNREADABLE, _joined(*look.gaps, look.note))
    return Verdict(ABSENT, _joined("no known product is installed", look.note))


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)[:MAX_EVIDENCE]


def age_days(now_ms: int, then_ms: int | None) -> int | None:
    """Whole days from then to now; None for an instant more than a day ahead: one clock is wrong."""
    if then_ms is None or then_ms > now_ms + DAY_MS:
        return None
    return max(0, now_ms - then_ms) // DAY_MS


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""English names, whatever the locale of the machine."""


def utc_ms(
    date: tuple[int, int, int], time: tuple[int, int, int] = (12, 0, 0), zone_minutes: int = 0
) -> int | None:
    """UTC milliseconds of (year, month, day) and (hour, minute, second), None when there is none such."""
    (year, month, day), (hour, minute, second) = date, time
    if not (1990 <= year <= 9000 and 1 <= month <= 12 and hour < 24 and minute < 60 and second <= 60):
        return None
    if not 1 <= day <= calendar.monthrange(year, month)[1] or abs(zone_minutes) > MAX_ZONE_MINUTES:
        return None
    return (calendar.timegm((year, month, day, hour, minute, second)) - zone_minutes * 60) * 1000


def flag(value: Any) -> bool | None:
    """True or False of what JSON, WMI or a text calls so; None for anything else."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None


def key_of(name: str) -> str:
    """A stable key for a product that is in no table: its name without accents and version numbers."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", name.lower().replace("đ", "d")).encode("ascii", "ignore").decode()
    words = [word for word in re.split(r"[^a-z0-9]+", plain) if word and not word.isdigit()]
    if words:
        return "_".join(words)[:64]
    return f"product_{hashlib.sha256(name.encode()).hexdigest()[:8]}" if name.strip() else "unnamed"


def pairs(values: Mapping[str, Any], names: Iterable[str]) -> str:
    """``name=value`` of the values that are there, as evidence."""
    return " ".join(f"{name}={values[name]}" for name in names if values.get(name) is not None)


_PRIVATE_LINE = re.compile(
    r"user|login|account|owner|licen|serial|\bkeys?\b|\borg|host|machine|device|tenant|customer|polic"
    r"|password|token|proxy|guid",
    re.IGNORECASE,
)
_PRIVATE_WORD = re.compile(
    r"\S+@\S+"  # addresses of people
    r"|(?:/home/|/Users/|[A-Za-z]:\\Users\\)[^/\\\s]+"  # folders that are named after people
    r"|\b[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\b"
    r"|(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])"
    r"|\b[0-9A-Fa-f]{16,}\b"
)


def raw(text: str) -> str:
    """What a program printed, as evidence: one line, no lines or words about people, 500 characters."""
    lines = [line.strip() for line in re.split(r"[\r\n,]", text)]  # commas: JSON comes as one line
    kept = " | ".join(line for line in lines if line and not _PRIVATE_LINE.search(line))
    kept = "".join(one if one.isprintable() else " " for one in _PRIVATE_WORD.sub("…", kept))
    return short(re.sub(r"\s+", " ", kept))


def without(word: str, text: str) -> str:
    """The text without a word that must not leave the machine: its own name."""
    if len(word) < MIN_NAME:  # too short to be told from a part of the text
        return text
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "…", text, flags=re.IGNORECASE)


def short(text: str, limit: int = MAX_EVIDENCE) -> str:
    """The text, cut with a mark when it is longer than ``limit``."""
    text = text.strip()
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
