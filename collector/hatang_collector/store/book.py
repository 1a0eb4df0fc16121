"""The rollup book: our own five-minute and hourly buckets, the same whichever store is used.

Buckets, the run ids counted in them, the marks of what is still to be pushed and the cursors move in
one transaction, so that a crash counts nothing twice and forgets nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hatang_collector.store import counted, names
from hatang_collector.store.buckets import ROLLUPS, Sums, gather, rolled_up
from hatang_collector.store.check import fault, oldest_ms
from hatang_collector.store.contract import (
    STEP_MS,
    Bucket,
    Point,
    Resolution,
    Retention,
    RollupRow,
    Track,
)
from hatang_collector.store.points import RunPoints
from hatang_collector.store.sqlitefile import SqliteFile

_TABLE = {Resolution.M5: "m5", Resolution.H1: "h1"}
_BUCKETS = """CREATE TABLE IF NOT EXISTS {}(
  start INTEGER NOT NULL, sid INTEGER NOT NULL, count INTEGER NOT NULL, sum REAL NOT NULL,
  min REAL NOT NULL, max REAL NOT NULL, PRIMARY KEY(start, sid)) WITHOUT ROWID
"""
_SCHEMA = f"""
{counted.SCHEMA};
{counted.BEFORE_SCHEMA};
{names.SCHEMA};
{_BUCKETS.format("m5")};
{_BUCKETS.format("h1")};
CREATE TABLE IF NOT EXISTS dirty(
  resolution TEXT NOT NULL, start INTEGER NOT NULL, agent TEXT NOT NULL, changes INTEGER NOT NULL,
  PRIMARY KEY(resolution, start, agent)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept(before_ms INTEGER NOT NULL)
"""
_SET = "INSERT OR REPLACE INTO {} VALUES(?,?,?,?,?,?)"
_ADD = """INSERT INTO {} VALUES(?,?,?,?,?,?) ON CONFLICT(start, sid) DO UPDATE SET
count=count+excluded.count, sum=sum+excluded.sum, min=min(min, excluded.min), max=max(max, excluded.max)"""
_MARK = """INSERT INTO dirty VALUES(?,?,?,1)
ON CONFLICT(resolution, start, agent) DO UPDATE SET changes=changes+1"""
_RANGE = """WITH RECURSIVE s(start) AS (
  SELECT (SELECT min(start) FROM {0} WHERE start>=:low)
  UNION ALL SELECT (SELECT min(start) FROM {0} WHERE start>s.start) FROM s WHERE s.start<:high)
SELECT b.start, b.count, b.sum, b.min, b.max FROM s
CROSS JOIN {0} b ON b.start=s.start AND b.sid=:sid AND b.start<:high"""
_ROWS = """SELECT measurement, field, tags, count, sum, min, max FROM series
CROSS JOIN {} b ON b.start=? AND b.sid=id WHERE agent=?"""


@dataclass(frozen=True, slots=True)
class Mark:
    """Buckets of one agent and one start that changed since they were pushed."""

    resolution: Resolution
    at_ms: int
    agent: str
    changes: int


@dataclass(frozen=True, slots=True)
class ArrivedRun:
    """One run of an agent, and when its report arrived."""

    agent: str
    run: RunPoints
    arrived_ms: int


class RollupBook:
    """The SQLite file of the rollups. ``apply`` is for one thread, reading for any."""

    def __init__(self, path: Path, retention: Retention) -> None:
        self._file = SqliteFile(path, _SCHEMA)
        self._retention = retention
        self._names = names.SeriesNames()
        self._runs = counted.CountedRuns()

    def cursor(self, stream: str) -> int:
        """The next journal index wanted of a stream."""
        with self._file.reader() as connection:
            return counted.cursor(connection, stream)

    def apply(
        self, stream: str, next_index: int, runs: Iterable[ArrivedRun], now_ms: int, marks: bool
    ) -> None:
        """Count every run not counted before, and move the cursor, in one transaction.

        Args:
            stream: of the journal.
            next_index: to be the cursor.
            runs: in any order; what is older than the hourly retention is counted as seen only.
            now_ms: for the retention.
            marks: keep note of what changed, for somebody who pushes it.
        """
        oldest = {resolution: oldest_ms(self._retention, resolution, now_ms) for resolution in ROLLUPS}
        try:
            with self._file.transaction() as connection:
                points = self._fresh(connection, runs, oldest[Resolution.H1])
                numbered = [(point, self._numbers(connection, point)) for point in points]
                for resolution, sums in gather(numbered).items():
                    _add(connection, resolution, sums, oldest[resolution])
                if marks:
                    _mark(connection, points, oldest)
                self._runs.save(connection)
                counted.move_cursor(connection, stream, next_index)
        except BaseException:
            self._names.forget()
            self._runs.forget()
            raise

    def put(self, resolution: Resolution, rows: Sequence[RollupRow]) -> None:
        """Overwrite buckets with these rows."""
        with self._file.transaction() as connection:
            values = [
                (
                    row.at_ms,
                    self._names.of(connection, row.agent, row.measurement, row.tags, (row.field,))[0],
                    *(row.count, row.sum, row.min, row.max),
                )
                for row in rows
            ]
            connection.executemany(_SET.format(_TABLE[resolution]), values)

    def query(
        self, agent: str, measurement: str, field: str, start_ms: int, end_ms: int, resolution: Resolution
    ) -> list[Track]:
        """Buckets with start_ms <= start < end_ms, one track per tag set, ordered by tags."""
        query = _RANGE.format(_TABLE[resolution])
        tracks = []
        with self._file.reader() as connection:
            for number, tags in names.of_field(connection, agent, measurement, field):
                limits = {"low": start_ms, "high": end_ms, "sid": number}
                if rows := connection.execute(query, limits).fetchall():
                    tracks.append(Track(tags, [Bucket(*values) for values in rows]))
        return sorted(tracks, key=lambda track: track.tags)

    def marks(self, limit: int) -> list[Mark]:
        """What is to be pushed, oldest bucket first."""
        query = "SELECT resolution, start, agent, changes FROM dirty ORDER BY start, resolution LIMIT ?"
        with self._file.reader() as connection:
            rows = connection.execute(query, (limit,)).fetchall()
        return [Mark(Resolution(name), at_ms, agent, changes) for name, at_ms, agent, changes in rows]

    def rows(self, marks: Iterable[Mark]) -> Iterator[tuple[Resolution, RollupRow]]:
        """The buckets that marks speak of, as they are now."""
        with self._file.reader() as connection:
            for mark in marks:
                query = _ROWS.format(_TABLE[mark.resolution])
                for measurement, field, tags, *values in connection.execute(query, (mark.at_ms, mark.agent)):
                    yield (
                        mark.resolution,
                        RollupRow(mark.agent, measurement, field, names.tags_from(tags), mark.at_ms, *values),
                    )

    def pushed(self, marks: Iterable[Mark]) -> None:
        """Take marks off, except where more has changed since they were read."""
        with self._file.transaction() as connection:
            connection.executemany(
                "DELETE FROM dirty WHERE resolution=? AND start=? AND agent=? AND changes=?",
                [(str(mark.resolution), mark.at_ms, mark.agent, mark.changes) for mark in marks],
            )

    def unpushed(self) -> int:
        """How many marks there are."""
        with self._file.reader() as connection:
            count: int = connection.execute("SELECT count(*) FROM dirty").fetchone()[0]
            return count

    def totals(self, resolution: Resolution) -> dict[str, tuple[int, float]]:
        """``measurement.field`` -> (count, sum) over all buckets of a resolution."""
        query = f"""SELECT measurement, field, sum(n), sum(total) FROM series
            JOIN (SELECT sid, sum(count) n, sum(sum) total FROM {_TABLE[resolution]} GROUP BY sid) ON sid=id
            GROUP BY measurement, field"""  # noqa: S608
        with self._file.reader() as connection:
            rows = connection.execute(query).fetchall()
        return {f"{measurement}.{field}": (count, total) for measurement, field, count, total in rows}

    def clear(self, resolution: Resolution) -> None:
        """Remove the buckets of one resolution; what was counted stays counted."""
        with self._file.transaction() as connection:
            connection.execute(f"DELETE FROM {_TABLE[resolution]}")  # noqa: S608
            connection.execute("DELETE FROM dirty WHERE resolution=?", (str(resolution),))

    def reset(self, keep_before_ms: int = 0) -> None:
        """Set the cursors to 0 and empty the book, except for what the journal cannot give again.

        Buckets before ``keep_before_ms``, a full hour, stay as they are: a replay adds to them only
        runs that had not been counted.
        """
        with self._file.transaction() as connection:
            for table in _TABLE.values():
                connection.execute(f"DELETE FROM {table} WHERE start>=?", (keep_before_ms,))  # noqa: S608
            emptied = ["cursor", "kept"]
            if keep_before_ms:
                counted.keep_as_before(connection)
            else:
                emptied += ["dirty", "series", "counted", "counted_before"]
            for table in emptied:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608
            connection.execute("INSERT INTO kept VALUES(?)", (keep_before_ms,))
            self._names.forget()
            self._runs.forget()

    def retain(self, now_ms: int) -> None:
        """Remove buckets and run ids that are older than their retention, hour by hour of buckets."""
        for resolution in ROLLUPS:
            before = oldest_ms(self._retention, resolution, now_ms)
            query = f"SELECT min(start) FROM {_TABLE[resolution]}"  # noqa: S608
            while True:
                with self._file.transaction() as connection:
                    (first,) = connection.execute(query).fetchone()
                    if first is None or first >= before:
                        break
                    end = min(before, first + STEP_MS[Resolution.H1])
                    connection.execute(f"DELETE FROM {_TABLE[resolution]} WHERE start<?", (end,))  # noqa: S608
        with self._file.transaction() as connection:
            before = oldest_ms(self._retention, Resolution.H1, now_ms)
            for table in ("counted", "counted_before"):
                connection.execute(f"DELETE FROM {table} WHERE seen_ms<?", (before,))  # noqa: S608
            self._runs.forget()

    def close(self) -> None:
        """Close the file; harmless when called twice."""
        self._file.close()

    def _fresh(self, connection: sqlite3.Connection, runs: Iterable[ArrivedRun], oldest: int) -> list[Point]:
        """Points of the runs that were not counted before, in buckets that are still kept."""
        row = connection.execute("SELECT before_ms FROM kept").fetchone()
        kept_before = row[0] if row else 0
        found: list[Point] = []
        for arrived in runs:
            agent, epoch, number = arrived.agent, arrived.run.epoch, arrived.run.number
            if not self._runs.take(connection, agent, epoch, number, arrived.arrived_ms):
                continue
            points = [point for point in arrived.run.points if not fault(point, oldest)]
            old = bool(points) and points[0].at_ms < kept_before
            if not old or not counted.was_counted_before(connection, agent, epoch, number):
                found += points
        return found

    def _numbers(self, connection: sqlite3.Connection, point: Point) -> tuple[int, ...]:
        kept = tuple([field for field, _ in point.fields if rolled_up(field)])
        numbers = iter(self._names.of(connection, point.agent, point.measurement, point.tags, kept))
        if len(kept) == len(point.fields):
            return tuple(numbers)
        return tuple([next(numbers) if rolled_up(field) else 0 for field, _ in point.fields])


def _add(
    connection: sqlite3.Connection, resolution: Resolution, buckets: dict[tuple[int, int], Sums], oldest: int
) -> None:
    rows = [
        (start, number, sums.count, sums.sum, sums.min, sums.max)
        for (start, number), sums in buckets.items()
        if start >= oldest
    ]
    connection.executemany(_ADD.format(_TABLE[resolution]), rows)


def _mark(connection: sqlite3.Connection, points: Sequence[Point], oldest: dict[Resolution, int]) -> None:
    for resolution in ROLLUPS:
        step = STEP_MS[resolution]
        changed = {(point.at_ms - point.at_ms % step, point.agent) for point in points}
        rows = [(str(resolution), start, agent) for start, agent in changed if start >= oldest[resolution]]
        connection.executemany(_MARK, rows)
