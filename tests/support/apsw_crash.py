# ruff: noqa: ARG002, N802 - the names and arguments are those of SQLite's interface
"""A disk in memory that forgets, at a crash, what was not synced: SQLite runs on it unchanged.

``CrashDisk`` is a :class:`hatang_agent.outbox_storage.Disk`. Each file has what the program sees and
what is durable. ``crash(random)`` keeps for every file the durable bytes plus an arbitrary part of
the writes since its last sync: each may be there, be missing or be torn, in any order, as on a real
disk. A file whose name was never made durable (folder synced, or the log's own first sync, which
SQLite's Unix layer follows by a sync of the folder) is gone altogether.
"""

from __future__ import annotations

import fnmatch
import itertools
import random
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

_SECTOR = 512
_names = itertools.count(1)


@dataclass
class _File:
    """One file: what the program sees, what survives, and the writes between."""

    seen: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    named: bool = False
    pending: list[tuple[int, bytes] | int] = field(default_factory=list)

    def write(self, data: bytes, offset: int) -> None:
        self._apply(self.seen, (offset, data))
        self.pending.append((offset, bytes(data)))

    def truncate(self, size: int) -> None:
        self._apply(self.seen, size)
        self.pending.append(size)

    def sync(self) -> None:
        self.durable = bytes(self.seen)
        self.pending.clear()

    def crash(self, rng: random.Random) -> None:
        image = bytearray(self.durable)
        for change in self.pending:
            fate = rng.random()
            if fate < 0.4:
                continue
            if fate < 0.6 and not isinstance(change, int):
                offset, data = change
                sectors = rng.randrange(len(data) // _SECTOR + 1)
                change = (offset, data[: sectors * _SECTOR])
            self._apply(image, change)
        self.seen, self.durable = image, bytes(image)
        self.pending.clear()

    @staticmethod
    def _apply(image: bytearray, change: tuple[int, bytes] | int) -> None:
        if isinstance(change, int):
            del image[change:]
            return
        offset, data = change
        if len(image) < offset:
            image.extend(bytes(offset - len(image)))
        image[offset : offset + len(data)] = data


class _Handle:
    """An open file as SQLite wants it (sqlite3_io_methods)."""

    def __init__(self, disk: CrashDisk, name: str) -> None:
        self._disk = disk
        self._name = name
        self._born = disk.life

    @property
    def _file(self) -> _File:
        if self._born != self._disk.life:
            raise apsw.IOError("the machine crashed while this file was open")
        return self._disk.files[self._name]

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._file.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        file = self._file
        grown = max(0, offset + len(data) - len(file.seen))
        if grown and self._disk.room is not None and self._disk.used() + grown > self._disk.room:
            raise apsw.FullError("no space left")
        file.write(data, offset)

    def xTruncate(self, size: int) -> None:
        self._file.truncate(size)

    def xSync(self, flags: int) -> None:
        file = self._file
        file.sync()
        self._disk.syncs += 1
        if self._name.endswith("-wal") or self._name.endswith("-journal"):
            file.named = True

    def xFileSize(self) -> int:
        return len(self._file.seen)

    def xClose(self) -> None:
        return

    def xLock(self, level: int) -> None:
        return

    def xUnlock(self, level: int) -> None:
        return

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return _SECTOR

    def xDeviceCharacteristics(self) -> int:
        return 0


class _Vfs(apsw.VFS):
    """The file system (sqlite3_vfs) of one disk."""

    def __init__(self, disk: CrashDisk) -> None:
        self._disk = disk
        self.name = f"crash{next(_names)}"
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None:
            path = f"temporary-{next(_names)}"
        if path not in self._disk.files:
            if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError(path)
            self._disk.files[path] = _File()
        flags[1] = flags[0]
        return _Handle(self._disk, path)

    def xDelete(self, path: str, sync: bool) -> None:
        self._disk.files.pop(path, None)

    def xAccess(self, path: str, flags: int) -> bool:
        return path in self._disk.files

    def xFullPathname(self, name: str) -> str:
        return name


class _Translated:
    """An apsw connection that raises the errors of ``sqlite3``, as the outbox expects."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        try:
            return _Fetched(list(self._connection.execute(sql, tuple(values))))
        except apsw.Error as error:
            raise _as_sqlite3(error) from error

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        try:
            return _Fetched(list(self._connection.executemany(sql, [tuple(row) for row in rows])))
        except apsw.Error as error:
            raise _as_sqlite3(error) from error

    def close(self) -> None:
        try:
            self._connection.close(True)
        except apsw.Error as error:
            raise _as_sqlite3(error) from error


class _Fetched:
    def __init__(self, rows: list[Any]) -> None:
        self._rows = iter(rows)

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)


def _as_sqlite3(error: apsw.Error) -> sqlite3.DatabaseError:
    translated = sqlite3.OperationalError(str(error))
    # An error raised by the file system below carries no code of its own when apsw passes it on.
    code = (
        apsw.SQLITE_FULL if isinstance(error, apsw.FullError) else getattr(error, "result", apsw.SQLITE_IOERR)
    )
    translated.sqlite_errorcode = code
    return translated


class CrashDisk:
    """The disk; ``room`` is how many bytes it holds, None for endless. ``syncs`` counts real syncs."""

    def __init__(self, room: int | None = None) -> None:
        self.files: dict[str, _File] = {}
        self.room = room
        self.life = 0
        self.syncs = 0
        self._vfs = _Vfs(self)

    def used(self) -> int:
        """Bytes of all files."""
        return sum(len(file.seen) for file in self.files.values())

    def crash(self, rng: random.Random) -> None:
        """Lose power now: open connections are dead, un-synced bytes have an arbitrary fate."""
        self.life += 1
        for name in sorted(self.files):
            if self.files[name].named:
                self.files[name].crash(rng)
            else:
                del self.files[name]

    # The protocol of hatang_agent.outbox_storage.Disk.

    def connect(self, path: Path) -> _Translated:
        try:
            connection = apsw.Connection(str(path), vfs=self._vfs.name)
            # No shared memory on this disk: SQLite keeps the index of its log in its own memory then.
            connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
        except apsw.Error as error:
            raise _as_sqlite3(error) from error
        return _Translated(connection)

    def size(self, path: Path) -> int | None:
        file = self.files.get(str(path))
        return None if file is None else len(file.seen)

    def rename(self, old: Path, new: Path) -> None:
        if str(old) in self.files:
            self.files[str(new)] = self.files.pop(str(old))

    def sync_directory(self, path: Path) -> None:
        for name, file in self.files.items():
            if Path(name).parent == path:
                file.named = True

    def discard_older(self, folder: Path, pattern: str, keep: int) -> None:
        found = sorted(
            name
            for name in self.files
            if Path(name).parent == folder and fnmatch.fnmatch(Path(name).name, pattern)
        )
        for name in found[:-keep]:
            del self.files[name]
