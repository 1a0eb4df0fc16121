"""Numbered changes of what the boards show, computed once for every open page and stream.

One task waits for the live state; streams wait for the task. A number is a point in time of this
process: who saw number n asks for what changed since n. Numbers of a former process are told apart
by the boot mark and answered with everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

import anyio
from anyio import to_thread

from hatang_collector.ledger.errors import LedgerUnavailable
from hatang_collector.web import roster
from hatang_collector.web.estate import EstateKeeper
from hatang_collector.web.numbered import Numbered
from hatang_collector.web.services import Services
from hatang_collector.web.site_board import SiteBoard
from hatang_collector.web.sites import Grounds, SiteSummary
from hatang_collector.web.summary import Summary

log = logging.getLogger(__name__)

PAUSE_S: Final = 0.5
"""The least time between two looks, so that a busy collector does not render without end."""

UNWATCHED_PAUSE_S: Final = 2.0
"""The same while nobody watches: what machines look like is then only wanted by single requests."""

LOOK_S: Final = 1.0
"""The longest time between two looks: machines also change state by silence."""

SLICE_S: Final = 0.1
"""How long closing may have to wait."""

BOOK_MS: Final = 5_000
"""How long labels, new machines and retirements may take to show."""


@dataclass(frozen=True, slots=True)
class Change:
    """What changed: machines, sites, ids and keys of those gone, and the mark to ask from next time."""

    mark: str
    changed: tuple[Summary, ...]
    gone: tuple[str, ...]
    sites: tuple[SiteSummary, ...] = ()
    sites_gone: tuple[str, ...] = ()


class Feed:
    """See the module. Threads may read it and call :meth:`close`; the rest belongs to the event loop."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.estate = EstateKeeper(services.ledger, services.now_ms)
        self._boot = secrets.token_hex(4)
        self._number = 0
        self._machines = Numbered[Summary]()
        self._sites = Numbered[SiteSummary]()
        self._board = SiteBoard(services, self.estate)
        self._book: tuple[int, roster.Book] | None = None
        self._news: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = anyio.CapacityLimiter(1)
        self.closed = False
        self.streams = 0

    @property
    def mark(self) -> str:
        """The present point in time."""
        return f"{self._boot}-{self._number}"

    def summaries(self) -> list[Summary]:
        """Every machine as last looked at, in page order."""
        return self._machines.all()

    def sites(self) -> list[SiteSummary]:
        """Every site as last looked at, in page order, after what nobody placed."""
        return self._sites.all()

    def site(self, key: str) -> SiteSummary | None:
        """One site by its key."""
        return self._sites.get(key)

    def grounds(self) -> Grounds | None:
        """What is declared about the sites, as last looked at; None before the first look."""
        return self._board.grounds

    def cards_of_machines(self) -> Mapping[str, str]:
        """The key of the site that each machine is counted at, by agent."""
        return self._board.cards()

    def intervals(self) -> Mapping[str, int]:
        """How far apart the reports of each machine are by its settings, in milliseconds, by agent."""
        return self._board.intervals()

    def knows(self, mark: str) -> bool:
        """Whether a mark is of this process."""
        return mark.rpartition("-")[0] == self._boot

    def newest_ms(self) -> int:
        """When the newest report of any machine arrived, 0 for never."""
        return max((one.last_report_ms or 0 for one in self._machines.each()), default=0)

    def since(self, mark: str) -> Change:
        """What changed after ``mark``; everything when the mark is not of this process."""
        boot, _, number = mark.rpartition("-")
        known = int(number) if boot == self._boot and number.isdigit() else -1
        return Change(
            self.mark,
            self._machines.since(known),
            self._machines.gone_since(known),
            self._sites.since(known),
            self._sites.gone_since(known),
        )

    async def wait(self, mark: str, timeout_s: float) -> bool:
        """True when something changed after ``mark`` (or at closing), False when the time is over."""
        if self.closed or mark != self.mark:
            return True
        if self._news is None:
            self._news = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), timeout_s)
        return self.closed or mark != self.mark

    def close(self) -> None:
        """End every stream, now. May be called from any thread, and twice."""
        self.closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks at the machines for as long as the block lasts."""
        self._loop = asyncio.get_running_loop()
        await self._look()
        task = asyncio.create_task(self._watch(), name="web-feed")
        try:
            yield
        finally:
            self.closed = True
            self._tell()
            await task

    async def _watch(self) -> None:
        version = self._services.live.version
        broken = False
        while not self.closed:
            version = await self._changed_or_due(version)
            try:
                await self._look()
            except LedgerUnavailable as error:
                if not broken:
                    log.warning("pages show old machines: %s", error)
                broken = True
            else:
                if broken:
                    log.info("pages show current machines again")
                broken = False
            await self._pause()

    async def _changed_or_due(self, version: int) -> int:
        """Wait for the live state in short slices, so that closing never waits for long."""
        wait = self._services.live.wait
        for _ in range(round(LOOK_S / SLICE_S)):
            found = await to_thread.run_sync(wait, version, SLICE_S, limiter=self._threads)
            if found != version or self.closed:
                return found
        return version

    async def _pause(self) -> None:
        waited = 0.0
        while not self.closed and waited < (PAUSE_S if self.streams else UNWATCHED_PAUSE_S):
            await asyncio.sleep(SLICE_S)
            waited += SLICE_S

    async def _look(self) -> None:
        machines, sites = await to_thread.run_sync(self._read, limiter=self._threads)
        number = self._number + 1
        # The number rises after both: who sees it finds what it stands for.
        changed = [self._machines.put(machines, number), self._sites.put(sites, number)]
        if any(changed):
            self._number = number
            self._tell()

    def _read(self) -> tuple[dict[str, Summary], dict[str, SiteSummary]]:
        now_ms = self._services.now_ms()
        book = self._book
        if (
            book is None
            or not 0 <= now_ms - book[0] < BOOK_MS
            or not self._services.live.machines().keys() <= book[1].known
        ):
            book = self._book = (now_ms, roster.read_book(self._services))
        sites = self._board.look(book[1].machines, self._services.live.machines())
        machines = roster.summaries(self._services, book[1], self._board.intervals())
        return {one.agent: one for one in machines}, sites
