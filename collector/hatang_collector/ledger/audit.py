"""Who changed what, and when. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger.tables import AUDIT, ROWS_PER_STATEMENT, storable

COMMAND_LINE: Final = "command line"
"""``who`` of an act done by a command on the collector's own machine."""


@dataclass(frozen=True, slots=True)
class Change:
    """One act: ``action`` such as ``user.add`` on ``subject``. Never a secret in ``detail``."""

    id: int
    at_ms: int
    who: str
    role: str
    action: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Act:
    """One of several acts done at once: ``action`` such as ``asset.change``. Never a secret in ``detail``."""

    action: str
    subject: str
    detail: str = ""


def append(
    c: Connection, *, who: str, role: str, action: str, subject: str, now_ms: int, detail: str = ""
) -> None:
    """Note an act, in the transaction that does it."""
    append_all(c, [Act(action, subject, detail)], who=who, role=role, now_ms=now_ms)


def append_all(c: Connection, acts: Sequence[Act], *, who: str, role: str, now_ms: int) -> None:
    """Note acts of one person at one moment, in their order, in the transaction that does them."""
    rows = [
        {
            "at_ms": now_ms,
            "who": storable(who),
            "role": storable(role),
            "action": storable(act.action),
            "subject": storable(act.subject),
            "detail": storable(act.detail),
        }
        for act in acts
    ]
    if rows:
        c.execute(sa.insert(AUDIT), rows)


def latest(c: Connection, limit: int = 200) -> list[Change]:
    """The last acts, newest first."""
    return search(c, limit=limit)


def search(
    c: Connection,
    *,
    who: str = "",
    action: str = "",
    subject: str = "",
    text: str = "",
    before_id: int | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
    limit: int = 100,
) -> list[Change]:
    """The acts that fit every filter given, newest first.

    Args:
        c: a transaction.
        who: exactly this user.
        action: this action, or all of a kind: ``unit`` finds ``unit.add`` and ``unit.change``.
        subject: part of the subject, large and small letters alike.
        text: part of any text of the act, large and small letters alike.
        before_id: only acts before this one; the last ``id`` of a page gives the next page.
        from_ms: only acts at this moment or later.
        to_ms: only acts before this moment.
        limit: at most so many.
    """
    chosen = sa.select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
    if who:
        chosen = chosen.where(AUDIT.c.who == storable(who))
    if action:
        kind = AUDIT.c.action.startswith(f"{storable(action)}.", autoescape=True)
        chosen = chosen.where(sa.or_(AUDIT.c.action == storable(action), kind))
    if subject:
        chosen = chosen.where(AUDIT.c.subject.icontains(storable(subject), autoescape=True))
    if text:
        columns = (AUDIT.c.who, AUDIT.c.action, AUDIT.c.subject, AUDIT.c.detail)
        found = (column.icontains(storable(text), autoescape=True) for column in columns)
        chosen = chosen.where(sa.or_(*found))
    if before_id is not None:
        chosen = chosen.where(AUDIT.c.id < before_id)
    if from_ms is not None:
        chosen = chosen.where(AUDIT.c.at_ms >= from_ms)
    if to_ms is not None:
        chosen = chosen.where(AUDIT.c.at_ms < to_ms)
    return [Change(*row) for row in c.execute(chosen)]


def people(c: Connection) -> list[str]:
    """Everybody who ever changed something, by name."""
    return sorted(c.execute(sa.select(AUDIT.c.who).distinct()).scalars())


def actions(c: Connection) -> list[str]:
    """Every kind of act there ever was, by name."""
    return sorted(c.execute(sa.select(AUDIT.c.action).distinct()).scalars())


def of_subjects(c: Connection, action: str, subjects: Iterable[str]) -> dict[str, Change]:
    """The newest act of this kind on each of the subjects; those without one are missing."""
    wanted = sorted(set(subjects))
    found: dict[str, Change] = {}
    for at in range(0, len(wanted), ROWS_PER_STATEMENT):
        chosen = AUDIT.c.subject.in_(wanted[at : at + ROWS_PER_STATEMENT])
        rows = c.execute(sa.select(AUDIT).where(AUDIT.c.action == action, chosen).order_by(AUDIT.c.id))
        found |= {row.subject: Change(*row) for row in rows}
    return found
