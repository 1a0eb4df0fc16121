"""The estate in the ledger: read as a whole, changed as a whole, every change noted row by row."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy.engine import Connection

from hatang_collector.domain import checks
from hatang_collector.domain.checks import EstateRefused
from hatang_collector.domain.dated import BEGINNING
from hatang_collector.domain.difference import Difference, Kind, difference
from hatang_collector.domain.estate import Estate
from hatang_collector.ledger import audit, estate_version
from hatang_collector.ledger.audit import Act
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.estate_tables import NOUNS, Noun
from hatang_collector.ledger.estate_version import number

__all__ = ["edit", "load", "number", "save"]

_VERBS: Final = {Kind.ADDED: "add", Kind.CHANGED: "change", Kind.REMOVED: "remove"}
_ALWAYS: Final = BEGINNING.isoformat()


def load(c: Connection) -> Estate:
    """All that is declared, the rows of each noun by their key."""
    return Estate(**{noun.name: noun.load(c) for noun in NOUNS})


def save(
    c: Connection, before: Estate, after: Estate, *, who: str, role: str, now_ms: int, why: str = ""
) -> list[Difference]:
    """Make the ledger, which holds ``before``, hold ``after``.

    Args:
        c: a write transaction; all of it is stored, or nothing.
        before: as :func:`load` gave it in the same transaction.
        after: what is wanted.
        who: name of the user, for the log.
        role: the user's role.
        now_ms: UTC milliseconds.
        why: a decision's number or a file's name, for the log.

    Returns:
        What changed; each of them is a row of the audit log too. Nothing when nothing changed.

    Raises:
        EstateRefused: ``after`` contradicts itself.
    """
    if after == before:
        return []
    problems = checks.problems(after)
    if problems:
        raise EstateRefused(problems)
    found = difference(before, after)
    for noun in NOUNS:
        _save_rows(c, noun, getattr(before, noun.name), getattr(after, noun.name))
    if found:
        audit.append_all(c, [_act(one, why) for one in found], who=who, role=role, now_ms=now_ms)
        estate_version.rise(c)
    return found


def edit(
    ledger: Ledger, change: Callable[[Estate], Estate], *, who: str, role: str, now_ms: int, why: str = ""
) -> tuple[Estate, list[Difference]]:
    """Change the estate in one transaction: of two edits at once each sees what the other did, or waits.

    Args:
        ledger: where it is.
        change: gives the estate that is wanted; what it raises undoes everything.
        who: name of the user, for the log.
        role: the user's role.
        now_ms: UTC milliseconds.
        why: a decision's number or a file's name, for the log.

    Returns:
        The estate as it is now, and what changed.

    Raises:
        EstateRefused: what is wanted contradicts itself; nothing was changed.
        LedgerUnavailable: trying again later helps; nothing was changed.
    """
    with ledger.write() as c:
        estate_version.lock(c)
        before = load(c)
        found = save(c, before, change(before), who=who, role=role, now_ms=now_ms, why=why)
        return (load(c) if found else before), found


def _save_rows(c: Connection, noun: Noun, before: Sequence[Any], after: Sequence[Any]) -> None:
    if before == after:
        return
    held = {noun.key_of(row): row for row in before}
    wanted = {noun.key_of(row): row for row in after}
    noun.remove(c, [row for key, row in held.items() if key not in wanted])
    noun.put(c, [row for key, row in wanted.items() if held.get(key) != row])


def _act(one: Difference, why: str) -> Act:
    """Such as ``unit.change`` of ``CODE/2025-07-01``, with ``{field: [old, new]}`` and perhaps the reason.

    A first day that nobody knows is left out of the subject, and what has no value out of a new row.
    """
    detail: dict[str, Any] = {"why": why} if why else {}
    detail |= {field: [old, new] for field, old, new in one.fields if old or new}
    subject = "/".join(part for part in one.key if part != _ALWAYS)
    text = json.dumps(detail, ensure_ascii=False, separators=(",", ":"))
    return Act(f"{one.noun.removesuffix('s')}.{_VERBS[one.kind]}", subject, text)
