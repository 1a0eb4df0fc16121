"""Facts as tables for people. Pure: rows of the ledger in, texts out.

Kinds and fields without a text in the catalogue show under their own names, so that facts of a newer
agent are seen too. A value that is a word of a closed list (``good``, ``unreadable``) may have a text of
its own, ``fact.<kind>.<field>.<word>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hatang_collector.ledger.facts import FactRow
from hatang_collector.web import format as fmt
from hatang_collector.web import told
from hatang_collector.web.format import Language
from hatang_collector.web.i18n import Texts

_ORDER: Final = (
    *("computer", "cpu", "disk", "os", "shutdowns", "power"),
    *("network_reach", "dual_homed", "firewall", "antivirus_summary", "antivirus", "nic"),
)
_BYTES: Final = frozenset({"size", "memory_total"})
_WORD: Final = re.compile(r"[a-z][a-z0-9_]*")
_DAY: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_EPOCH_MS: Final = 1_000_000_000_000
"""Numbers of milliseconds above this are moments, below it spans."""

_REASONS: Final = {
    "its signature is not for this agent": "config.reason.signature",
    "not newer than number": "config.reason.older",
    "not a configuration": "config.reason.broken",
}
"""How agents begin to say why they refuse a configuration (``hatang_agent/remoteconfig.py``)."""


@dataclass(frozen=True, slots=True)
class FactTable:
    """All facts of one kind: column names, and one row of cells per fact, its key first."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    seen_ms: int
    certain: bool


def _number(name: str, value: float, language: Language) -> str:
    if name.endswith("_ms") and value >= _EPOCH_MS:
        return fmt.date_time(int(value))
    if name in _BYTES:
        return fmt.size(value, language)
    for ending, write in (
        ("_bytes", fmt.size),
        ("_bps", fmt.rate),
        ("_percent", fmt.percent),
        ("_s", fmt.duration),
    ):
        if name.endswith(ending):
            return write(value, language)
    if name.endswith("_ms"):
        return fmt.number(value, 0, language) + " ms"
    return fmt.number(value, 0 if float(value).is_integer() else 2, language)


def cell(name: str, value: Any, t: Texts) -> str:
    """One value in words; absent and empty ones read as not measured."""
    if value is None or value == "":
        return t("not_measured")
    if isinstance(value, bool):
        return t("yes") if value else t("no")
    if isinstance(value, int | float):
        return _number(name, value, t.language)
    if day := _DAY.fullmatch(str(value)):
        return f"{day[3]}/{day[2]}/{day[1]}"
    return str(value)


def reason_text(reason: str, t: Texts) -> str:
    """Why an agent refused a configuration; what is not known by its beginning stays as the agent said it."""
    return next((t(text) for start, text in _REASONS.items() if reason.startswith(start)), reason)


def _fact_cell(kind: str, name: str, value: Any, t: Texts) -> str:
    if kind == "config" and isinstance(value, str) and value:
        if name == "state":
            return t.or_name(f"config.state.{value}", value)
        if name == "reason":
            return reason_text(value, t)
    if name == "why" and isinstance(value, str) and value:
        return told.why(value, t)
    if kind == "dual_homed" and name == "networks":
        parts = str(value).split(",")
        return ", ".join(t.or_name(f"fact.network_reach.network.{part}", part) for part in parts)
    if isinstance(value, str) and _WORD.fullmatch(value):
        return t.or_name(f"fact.{kind}.{name}.{value}", value)
    return cell(name, value, t)


def _column(kind: str, name: str, t: Texts) -> str:
    return t.or_name(f"fact.{kind}.{name}", name)


def _tells(name: str, rows: Sequence[FactRow]) -> bool:
    """Whether a column holds anything that the key of its row does not say already."""
    values = [(row.fields.get(name), row.key) for row in rows]
    known = [(value, key) for value, key in values if value not in (None, "")]
    return bool(known) and (len(rows) == 1 or any(value != key for value, key in known))


def _table(kind: str, rows: Sequence[FactRow], t: Texts) -> FactTable:
    order = {key: place for place, key in enumerate(t.entries)}
    fields = sorted(
        {name for row in rows for name in row.fields},
        key=lambda name: (order.get(f"fact.{kind}.{name}", len(order)), name),
    )
    used = [name for name in fields if _tells(name, rows)]
    return FactTable(
        title=t.or_name(f"kind.{kind}", kind),
        columns=[_column(kind, name, t) for name in used],
        rows=[[row.key, *(_fact_cell(kind, name, row.fields.get(name), t) for name in used)] for row in rows],
        seen_ms=max(row.seen_ms for row in rows),
        certain=all(row.certain for row in rows),
    )


def fact_tables(facts: Iterable[FactRow], t: Texts) -> list[FactTable]:
    """One table per kind, well-known kinds first.

    A field that no row knows, or that only repeats the key, gets no column.
    """
    kinds: dict[str, list[FactRow]] = {}
    for fact in facts:
        kinds.setdefault(fact.kind, []).append(fact)
    known = {kind: place for place, kind in enumerate(_ORDER)}
    wanted = sorted(kinds, key=lambda kind: (known.get(kind, len(_ORDER)), kind))
    return [_table(kind, sorted(kinds[kind], key=lambda row: row.key), t) for kind in wanted]
