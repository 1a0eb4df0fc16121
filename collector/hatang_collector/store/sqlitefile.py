"""One SQLite file of the series part: one writer, many readers, WAL, durable commits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hatang_collector.journal.projection import StoreUnavailable

_PRAGMAS = (
    "PRAGMA busy_timeout=5000",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA cache_size=-32000",
    "PRAGMA temp_store=MEMORY",
    # fewer, larger checkpoints: a page touched by many batches is written back once
    "PRAGMA wal_autocheckpoint=8000",
    "PRAGMA journal_size_limit=67108864",
)


class SqliteFile:
    """A database file whose writes are serialised and whose readers never wait for them.

    A full disk, a locked or a damaged file is StoreUnavailable.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._write_lock = threading.RLock()
        self._idle_lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
        try:
            with self.transaction() as connection:
                for statement in schema.split(";"):
                    connection.execute(statement)
        except BaseException:
            self._writer.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The writer inside a transaction: durable when the block is left, undone by an exception."""
        with self._write_lock, self._explained():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one committed state, also while a transaction runs."""
        with self._explained():
            connection = self._take() or self._connect()
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._give_back(connection)

    def close(self) -> None:
        """Close every connection; harmless when called twice."""
        with self._write_lock:
            with self._idle_lock:
                idle, self._idle = self._idle, []
                closed, self._closed = self._closed, True
            for connection in idle:
                connection.close()
            if not closed:
                self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        return connection

    def _take(self) -> sqlite3.Connection | None:
        with self._idle_lock:
            return self._idle.pop() if self._idle else None

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._idle_lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(
                f"{self.path}: {error}", hint="is the disk full, or the file open elsewhere?"
            ) from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:
                raise
            raise StoreUnavailable(
                f"{self.path}: {error}", hint="move the file away; a replay computes it again"
            ) from error
