"""The projection ``series``: the journal's reports as raw points in the series store.

Cursors, the run ids taken and the refused points lie in a small file of its own. It is written after
the points: a crash between writes the same points once more over themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hatang_collector.journal.segments import Entry
from hatang_collector.store import counted, names
from hatang_collector.store.contract import BadPoint, Point, Resolution, SeriesStore
from hatang_collector.store.points import recent
from hatang_collector.store.sqlitefile import SqliteFile

BAD_KEPT = 1_000

_SCHEMA = f"""
{counted.SCHEMA};
CREATE TABLE IF NOT EXISTS bad(
  id INTEGER PRIMARY KEY, reason TEXT NOT NULL, detail TEXT NOT NULL, agent TEXT NOT NULL,
  measurement TEXT NOT NULL, tags TEXT NOT NULL, at_ms INTEGER NOT NULL, fields TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bad_count(reason TEXT PRIMARY KEY, points INTEGER NOT NULL)
"""
_COUNT = """INSERT INTO bad_count VALUES(?, 1) ON CONFLICT(reason) DO UPDATE SET points=points+1"""


@dataclass(frozen=True, slots=True)
class RefusedPoints:
    """Points that could not be stored: how many by reason, and the newest of them."""

    counts: dict[str, int]
    newest: list[BadPoint]


class SeriesProjection:
    """See module.

    ``path`` is the file of cursors, run ids and refused points; ``on_bad`` is told of refused points
    once they are listed, for the metrics.
    """

    name = "series"

    def __init__(
        self, store: SeriesStore, path: Path, on_bad: Callable[[Sequence[BadPoint]], None] = lambda _: None
    ) -> None:
        self._store = store
        self._on_bad = on_bad
        self._file = SqliteFile(path, _SCHEMA)
        self._runs = counted.CountedRuns()

    def cursor(self, stream: str) -> int:
        """The next journal index wanted."""
        with self._file.reader() as connection:
            return counted.cursor(connection, stream)

    def apply(self, stream: str, entries: Sequence[Entry], next_index: int) -> None:
        """Store the points of the runs that were not taken before; refused points are listed."""
        try:
            with self._file.transaction() as connection:
                points: list[Point] = []
                for entry in entries:
                    if entry.kind != "report":
                        continue
                    for run in recent.of(entry):
                        if self._runs.take(connection, entry.agent, run.epoch, run.number, entry.arrived_ms):
                            points += run.points
                bad = self._store.write(points) if points else []
                connection.executemany(
                    "INSERT INTO bad VALUES(NULL,?,?,?,?,?,?,?)", [_row(one) for one in bad[-BAD_KEPT:]]
                )
                connection.executemany(_COUNT, [(one.reason,) for one in bad])
                if bad:
                    connection.execute("DELETE FROM bad WHERE id<=(SELECT max(id) FROM bad)-?", (BAD_KEPT,))
                self._runs.save(connection)
                counted.move_cursor(connection, stream, next_index)
        except BaseException:
            self._runs.forget()
            raise
        if bad:
            self._on_bad(bad)

    def reset(self) -> None:
        """Remove the raw points from the store, forget what was taken, set the cursors to 0."""
        self._store.clear(Resolution.RAW)
        with self._file.transaction() as connection:
            for table in ("cursor", "counted", "bad", "bad_count"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608
            self._runs.forget()

    def refused(self, limit: int = 100) -> RefusedPoints:
        """What could not be stored so far; ``newest`` is at most the last 1,000."""
        with self._file.reader() as connection:
            counts = dict(connection.execute("SELECT reason, points FROM bad_count").fetchall())
            rows = connection.execute(
                "SELECT measurement, agent, tags, at_ms, fields, reason, detail FROM bad"
                " ORDER BY id DESC LIMIT ?",
                (limit,),
            ).fetchall()
        newest = []
        for measurement, agent, tags, at_ms, fields, reason, detail in rows:
            pairs = tuple((name, float(value)) for name, value in json.loads(fields))
            newest.append(
                BadPoint(Point(measurement, agent, names.tags_from(tags), at_ms, pairs), reason, detail)
            )
        return RefusedPoints(counts, newest)

    def retain(self, before_ms: int) -> None:
        """Forget the run ids of process starts last heard of before a time."""
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM counted WHERE seen_ms<?", (before_ms,))
            self._runs.forget()

    def close(self) -> None:
        """Close its file; harmless when called twice. The store is closed by whoever opened it."""
        self._file.close()


def _row(bad: BadPoint) -> tuple[str, str, str, str, str, int, str]:
    point = bad.point
    return (
        *(bad.reason, bad.detail, point.agent, point.measurement),
        *(names.tags_text(point.tags), point.at_ms, json.dumps(point.fields)),
    )
