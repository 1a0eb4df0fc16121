"""What a person should look into: a clone, a restored image, an inventory that never came.

A finding of origin ``journal`` is a conclusion from the journal: it is opened once for its key, with
the same id at every replay, and a person's closing it is remembered. Others are of origin ``live``
and may be opened again after they were closed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger.tables import FINDINGS, storable

WITHDRAWN: Final = "withdrawn"
"""``closed_by`` of a finding that later reports proved wrong or settled."""


class Origin(StrEnum):
    """Where a finding comes from, which says whether a replay may make it anew."""

    LIVE = "live"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class Finding:
    """``closed_by`` is a user's name, ``withdrawn``, or empty when whoever closed it gave no name."""

    id: str
    kind: str
    agent: str
    key: str
    opened_ms: int
    closed_ms: int | None
    detail: str
    closed_by: str | None = None


def open_finding(
    c: Connection,
    kind: str,
    agent: str,
    key: str,
    now_ms: int,
    detail: str,
    *,
    origin: Origin = Origin.LIVE,
) -> bool:
    """Open a finding unless one of that kind, agent and key is open. Returns whether it was opened.

    Of origin ``journal``: one that a person closed stays closed; one that was withdrawn opens again.
    """
    key = storable(key)
    same = (FINDINGS.c.kind == kind, FINDINGS.c.agent == agent, FINDINGS.c.key == key)
    known = c.execute(sa.select(FINDINGS).where(*same)).all()
    if any(row.closed_ms is None for row in known):
        return False
    if origin is Origin.JOURNAL:
        if any(row.closed_by != WITHDRAWN for row in known):
            return False
        c.execute(sa.delete(FINDINGS).where(*same, FINDINGS.c.origin == Origin.JOURNAL))
    row = {
        "id": _id(kind, agent, key, len(known) if origin is Origin.LIVE else 0),
        "kind": kind,
        "agent": agent,
        "key": key,
        "origin": str(origin),
        "opened_ms": now_ms,
        "detail": storable(detail),
    }
    c.execute(sa.insert(FINDINGS).values(row))
    return True


def close(c: Connection, id: str, now_ms: int, closed_by: str = "") -> None:
    """Close a finding; doing it again, or of an unknown id, changes nothing."""
    changed = {"closed_ms": now_ms, "closed_by": storable(closed_by)}
    c.execute(sa.update(FINDINGS).where(FINDINGS.c.id == id, FINDINGS.c.closed_ms.is_(None)).values(changed))


def withdraw(c: Connection, kind: str, agent: str, key: str, now_ms: int) -> None:
    """Close a finding of origin ``journal`` that later entries proved wrong or settled."""
    chosen = (FINDINGS.c.kind == kind, FINDINGS.c.agent == agent, FINDINGS.c.key == storable(key))
    still = (FINDINGS.c.closed_ms.is_(None), FINDINGS.c.origin == Origin.JOURNAL)
    c.execute(sa.update(FINDINGS).where(*chosen, *still).values(closed_ms=now_ms, closed_by=WITHDRAWN))


def get(c: Connection, id: str) -> Finding | None:
    """The finding of that id, or None."""
    row = c.execute(sa.select(*_SHOWN).where(FINDINGS.c.id == id)).one_or_none()
    return None if row is None else Finding(*row)


def every(c: Connection, *, open_only: bool = True) -> list[Finding]:
    """Findings, newest first."""
    chosen = sa.select(*_SHOWN).order_by(FINDINGS.c.opened_ms.desc(), FINDINGS.c.id)
    if open_only:
        chosen = chosen.where(FINDINGS.c.closed_ms.is_(None))
    return [Finding(*row) for row in c.execute(chosen)]


def of(c: Connection, agent: str, *, open_only: bool = True) -> list[Finding]:
    """Findings of one agent, newest first."""
    chosen = (
        sa.select(*_SHOWN)
        .where(FINDINGS.c.agent == agent)
        .order_by(FINDINGS.c.opened_ms.desc(), FINDINGS.c.id)
    )
    if open_only:
        chosen = chosen.where(FINDINGS.c.closed_ms.is_(None))
    return [Finding(*row) for row in c.execute(chosen)]


def forget_derived(c: Connection) -> None:
    """Remove what a replay makes anew; what people closed stays."""
    undecided = sa.or_(FINDINGS.c.closed_ms.is_(None), FINDINGS.c.closed_by == WITHDRAWN)
    c.execute(sa.delete(FINDINGS).where(FINDINGS.c.origin == Origin.JOURNAL, undecided))


_SHOWN: Final = (
    FINDINGS.c.id,
    FINDINGS.c.kind,
    FINDINGS.c.agent,
    FINDINGS.c.key,
    FINDINGS.c.opened_ms,
    FINDINGS.c.closed_ms,
    FINDINGS.c.detail,
    FINDINGS.c.closed_by,
)


def _id(kind: str, agent: str, key: str, count: int) -> str:
    return hashlib.sha256(f"{kind}\n{agent}\n{key}\n{count}".encode()).hexdigest()[:16]
