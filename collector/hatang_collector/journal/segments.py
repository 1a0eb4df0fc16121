"""One stream of the journal: segment files named by the index of their first entry.

``append`` returns when the entries are durable: one fsync per call, and one of the directory for a
new segment. A failed append leaves nothing that a reader or a later append could meet: the file is
cut back to its committed size before anything else is written (an fsync that failed once proves
nothing when repeated).
"""

from __future__ import annotations

import logging
import re
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hatang_collector.journal.files import AppendFile, Files
from hatang_collector.journal.frames import Entry, Head, NewEntry, encode_frames
from hatang_collector.journal.segment import JournalDamaged, Segment

__all__ = ["Entry", "JournalDamaged", "NewEntry", "SegmentJournal"]

MAX_SEGMENT_BYTES: Final = 64 * 1024 * 1024
DAY_MS: Final = 86_400_000
_REMEMBERED: Final = 8
_NAME: Final = re.compile(r"(\d{20})\.log")

log = logging.getLogger(__name__)


class SegmentJournal:
    """An append-only sequence of entries, read by any number of threads while one appends.

    Opening keeps the bytes of a torn tail beside as ``.torn`` (they were never acknowledged) and
    cuts it off; damage before the end raises JournalDamaged.
    """

    def __init__(
        self,
        files: Files,
        directory: Path,
        *,
        max_segment_bytes: int = MAX_SEGMENT_BYTES,
        changed: threading.Condition | None = None,
    ) -> None:
        self._files = files
        self._directory = directory
        self._max_bytes = max_segment_bytes
        self._changed = changed or threading.Condition()
        self._appending = threading.Lock()
        self._file: AppendFile | None = None
        self._visited: OrderedDict[int, Segment] = OrderedDict()
        files.make_directory(directory)
        self._segments = [self._closed_segment(first) for first in self._firsts_on_disk()]
        if not self._segments:
            self._segments.append(Segment(files, self._path(0), 0, 0))
        self._repair_tail()
        self._make_durable()
        self._end = self._segments[-1].end
        self._named = self._segments[-1].size > 0
        self._doubtful = False

    @property
    def first(self) -> int:
        """Index of the oldest entry kept; equal to ``end`` when there is none."""
        return self._segments[0].first

    @property
    def end(self) -> int:
        """Index the next entry will get."""
        return self._end

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(segment.size for segment in self._segments)

    def append(self, entries: Sequence[NewEntry]) -> int:
        """Make entries durable; the index of the first. Raises OSError, and then nothing was appended."""
        with self._appending:
            if not entries:
                return self._end
            frames = list(encode_frames(self._end, entries))
            if self._doubtful:
                self._cut_back()
            self._roll_if_due(frames)
            try:
                self._write(b"".join(frame for _, frame in frames))
            except BaseException:
                self._doubtful = True
                raise
            self._segments[-1].grow(frames)
            first = self._end
            with self._changed:
                self._end = first + len(entries)
                self._changed.notify_all()
            return first

    def read(self, start: int, limit: int) -> list[Entry]:
        """At most ``limit`` entries from index ``start``; [] at the end.

        Begins with the oldest entry kept when ``start`` is retained away. May return fewer than there
        are, to bound memory; go on from the last index. Raises JournalDamaged.
        """
        while True:
            segments, end = self._segments, self._end
            start = max(start, segments[0].first)
            if start >= end:
                return []
            at = bisect_right(segments, start, key=lambda segment: segment.first) - 1
            try:
                found = self._read_segment(segments, at, start, min(limit, end - start))
            except FileNotFoundError:
                if segments is self._segments:
                    raise
                continue  # retained away meanwhile
            if found or at + 1 == len(segments):
                return found
            start = segments[at + 1].first

    def index_at(self, arrived_ms: int) -> int:
        """An index before which nothing arrived at or after the time (at the grain of appends)."""
        segments = self._segments
        for at in range(len(segments) - 1, -1, -1):
            earliest = segments[at].first_arrived_ms()
            if at == 0 or (earliest is not None and earliest < arrived_ms):
                index = segments[at].index_at(arrived_ms)
                following = segments[at + 1].first if at + 1 < len(segments) else self._end
                return following if index is None else index
        return self._end

    def wait(self, end: int, timeout_s: float) -> bool:
        """Wait until there are entries from index ``end`` on; whether there are."""
        with self._changed:
            return self._changed.wait_for(lambda: self._end > end, timeout_s)

    def retain(self, before_ms: int, needed_from: int | None = None) -> list[str]:
        """Drop the oldest segments whose last arrival is before the time; the names of their files.

        Entries from index ``needed_from`` on are kept whatever their age: a projection still wants them.
        """
        dropped = []
        while len(self._segments) > 1 and self._segments[0].last_arrived_ms() < before_ms:
            oldest = self._segments[0]
            if needed_from is not None and self._segments[1].first > needed_from:
                break
            beside = [name for name in self._files.list(self._directory) if name.startswith(oldest.path.name)]
            with self._appending:
                self._segments = self._segments[1:]
            for name in beside:
                self._files.unlink(self._directory / name)
            # Durable one by one: otherwise a crash could bring back an old one and lose a newer one.
            self._files.sync_directory(self._directory)
            with self._changed:
                self._visited.pop(oldest.first, None)
            dropped.append(oldest.path.name)
        return dropped

    def close(self) -> None:
        """Close the file being written. Everything appended is durable already."""
        with self._appending:
            self._close_file()

    def _path(self, first: int) -> Path:
        return self._directory / f"{first:020d}.log"

    def _firsts_on_disk(self) -> list[int]:
        names = (_NAME.fullmatch(name) for name in self._files.list(self._directory))
        return sorted(int(name[1]) for name in names if name)

    def _closed_segment(self, first: int) -> Segment:
        path = self._path(first)
        return Segment(self._files, path, first, self._files.size(path))

    def _repair_tail(self) -> None:
        """Cut off what a crash left half written, keeping its bytes beside."""
        last = self._segments[-1]
        good = last.check_tail() if last.size else 0
        if good == last.size:
            return
        torn = self._files.read(last.path, good)
        beside = last.path.with_name(f"{last.path.name}.{good}.torn")
        while beside.name in self._files.list(self._directory) and self._files.read(beside) != torn:
            beside = beside.with_name(beside.name + ".torn")
        self._files.replace(beside, torn)
        self._files.truncate(last.path, good)
        log.warning(
            "%s: cut off %d bytes of an append that a crash interrupted (never acknowledged); kept as %s",
            last.path,
            len(torn),
            beside.name,
        )
        last.size = good

    def _make_durable(self) -> None:
        """What a killed process wrote but did not fsync is shown to readers from now on: keep it for good."""
        last = self._segments[-1]
        if last.size:
            self._file = self._files.open_append(last.path)
            self._file.fsync()
            self._files.sync_directory(self._directory)

    def _roll_if_due(self, frames: list[tuple[Head, bytes]]) -> None:
        active = self._segments[-1]
        if active.size == 0:
            return
        size = active.size + sum(len(frame) for _, frame in frames)
        begun = active.first_arrived_ms() or 0
        if size <= self._max_bytes and frames[0][0].last_arrived_ms // DAY_MS <= begun // DAY_MS:
            return
        self._close_file()
        self._segments = [*self._segments, Segment(self._files, self._path(self._end), self._end, 0)]
        self._named = False

    def _write(self, content: bytes) -> None:
        """Make content durable behind the committed part of the active segment, and its name too."""
        active = self._segments[-1]
        if self._file is None:
            self._file = self._files.open_append(active.path)
        self._file.write(content)
        self._file.fsync()
        if not self._named:
            self._files.sync_directory(self._directory)
            self._named = True

    def _cut_back(self) -> None:
        """Remove what a failed append may have left, before anything else is written or begun."""
        active = self._segments[-1]
        self._close_file()
        if active.path.name in self._files.list(self._directory):
            self._files.truncate(active.path, active.size)
        self._doubtful = False

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_segment(self, segments: list[Segment], at: int, start: int, limit: int) -> list[Entry]:
        segment = segments[at]
        if at + 1 < len(segments):
            self._remember(segment)
        found = segment.read(start, limit)
        if not found and at + 1 < len(segments) and segment.end != segments[at + 1].first:
            self._need_leave_for_hole(segment, segments[at + 1].first)
        return found

    def _need_leave_for_hole(self, segment: Segment, following: int) -> None:
        """Entries are missing between two segments: refused, unless a person said to go on."""
        allowed = f"{segment.path.name}.skip-{segment.size}" in self._files.list(self._directory)
        if not allowed and not segment.hole_allowed:
            what = f"entries {segment.end} to {following - 1} are missing behind it"
            raise JournalDamaged(segment.path, segment.size, what)

    def _remember(self, segment: Segment) -> None:
        """Keep the places of the frames of the segments visited last, and forget the others'."""
        with self._changed:
            self._visited[segment.first] = segment
            self._visited.move_to_end(segment.first)
            forgotten = self._visited.popitem(last=False)[1] if len(self._visited) > _REMEMBERED else None
        if forgotten is not None:
            forgotten.forget()
