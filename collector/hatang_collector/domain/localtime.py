"""Calendar days of Vietnam. UTC+7 all year; there is no summer time.

Days are cut here and nowhere else: a UTC day begins at 07:00 local time, in the middle of nothing.
"""

from __future__ import annotations

from datetime import date, timedelta, timezone
from typing import Final

OFFSET_MS: Final = 7 * 3_600_000
DAY_MS: Final = 86_400_000
VIETNAM: Final = timezone(timedelta(hours=7), "UTC+7")
_EPOCH: Final = date(1970, 1, 1).toordinal()


def day_of(ms: int) -> date:
    """The local day of a moment in UTC milliseconds."""
    return date.fromordinal(_EPOCH + (ms + OFFSET_MS) // DAY_MS)


def midnight_ms(day: date) -> int:
    """When a local day begins, in UTC milliseconds. It ends when the next one begins."""
    return (day.toordinal() - _EPOCH) * DAY_MS - OFFSET_MS
