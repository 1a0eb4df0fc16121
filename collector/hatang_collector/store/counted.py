"""Which runs a projection has taken already, kept beside its cursors in its own SQLite file.

A restored state folder may seal the same runs again under a new process start; each is counted once.
"""

from __future__ import annotations

import sqlite3

from hatang_collector.domain.ranges import Ranges

SCHEMA = """
CREATE TABLE IF NOT EXISTS cursor(stream TEXT PRIMARY KEY, next_index INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS counted(
  agent TEXT NOT NULL, epoch TEXT NOT NULL, runs TEXT NOT NULL, seen_ms INTEGER NOT NULL,
  PRIMARY KEY(agent, epoch)) WITHOUT ROWID
"""
BEFORE_SCHEMA = """
CREATE TABLE IF NOT EXISTS counted_before(
  agent TEXT NOT NULL, epoch TEXT NOT NULL, runs TEXT NOT NULL, seen_ms INTEGER NOT NULL,
  PRIMARY KEY(agent, epoch)) WITHOUT ROWID
"""

_LIMIT = 20_000
_PUT = """INSERT INTO counted VALUES(?,?,?,?) ON CONFLICT(agent, epoch) DO UPDATE
SET runs=excluded.runs, seen_ms=max(seen_ms, excluded.seen_ms)"""


class CountedRuns:
    """Sets of run numbers by agent and epoch; changes reach the file with :meth:`save`.

    Used by one thread, inside its file's transaction; :meth:`forget` when that is undone.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Ranges] = {}
        self._changed: dict[tuple[str, str], int] = {}

    def take(self, connection: sqlite3.Connection, agent: str, epoch: str, number: int, seen_ms: int) -> bool:
        """True when this run was not counted before; from now on it is."""
        key = (agent, epoch)
        ranges = self._known.get(key)
        if ranges is None:
            query = "SELECT runs FROM counted WHERE agent=? AND epoch=?"
            row = connection.execute(query, key).fetchone()
            ranges = Ranges.from_text(row[0]) if row else Ranges()
        grown = ranges.add(number)
        self._known[key] = grown
        if grown is ranges:
            return False
        self._changed[key] = max(seen_ms, self._changed.get(key, 0))
        return True

    def save(self, connection: sqlite3.Connection) -> None:
        """Write what changed since the last call."""
        rows = [(*key, self._known[key].to_text(), seen_ms) for key, seen_ms in self._changed.items()]
        connection.executemany(_PUT, rows)
        self._changed.clear()
        if len(self._known) > _LIMIT:
            self._known.clear()

    def forget(self) -> None:
        """Drop what was not saved, and the memory of the rest."""
        self._known.clear()
        self._changed.clear()


def was_counted_before(connection: sqlite3.Connection, agent: str, epoch: str, number: int) -> bool:
    """Whether a run had been counted when the book was last emptied in part."""
    query = "SELECT runs FROM counted_before WHERE agent=? AND epoch=?"
    row = connection.execute(query, (agent, epoch)).fetchone()
    return row is not None and number in Ranges.from_text(row[0])


def keep_as_before(connection: sqlite3.Connection) -> None:
    """Move what was counted to what was counted before, and start anew."""
    known = {row[:2]: row for row in connection.execute("SELECT * FROM counted_before")}
    for agent, epoch, runs, seen_ms in connection.execute("SELECT * FROM counted").fetchall():
        old = known.get((agent, epoch), (agent, epoch, "", 0))
        together = Ranges.from_text(old[2]).add_all(Ranges.from_text(runs)).to_text()
        row = (agent, epoch, together, max(seen_ms, old[3]))
        connection.execute("INSERT OR REPLACE INTO counted_before VALUES(?,?,?,?)", row)
    connection.execute("DELETE FROM counted")


def cursor(connection: sqlite3.Connection, stream: str) -> int:
    """The next index wanted of a stream, 0 at first."""
    row = connection.execute("SELECT next_index FROM cursor WHERE stream=?", (stream,)).fetchone()
    return row[0] if row else 0


def move_cursor(connection: sqlite3.Connection, stream: str, next_index: int) -> None:
    """Set the next index wanted."""
    connection.execute("INSERT OR REPLACE INTO cursor VALUES(?,?)", (stream, next_index))
