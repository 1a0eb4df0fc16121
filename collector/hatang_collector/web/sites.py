"""One site in a few figures, as its card and the API show it. Pure: declarations and counts in.

Outages are not judged here: a site's state only says whether there is fresh data of a machine there.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from hatang_collector.domain import dated, reach
from hatang_collector.domain.attribution import Attribution
from hatang_collector.domain.estate import MACHINE_KINDS, AssetState, Link, LinkKind, Site
from hatang_collector.domain.figures import Coverage, Figure
from hatang_collector.domain.matching import Identity, Matching, counted_as, match
from hatang_collector.domain.protection import ANTIVIRUS, FIREWALL, Counted, Question
from hatang_collector.domain.settings import REPORT_KEY, UNIT, Scopes, effective, report_interval_ms
from hatang_collector.domain.targets import NETWORKS, Targets
from hatang_collector.domain.tree import Tree
from hatang_collector.ledger.machines import Machine
from hatang_collector.web.estate import EstateNow
from hatang_collector.web.summary import folded

UNPLACED: Final = "unplaced"
"""The key of the card that stands for every machine nobody placed."""


class SiteState(StrEnum):
    """Whether there is data, what needs a look first: this is also the order on the page."""

    NO_DATA = "no_data"
    NO_MACHINE = "no_machine"
    CLOSED = "closed"
    DATA = "data"


ON_CARD: Final = (reach.question(reach.CPNET), ANTIVIRUS, FIREWALL)
"""What a card says of its machines beside how many there are."""

SITE_SYMBOLS: Final = {
    SiteState.NO_DATA: "?",
    SiteState.NO_MACHINE: "○",
    SiteState.CLOSED: "■",
    SiteState.DATA: "●",
}
_RANKS: Final = {state: rank for rank, state in enumerate(SiteState, start=1)}


@dataclass(frozen=True, slots=True)
class LinkChip:
    """A link in force with what its contract says; rates in Mbit/s, None when unknown."""

    code: str
    kind: LinkKind
    provider: str
    down_mbps: float | None
    up_mbps: float | None
    essential: bool


@dataclass(frozen=True, slots=True)
class Member:
    """An agent at a site: what it is counted as ('' for a probe), and how far apart its reports are.

    ``networks`` are those it is to ask for by the register of targets.
    """

    agent: str
    machine: str
    interval_ms: int
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ground:
    """What is declared about a site; it changes only with the estate and the machines.

    ``below`` holds the codes of its units and of every unit above them. ``declared`` is the number of
    machine assets in use, None when none is declared. ``networks`` are those that a machine of its units,
    or one that stands here, is to ask for. ``order`` is its place among its peers.
    """

    key: str
    site: Site
    title: str
    subtitle: str
    units: tuple[tuple[str, str], ...]
    below: frozenset[str]
    links: tuple[LinkChip, ...]
    declared: int | None
    members: tuple[Member, ...]
    networks: tuple[str, ...]
    text: str
    order: str


@dataclass(frozen=True, slots=True)
class SiteSummary:
    """One site at one moment. ``newest_ms`` is its latest report, told only while none is fresh.

    ``asked`` are the answers of its machines: for each network that is configured here or was told of, CPNet
    first, then antivirus and firewall.
    The card of machines that nobody placed has the key :data:`UNPLACED` and no site.
    """

    key: str
    ground: Ground | None
    state: SiteState
    now: Figure
    window: Figure
    asked: tuple[Counted, ...]
    newest_ms: int | None
    sort: str

    def counted(self, question: Question) -> Counted | None:
        """The figures of a question; None for a network that is not configured here."""
        return next((one for one in self.asked if one.question == question), None)

    @property
    def coverage(self) -> Coverage | None:
        """Usable facts of the window out of all that the card would need; None when it needs none."""
        found = [self.window.coverage, *(one.window.coverage for one in map(self.counted, ON_CARD) if one)]
        usable, wanted = (sum(part) for part in zip(*((one.a, one.b) for one in found if one), strict=True))
        return Coverage(usable, wanted) if wanted else None


@dataclass(frozen=True, slots=True)
class Grounds:
    """Every site of today, the machines that are at none, and what of assets and agents belongs together.

    ``asset_sites`` has the site of each machine asset by its code, '' where it is not known.
    """

    sites: tuple[Ground, ...]
    unplaced: tuple[Member, ...]
    matching: Matching
    asset_sites: Mapping[str, str]


def site_key(code: str) -> str:
    """What stands for a site in addresses and marks of a page: codes may hold any sign."""
    return hashlib.sha256(code.encode()).hexdigest()[:12]


def natural(text: str) -> str:
    """For sorting: without marks, numbers by value."""
    return re.sub(r"[0-9]+", lambda found: found[0].zfill(9)[-9:], folded(text)[:80])


def site_state(fresh: int, members: int, *, is_open: bool) -> SiteState:
    """The state of a site from how many of its machines are fresh, and whether it is working time."""
    if not members:
        return SiteState.NO_MACHINE
    if fresh:
        return SiteState.DATA
    return SiteState.NO_DATA if is_open else SiteState.CLOSED


def sort_key(state: SiteState, ground: Ground) -> str:
    """What needs a look first, then the official order of the units, then the name."""
    return f"{_RANKS[state]} {ground.order} {natural(ground.title)} {ground.key}"


def members_of(
    now: EstateNow,
    attribution: Attribution,
    machines: Sequence[Machine],
    serials: Mapping[str, tuple[str, ...]],
) -> tuple[dict[str, list[Member]], Matching]:
    """The machines at each site by its code, '' for those at none, in the order given."""
    scopes = Scopes(now.estate, now.tree, now.today)
    settings = [one for one in now.settings if one.key == REPORT_KEY]
    identities = []
    for machine in machines:
        placed = now.placements.get(machine.agent)
        unit, site = (placed.unit, placed.site) if placed else ("", "")
        found = attribution.place(unit, site)
        identities.append(
            Identity(
                machine.agent,
                machine.asset_code,
                machine.label,
                serials.get(machine.agent, ()),
                found.unit,
                found.site,
            )
        )
    matching = match(dated.on(now.estate.assets, now.today), identities)
    assets = matching.by_agent()
    targets = Targets(now.estate, now.tree, now.today)
    at: dict[str, list[Member]] = defaultdict(list)
    for machine, identity in zip(machines, identities, strict=True):
        chain = scopes.of(machine.agent, now.placements.get(machine.agent))
        interval_ms = report_interval_ms(effective(settings, chain, machine.role), machine.role)
        counted = counted_as(machine.agent, machine.role, assets)
        networks = networks_of(targets, chain)
        at[identity.site].append(Member(machine.agent, counted, interval_ms, networks))
    return at, matching


def networks_of(targets: Targets, chain: Sequence[str]) -> tuple[str, ...]:
    """The networks that a machine with these scopes is to ask for, CPNet first."""
    lines = targets.of(chain).get(NETWORKS, ())
    return tuple(sorted({line.rsplit(maxsplit=2)[0] for line in lines}, key=reach.rank))


def grounds(now: EstateNow, machines: Sequence[Machine], serials: Mapping[str, tuple[str, ...]]) -> Grounds:
    """Everything about the sites that does not change by itself."""
    attribution = Attribution(now.estate, now.tree, now.today)
    members, matching = members_of(now, attribution, machines, serials)
    computers = [one for one in dated.on(now.estate.assets, now.today) if one.kind in MACHINE_KINDS]
    asset_sites = {one.code: attribution.place(one.unit, one.site).site for one in computers}
    declared = Counter(asset_sites[one.code] for one in computers if one.state is AssetState.IN_USE)
    links: dict[str, list[Link]] = defaultdict(list)
    for link in dated.on(now.estate.links, now.today):
        links[link.site].append(link)
    places = _official_order(now.tree, now)
    targets = Targets(now.estate, now.tree, now.today)
    sites = []
    for site in dated.on(now.estate.sites, now.today):
        codes = attribution.units_at(site.code)
        units = tuple((code, now.tree.name_of(code, now.today)) for code in codes)
        title, subtitle = titles(site, [name for _, name in units])
        here = sorted(links[site.code], key=lambda link: (not link.essential, link.kind, link.code))
        standing = tuple(members.get(site.code, ()))
        networks = {name for one in standing for name in one.networks}
        for code in codes:
            chain = [f"{UNIT}{one.code}" for one in now.tree.chain(code, now.today)]
            networks.update(networks_of(targets, chain))
        sites.append(
            Ground(
                key=site_key(site.code),
                site=site,
                title=title,
                subtitle=subtitle,
                units=units,
                below=frozenset(one.code for code in codes for one in now.tree.chain(code, now.today)),
                links=tuple(
                    LinkChip(one.code, one.kind, one.provider, one.down_mbps, one.up_mbps, one.essential)
                    for one in here
                ),
                declared=declared.get(site.code),
                members=standing,
                networks=tuple(sorted(networks, key=reach.rank)),
                text=folded(" ".join((site.code, site.name, site.address, *(f"{c} {n}" for c, n in units)))),
                order=f"{min((places.get(code, len(places)) for code in codes), default=999_999):06d}",
            )
        )
    return Grounds(tuple(_told_apart(sites)), tuple(members.get("", ())), matching, asset_sites)


def titles(site: Site, units: Sequence[str]) -> tuple[str, str]:
    """What a card is called and what stands below it: a site with one unit is called after the unit."""
    if len(units) == 1:
        same = folded(site.name) == folded(units[0])
        return units[0], "" if same else site.name
    return site.name, ", ".join(units)


def _told_apart(sites: Iterable[Ground]) -> list[Ground]:
    """Two sites of one unit have its name; the name of the building stands below, its code at the least."""
    everyone = list(sites)
    twice = Counter((one.title, one.subtitle) for one in everyone)
    return [
        replace(one, subtitle=f"{one.subtitle} {one.site.code}".strip())
        if twice[one.title, one.subtitle] > 1
        else one
        for one in everyone
    ]


def _official_order(tree: Tree, now: EstateNow) -> dict[str, int]:
    """The place of every unit when the tree is read from the top, level by level within each branch."""
    found: dict[str, int] = {}
    waiting = [unit.code for unit in reversed(tree.roots(now.today))]
    while waiting:
        code = waiting.pop()
        if code not in found:
            found[code] = len(found)
            waiting += [unit.code for unit in reversed(tree.children(code, now.today))]
    return found


def matches(summary: SiteSummary, query: str, unit: str, state: str) -> bool:
    """Whether a card belongs into a filtered list; empty filters let everything pass."""
    ground = summary.ground
    if ground is None:
        return not (query or unit or state)
    if (state and summary.state != state) or (unit and unit not in ground.below):
        return False
    return all(word in ground.text for word in folded(query).split())


def counts(summaries: Iterable[SiteSummary]) -> dict[SiteState, int]:
    """How many sites are in each state, all states named."""
    found = dict.fromkeys(SiteState, 0)
    for one in summaries:
        if one.ground is not None:
            found[one.state] += 1
    return found
