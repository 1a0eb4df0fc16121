"""Which agent runs on which asset, and what does not fit together.

Three kinds of evidence, strongest first: the asset code given at enrolment, the maker's serial
number, and the label, which only says something within one unit or site because offices name their
machines alike. Contradictions are told, never settled in silence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hatang_collector.domain.estate import MACHINE_KINDS, Asset, AssetState
from hatang_collector.domain.folding import folded

PROBE: Final = "probe"
"""The role of an agent on a site's always-on box."""

_STANDING: Final = frozenset({AssetState.IN_USE, AssetState.SPARE})


class By(StrEnum):
    """The evidence for a match, strongest first."""

    CODE = "code"
    SERIAL = "serial"
    LABEL = "label"


class Why(StrEnum):
    """What contradicts what."""

    SEVERAL_ASSETS = "several_assets"
    SEVERAL_AGENTS = "several_agents"
    EVIDENCE_DIFFERS = "evidence_differs"
    NOT_STANDING = "not_standing"


@dataclass(frozen=True, slots=True)
class Identity:
    """What an agent says about the machine it runs on, and where it was placed ('' for unknown)."""

    agent: str
    asset_code: str = ""
    label: str = ""
    serials: tuple[str, ...] = ()
    unit: str = ""
    site: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """An agent runs on an asset, by the strongest evidence there is."""

    agent: str
    asset: str
    by: By


@dataclass(frozen=True, slots=True)
class Conflict:
    """What a person should settle. ``not_standing``: it reports, but is declared broken, gone or lost."""

    why: Why
    by: By
    agents: tuple[str, ...]
    assets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matching:
    """Every agent and every machine asset is in a match or in one of the two lists of leftovers."""

    matches: tuple[Match, ...]
    conflicts: tuple[Conflict, ...]
    agents_left: tuple[str, ...]
    assets_left: tuple[str, ...]

    def by_agent(self) -> Mapping[str, str]:
        """What is counted for a matched agent: its asset, so that two agents of one machine count once."""
        return {one.agent: f"asset:{one.asset}" for one in self.matches}


def counted_as(agent: str, role: str, assets: Mapping[str, str]) -> str:
    """What an agent's machine is counted as, '' for what is no computer of anybody.

    ``assets`` is :meth:`Matching.by_agent`. A site probe serves nobody, so it counts only where it
    stands in the register of assets as a computer.
    """
    return assets.get(agent) or ("" if role == PROBE else agent)


_Found = Mapping[By, Mapping[str, tuple[str, ...]]]
"""The codes of the assets each kind of evidence names, by agent."""


def match(assets: Iterable[Asset], agents: Sequence[Identity]) -> Matching:
    """Match agents with the machines among the assets that hold on one day.

    Evidence that names several assets decides nothing and is told. Where two kinds of evidence name
    different assets the stronger one is followed and the difference told. Two agents with one asset
    code or serial number are both on that asset; two with one label are on none.
    """
    machines = {asset.code: asset for asset in assets if asset.kind in MACHINE_KINDS}
    found = _found(machines, agents)
    conflicts: list[Conflict] = []
    chosen: dict[str, tuple[str, By]] = {}
    for one in sorted(agents, key=lambda agent: agent.agent):
        named = [(by, found[by][one.agent]) for by in By if found[by].get(one.agent)]
        conflicts += [
            Conflict(Why.SEVERAL_ASSETS, by, (one.agent,), codes) for by, codes in named if len(codes) > 1
        ]
        clear = [(by, codes[0]) for by, codes in named if len(codes) == 1]
        if clear:
            chosen[one.agent] = (clear[0][1], clear[0][0])
        if len({code for _, code in clear}) > 1:
            codes = tuple(dict.fromkeys(code for _, code in clear))
            conflicts.append(Conflict(Why.EVIDENCE_DIFFERS, clear[0][0], (one.agent,), codes))
    conflicts += _shared(chosen)
    matches = tuple(Match(agent, code, by) for agent, (code, by) in chosen.items())
    conflicts += [
        Conflict(Why.NOT_STANDING, one.by, (one.agent,), (one.asset,))
        for one in matches
        if machines[one.asset].state not in _STANDING
    ]
    taken = {one.asset for one in matches}
    standing = (code for code, asset in machines.items() if asset.state in _STANDING)
    return Matching(
        matches,
        tuple(conflicts),
        tuple(sorted(one.agent for one in agents if one.agent not in chosen)),
        tuple(sorted(code for code in standing if code not in taken)),
    )


def _found(machines: Mapping[str, Asset], agents: Sequence[Identity]) -> _Found:
    codes = _index(machines, lambda asset: [folded(asset.code)])
    serials = _index(machines, lambda asset: [_bare(asset.serial)])
    labels = _index(
        machines,
        lambda asset: [
            (place, folded(asset.label))
            for place in (f"site:{asset.site}", f"unit:{asset.unit}")
            if folded(asset.label) and not place.endswith(":")
        ],
    )
    return {
        By.CODE: {one.agent: _at(codes, [folded(one.asset_code)]) for one in agents},
        By.SERIAL: {one.agent: _at(serials, [_bare(serial) for serial in one.serials]) for one in agents},
        By.LABEL: {
            one.agent: _at(
                labels,
                [(place, folded(one.label)) for place in (f"site:{one.site}", f"unit:{one.unit}")],
            )
            for one in agents
        },
    }


def _bare(serial: str) -> str:
    """A serial number as far as people copy it right: without spaces and hyphens."""
    return "".join(sign for sign in folded(serial) if sign.isalnum())


def _index(
    machines: Mapping[str, Asset], keys: Callable[[Asset], Iterable[object]]
) -> Mapping[object, list[str]]:
    found: dict[object, list[str]] = defaultdict(list)
    for code, asset in machines.items():
        for key in keys(asset):
            if key:
                found[key].append(code)
    return found


def _at(index: Mapping[object, list[str]], keys: Iterable[object]) -> tuple[str, ...]:
    return tuple(sorted({code for key in keys for code in index.get(key, ())}))


def _shared(chosen: dict[str, tuple[str, By]]) -> list[Conflict]:
    """Tells of assets that several agents claim; takes those back that rest on a label alone."""
    claims: dict[str, list[str]] = defaultdict(list)
    for agent, (code, _) in chosen.items():
        claims[code].append(agent)
    conflicts = []
    for code, agents in claims.items():
        if len(agents) == 1:
            continue
        weakest = max((chosen[agent][1] for agent in agents), key=list(By).index)
        conflicts.append(Conflict(Why.SEVERAL_AGENTS, weakest, tuple(agents), (code,)))
        for agent in agents:
            if chosen[agent][1] is By.LABEL:
                del chosen[agent]
    return conflicts
