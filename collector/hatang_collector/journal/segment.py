"""One segment file of a journal: where its frames begin, and the reading of them.

The places of frames are learnt by walking over the heads, once, and remembered until
:meth:`Segment.forget`. A damaged frame is refused unless a person said to go on without it, by
creating an empty file ``<segment>.skip-<offset>``; its bytes stay where they are.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from pathlib import Path
from typing import Final

from hatang_collector.journal.files import Files
from hatang_collector.journal.frames import (
    HEAD_SIZE,
    BodyDamagedError,
    Entry,
    Head,
    body_is_whole,
    decode_body,
    parse_head,
    whole_frames,
)

_CHUNK: Final = 64 * 1024
_READ_AHEAD: Final = 1024 * 1024
_ENOUGH: Final = 4 * 1024 * 1024


class JournalDamaged(Exception):  # noqa: N818 - reads as what happened
    """Journaled entries cannot be read. Says the file, the place, and how to go on."""

    def __init__(self, path: Path, offset: int, what: str) -> None:
        super().__init__(
            f"{path}: damaged at byte {offset} ({what}). Stop the collector and put back a good copy of the "
            f"file; or, to go on without these entries: touch '{path}.skip-{offset}'"
        )
        self.path = path
        self.offset = offset


class Segment:
    """A segment file. ``size`` bytes of it are committed; the one being written grows by :meth:`grow`.

    ``hole_allowed`` says that a person allowed to go on without the entries up to the next segment.
    """

    def __init__(self, files: Files, path: Path, first: int, size: int) -> None:
        self.path = path
        self.first = first
        self.size = size
        self._files = files
        self._lock = threading.Lock()
        self._firsts = array("Q")
        self._offsets = array("Q")
        self._arrivals = array("q")
        self._scanned = 0
        self._end = first
        self.hole_allowed = False

    @property
    def end(self) -> int:
        """Index behind the last entry; walks over the rest of the file when it is not known yet."""
        with self._lock:
            self._scan(None)
            return self._end

    def grow(self, frames: list[tuple[Head, bytes]]) -> None:
        """Take in frames that were just made durable at the end of the file."""
        with self._lock:
            for head, frame in frames:
                self._remember(head, self.size)
                self.size += len(frame)
            self._scanned = self.size

    def forget(self) -> None:
        """Give back the memory; the places are learnt again when they are needed."""
        with self._lock:
            self._firsts, self._offsets, self._arrivals = array("Q"), array("Q"), array("q")
            self._scanned, self._end = 0, self.first

    def check_tail(self) -> int:
        """Verify the whole file, which a crash may have cut; the size of its good part.

        Raises JournalDamaged when a later append lies behind a bad frame: that was no crash. Frames of
        the same append may be there, because the disk is free to write one append in any order.
        """
        content = self._files.read(self.path)
        at, expected = 0, self.first
        while at < len(content):
            head = parse_head(content, at)
            if head is not None and head.first == expected and body_is_whole(head, content, at):
                at, expected = at + head.size, head.first + head.count
                continue
            behind = list(whole_frames(content, at, expected))
            if not any(head.part == 0 for _, head in behind):
                return at
            self._need_leave(at, f"entries from {expected} on")
            at, expected = behind[0][0], behind[0][1].first
        return at

    def read(self, start: int, limit: int) -> list[Entry]:
        """At most ``limit`` entries from index ``start`` on; [] when the segment has none."""
        while True:
            with self._lock:
                self._scan(start + limit)
                places, following = self._places(start, limit)
            if places:
                begins, ends = places[0][0], places[-1][0] + places[-1][1]
                content = self._files.read(self.path, begins, ends - begins)
                entries = self._entries(
                    [(at, content[at - begins : at - begins + length]) for at, length in places], start
                )
                if entries:
                    return entries[:limit]
            if following is None:
                return []
            start = following

    def last_arrived_ms(self) -> int:
        """Latest arrival in the segment; 0 when it is empty."""
        with self._lock:
            self._scan(None)
            return max(self._arrivals, default=0)

    def first_arrived_ms(self) -> int | None:
        """Latest arrival of the first frame; None when the segment is empty."""
        with self._lock:
            self._scan(self.first + 1)
            return self._arrivals[0] if self._arrivals else None

    def index_at(self, arrived_ms: int) -> int | None:
        """First index of the first frame with an arrival at or after the time, or None."""
        with self._lock:
            self._scan(None)
            for at, latest in enumerate(self._arrivals):
                if latest >= arrived_ms:
                    return self._firsts[at]
            return None

    def _places(self, start: int, limit: int) -> tuple[list[tuple[int, int]], int | None]:
        """(offset, length) of frames with the entries wanted, and the first index of the frame behind."""
        places: list[tuple[int, int]] = []
        size = 0
        for number in range(max(bisect_right(self._firsts, start) - 1, 0), len(self._firsts)):
            ends = self._offsets[number + 1] if number + 1 < len(self._offsets) else self._scanned
            length = ends - self._offsets[number]
            if self._firsts[number] >= start + limit or (places and size + length > _READ_AHEAD):
                return places, self._firsts[number]
            places.append((self._offsets[number], length))
            size += length
        return places, None

    def _entries(self, frames: list[tuple[int, bytes]], start: int) -> list[Entry]:
        """Entries from index ``start`` on, until their payloads are enough for one reading."""
        entries: list[Entry] = []
        size = 0
        for offset, frame in frames:
            found = [entry for entry in self._decode(offset, frame) if entry.index >= start]
            entries += found
            size += sum(len(entry.payload) for entry in found)
            if size >= _ENOUGH:
                break
        return entries

    def _decode(self, offset: int, frame: bytes) -> list[Entry]:
        head = parse_head(frame)
        if head is None:
            self._need_leave(offset, "a frame without a head")
            return []
        try:
            return decode_body(head, frame[HEAD_SIZE : head.size])
        except BodyDamagedError as error:
            self._need_leave(offset, f"entries {head.first} to {head.first + head.count - 1}: {error}")
            return []

    def _scan(self, until: int | None) -> None:
        """Learn the places of frames up to index ``until``, or all. The lock is held."""
        chunk, begins, gap_allowed = b"", 0, False
        while self._scanned < self.size and (until is None or self._end < until):
            at = self._scanned - begins
            if not 0 <= at <= len(chunk) - HEAD_SIZE:
                begins = self._scanned
                chunk, at = self._files.read(self.path, begins, min(_CHUNK, self.size - begins)), 0
            head = parse_head(chunk, at)
            if head is None or head.first < self._end or self._scanned + head.size > self.size:
                self._pass_damage()
                gap_allowed = True
                continue
            if head.first > self._end and not gap_allowed:
                self._need_leave(self._scanned, f"entries {self._end} to {head.first - 1} are missing")
            gap_allowed = False
            self._remember(head, self._scanned)
            self._scanned += head.size
        self.hole_allowed = gap_allowed or self.hole_allowed

    def _remember(self, head: Head, offset: int) -> None:
        self._firsts.append(head.first)
        self._offsets.append(offset)
        self._arrivals.append(head.last_arrived_ms)
        self._end = head.first + head.count

    def _pass_damage(self) -> None:
        """Step over the bytes that are no frame, if that was allowed. The lock is held."""
        self._need_leave(self._scanned, f"entries from {self._end} on")
        content = self._files.read(self.path, 0, self.size)
        self._scanned = next((at for at, _ in whole_frames(content, self._scanned + 1, self._end)), self.size)

    def _need_leave(self, offset: int, what: str) -> None:
        if not self._leave_given(offset):
            raise JournalDamaged(self.path, offset, what)

    def _leave_given(self, offset: int) -> bool:
        return f"{self.path.name}.skip-{offset}" in self._files.list(self.path.parent)
