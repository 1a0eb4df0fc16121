"""The journal: its streams by name, and the lock that keeps a second writer out.

Two streams because their retention differs: ``pc`` and ``probe``. An agent's role decides; one agent
is always in one stream, so the order of its entries holds.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from hatang_collector.journal.files import DiskFiles, Files
from hatang_collector.journal.segments import MAX_SEGMENT_BYTES, SegmentJournal

STREAMS: Final = ("pc", "probe")


class JournalLocked(Exception):  # noqa: N818 - reads as what happened
    """Another process has the journal open."""


class FolderLock:
    """An exclusive lock on a folder, held until :meth:`release` or the end of the process."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / "lock"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise JournalLocked(
                f"{directory}: in use by another collector (process {holder}); stop that one first, "
                "or choose another folder"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let others in."""
        os.close(self._descriptor)


class Journal:
    """All streams of one folder. Use :meth:`open` on a disk: it takes the lock."""

    def __init__(
        self,
        files: Files,
        directory: Path,
        *,
        max_segment_bytes: int = MAX_SEGMENT_BYTES,
        lock: FolderLock | None = None,
    ) -> None:
        self._lock = lock
        self._changed = threading.Condition()
        self._wakes = 0
        self._streams = {
            name: SegmentJournal(
                files, directory / name, max_segment_bytes=max_segment_bytes, changed=self._changed
            )
            for name in STREAMS
        }

    @classmethod
    def open(cls, directory: Path, *, max_segment_bytes: int = MAX_SEGMENT_BYTES) -> Self:
        """The journal of a folder on this disk. Raises JournalLocked, JournalDamaged, OSError."""
        lock = FolderLock(directory)
        try:
            return cls(DiskFiles(), directory, max_segment_bytes=max_segment_bytes, lock=lock)
        except BaseException:
            lock.release()
            raise

    @property
    def streams(self) -> Mapping[str, SegmentJournal]:
        """Every stream by name."""
        return self._streams

    def stream(self, name: str) -> SegmentJournal:
        """One stream. KeyError when there is none of that name."""
        return self._streams[name]

    def wait(self, ends: Mapping[str, int], timeout_s: float) -> bool:
        """Wait until a stream has entries from its given index on, or :meth:`wake`; whether one has."""
        with self._changed:
            wakes = self._wakes
            self._changed.wait_for(lambda: self._wakes != wakes or self._has(ends), timeout_s)
            return self._has(ends)

    def _has(self, ends: Mapping[str, int]) -> bool:
        return any(self._streams[name].end > end for name, end in ends.items())

    def wake(self) -> None:
        """Let every waiter look again, for instance at its stop flag."""
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Close the files and let another process in."""
        for stream in self._streams.values():
            stream.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None
