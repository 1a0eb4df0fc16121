"""The outbox's file: opening it durably, its schema, and what a database error means.

The outbox speaks to storage through :class:`Disk` only, so that tests can put a disk underneath
that forgets everything which was not synced. Only what ``sqlite3`` and ``apsw`` share is used:
``execute``, ``executemany``, ``fetchone``, ``fetchall`` and explicit transactions.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

SCHEMA_VERSION: Final = 1
"""``PRAGMA user_version`` of the file. A file of an older version is migrated, never refused."""

_QUICK_CHECK_UP_TO: Final = 32 * 1024 * 1024
_KEPT_ASIDE: Final = 2

_TABLES: Final = (
    # A run waits here from the moment it was taken until it is sealed. taken never repeats.
    """CREATE TABLE runs(
        taken INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, probe TEXT NOT NULL,
        wall_ms INTEGER NOT NULL, boot_ms INTEGER NOT NULL, boot_id TEXT NOT NULL,
        samples INTEGER NOT NULL, facts INTEGER NOT NULL, facts_digest TEXT NOT NULL, body BLOB NOT NULL)""",
    # A sealed report waits here until its digest is acknowledged. summary says what a drop would lose.
    """CREATE TABLE reports(
        number INTEGER PRIMARY KEY AUTOINCREMENT, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
        digest TEXT NOT NULL UNIQUE, sealed_ms INTEGER NOT NULL, first_taken INTEGER NOT NULL,
        summary TEXT NOT NULL, wire BLOB NOT NULL)""",
    """CREATE TABLE gaps(
        probe TEXT NOT NULL, reason TEXT NOT NULL, runs INTEGER NOT NULL, from_ms INTEGER NOT NULL,
        to_ms INTEGER NOT NULL, PRIMARY KEY(probe, reason)) WITHOUT ROWID""",
    # One row: the report sealed last, which names itself as predecessor of the next one.
    """CREATE TABLE last_sealed(
        one INTEGER PRIMARY KEY CHECK(one = 1), epoch TEXT NOT NULL, seq INTEGER NOT NULL,
        digest TEXT NOT NULL)""",
)


class Rows(Protocol):
    """The part of a cursor that is used."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """All remaining rows."""


class Database(Protocol):
    """The part of a SQLite connection that is used; errors are those of ``sqlite3``."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        """Run one statement."""

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run one statement for each row."""

    def close(self) -> None:
        """Let go of the file."""


class Disk(Protocol):
    """Where the outbox lives."""

    def connect(self, path: Path) -> Database:
        """Open or create a database in autocommit mode (transactions are explicit)."""

    def size(self, path: Path) -> int | None:
        """Bytes of a file, None when there is none."""

    def rename(self, old: Path, new: Path) -> None:
        """Move a file within its folder, durably; nothing happens when it does not exist."""

    def sync_directory(self, path: Path) -> None:
        """Make the names of the files in a folder durable."""

    def discard_older(self, folder: Path, pattern: str, keep: int) -> None:
        """Delete all but the ``keep`` newest files of the folder that match, by name."""


class LocalDisk:
    """The disk of this machine."""

    def connect(self, path: Path) -> Database:
        """Open the file, made readable by its owner only when it is new."""
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        return sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=5, cached_statements=24
        )

    def size(self, path: Path) -> int | None:
        """Bytes of a file, None when there is none."""
        return path.stat().st_size if path.exists() else None

    def rename(self, old: Path, new: Path) -> None:
        """Move a file within its folder, durably; nothing happens when it does not exist."""
        if old.exists():
            old.replace(new)
            self.sync_directory(new.parent)

    def sync_directory(self, path: Path) -> None:
        """Make the names of the files in a folder durable (a no-op on Windows, which has no such call)."""
        if os.name == "nt":
            return
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def discard_older(self, folder: Path, pattern: str, keep: int) -> None:
        """Delete all but the ``keep`` newest files of the folder that match, by name."""
        for path in sorted(folder.glob(pattern))[:-keep]:
            path.unlink(missing_ok=True)


class Trouble(StrEnum):
    """What a database error means for the outbox; the value is the reason of the gap it leaves."""

    CORRUPT = "outbox_corrupt"
    NEWER = "outbox_newer"
    DISK_FULL = "disk_full"
    DISK_ERROR = "disk_error"


class TroubledFile(Exception):  # noqa: N818 - says what is the matter with a file
    """The file cannot be used as it is and has to be put aside."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(f"{trouble}: {detail}")
        self.trouble = trouble


def trouble_of(error: Exception) -> Trouble:
    """Which trouble an error of SQLite or the disk stands for; unknown ones count as a disk error."""
    if isinstance(error, TroubledFile):
        return error.trouble
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Trouble.CORRUPT
    if primary == sqlite3.SQLITE_FULL:
        return Trouble.DISK_FULL
    return Trouble.DISK_ERROR


def open_outbox(disk: Disk, path: Path) -> Database:
    """The outbox's database, ready for use and durable on disk.

    Raises TroubledFile when the file is damaged or of a newer program, sqlite3.Error and OSError
    when the disk does not let us.
    """
    size = disk.size(path)
    database = disk.connect(path)
    try:
        _prepare(database, check=size is not None and size <= _QUICK_CHECK_UP_TO)
        if not size:
            disk.sync_directory(path.parent)
    except BaseException as error:
        with contextlib.suppress(sqlite3.Error):
            database.close()
        if isinstance(error, sqlite3.Error) and trouble_of(error) is Trouble.CORRUPT:
            raise TroubledFile(Trouble.CORRUPT, str(error)) from error
        raise
    return database


def put_aside(disk: Disk, path: Path, trouble: Trouble, wall_ms: int) -> Path:
    """Rename a troubled file (and its log) so that a new one can be made; two such files are kept."""
    word = "newer" if trouble is Trouble.NEWER else "corrupt"
    aside = path.with_name(f"{path.name}.{word}-{wall_ms}")
    disk.rename(path, aside)
    disk.rename(path.with_name(path.name + "-wal"), aside.with_name(aside.name + "-wal"))
    disk.rename(path.with_name(path.name + "-shm"), aside.with_name(aside.name + "-shm"))
    disk.discard_older(path.parent, f"{path.name}.{word}-*[0-9]", _KEPT_ASIDE)
    disk.discard_older(path.parent, f"{path.name}.{word}-*-wal", _KEPT_ASIDE)
    disk.discard_older(path.parent, f"{path.name}.{word}-*-shm", _KEPT_ASIDE)
    return aside


def used_bytes(database: Database) -> int:
    """Bytes of the file in use: pages that hold something. Space of deleted rows is used again."""
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    (free,) = database.execute("PRAGMA freelist_count").fetchone()
    (page,) = database.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * page)


def _prepare(database: Database, *, check: bool) -> None:
    # The order matters: WAL first, then what its commits must guarantee.
    for setting in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "cache_size=-256",
        "wal_autocheckpoint=128",
        "journal_size_limit=1048576",
    ):
        database.execute(f"PRAGMA {setting}").fetchall()
    if check:
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise TroubledFile(Trouble.CORRUPT, str(found))
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise TroubledFile(Trouble.NEWER, f"version {version}, this program knows {SCHEMA_VERSION}")
    if version == 0:
        _create(database)


def _create(database: Database) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        for table in _TABLES:
            database.execute(table)
        database.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        database.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
