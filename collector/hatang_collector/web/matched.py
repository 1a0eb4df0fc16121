"""Assets and agents side by side: what belongs together and by what evidence, and what does not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from hatang_collector.domain import dated
from hatang_collector.domain.attribution import Attribution
from hatang_collector.domain.difference import identity
from hatang_collector.domain.estate import Asset, Estate, Placement
from hatang_collector.domain.matching import By, Identity, Matching, Why, match
from hatang_collector.domain.tree import Tree
from hatang_collector.ledger.machines import Machine
from hatang_collector.web.register_table import Names, query_of
from hatang_collector.web.summary import folded


class Part(StrEnum):
    """The four lists, what needs a look first."""

    CONFLICTS = "conflicts"
    AGENTS = "agents"
    ASSETS = "assets"
    MATCHES = "matches"


@dataclass(frozen=True, slots=True)
class AgentSide:
    """An agent: what it calls itself, what its hardware says, where it was placed."""

    agent: str
    label: str
    asset_code: str
    role: str
    serials: tuple[str, ...]
    unit: str
    site: str


@dataclass(frozen=True, slots=True)
class AssetSide:
    """An asset of the register. ``query`` names its row in addresses."""

    asset: Asset
    unit: str
    site: str
    query: str


@dataclass(frozen=True, slots=True)
class Line:
    """One row of one list; the evidence and the reason are None where there is none."""

    part: Part
    agents: tuple[AgentSide, ...]
    assets: tuple[AssetSide, ...]
    by: By | None = None
    why: Why | None = None

    def text(self) -> str:
        """What a person may look for in it, folded."""
        told = [
            part
            for one in self.agents
            for part in (one.agent, one.label, one.asset_code, *one.serials, one.unit, one.site)
        ]
        for side in self.assets:
            one = side.asset
            told += [one.code, one.label, one.serial, one.model, one.room, side.unit, side.site]
        return folded(" ".join(told))


class Sides:
    """Everything of one day, put side by side."""

    def __init__(
        self,
        estate: Estate,
        tree: Tree,
        day: date,
        names: Names,
        machines: Sequence[Machine],
        placements: Mapping[str, Placement],
        serials: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._tree = tree
        self._day = day
        self._sites = names.by_noun["sites"]
        self._assets = {asset.code: asset for asset in dated.on(estate.assets, day)}
        attribution = Attribution(estate, tree, day)
        self._agents: dict[str, AgentSide] = {}
        identities = []
        for one in machines:
            placed = placements.get(one.agent)
            place = attribution.place(placed.unit, placed.site) if placed else attribution.place("", "")
            found = serials.get(one.agent, ())
            identities.append(Identity(one.agent, one.asset_code, one.label, found, place.unit, place.site))
            self._agents[one.agent] = AgentSide(
                one.agent,
                one.label,
                one.asset_code,
                one.role,
                tuple(dict.fromkeys(found)),
                self._unit(place.unit),
                self._site(place.site),
            )
        self.matching: Matching = match(self._assets.values(), identities)

    def lines(self, parts: Iterable[Part] = tuple(Part)) -> Iterator[Line]:
        """The rows of the lists wanted, one list after the other."""
        for part in parts:
            yield from sorted(_LISTS[part](self), key=_order)

    def counts(self) -> dict[Part, int]:
        """How many rows each list has."""
        found = self.matching
        lists = (found.conflicts, found.agents_left, found.assets_left, found.matches)
        return {part: len(one) for part, one in zip(Part, lists, strict=True)}

    def conflicts(self) -> Iterator[Line]:
        """What contradicts what."""
        for one in self.matching.conflicts:
            agents = tuple(self._agents[agent] for agent in one.agents)
            yield Line(Part.CONFLICTS, agents, self._some_assets(one.assets), one.by, one.why)

    def agents(self) -> Iterator[Line]:
        """Agents on no asset."""
        for agent in self.matching.agents_left:
            yield Line(Part.AGENTS, (self._agents[agent],), ())

    def assets(self) -> Iterator[Line]:
        """Computers of the register on which no agent runs."""
        for code in self.matching.assets_left:
            yield Line(Part.ASSETS, (), self._some_assets((code,)))

    def matches(self) -> Iterator[Line]:
        """What belongs together."""
        for one in self.matching.matches:
            assets = self._some_assets((one.asset,))
            yield Line(Part.MATCHES, (self._agents[one.agent],), assets, one.by)

    def _some_assets(self, codes: Iterable[str]) -> tuple[AssetSide, ...]:
        found = [self._assets[code] for code in codes]
        return tuple(
            AssetSide(one, self._unit(one.unit), self._site(one.site), query_of(identity(one)))
            for one in found
        )

    def _unit(self, code: str) -> str:
        return self._tree.name_of(code, self._day) if code else ""

    def _site(self, code: str) -> str:
        return self._sites.get(code) or code


_LISTS = {
    Part.CONFLICTS: Sides.conflicts,
    Part.AGENTS: Sides.agents,
    Part.ASSETS: Sides.assets,
    Part.MATCHES: Sides.matches,
}


def _order(line: Line) -> tuple[str, ...]:
    asset = line.assets[0].asset.code if line.assets else ""
    agent = line.agents[0] if line.agents else None
    return (line.why or "", folded(agent.label) if agent else "", asset, agent.agent if agent else "")
