"""Writes what domain/inventory.py decides: the current set of facts of each probe, and what it replaced."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_agent.wire.report import Fact, Run, Status
from hatang_collector.domain.inventory import Current, Effect, Inventory, Missing, Seen, full, unchanged
from hatang_collector.ledger import findings
from hatang_collector.ledger.tables import (
    FACT_SETS,
    FACTS,
    FACTS_CLOSED,
    INVENTORIES,
    rows_of,
    storable,
    upsert,
)

MISSING: Final = "inventory_missing"
"""Kind of the finding: a machine says its facts are unchanged, but the set it names never came."""
KEPT_SETS: Final = 4

_Owner = tuple[str, str]
_Facts = dict[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class _Set:
    run_id: str
    seen_ms: int
    content: bytes | None  # None: in the database, not read yet


class InventoryBook:
    """The inventories of one batch's agents, changed in memory and written at its end."""

    def __init__(self, c: Connection, agents: set[str], carrying: set[str]) -> None:
        """Read what the batch needs: ``carrying`` are the agents whose runs carry facts."""
        self._c = c
        self._held: dict[_Owner, Inventory] = {}
        for row in rows_of(c, INVENTORIES, agents):
            self._held[(row["agent"], row["probe"])] = _inventory(row)
        self._changed: set[_Owner] = set()
        self._sets: dict[_Owner, dict[str, _Set]] = {}
        self._sets_read: set[str] = set()
        self._read_sets(carrying)
        self._replaced: dict[_Owner, list[tuple[int, bytes]]] = {}

    def run(self, agent: str, run: Run, seen: Seen, arrived_ms: int) -> None:
        """Take in what a run says about its probe's facts; most runs say nothing."""
        owner = (agent, run.probe)
        held = self._held.get(owner)
        if run.unchanged and run.facts_digest:
            known = self._known(owner, run.facts_digest)
            now, effect = unchanged(held or Inventory(), run.facts_digest, seen, known)
        elif run.facts or (held is not None and run.status in (Status.OK, Status.NO_DATA)):
            content = _pack(run.facts)
            digest = run.facts_digest or hashlib.sha256(content).hexdigest()
            self._remember(owner, digest, _Set(run.id, seen.at_ms, content))
            now, effect = full(held or Inventory(), digest, seen)
        else:
            return
        self._held[owner] = now
        self._changed.add(owner)
        if effect is Effect.REPLACED and now.current is not None:
            content = self._content(owner, now.current.digest)
            self._replaced.setdefault(owner, []).append((now.current.seen.at_ms, content))
        self._tell(owner, held.missing if held else None, now.missing, arrived_ms)

    def flush(self) -> None:
        """Write inventories, sets, facts in force and facts that ended."""
        upsert(self._c, INVENTORIES, [_values(owner, self._held[owner]) for owner in sorted(self._changed)])
        self._flush_sets()
        self._flush_facts()

    def _tell(self, owner: _Owner, before: Missing | None, now: Missing | None, arrived_ms: int) -> None:
        agent, probe = owner
        if before == now:
            return
        if before is not None and (now is None or now.digest != before.digest):
            findings.withdraw(self._c, MISSING, agent, _finding_key(probe, before), arrived_ms)
        if now is not None:
            detail = f"{probe}: the set {now.digest[:12]} that it calls unchanged never came"
            key = _finding_key(probe, now)
            origin = findings.Origin.JOURNAL
            findings.open_finding(self._c, MISSING, agent, key, arrived_ms, detail, origin=origin)

    def _known(self, owner: _Owner, digest: str) -> str | None:
        """The run that brought a set, None when it is not here."""
        held = self._held.get(owner, Inventory()).current
        if held is not None and held.digest == digest:
            return held.run_id
        known = self._sets_of(owner).get(digest)
        return None if known is None else known.run_id

    def _remember(self, owner: _Owner, digest: str, content: _Set) -> None:
        sets = self._sets_of(owner)
        if digest not in sets or content.seen_ms > sets[digest].seen_ms:
            sets[digest] = content

    def _sets_of(self, owner: _Owner) -> dict[str, _Set]:
        if owner[0] not in self._sets_read:
            self._read_sets({owner[0]})
        return self._sets.setdefault(owner, {})

    def _read_sets(self, agents: set[str]) -> None:
        columns = [column for column in FACT_SETS.columns if column.name != "content"]
        for row in rows_of(self._c, FACT_SETS, agents, columns=columns):
            owner = (row["agent"], row["probe"])
            self._sets.setdefault(owner, {})[row["digest"]] = _Set(row["run_id"], row["seen_ms"], None)
        self._sets_read |= agents

    def _content(self, owner: _Owner, digest: str) -> bytes:
        held = self._sets_of(owner)[digest]
        if held.content is not None:
            return held.content
        table = FACT_SETS.c
        named = (table.agent == owner[0], table.probe == owner[1], table.digest == digest)
        return bytes(self._c.execute(sa.select(table.content).where(*named)).scalar_one())

    def _flush_sets(self) -> None:
        rows: list[dict[str, Any]] = []
        gone: list[dict[str, str]] = []
        for (agent, probe), sets in self._sets.items():
            newest = sorted(sets.items(), key=lambda item: (item[1].seen_ms, item[0]), reverse=True)
            current = self._held.get((agent, probe), Inventory()).current
            for rank, (digest, held) in enumerate(newest):
                if rank >= KEPT_SETS and not (current and digest == current.digest):
                    gone.append({"of": agent, "by": probe, "named": digest})
                elif held.content is not None:
                    row: dict[str, Any] = {"agent": agent, "probe": probe, "digest": digest}
                    row |= {"run_id": held.run_id, "seen_ms": held.seen_ms, "content": held.content}
                    rows.append(row)
        upsert(self._c, FACT_SETS, rows)
        if gone:
            table = FACT_SETS.c
            named = (
                table.agent == sa.bindparam("of"),
                table.probe == sa.bindparam("by"),
                table.digest == sa.bindparam("named"),
            )
            self._c.execute(sa.delete(FACT_SETS).where(*named), gone)

    def _flush_facts(self) -> None:
        if not self._replaced:
            return
        in_force: dict[_Owner, dict[tuple[str, str], tuple[str, int]]] = {}
        for row in rows_of(self._c, FACTS, {agent for agent, _ in self._replaced}):
            owner = (row["agent"], row["probe"])
            in_force.setdefault(owner, {})[(row["kind"], row["key"])] = (row["fields"], row["since_ms"])
        rows: list[dict[str, Any]] = []
        gone: list[dict[str, str]] = []
        closed: list[dict[str, Any]] = []
        for owner, changes in self._replaced.items():
            before = in_force.get(owner, {})
            now = before
            for at_ms, content in changes:
                now, ended = _replace(now, _unpack(content), at_ms)
                closed.extend(
                    _fact(owner, key, fields, since) | {"closed_ms": at_ms} for key, fields, since in ended
                )
            rows.extend(_fact(owner, key, *value) for key, value in now.items() if before.get(key) != value)
            gone.extend(
                {"of": owner[0], "by": owner[1], "what": key[0], "named": key[1]}
                for key in before.keys() - now
            )
        if gone:
            table = FACTS.c
            named = (
                table.agent == sa.bindparam("of"),
                table.probe == sa.bindparam("by"),
                table.kind == sa.bindparam("what"),
                table.key == sa.bindparam("named"),
            )
            self._c.execute(sa.delete(FACTS).where(*named), gone)
        upsert(self._c, FACTS, rows)
        upsert(self._c, FACTS_CLOSED, closed)


def _replace(
    before: dict[tuple[str, str], tuple[str, int]], content: _Facts, at_ms: int
) -> tuple[dict[tuple[str, str], tuple[str, int]], list[tuple[tuple[str, str], str, int]]]:
    """Facts in force after a set took over, and those that ended: (key, fields, since)."""
    now = {}
    for key, fields in content.items():
        held = before.get(key)
        now[key] = held if held is not None and held[0] == fields else (fields, at_ms)
    ended = [
        (key, fields, since) for key, (fields, since) in before.items() if now.get(key) != (fields, since)
    ]
    return now, ended


def _fact(owner: _Owner, key: tuple[str, str], fields: str, since_ms: int) -> dict[str, Any]:
    named = {"agent": owner[0], "probe": owner[1], "kind": key[0], "key": key[1]}
    return named | {"fields": fields, "since_ms": since_ms}


def _pack(facts: Iterable[Fact]) -> bytes:
    """The same bytes for the same facts, in whatever order a probe found them."""
    content = sorted(
        [fact.kind, storable(fact.key), json.dumps(dict(fact.fields), sort_keys=True)] for fact in facts
    )
    return zlib.compress(json.dumps(content).encode(), 6)


def _unpack(content: bytes) -> _Facts:
    return {(kind, key): fields for kind, key, fields in json.loads(zlib.decompress(content))}


def _finding_key(probe: str, missing: Missing) -> str:
    return f"{probe}:{missing.digest[:12]}"


def _inventory(row: dict[str, Any]) -> Inventory:
    current = Current(row["digest"], row["run_id"], Seen(row["seen_id"], row["seen_ms"], row["certain"]))
    missing = Missing(
        row["missing_digest"], Seen(row["missing_id"], row["missing_ms"], row["missing_certain"])
    )
    return Inventory(current if row["run_id"] else None, missing if row["missing_id"] else None)


def _values(owner: _Owner, held: Inventory) -> dict[str, Any]:
    current = held.current or Current("", "", Seen("", 0, False))
    missing = held.missing or Missing("", Seen("", 0, False))
    return {
        "agent": owner[0],
        "probe": owner[1],
        "digest": current.digest,
        "run_id": current.run_id,
        "seen_id": current.seen.run_id,
        "seen_ms": current.seen.at_ms,
        "certain": current.seen.certain,
        "missing_digest": missing.digest,
        "missing_id": missing.seen.run_id,
        "missing_ms": missing.seen.at_ms,
        "missing_certain": missing.seen.certain,
    }
