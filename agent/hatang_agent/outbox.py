"""The agent's own store: nothing measured is lost until the collector has journaled it.

A run is committed here at the moment it was taken. Sealing takes waiting runs, builds a report,
keeps its final bytes and removes the runs, in one transaction; the report stays until its digest
is acknowledged. The store is bounded by size: the oldest data goes first, and what goes becomes a
gap that travels in the next report. A damaged file is put aside and replaced: the agent goes on.

Every method is safe to call from several threads and returns instead of raising when the disk is
full or broken; what could not be kept is counted and told as a gap once there is room again.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from hatang_agent import outbox_rows as rows
from hatang_agent.outbox_sealing import DEFLATE_GUESS, GAPS_PER_REPORT, Held, Packed, Summary, carriable, pack
from hatang_agent.outbox_storage import (
    Database,
    Disk,
    LocalDisk,
    Trouble,
    TroubledFile,
    open_outbox,
    put_aside,
    trouble_of,
)
from hatang_agent.wire import codec
from hatang_agent.wire.report import SCHEMA, Clock, Gap, Predecessor, Report, Run

log = logging.getLogger(__name__)

T = TypeVar("T")

FILE_NAME: Final = "outbox.sqlite"
FULL_FACTS_EVERY_MS: Final = 7 * 24 * 3600 * 1000
"""An unchanged set of facts is sent in full again after this time."""

OUTBOX_FULL: Final = "outbox_full"
UNKNOWN_PROBE: Final = "outbox"
"""Name under which lost runs are told whose probe is not known any more."""


class Kept(StrEnum):
    """What became of a run that was handed over."""

    STORED = "stored"
    AS_FAILED = "as_failed"
    LOST = "lost"


class Order(StrEnum):
    """Which waiting runs go first into a report."""

    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who seals: the fields of a report that stay the same for the life of the process."""

    agent: str
    epoch: str
    role: str
    version: str


@dataclass(frozen=True, slots=True)
class Limits:
    """``total``: bytes of the file in use; ``report``: bytes of one sealed report."""

    total: int
    report: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed report that waits for its acknowledgement. ``number`` rises in the order of sealing."""

    number: int
    digest: str
    size: int
    sealed_ms: int


@dataclass(frozen=True, slots=True)
class _KnownFacts:
    """The newest full set of a probe's facts that the collector acknowledged in this epoch."""

    digest: str
    taken: int
    sealed_ms: int


class Outbox:
    """The store in one folder; see the module for what it promises."""

    def __init__(
        self,
        folder: Path,
        origin: Origin,
        limits: Limits,
        wall_ms: Callable[[], int],
        disk: Disk | None = None,
    ) -> None:
        self._path = folder / FILE_NAME
        self._origin = origin
        self._limits = limits
        self._wall_ms = wall_ms
        self._disk = disk or LocalDisk()
        self._lock = threading.RLock()
        self._database: Database | None = None
        self._last: Predecessor | None = None
        self._unsaved: list[Gap] = []
        self._trouble: Trouble | None = None
        self._known: dict[str, _KnownFacts] = {}
        self._newest_sealed: dict[str, tuple[int, str]] = {}
        self._collector = ""
        self._dropping = False
        self._transaction(lambda _: None, None)

    def close(self) -> None:
        """Let go of the file. Nothing has to be flushed: every change was durable when it returned."""
        with self._lock:
            self._drop_connection()

    def commit(self, run: Run) -> Kept:
        """Make a run durable. It is on disk when this returns ``stored`` or ``as_failed``."""
        carried = carriable(run, self._limits.report)
        body = codec.canonical(codec.plain(carried))

        def work(database: Database) -> Kept:
            rows.add_run(database, carried, body)
            self._keep_within_bound(database)
            return Kept.STORED if carried is run else Kept.AS_FAILED

        lost = Gap(run.probe, 1, run.clock.wall_ms, run.clock.wall_ms, "")
        return self._transaction(work, Kept.LOST, lost=lost)

    def seal(self, clock: Clock, order: Order, *, since_boot_ms: int | None = None) -> Sealed | None:
        """Seal one report of waiting runs, durable on return; None when nothing waits.

        ``since_boot_ms`` tells fresh from backlog: newest first takes only runs of this boot since
        then, oldest first only the others.
        """

        def work(database: Database) -> Sealed | None:
            waiting = rows.waiting(
                database,
                newest_first=order is Order.NEWEST,
                most_bytes=self._limits.report * DEFLATE_GUESS,
                clock=clock,
                since=since_boot_ms,
            )
            gaps = rows.gaps(database, GAPS_PER_REPORT)
            if not waiting and not gaps:
                return None
            header = self._header(clock, gaps)
            packed = pack(header, waiting, lambda held: self._unchanged(held, clock), self._limits.report)
            sealed = self._store(database, header, packed, clock)
            self._keep_within_bound(database)
            return sealed

        with self._lock:
            before = (self._last, dict(self._newest_sealed))
            sealed = self._transaction(work, None)
            if sealed is None:
                self._last, self._newest_sealed = before
            return sealed

    def waiting(self) -> int:
        """Bytes of runs that are not sealed yet."""
        return self._transaction(rows.waiting_bytes, 0, reads_only=True)

    def sealed(self, after: int, limit: int) -> list[Sealed]:
        """Unacknowledged reports sealed after number ``after``, oldest first."""
        nothing: list[tuple[int, str, int, int]] = []
        found = self._transaction(
            lambda database: rows.sealed(database, after, limit), nothing, reads_only=True
        )
        return [Sealed(*row) for row in found]

    def wire(self, digest: str) -> bytes | None:
        """Final bytes of a sealed report, None when it is not here any more.

        Bytes that no longer match their digest are dropped and told as a gap.
        """
        wire = self._transaction(lambda database: rows.wire(database, digest), None, reads_only=True)
        if wire is None or codec.digest(wire) == digest:
            return wire
        log.error("outbox: report %s is damaged on disk and was dropped", digest[:12])
        self._transaction(lambda database: self._drop_report(database, digest, Trouble.CORRUPT), None)
        return None

    def forget(self, digests: Iterable[str]) -> list[str]:
        """Forget reports that the collector journaled; those that were here, unknown ones passed over."""

        def work(database: Database) -> list[str]:
            here = []
            for digest in digests:
                found = rows.report(database, digest)
                if found is not None:
                    rows.delete_report(database, digest)
                    here.append((digest, *found))
            for _, epoch, sealed_ms, summary in here:
                self._learn_facts(epoch, sealed_ms, summary)
            if here and self._dropping:
                self._dropping = False
                log.info("outbox: reports are acknowledged again, it has room")
            return [digest for digest, *_ in here]

        return self._transaction(work, [])

    def reject(self, digest: str, reason: str) -> bool:
        """Forget a report that the collector refused for good and keeps itself; False when it is not here."""

        def work(database: Database) -> bool:
            if rows.report(database, digest) is None:
                return False
            rows.delete_report(database, digest)
            return True

        refused = self._transaction(work, False)
        if refused:
            log.error("outbox: the collector refused report %s: %s; it keeps the bytes", digest[:12], reason)
        return refused

    def speak_to(self, collector: str) -> None:
        """Another collector knows none of our facts: full sets are sent again."""
        with self._lock:
            if collector != self._collector:
                self._known.clear()
                self._collector = collector

    def counts(self) -> rows.Counts | None:
        """What waits here; None while the file cannot be read."""
        return self._transaction(rows.counts, None, reads_only=True)

    # Inside a transaction, or under the lock.

    def _header(self, clock: Clock, gaps: tuple[Gap, ...]) -> Report:
        mine = self._origin
        seq = self._last.seq + 1 if self._last is not None and self._last.epoch == mine.epoch else 1
        return Report(
            SCHEMA, mine.agent, mine.epoch, seq, self._last, clock, mine.role, mine.version, (), gaps
        )

    def _store(self, database: Database, header: Report, packed: Packed, clock: Clock) -> Sealed | None:
        for held in packed.spoilt:
            loss = Gap(held.probe, 1, held.wall_ms, held.wall_ms, Trouble.CORRUPT)
            rows.add_gap(database, loss)
        rows.delete_runs(database, [held.taken for held in (*packed.used, *packed.spoilt)])
        if not packed.used and not header.gaps:
            return None
        rows.delete_gaps(database, header.gaps)
        digest = codec.digest(packed.wire)
        first = min((held.taken for held in packed.used), default=0)
        number = rows.add_report(database, header, digest, clock.wall_ms, first, packed.summary, packed.wire)
        self._last = Predecessor(header.epoch, header.seq, digest)
        for probe, (facts, taken) in (packed.summary.facts or {}).items():
            if taken > self._newest_sealed.get(probe, (0, ""))[0]:
                self._newest_sealed[probe] = (taken, facts)
        return Sealed(number, digest, len(packed.wire), clock.wall_ms)

    def _unchanged(self, held: Held, clock: Clock) -> bool:
        """Whether the facts of a run may stay behind.

        Only what was acknowledged in this epoch counts: a machine that is set back to an older image
        must not refer to facts which the collector has replaced since. And only while no other set
        of this probe was sealed since then.
        """
        known = self._known.get(held.probe)
        if known is None or not held.facts_digest or held.taken <= known.taken:
            return False
        newest = self._newest_sealed.get(held.probe, (0, ""))[1]
        recent = abs(clock.wall_ms - known.sealed_ms) < FULL_FACTS_EVERY_MS
        return recent and held.facts_digest == known.digest == newest

    def _learn_facts(self, epoch: str, sealed_ms: int, summary: Summary) -> None:
        if epoch != self._origin.epoch:
            return
        for probe, (digest, taken) in (summary.facts or {}).items():
            known = self._known.get(probe)
            if known is None or taken > known.taken:
                self._known[probe] = _KnownFacts(digest, taken, sealed_ms)

    def _keep_within_bound(self, database: Database) -> None:
        if rows.drop_oldest(database, self._limits.total, OUTBOX_FULL) and not self._dropping:
            self._dropping = True
            log.warning("outbox: full (%d bytes), the oldest runs give way; told as gaps", self._limits.total)

    def _drop_report(self, database: Database, digest: str, reason: Trouble) -> None:
        found = rows.report(database, digest)
        if found is not None:
            rows.delete_report(database, digest)
            for gap in found[2].losses(reason):
                rows.add_gap(database, gap)

    # Transactions and trouble.

    def _transaction(
        self,
        work: Callable[[Database], T],
        otherwise: T,
        *,
        lost: Gap | None = None,
        reads_only: bool = False,
    ) -> T:
        """Do the work in one transaction; ``otherwise`` when the disk does not let us.

        ``lost`` is what is then counted as lost, with the trouble as its reason.
        """
        with self._lock:
            try:
                result = self._attempt_again_if_damaged(work, reads_only)
            except (TroubledFile, sqlite3.Error, OSError) as error:
                trouble = trouble_of(error)
                self._drop_connection()
                self._note_trouble(trouble, str(error))
                if lost is not None:
                    self._count_unsaved(replace(lost, reason=trouble))
                return otherwise
            if not reads_only:
                self._note_recovery()
            return result

    def _attempt_again_if_damaged(self, work: Callable[[Database], T], reads_only: bool) -> T:
        try:
            return self._attempt(work, reads_only)
        except (TroubledFile, sqlite3.Error) as error:
            trouble = trouble_of(error)
            if trouble not in (Trouble.CORRUPT, Trouble.NEWER):
                raise
            self._start_over(trouble, str(error))
            return self._attempt(work, reads_only)

    def _attempt(self, work: Callable[[Database], T], reads_only: bool) -> T:
        if self._database is None:
            self._database = open_outbox(self._disk, self._path)
            self._last = rows.last_sealed(self._database) or self._last
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            if not reads_only:
                for gap in self._unsaved:
                    rows.add_gap(database, gap)
            result = work(database)
            database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise
        if not reads_only:
            self._unsaved.clear()
        return result

    def _start_over(self, trouble: Trouble, detail: str) -> None:
        self._drop_connection()
        self._known.clear()
        self._newest_sealed.clear()
        now = self._wall_ms()
        with contextlib.suppress(OSError):
            aside = put_aside(self._disk, self._path, trouble, now)
            log.error("outbox: %s; the file was put aside as %s and a new one is used", detail, aside.name)
        self._count_unsaved(Gap(UNKNOWN_PROBE, 1, now, now, trouble))

    def _drop_connection(self) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
            self._database = None

    def _count_unsaved(self, gap: Gap) -> None:
        for at, known in enumerate(self._unsaved):
            if (known.probe, known.reason) == (gap.probe, gap.reason):
                self._unsaved[at] = rows.merged(known, gap)
                return
        self._unsaved.append(gap)

    def _note_trouble(self, trouble: Trouble, detail: str) -> None:
        if self._trouble is not trouble:
            log.error("outbox: %s (%s); runs are counted as lost until there is room again", trouble, detail)
        self._trouble = trouble

    def _note_recovery(self) -> None:
        if self._trouble is not None:
            log.info("outbox: works again")
        self._trouble = None
