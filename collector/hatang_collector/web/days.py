"""Days as people type them on pages."""

from __future__ import annotations

import re
from datetime import date
from http import HTTPStatus
from typing import Final

from hatang_collector.web.problems import Refusal

_WRITTEN: Final = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")


def read_day(text: str) -> date | None:
    """``20/11/2026`` as a day, None for an empty text. Raises ValueError for anything else."""
    tidy = text.strip()
    if not tidy:
        return None
    found = _WRITTEN.fullmatch(tidy)
    if found is None:
        raise ValueError(f"{tidy[:20]!r} is not a day; write it as dd/mm/yyyy")
    day, month, year = (int(part) for part in found.groups())
    return date(year, month, day)


def write_day(day: date) -> str:
    """``20/11/2026``; years before 1000 too."""
    return f"{day.day:02}/{day.month:02}/{day.year:04}"


def asked_day(text: str, today: date) -> date:
    """The day a page is asked for, today without one. Raises Refusal (422) for what is no day."""
    try:
        return read_day(text) or today
    except ValueError as error:
        step = "write the day as dd/mm/yyyy, e.g. 31/12/2019"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), step, "invalid") from error
