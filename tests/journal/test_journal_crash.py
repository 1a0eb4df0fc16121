"""The journal on a disk that forgets what was not fsynced."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hatang_collector.journal.segments import Entry, NewEntry, SegmentJournal
from support.forgetful import ForgetfulFiles, PowerCut

FOLDER = Path("/data/journal/pc")
DAY_MS = 86_400_000


class JournalOnForgetfulDisk(RuleBasedStateMachine):
    """No entry whose append returned is missing or changed after a crash; no index has two contents."""

    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed: int) -> None:
        self.files = ForgetfulFiles(Random(seed))
        self.promised: dict[int, Entry] = {}
        self.shown: dict[int, Entry] = {}
        self.written = 0
        self.now_ms = DAY_MS
        self.journal = self._open()

    def _open(self) -> SegmentJournal:
        return SegmentJournal(self.files, FOLDER, max_segment_bytes=600)

    def _entries(self, sizes: list[int]) -> list[NewEntry]:
        found = []
        for size in sizes:
            self.written += 1
            payload = Random(self.written).randbytes(size)
            found.append(
                NewEntry("report", f"agent{self.written}", self.now_ms, {"n": self.written}, payload)
            )
        return found

    def _append(self, sizes: list[int]) -> None:
        entries = self._entries(sizes)
        first = self.journal.append(entries)
        for at, one in enumerate(entries):
            entry = Entry(first + at, one.kind, one.agent, one.arrived_ms, one.header, one.payload)
            assert first + at not in self.promised
            self.promised[first + at] = entry

    @rule(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=4), later=st.sampled_from([0, 1, DAY_MS]))
    def append(self, sizes: list[int], later: int) -> None:
        self.now_ms += later
        self._append(sizes)

    @rule(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=4), step=st.integers(1, 8))
    def append_on_a_failing_disk(self, sizes: list[int], step: int) -> None:
        self.files.fail_after(step, OSError(errno.ENOSPC, "no space"))
        with contextlib.suppress(OSError):
            self._append(sizes)
        self.files.no_fault()

    @rule(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=4), step=st.integers(1, 8))
    def cut_the_power_while_appending(self, sizes: list[int], step: int) -> None:
        self.files.cut_after(step)
        with contextlib.suppress(PowerCut):
            self._append(sizes)
        self.crash()

    @rule()
    def crash(self) -> None:
        self.files.crash()
        self.journal = self._open()

    @rule(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=4), step=st.integers(1, 8))
    def kill_the_process_while_appending(self, sizes: list[int], step: int) -> None:
        self.files.cut_after(step)
        with contextlib.suppress(PowerCut):
            self._append(sizes)
        self.files.no_fault()
        self.journal = self._open()

    @rule(step=st.integers(1, 8))
    def cut_the_power_while_opening(self, step: int) -> None:
        self.files.crash()
        self.files.cut_after(step)
        with contextlib.suppress(PowerCut):
            self._open()
        self.crash()

    @precondition(lambda self: self.promised)
    @rule(step=st.integers(1, 12))
    def cut_the_power_while_retaining(self, step: int) -> None:
        self.files.cut_after(step)
        with contextlib.suppress(PowerCut):
            self.journal.retain(self.now_ms - 2 * DAY_MS)
        self.crash()
        for index in [index for index in self.promised if index < self.journal.first]:
            assert self.promised.pop(index).arrived_ms < self.now_ms - 2 * DAY_MS

    @invariant()
    def everything_promised_is_there(self) -> None:
        if not hasattr(self, "journal"):
            return
        found: dict[int, Entry] = {}
        at = self.journal.first
        while entries := self.journal.read(at, 3):
            found.update({entry.index: entry for entry in entries})
            at = entries[-1].index + 1
        assert at == self.journal.end
        for index, entry in self.promised.items():
            assert found[index] == entry
        for index, entry in found.items():
            assert self.shown.setdefault(index, entry) == entry


JournalOnForgetfulDisk.TestCase.settings = settings(max_examples=250, stateful_step_count=25, deadline=None)
TestJournalOnForgetfulDisk = JournalOnForgetfulDisk.TestCase
