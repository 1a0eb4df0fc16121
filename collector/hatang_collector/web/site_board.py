"""The board of sites, worked out again only where something changed.

What is declared changes a few times a day, what is fresh every second. So the first is kept until the
estate or the machines change, and of the second only what differs makes a new summary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from hatang_collector.domain import protection, reach
from hatang_collector.domain.figures import Observed, Window, is_fresh, now_figure, window_figure
from hatang_collector.domain.protection import ANTIVIRUS, FIREWALL, UNTOLD, Counted, Question, Topic
from hatang_collector.ledger import machines as machine_rows
from hatang_collector.ledger import seen as seen_days
from hatang_collector.ledger.machines import Machine
from hatang_collector.live import MachineNow
from hatang_collector.web.answers import NOTHING, AnswerBook, Known
from hatang_collector.web.estate import EstateKeeper, EstateNow
from hatang_collector.web.services import Services
from hatang_collector.web.sites import (
    UNPLACED,
    Ground,
    Grounds,
    Member,
    SiteSummary,
    grounds,
    site_state,
    sort_key,
)

SEEN_MS: Final = 60_000
"""How long a day's first sighting may take to show; one that reports now shows at once."""

PATIENCE: Final = 5
"""How many times longer than it took the last time, before all is worked out again."""

MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class _Basis:
    """What is declared, and how long it took to work it out. ``cards`` and ``intervals`` are by agent."""

    estate: EstateNow
    machines: Sequence[Machine]
    grounds: Grounds
    cards: Mapping[str, str]
    intervals: Mapping[str, int]
    made_ms: int
    cost_ms: int


_MachineNow = tuple[bool, bool, Known]
"""Whether it is fresh, whether it was seen in the window, and its answers."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """What is looked at: the time, the window, the agents seen in it, the latest and the answers of each."""

    now_ms: int
    window: Window
    seen: frozenset[str]
    live: Mapping[str, MachineNow]
    known: Mapping[str, Known]

    def report_ms(self, member: Member) -> int | None:
        """When its latest report came."""
        heard = self.live.get(member.agent)
        return (heard.last_report_ms or None) if heard else None

    def of(self, member: Member) -> _MachineNow:
        """What of a machine changes by itself."""
        fresh = is_fresh(self.report_ms(member), member.interval_ms, self.now_ms)
        return fresh, fresh or member.agent in self.seen, self.known.get(member.agent, NOTHING)

    def observed(self, member: Member, *, seen: bool) -> Observed:
        """A machine as figures see it. Of the days it was seen only matters that there is one."""
        days = (self.window.last,) if seen else ()
        return Observed(member.machine, member.interval_ms, self.report_ms(member), days)


_Signature = tuple[tuple[_MachineNow, ...], bool, int | None]
"""Its machines, whether it is open, and the latest report while nothing is fresh."""


class SiteBoard:
    """Every site's summary. One thread at a time looks."""

    def __init__(self, services: Services, estate: EstateKeeper) -> None:
        self._services = services
        self._estate = estate
        self._answers = AnswerBook(services.ledger)
        self._basis: _Basis | None = None
        self._seen: tuple[int, date, frozenset[str]] | None = None
        self._open: tuple[int, Grounds, frozenset[str]] | None = None
        self._kept: dict[str, tuple[Ground | None, date, _Signature, SiteSummary]] = {}

    def look(self, machines: Sequence[Machine], live: Mapping[str, MachineNow]) -> dict[str, SiteSummary]:
        """Every site by key, and what nobody placed. Raises LedgerUnavailable."""
        now_ms = self._services.now_ms()
        basis = self._present(machines, now_ms)
        window = Window(basis.estate.today)
        moment = _Moment(now_ms, window, self._seen_in(window, now_ms), live, self._answers.look())
        opened = self._opened(basis, now_ms)
        found = {
            one.key: self._one(moment, one.key, one, one.members, is_open=one.key in opened)
            for one in basis.grounds.sites
        }
        nowhere = basis.grounds.unplaced
        if nowhere:
            found[UNPLACED] = self._one(moment, UNPLACED, None, nowhere, is_open=True)
        self._kept = {key: self._kept[key] for key in found}
        return found

    @property
    def grounds(self) -> Grounds | None:
        """What is declared, as of the last look; None before the first one."""
        return self._basis.grounds if self._basis else None

    def cards(self) -> Mapping[str, str]:
        """The key of the card that each machine is counted on, by agent."""
        return self._basis.cards if self._basis else {}

    def intervals(self) -> Mapping[str, int]:
        """How far apart the reports of each machine are in milliseconds, by agent."""
        return self._basis.intervals if self._basis else {}

    def _one(
        self, moment: _Moment, key: str, ground: Ground | None, members: Sequence[Member], *, is_open: bool
    ) -> SiteSummary:
        """A card's summary: the one there was, unless something in it changed."""
        now_ms, window = moment.now_ms, moment.window
        machines = tuple(moment.of(one) for one in members)
        any_fresh = any(fresh for fresh, _, _ in machines)
        newest_ms = None if any_fresh else max((moment.report_ms(one) or 0 for one in members), default=0)
        signature = (machines, is_open, newest_ms or None)
        kept = self._kept.get(key)
        if kept is not None and kept[0] is ground and kept[1] == window.last and kept[2] == signature:
            return kept[3]
        declared = ground.declared if ground else None
        state = site_state(any_fresh, len(members), is_open=is_open)
        observed = [
            moment.observed(one, seen=seen) for one, (_, seen, _) in zip(members, machines, strict=True)
        ]
        answers = [known for _, _, known in machines]
        made = SiteSummary(
            key=key,
            ground=ground,
            state=state,
            now=now_figure(observed, now_ms, declared),
            window=window_figure(observed, window, declared),
            asked=asked(ground.networks if ground else (), observed, answers, window, now_ms, declared),
            newest_ms=newest_ms or None,
            sort=sort_key(state, ground) if ground else "0",
        )
        self._kept[key] = (ground, window.last, signature, made)
        return made

    def _present(self, machines: Sequence[Machine], now_ms: int) -> _Basis:
        """What is declared now; a large one is not worked out anew while others still change it."""
        kept = self._basis
        if kept is not None and 0 <= now_ms - kept.made_ms < kept.cost_ms * PATIENCE:
            return kept
        estate = self._estate.now()
        if kept is not None and kept.estate is estate and kept.machines == machines:
            # The same machines read anew: comparing with these is cheap next time.
            self._basis = replace(kept, machines=machines)
            return self._basis
        with self._services.ledger.read() as c:
            prints = machine_rows.fingerprints(c)
        made = grounds(estate, machines, {agent: serials_of(values) for agent, values in prints.items()})
        at = [(one.key, one.members) for one in made.sites] + [(UNPLACED, made.unplaced)]
        cards = {one.agent: key for key, members in at for one in members}
        intervals = {one.agent: one.interval_ms for _, members in at for one in members}
        ended_ms = self._services.now_ms()
        cost_ms = max(0, ended_ms - now_ms)
        self._basis = _Basis(estate, machines, made, cards, intervals, ended_ms, cost_ms)
        return self._basis

    def _seen_in(self, window: Window, now_ms: int) -> frozenset[str]:
        kept = self._seen
        if kept is None or kept[1] != window.last or not 0 <= now_ms - kept[0] < SEEN_MS:
            with self._services.ledger.read() as c:
                agents = frozenset(seen_days.seen(c, first=window.first, last=window.last))
            kept = self._seen = (now_ms, window.last, agents)
        return kept[2]

    def _opened(self, basis: _Basis, now_ms: int) -> frozenset[str]:
        """The keys of the sites where it is working time; hours change at full minutes."""
        minute = now_ms // MINUTE_MS
        kept = self._open
        if kept is None or kept[0] != minute or kept[1] is not basis.grounds:
            is_open = basis.estate.calendar.is_open
            keys = frozenset(one.key for one in basis.grounds.sites if is_open(one.site.code, now_ms))
            kept = self._open = (minute, basis.grounds, keys)
        return kept[2]


def questions(networks: Sequence[str], answers: Sequence[Known]) -> list[Question]:
    """What is asked where these networks are configured: of those that machines tell of, too."""
    told = {one.network for known in answers for one in known if one.topic is Topic.REACH}
    names = sorted({*networks, *told}, key=reach.rank)[: reach.MOST]
    return [*map(reach.question, names), ANTIVIRUS, FIREWALL]


def asked(
    networks: Sequence[str],
    observed: Sequence[Observed],
    answers: Sequence[Known],
    window: Window,
    now_ms: int | None,
    declared: int | None,
) -> tuple[Counted, ...]:
    """The figures of every question, from machines and, in the same order, their answers."""
    return tuple(
        protection.count(
            question,
            [
                protection.Machine(one, known.get(question, UNTOLD))
                for one, known in zip(observed, answers, strict=True)
            ],
            window,
            now_ms,
            declared,
        )
        for question in questions(networks, answers)
    )


def serials_of(fingerprint: Mapping[str, str]) -> tuple[str, ...]:
    """The serial numbers among what an agent told of its hardware at enrolment."""
    return tuple(value for name, value in sorted(fingerprint.items()) if "serial" in name)
