"""What could not be taken: kept with its reason until a person, or a newer program, deals with it.

One SQLite file, synchronous=FULL: a letter is durable before its rejection leaves. Bounded in bytes,
and one sender may fill only a share of it, so that one broken agent never pushes out the others'
letters. What the bounds drop is counted, by sender and reason. The same bytes refused again for the
same reason are one letter, seen once more.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 256 * 1024 * 1024
SHARE: Final = 16
OVERHEAD: Final = 512
ENOUGH: Final = 0.9
NOBODY: Final = ""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  holder TEXT NOT NULL, topic TEXT NOT NULL, agent TEXT NOT NULL, digest TEXT NOT NULL,
  reason TEXT NOT NULL, detail TEXT NOT NULL, cost INTEGER NOT NULL,
  arrived_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, times INTEGER NOT NULL DEFAULT 1,
  resolved_ms INTEGER, resolution TEXT NOT NULL DEFAULT '', payload BLOB NOT NULL,
  UNIQUE (digest, topic, reason)
);
CREATE INDEX IF NOT EXISTS letters_holder ON letters (holder, id);
CREATE TABLE IF NOT EXISTS dropped (
  holder TEXT NOT NULL, reason TEXT NOT NULL, letters INTEGER NOT NULL, bytes INTEGER NOT NULL,
  PRIMARY KEY (holder, reason)
);
CREATE TABLE IF NOT EXISTS held (holder TEXT PRIMARY KEY, bytes INTEGER NOT NULL);
CREATE TRIGGER IF NOT EXISTS letters_added AFTER INSERT ON letters BEGIN
  INSERT INTO held VALUES (new.holder, new.cost)
    ON CONFLICT (holder) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER IF NOT EXISTS letters_removed AFTER DELETE ON letters BEGIN
  UPDATE held SET bytes = bytes - old.cost WHERE holder = old.holder;
END;
"""
_COLUMNS: Final = (
    "id, topic, agent, payload, digest, reason, detail, arrived_ms, last_ms, times, resolved_ms, resolution"
)


@dataclass(frozen=True, slots=True)
class NewLetter:
    """Bytes that were refused. ``known`` is False for a sender nobody enrolled: those share one share."""

    topic: str
    agent: str
    payload: bytes
    reason: str
    detail: str
    arrived_ms: int
    known: bool = True


@dataclass(frozen=True, slots=True)
class Letter:
    """A stored letter. ``arrived_ms`` is the first arrival, ``last_ms`` the latest of ``times``."""

    id: int
    topic: str
    agent: str
    payload: bytes
    digest: str
    reason: str
    detail: str
    arrived_ms: int
    last_ms: int
    times: int
    resolved_ms: int | None
    resolution: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Open letters by reason, bytes held, and how many letters the bounds dropped by reason."""

    open: dict[str, int]
    bytes: int
    dropped: dict[str, int]


class DeadLetters:
    """The store of one folder. Safe to use from several threads, and from a second process."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, share: int = SHARE) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._max_bytes = max_bytes
        self._holder_bytes = max(max_bytes // share, 1)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)

    def put(
        self,
        topic: str,
        agent: str,
        payload: bytes,
        reason: str,
        detail: str,
        arrived_ms: int,
        *,
        known: bool = True,
    ) -> None:
        """Keep one letter; durable when it returns. Raises OSError when it cannot be."""
        self.put_many([NewLetter(topic, agent, payload, reason, detail, arrived_ms, known)])

    def put_many(self, letters: Sequence[NewLetter]) -> None:
        """Keep letters with one fsync; durable when it returns. Raises OSError, and then none is kept."""
        if not letters:
            return
        with self._transaction() as connection:
            holders = {self._insert(connection, letter) for letter in letters}
            for holder in sorted(holders):
                self._shrink(connection, self._holder_bytes, "WHERE holder = ?", (holder,))
            self._shrink(connection, self._max_bytes, "", ())

    def letters(
        self, *, reason: str | None = None, resolved: bool = False, after: int = 0, limit: int = 1000
    ) -> list[Letter]:
        """Letters with an id above ``after``, oldest first; the resolved ones only when asked for."""
        query = f"SELECT {_COLUMNS} FROM letters WHERE id > ? AND (? OR resolved_ms IS NULL)"  # noqa: S608
        given: list[object] = [after, resolved]
        if reason is not None:
            query, given = query + " AND reason = ?", [*given, reason]
        with self._lock:
            rows = self._connection.execute(query + " ORDER BY id LIMIT ?", [*given, limit]).fetchall()
        return [Letter(*row) for row in rows]

    def every(self, *, reason: str | None = None, resolved: bool = False) -> Iterator[Letter]:
        """All such letters, a few in memory at a time."""
        after = 0
        while found := self.letters(reason=reason, resolved=resolved, after=after, limit=50):
            yield from found
            after = found[-1].id

    def get(self, number: int) -> Letter | None:
        """One letter by its id."""
        with self._lock:
            query = f"SELECT {_COLUMNS} FROM letters WHERE id = ?"  # noqa: S608
            row = self._connection.execute(query, (number,)).fetchone()
        return Letter(*row) if row else None

    def resolve(self, numbers: Iterable[int], now_ms: int, resolution: str) -> None:
        """Mark letters as dealt with, and how."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE letters SET resolved_ms = ?, resolution = ? WHERE id = ?",
                [(now_ms, resolution, number) for number in numbers],
            )

    def delete(self, numbers: Iterable[int]) -> int:
        """Remove letters for good; how many there were."""
        with self._transaction() as connection:
            doomed = [(number,) for number in numbers]
            return connection.executemany("DELETE FROM letters WHERE id = ?", doomed).rowcount

    def totals(self) -> Totals:
        """What is held and what was dropped."""
        with self._lock:
            run = self._connection.execute
            held = run("SELECT COALESCE(SUM(bytes), 0) FROM held").fetchone()[0]
            reasons = run(
                "SELECT reason, COUNT(*) FROM letters WHERE resolved_ms IS NULL GROUP BY reason"
            ).fetchall()
            dropped = run("SELECT reason, SUM(letters) FROM dropped GROUP BY reason").fetchall()
        return Totals(dict(reasons), held, dict(dropped))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _insert(self, connection: sqlite3.Connection, letter: NewLetter) -> str:
        holder = letter.agent if letter.known else NOBODY
        payload, detail = letter.payload, letter.detail[:1000]
        limit = max(self._holder_bytes // 2 - OVERHEAD, 0)  # one letter never fills its sender's share
        if len(payload) > limit:
            detail = f"only the first {limit} of {len(payload)} bytes are kept; {detail}"
            payload = payload[:limit]
        digest = hashlib.sha256(letter.payload).hexdigest()
        connection.execute(
            "INSERT INTO letters"
            " (holder, topic, agent, payload, digest, reason, detail, cost, arrived_ms, last_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest, topic, reason) DO UPDATE SET"
            " times = times + 1, last_ms = excluded.last_ms, detail = excluded.detail,"
            " resolved_ms = NULL, resolution = ''",
            (
                *(holder, letter.topic, letter.agent, payload, digest, letter.reason, detail),
                *(len(payload) + OVERHEAD, letter.arrived_ms, letter.arrived_ms),
            ),
        )
        return holder

    @staticmethod
    def _shrink(connection: sqlite3.Connection, limit: int, where: str, given: tuple[str, ...]) -> None:
        """Above the limit, drop resolved letters first, then the oldest, until nine tenths are left."""
        query = f"SELECT COALESCE(SUM(bytes), 0) FROM held {where}"  # noqa: S608
        held = connection.execute(query, given).fetchone()[0]
        if held <= limit:
            return
        order = "ORDER BY resolved_ms IS NULL, id"
        query = f"SELECT id, holder, reason, cost, resolved_ms FROM letters {where} {order}"  # noqa: S608
        rows = connection.execute(query, given)
        doomed, counted = [], []
        for number, holder, reason, cost, resolved_ms in rows:
            if held <= limit * ENOUGH:
                break
            held -= cost
            doomed.append((number,))
            if resolved_ms is None:
                counted.append((holder, reason, cost))
        connection.executemany("DELETE FROM letters WHERE id = ?", doomed)
        connection.executemany(
            "INSERT INTO dropped VALUES (?, ?, 1, ?) ON CONFLICT (holder, reason) DO UPDATE SET"
            " letters = letters + 1, bytes = bytes + excluded.bytes",
            counted,
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction; a database error is told as OSError, as of any other store of bytes."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise OSError(f"dead letters cannot be written: {error}") from error


def export_line(letter: Letter) -> str:
    """One letter as a line of JSON; the bytes are in ``payload_base64``."""
    values = {name: getattr(letter, name) for name in Letter.__slots__ if name != "payload"}
    values["payload_base64"] = base64.b64encode(letter.payload).decode()
    return json.dumps(values, ensure_ascii=False)
