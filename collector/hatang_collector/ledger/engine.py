"""One database behind one object: connections, transactions, migrations.

SQLite (the default) runs with WAL and synchronous=FULL, so that a committed transaction survives a
power cut, and with one writer at a time: the program's writers queue on a lock and start with
``BEGIN IMMEDIATE``, because a deferred transaction that reads and then writes fails at once when
another writer was quicker (SQLite, "Isolation", SQLITE_BUSY_SNAPSHOT). PostgreSQL needs none of that.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, OperationalError

from hatang_collector.ledger.errors import LedgerError, LedgerUnavailable
from hatang_collector.ledger.migrate import upgrade

__all__ = ["Connection", "Ledger", "LedgerError", "LedgerUnavailable", "writable"]

BUSY_TIMEOUT_MS: Final = 10_000
_WRITE: Final = "hatang_write"


class Ledger:
    """The ledger's database. Thread-safe; close it when done.

    ``url`` is a SQLAlchemy address: ``sqlite:////var/lib/hatang/ledger.db`` or
    ``postgresql://user@host/name``. Raises LedgerError when it is neither. Nothing is opened before
    the first transaction; a SQLite file is created readable by its owner only.
    """

    def __init__(self, url: str) -> None:
        self._lock = threading.RLock()
        self._engine = _engine(url)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def migrate(self) -> None:
        """Bring the tables up to this program. Raises LedgerError when they are of a newer one."""
        with self.write() as c:
            upgrade(c)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state and cannot write. Raises LedgerUnavailable."""
        with _told_apart(), self._engine.connect() as c:
            if self.dialect == "postgresql":
                c = c.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
            with c.begin():
                yield c

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: durable when the block ends, undone when it raises. Raises LedgerUnavailable.

        On SQLite one at a time: keep slow work (hashing, network) outside.
        """
        with _told_apart(), self._writer(), self._engine.connect() as c:
            c = c.execution_options(**{_WRITE: True})
            with c.begin():
                yield c

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()

    @contextmanager
    def _writer(self) -> Iterator[None]:
        if self.dialect != "sqlite":
            yield
            return
        with self._lock:
            yield


def writable(c: Connection) -> bool:
    """Whether the connection came from ``Ledger.write()``."""
    return bool(c.get_execution_options().get(_WRITE, False))


@contextmanager
def _told_apart() -> Iterator[None]:
    """Turn what a person must mend into one line; bugs pass as they are."""
    try:
        yield
    except DatabaseError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        cause = str(error.orig).strip().partition("\n")[0]
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise LedgerError(f"the ledger's file is damaged: {cause}; restore a backup") from error
        if isinstance(error, OperationalError) and code != sqlite3.SQLITE_ERROR:
            raise LedgerUnavailable(cause) from error
        raise
    except InterfaceError as error:
        raise LedgerUnavailable(str(error.orig).strip().partition("\n")[0]) from error


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise LedgerError(
            "ledger.url is not a database address; give sqlite:////path/ledger.db or postgresql://user@host/name"
        ) from error
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"), hide_parameters=True, pool_pre_ping=True
        )
    if parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
        path = Path(parsed.database)
        engine = sa.create_engine(
            parsed.set(drivername="sqlite+pysqlite"),
            hide_parameters=True,
            connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
        )
        _sqlite_events(engine, path)
        return engine
    raise LedgerError(
        f"ledger.url: {parsed.get_backend_name()} without a file, or not a known database; "
        "give sqlite:////path/ledger.db or postgresql://user@host/name"
    )


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _sqlite_events(engine: Engine, path: Path) -> None:
    """Own the transactions of pysqlite (SQLAlchemy: "SQLite, transactions with the sqlite3 driver")."""

    def create(*_: object) -> None:
        if path.is_file():
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Only a file that is not there is opened here: closing any descriptor of a database drops
            # this process's locks on it (POSIX), and the next process to leave would delete our WAL.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError as error:
            if not path.is_file():  # else another thread or program was quicker
                raise LedgerUnavailable(f"{path}: it or its folder is not what it should be") from error
        except OSError as error:
            raise LedgerUnavailable(f"{path}: {error.strerror}") from error

    def prepare(raw: Any, _: object) -> None:
        raw.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            raw.execute(f"PRAGMA {pragma}").close()
        # SQLite's own lower() knows no letter beyond ASCII: "Đông" would not be found as "đông".
        raw.create_function("lower", 1, _lower, deterministic=True)

    def begin(c: Connection) -> None:
        write = writable(c)
        c.exec_driver_sql(f"PRAGMA query_only={'OFF' if write else 'ON'}")
        c.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    event.listen(engine, "do_connect", create)
    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
