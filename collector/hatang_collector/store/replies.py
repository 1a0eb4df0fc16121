"""What an answer of an InfluxDB server to a write means; pure.

A 400 must be taken neither as "nothing stored" nor as "try again": InfluxDB 1.x stores the good lines
and names one bad one. Measured on 1.6.7; for 2.x and 3.x after their documentation of the write
routes (2.x answers 422 when some points were refused, 400 when it could not read a line).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from hatang_collector.store.contract import BadReason


@dataclass(frozen=True, slots=True)
class Stored:
    """Every line is stored."""


@dataclass(frozen=True, slots=True)
class SomeBad:
    """Some lines are bad; the others may be stored or not.

    ``dropped`` is the server's count of refused lines, at least the named kind of them; 0 says nothing.
    """

    reason: BadReason
    detail: str
    dropped: int


@dataclass(frozen=True, slots=True)
class TooLarge:
    """Nothing stored; the same lines in smaller writes may be."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The database, bucket or retention policy does not exist."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nothing about the lines; trying again later can help."""

    detail: str
    hint: str


WriteOutcome = Stored | SomeBad | TooLarge | Missing | Unavailable

_CONFLICT = re.compile(r'input field "(?P<field>[^"]+)" on measurement "(?P<measurement>[^"]+)"')
_DROPPED = re.compile(r"dropped=(\d+)")
_NOT_FOUND = re.compile(r"(database|bucket|retention policy|organization name) .*not found|not found: ", re.I)
_MAX_DETAIL = 300


def write_outcome(status: int, body: str) -> WriteOutcome:
    """What the reply to a write of at least one line says."""
    detail = f"{status} {message(body)[:_MAX_DETAIL]}"
    if 200 <= status < 300:
        return Stored()
    if status == 413:
        return TooLarge()
    if status in (404, 500) and _NOT_FOUND.search(body):
        return Missing(detail)
    if status in (400, 422):
        return SomeBad(bad_reason(body), detail, _dropped(body))
    return Unavailable(detail, hint(status))


def message(body: str) -> str:
    """The server's words: the ``error`` or ``message`` of its JSON, else the body as it is."""
    try:
        values = json.loads(body)
    except ValueError:
        return body.strip()
    if not isinstance(values, dict):
        return body.strip()
    return str(values.get("error") or values.get("message") or body.strip())


def conflicting(detail: str) -> tuple[str, str] | None:
    """(measurement, field) that a type conflict names, if it does."""
    found = _CONFLICT.search(detail)
    return (found["measurement"], found["field"]) if found else None


def bad_reason(body: str) -> BadReason:
    """Why a line was refused, in our words."""
    lower = body.lower()
    if "field type conflict" in lower or "invalid column type" in lower:
        return "type_conflict"
    if "beyond retention" in lower or "outside retention" in lower:
        return "beyond_retention"
    if "unable to parse" in lower or "invalid" in lower or "parse" in lower:
        return "unparseable"
    return "refused"


def _dropped(body: str) -> int:
    found = _DROPPED.search(body)
    return int(found.group(1)) if found else 0


def hint(status: int) -> str:
    """The next step of a person who reads this status."""
    if status in (401, 403):
        return "check the token (or user and password) of the series store and what it may write"
    if status == 404:
        return "the server does not know this route: check the dialect (v1, v2, v3) of the series store"
    if status == 429:
        return "the server asks to slow down; writing goes on by itself"
    return "look at the server's own log; writing goes on by itself"
