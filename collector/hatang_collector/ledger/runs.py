"""Which runs were counted, by (agent, epoch that took them), and which the agents say they dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_agent.wire.report import Gap, Run
from hatang_collector.domain.inventory import EPOCH_DIGITS
from hatang_collector.domain.ranges import Ranges
from hatang_collector.ledger.tables import GAPS, RUN_RANGES, insert, rows_of, storable, upsert


@dataclass(frozen=True, slots=True)
class Dropped:
    """Runs that an agent had to drop; ``from_ms`` and ``to_ms`` are on its own wall clock."""

    agent: str
    probe: str
    from_ms: int
    to_ms: int
    reason: str
    runs: int
    arrived_ms: int


def of(c: Connection, agent: str) -> dict[str, Ranges]:
    """The numbers of the runs counted, by the epoch that took them."""
    chosen = sa.select(RUN_RANGES.c.epoch, RUN_RANGES.c.runs).where(RUN_RANGES.c.agent == agent)
    return {epoch: Ranges.from_text(text) for epoch, text in c.execute(chosen)}


def gaps(c: Connection, agent: str) -> list[Dropped]:
    """The gap records of an agent, oldest first."""
    order = (GAPS.c.from_ms, GAPS.c.probe, GAPS.c.to_ms, GAPS.c.reason, GAPS.c.runs)
    return [Dropped(*row) for row in c.execute(sa.select(GAPS).where(GAPS.c.agent == agent).order_by(*order))]


def parts(run_id: str) -> tuple[str, int]:
    """(epoch, number) of a run id."""
    return run_id[:EPOCH_DIGITS], int(run_id[EPOCH_DIGITS + 1 :])


class RunBook:
    """The runs of one batch, counted in memory and written at its end."""

    def __init__(self, c: Connection, epochs: set[str]) -> None:
        self._c = c
        self._held = {
            (row["agent"], row["epoch"]): Ranges.from_text(row["runs"])
            for row in rows_of(c, RUN_RANGES, epochs, "epoch")
        }
        self._changed: set[tuple[str, str]] = set()

    def count(self, agent: str, runs: Sequence[Run]) -> list[Run]:
        """Count the runs of a report; those that were not counted before."""
        by_epoch: dict[str, list[tuple[int, Run]]] = {}
        for run in runs:
            epoch, number = parts(run.id)
            by_epoch.setdefault(epoch, []).append((number, run))
        new = []
        for epoch, numbered in by_epoch.items():
            held = before = self._held.get((agent, epoch), Ranges())
            for number, run in numbered:
                held, former = held.add(number), held
                if held is not former:
                    new.append(run)
            if held is not before:
                self._held[(agent, epoch)] = held
                self._changed.add((agent, epoch))
        return new

    def drop(self, agent: str, gap: Gap, arrived_ms: int) -> int:
        """Note a gap record and return the runs in it, 0 when it was noted before."""
        row = {
            "agent": agent,
            "probe": gap.probe,
            "from_ms": gap.from_wall_ms,
            "to_ms": gap.to_wall_ms,
            "reason": storable(gap.reason),
            "runs": gap.runs,
            "arrived_ms": arrived_ms,
        }
        added = insert(self._c, GAPS).values(row).on_conflict_do_nothing().returning(GAPS.c.agent)
        return 0 if self._c.execute(added).first() is None else gap.runs

    def flush(self) -> None:
        """Write the ranges that grew."""
        rows = [
            {"agent": agent, "epoch": epoch, "runs": self._held[(agent, epoch)].to_text()}
            for agent, epoch in sorted(self._changed)
        ]
        upsert(self._c, RUN_RANGES, rows)
