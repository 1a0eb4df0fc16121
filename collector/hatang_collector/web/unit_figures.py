"""The figures of a unit with everything below it, as of a day and in the structure of a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hatang_collector.domain import dated
from hatang_collector.domain.attribution import Attribution, Gap, Place
from hatang_collector.domain.estate import MACHINE_KINDS, Placement
from hatang_collector.domain.figures import Figure, Observed, Window, now_figure, window_figure
from hatang_collector.domain.localtime import midnight_ms
from hatang_collector.domain.matching import Identity, counted_as, match
from hatang_collector.domain.protection import PROBES, Counted
from hatang_collector.domain.reach import rank
from hatang_collector.domain.settings import REPORT_KEY, UNIT, Scopes, effective, report_interval_ms
from hatang_collector.domain.targets import Targets
from hatang_collector.domain.totals import Totals, totals
from hatang_collector.ledger import machines, placements, seen
from hatang_collector.ledger.machines import Machine
from hatang_collector.web import answers
from hatang_collector.web.answers import NOTHING, Known
from hatang_collector.web.estate import EstateNow
from hatang_collector.web.services import Services
from hatang_collector.web.site_board import asked, serials_of
from hatang_collector.web.sites import networks_of


@dataclass(frozen=True, slots=True)
class MachineFigures:
    """Machines out of the declared ones, and what they answer. ``now`` is None when the day is not today."""

    now: Figure | None
    window: Figure
    asked: tuple[Counted, ...]


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """The same for one staff group; ``people`` is None when nobody declared how many there are."""

    staff_group: str
    name: str
    people: int | None
    machines: MachineFigures


@dataclass(frozen=True, slots=True)
class LostMachine:
    """A machine that may belong to the unit and is not counted, and why."""

    agent: str
    why: Gap
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnitFigures:
    """See the module. ``unplaced`` is how many machines nobody placed anywhere; they are in no unit."""

    unit: str
    on: date
    structure: date
    machines: MachineFigures
    groups: tuple[GroupFigures, ...]
    totals: Totals
    lost: tuple[LostMachine, ...]
    unplaced: int


@dataclass(frozen=True, slots=True)
class _Book:
    """What the ledger and the live state say of the machines of a day."""

    machines: Sequence[Machine]
    placed: Mapping[str, Placement]
    serials: Mapping[str, tuple[str, ...]]


def unit_figures(services: Services, now: EstateNow, unit: str, on: date, structure: date) -> UnitFigures:
    """Figures of one unit of the structure. Raises LookupError when it is not there in it.

    The window ends with ``on``. Machines count where they stood at the end of that day.
    """
    sums = totals(now.estate, now.tree, unit, on, structure)
    window = Window(on)
    book = _read(services, now, on)
    attribution = Attribution(now.estate, now.tree, on, structure)
    places = {one.agent: _place(attribution, book.placed.get(one.agent)) for one in book.machines}
    below = now.tree.subtree(unit, structure)
    inside = [one for one in book.machines if places[one.agent].unit in below]
    observed = _observed(services, now, book, places, inside, window)
    known = _answers(services, now, on, [one.agent for one in inside])
    groups = {one.agent: book.placed[one.agent].staff_group for one in inside}
    now_ms = services.now_ms() if on == now.today else None
    networks = _networks(now, below, on, [book.placed[one.agent] for one in inside])

    def figures(staff_group: str | None) -> MachineFigures:
        declared = sums.count(MACHINE_KINDS, staff_group=staff_group) or None
        agents = [agent for agent in observed if staff_group in (None, groups[agent])]
        chosen = [observed[agent] for agent in agents]
        told = [known.get(agent, NOTHING) for agent in agents]
        return MachineFigures(
            None if now_ms is None else now_figure(chosen, now_ms, declared),
            window_figure(chosen, window, declared),
            asked(networks, chosen, told, window, now_ms, declared),
        )

    return UnitFigures(
        unit=unit,
        on=on,
        structure=structure,
        machines=figures(None),
        groups=tuple(
            GroupFigures(one.code, one.name, sums.staff.get(one.code), figures(one.code))
            for one in sorted(now.estate.staff_groups, key=lambda group: (group.position, group.code))
        ),
        totals=sums,
        lost=tuple(
            LostMachine(agent, place.gap, place.candidates)
            for agent, place in sorted(places.items())
            if place.gap and below.intersection(place.candidates)
        ),
        unplaced=sum(1 for place in places.values() if place.gap and not place.candidates),
    )


def _read(services: Services, now: EstateNow, on: date) -> _Book:
    end_ms = midnight_ms(on + timedelta(days=1))
    with services.ledger.read() as c:
        everyone = machines.every(c)
        placed = now.placements if on >= now.today else placements.at(c, end_ms - 1)
        prints = machines.fingerprints(c)
    there = [
        one
        for one in everyone
        if one.enrolled_ms < end_ms and (one.retired_ms is None or one.retired_ms >= end_ms)
    ]
    return _Book(there, placed, {agent: serials_of(values) for agent, values in prints.items()})


def _answers(services: Services, now: EstateNow, on: date, agents: Sequence[str]) -> dict[str, Known]:
    """What machines answer, as of the end of the day."""
    with services.ledger.read() as c:
        if on >= now.today:
            found = answers.read(c, agents)
        else:
            seen_ms = {}
            for probe in PROBES:
                ran = seen.seen(c, first=Window(on).first, last=on, agents=agents, probe=probe)
                seen_ms[probe] = {agent: midnight_ms(max(days)) for agent, days in ran.items()}
            end_ms = midnight_ms(on + timedelta(days=1))
            found = answers.answers_at(c, agents, end_ms - 1, seen_ms)
    return {agent: one.answers for agent, one in found.items()}


def _networks(
    now: EstateNow, below: frozenset[str], on: date, placed: Iterable[Placement]
) -> tuple[str, ...]:
    """The networks that the machines of these units were to ask for on the day, CPNet first."""
    targets = Targets(now.estate, now.tree, on)
    scopes = Scopes(now.estate, now.tree, on)
    chains = [tuple(f"{UNIT}{one.code}" for one in now.tree.chain(code, on)) for code in below]
    chains += [tuple(scopes.of(one.agent, one)) for one in placed]
    return tuple(sorted({name for chain in chains for name in networks_of(targets, chain)}, key=rank))


def _place(attribution: Attribution, placement: Placement | None) -> Place:
    return attribution.place(placement.unit, placement.site) if placement else attribution.place("", "")


def _observed(
    services: Services,
    now: EstateNow,
    book: _Book,
    places: Mapping[str, Place],
    inside: Sequence[Machine],
    window: Window,
) -> dict[str, Observed]:
    """What the figures see of each machine of the unit, by agent."""
    with services.ledger.read() as c:
        agents = [one.agent for one in inside]
        days = seen.seen(c, first=window.first, last=window.last, agents=agents)
    live = services.live.machines()
    scopes = Scopes(now.estate, now.tree, now.today)
    settings = [one for one in now.settings if one.key == REPORT_KEY]
    identities = [
        Identity(
            one.agent,
            one.asset_code,
            one.label,
            book.serials.get(one.agent, ()),
            places[one.agent].unit,
            places[one.agent].site,
        )
        for one in inside
    ]
    assets = match(dated.on(now.estate.assets, window.last), identities).by_agent()
    found: dict[str, Observed] = {}
    for one in inside:
        chain = scopes.of(one.agent, book.placed.get(one.agent))
        heard = live.get(one.agent)
        found[one.agent] = Observed(
            counted_as(one.agent, one.role, assets),
            report_interval_ms(effective(settings, chain, one.role), one.role),
            (heard.last_report_ms or None) if heard else None,
            days.get(one.agent, frozenset()),
        )
    return found
