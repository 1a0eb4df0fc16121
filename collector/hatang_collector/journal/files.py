"""The few file operations durable things are built of, behind one seam.

A test double (``tests/support/forgetful.py``) forgets at a crash everything these operations do not
promise; the contract suite runs on both. On POSIX a new file's name is durable only after an fsync
of its directory, and a rename likewise.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class AppendFile(Protocol):
    """A file open for writing at its end. Nothing written is durable before :meth:`fsync` returns."""

    @property
    def size(self) -> int:
        """Bytes in the file, those written but not yet durable included."""

    def write(self, content: bytes) -> None:
        """Write all of ``content`` at the end. On OSError an unknown part of it may be there."""

    def fsync(self) -> None:
        """Make everything written so far durable."""

    def close(self) -> None:
        """Close; does not make anything durable."""


class Files(Protocol):
    """File operations, each with what is durable when it returns."""

    def open_append(self, path: Path) -> AppendFile:
        """Open for appending, creating the file; its name is durable after :meth:`sync_directory`."""

    def read(self, path: Path, offset: int = 0, size: int = -1) -> bytes:
        """At most ``size`` bytes from ``offset``; all of the rest when ``size`` is negative."""

    def size(self, path: Path) -> int:
        """Bytes in the file. FileNotFoundError when there is none."""

    def list(self, directory: Path) -> list[str]:
        """Sorted names in the directory; empty when there is no such directory."""

    def replace(self, path: Path, content: bytes) -> None:
        """Put ``content`` in its place: after a crash the old or the new, whole. Durable on return."""

    def truncate(self, path: Path, size: int) -> None:
        """Cut the file. Durable on return."""

    def unlink(self, path: Path) -> None:
        """Remove the file if it is there; may come back at a crash until :meth:`sync_directory`."""

    def make_directory(self, path: Path) -> None:
        """Create the directory and its parents. Durable on return."""

    def sync_directory(self, path: Path) -> None:
        """Make names created, replaced and removed in the directory durable."""


class _DiskAppendFile:
    """An unbuffered descriptor in append mode."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._descriptor).st_size

    @property
    def size(self) -> int:
        return self._size

    def write(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            written = os.write(self._descriptor, rest)
            self._size += written
            rest = rest[written:]

    def fsync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class DiskFiles:
    """The real :class:`Files`."""

    def open_append(self, path: Path) -> AppendFile:
        """See :class:`Files`."""
        return _DiskAppendFile(path)

    def read(self, path: Path, offset: int = 0, size: int = -1) -> bytes:
        """See :class:`Files`."""
        with path.open("rb", buffering=0) as source:
            if size < 0:
                size = max(os.fstat(source.fileno()).st_size - offset, 0)
            found = os.pread(source.fileno(), size, offset)
            while len(found) < size and (
                more := os.pread(source.fileno(), size - len(found), offset + len(found))
            ):
                found += more
            return found

    def size(self, path: Path) -> int:
        """See :class:`Files`."""
        return path.stat().st_size

    def list(self, directory: Path) -> list[str]:
        """See :class:`Files`."""
        return sorted(os.listdir(directory)) if directory.is_dir() else []  # noqa: PTH208 - names only

    def replace(self, path: Path, content: bytes) -> None:
        """See :class:`Files`."""
        draft = path.with_name(path.name + ".new")
        draft.unlink(missing_ok=True)
        file = _DiskAppendFile(draft)
        try:
            file.write(content)
            file.fsync()
        finally:
            file.close()
        draft.replace(path)
        self.sync_directory(path.parent)

    def truncate(self, path: Path, size: int) -> None:
        """See :class:`Files`."""
        with path.open("rb+", buffering=0) as file:
            file.truncate(size)
            os.fsync(file.fileno())

    def unlink(self, path: Path) -> None:
        """See :class:`Files`."""
        path.unlink(missing_ok=True)

    def make_directory(self, path: Path) -> None:
        """See :class:`Files`."""
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o750, exist_ok=True)
            self.sync_directory(folder.parent)

    def sync_directory(self, path: Path) -> None:
        """See :class:`Files`."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
