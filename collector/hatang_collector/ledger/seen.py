"""On which days of Vietnam a machine was seen at work: a run of one of its probes fell on that day.

A row is a month of one probe of one agent, bit 0 the first day. Days are only ever added, so whatever
comes late, twice or in another order gives the same rows. For the same reason a replay keeps them:
official figures look back further than the journal of office computers reaches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_agent.wire.report import Run, Status
from hatang_collector.domain.inventory import Seen
from hatang_collector.domain.localtime import DAY_MS, OFFSET_MS, day_of
from hatang_collector.ledger.tables import ROWS_PER_STATEMENT, SEEN_DAYS, insert

ANY: Final = ""
"""The name under which the days of all probes together are kept, failed runs included."""
_ANSWERED: Final = frozenset({Status.OK, Status.NO_DATA})
MAX_REMEMBERED: Final = 500_000
_LAST_DAY: Final = (date.max - date(1970, 1, 1)).days

SeenDay = tuple[str, str, int]
"""Agent, probe, and the local day counted from 01/01/1970."""


def seen(
    c: Connection, *, first: date, last: date, agents: Iterable[str] | None = None, probe: str = ANY
) -> dict[str, frozenset[date]]:
    """The days on which each machine was seen, from ``first`` to ``last``, both included.

    Args:
        c: a transaction.
        first: the first day asked for.
        last: the last day asked for.
        agents: only these; None for all.
        probe: a run of this probe, whatever came of it; :data:`ANY` for any run.

    Returns:
        The days by agent; a machine that was never seen is missing.
    """
    found: dict[str, set[date]] = {}
    months = SEEN_DAYS.c.month.between(_month(first), _month(last))
    for agent, month, days in _chosen(c, probe, agents, months):
        shown = {day for day in _days(month, days) if first <= day <= last}
        if shown:
            found.setdefault(agent, set()).update(shown)
    return {agent: frozenset(days) for agent, days in found.items()}


def last_seen(c: Connection, *, agents: Iterable[str] | None = None, probe: str = ANY) -> dict[str, date]:
    """The last day on which each machine was seen; a machine that was never seen is missing."""
    newest: dict[str, tuple[int, int]] = {}
    for agent, month, days in _chosen(c, probe, agents):
        newest[agent] = max(newest.get(agent, (0, 0)), (month, days))
    return {agent: _days(month, days)[-1] for agent, (month, days) in newest.items()}


class SeenMemory:
    """Days that the table certainly holds, so that a day that is known costs no statement.

    Bounded: when it is full it forgets everything, and the next batches write once more.
    """

    def __init__(self) -> None:
        self.days: set[SeenDay] = set()

    def learn(self, written: set[SeenDay]) -> None:
        """Remember what a transaction wrote. To be called when it is durable, not before."""
        if len(self.days) + len(written) > MAX_REMEMBERED:
            self.forget()
        self.days |= written

    def forget(self) -> None:
        """The table was emptied."""
        self.days.clear()


class SeenBook:
    """The days of one batch, gathered in memory and written at its end."""

    def __init__(self, c: Connection, memory: SeenMemory) -> None:
        self._c = c
        self._memory = memory
        self._found: set[SeenDay] = set()
        self.written: set[SeenDay] = set()

    def ran(self, agent: str, runs: Sequence[tuple[Run, Seen]]) -> None:
        """Runs were counted. One that failed shows the machine, but says nothing of what it measures."""
        for run, seen in runs:
            number = (seen.at_ms + OFFSET_MS) // DAY_MS
            self._found.add((agent, ANY, number))
            if run.status in _ANSWERED:
                self._found.add((agent, run.probe, number))

    def flush(self) -> None:
        """Write the days that are not known to be there; ``written`` holds them afterwards."""
        self.written = self._found - self._memory.days
        masks: dict[tuple[str, str, int], int] = {}
        for agent, probe, number in self.written:
            if 0 <= number <= _LAST_DAY:  # anything else is the clock of a broken machine, not a day
                month, bit = _place(number)
                masks[agent, probe, month] = masks.get((agent, probe, month), 0) | bit
        if not masks:
            return
        statement = insert(self._c, SEEN_DAYS)
        added = statement.on_conflict_do_update(
            index_elements=[column.name for column in SEEN_DAYS.primary_key],
            set_={"days": SEEN_DAYS.c.days.bitwise_or(statement.excluded.days)},
        )
        rows = [
            {"agent": agent, "probe": probe, "month": month, "days": days}
            for (agent, probe, month), days in sorted(masks.items())
        ]
        self._c.execute(added, rows)


@lru_cache(maxsize=1024)
def _place(number: int) -> tuple[int, int]:
    """(month, bit) of a day counted from 01/01/1970."""
    day = day_of(number * DAY_MS)
    return _month(day), 1 << (day.day - 1)


def _month(day: date) -> int:
    return day.year * 100 + day.month


def _days(month: int, days: int) -> list[date]:
    year, number = divmod(month, 100)
    return [date(year, number, bit + 1) for bit in range(31) if days >> bit & 1]


def _chosen(
    c: Connection, probe: str, agents: Iterable[str] | None, *which: sa.ColumnElement[bool]
) -> Iterator[tuple[str, int, int]]:
    """(agent, month, days) of the rows that fit."""
    columns = (SEEN_DAYS.c.agent, SEEN_DAYS.c.month, SEEN_DAYS.c.days)
    chosen = sa.select(*columns).where(SEEN_DAYS.c.probe == probe, *which)
    if agents is None:
        yield from c.execute(chosen)
        return
    wanted = sorted(set(agents))
    for at in range(0, len(wanted), ROWS_PER_STATEMENT):
        yield from c.execute(chosen.where(SEEN_DAYS.c.agent.in_(wanted[at : at + ROWS_PER_STATEMENT])))
