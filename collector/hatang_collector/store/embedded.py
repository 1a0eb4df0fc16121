"""Series in one SQLite file, for an installation without a time-series server.

Rows lie in the order (slot, series, time), a slot being ten minutes: what is written at one time lies
together on few pages, and what is retained away is one stretch of the file. A series is read by
asking for it slot by slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from hatang_collector.clock import NowMs
from hatang_collector.store import names
from hatang_collector.store.book import RollupBook
from hatang_collector.store.check import oldest_ms, sift
from hatang_collector.store.contract import (
    MINUTE_MS,
    BadPoint,
    Bucket,
    Latest,
    Point,
    Resolution,
    Retention,
    RollupRow,
    Track,
)
from hatang_collector.store.sqlitefile import SqliteFile

SLOT_MS = 10 * MINUTE_MS

_SCHEMA = f"""
{names.SCHEMA};
CREATE TABLE IF NOT EXISTS pt(
  slot INTEGER NOT NULL, sid INTEGER NOT NULL, ts INTEGER NOT NULL, v REAL NOT NULL,
  PRIMARY KEY(slot, sid, ts)) WITHOUT ROWID
"""

# Both step from slot to slot in use, so that neither a gap nor a wrong clock makes them long.
_RANGE = """WITH RECURSIVE s(slot) AS (
  SELECT (SELECT min(slot) FROM pt WHERE slot>=:low)
  UNION ALL SELECT (SELECT min(slot) FROM pt WHERE slot>s.slot) FROM s WHERE s.slot<:high)
SELECT ts, v FROM s CROSS JOIN pt ON pt.slot=s.slot AND sid=:sid AND ts>=:start AND ts<:end
"""
_NEWEST = """WITH RECURSIVE s(slot) AS (
  SELECT (SELECT max(slot) FROM pt)
  UNION ALL SELECT (SELECT max(slot) FROM pt WHERE slot<s.slot) FROM s WHERE s.slot IS NOT NULL)
SELECT ts, v FROM s CROSS JOIN pt ON pt.slot=s.slot AND sid=:sid AND
  ts=(SELECT max(ts) FROM pt p WHERE p.slot=s.slot AND p.sid=:sid) LIMIT 1
"""


class EmbeddedStore:
    """A SeriesStore in a file; rollups are those of ``book``, read and written there."""

    def __init__(self, path: Path, book: RollupBook, retention: Retention, now_ms: NowMs) -> None:
        self._file = SqliteFile(path, _SCHEMA)
        self._names = names.SeriesNames()
        self._book = book
        self._retention = retention
        self._now_ms = now_ms

    def write(self, points: Sequence[Point]) -> list[BadPoint]:
        """See SeriesStore; all of it is one transaction."""
        good, bad = sift(points, oldest_ms(self._retention, Resolution.RAW, self._now_ms()))
        try:
            with self._file.transaction() as connection:
                rows = [
                    (point.at_ms // SLOT_MS, number, point.at_ms, value)
                    for point in good
                    for number, (_, value) in zip(
                        self._names.numbers(connection, point), point.fields, strict=True
                    )
                ]
                connection.executemany("INSERT OR REPLACE INTO pt VALUES(?,?,?,?)", rows)
        except BaseException:
            self._names.forget()
            raise
        return bad

    def write_rollups(self, resolution: Resolution, rows: Sequence[RollupRow]) -> list[BadPoint]:
        """See SeriesStore."""
        self._book.put(resolution, rows)
        return []

    def query(
        self, agent: str, measurement: str, field: str, start_ms: int, end_ms: int, resolution: Resolution
    ) -> list[Track]:
        """See SeriesStore."""
        if resolution is not Resolution.RAW:
            return self._book.query(agent, measurement, field, start_ms, end_ms, resolution)
        limits = {
            "low": start_ms // SLOT_MS,
            "high": (end_ms - 1) // SLOT_MS,
            "start": start_ms,
            "end": end_ms,
        }
        tracks = []
        with self._file.reader() as connection:
            for number, tags in names.of_field(connection, agent, measurement, field):
                rows = connection.execute(_RANGE, {**limits, "sid": number}).fetchall()
                if rows:
                    tracks.append(Track(tags, [Bucket(at_ms, 1, v, v, v) for at_ms, v in rows]))
        return sorted(tracks, key=lambda track: track.tags)

    def latest(self, agents: Sequence[str], measurement: str, fields: Sequence[str]) -> list[Latest]:
        """See SeriesStore."""
        found = []
        with self._file.reader() as connection:
            for agent, field in product(agents, fields):
                for number, tags in names.of_field(connection, agent, measurement, field):
                    if row := connection.execute(_NEWEST, {"sid": number}).fetchone():
                        found.append(Latest(agent, tags, field, row[0], row[1]))
        return found

    def totals(self) -> dict[str, tuple[int, float]]:
        """See SeriesStore."""
        query = """SELECT measurement, field, sum(n), sum(total) FROM series
            JOIN (SELECT sid, count(*) n, sum(v) total FROM pt GROUP BY sid) ON sid=id
            GROUP BY measurement, field"""
        with self._file.reader() as connection:
            rows = connection.execute(query).fetchall()
        return {f"{measurement}.{field}": (count, total) for measurement, field, count, total in rows}

    def clear(self, resolution: Resolution) -> None:
        """See SeriesStore."""
        if resolution is not Resolution.RAW:
            self._book.clear(resolution)
            return
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM pt")
            connection.execute("DELETE FROM series")
            self._names.forget()

    def retain(self, now_ms: int) -> None:
        """See SeriesStore; slot by slot, so that writing is not held up."""
        span = self._retention.span_ms(Resolution.RAW)
        if not span:
            return
        before = (now_ms - span) // SLOT_MS
        while True:
            with self._file.transaction() as connection:
                (first,) = connection.execute("SELECT min(slot) FROM pt").fetchone()
                if first is None or first >= before:
                    return
                connection.execute("DELETE FROM pt WHERE slot=?", (first,))

    def ping(self) -> None:
        """See SeriesStore."""
        with self._file.reader() as connection:
            connection.execute("SELECT 1 FROM series LIMIT 1").fetchone()

    def close(self) -> None:
        """See SeriesStore."""
        self._file.close()
