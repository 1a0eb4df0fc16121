"""What a machine asks to know which networks and services it reaches, from the register of targets. Pure.

A target is for a unit and all below it, or for everybody. A machine gets those of its own unit, of every
unit above it and of everybody, the nearest first, as lines that the agent reads
(:mod:`hatang_agent.net.targets`). A target with an address that cannot be asked is left out and named in
``refused``: one slip in the register must not cost every machine its configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from hatang_agent.net import targets as asked
from hatang_collector.domain.dated import on
from hatang_collector.domain.estate import Estate, Network, Target
from hatang_collector.domain.settings import UNIT
from hatang_collector.domain.tree import Tree

NETWORKS: Final = "networks"
SERVICES: Final = "services"
MOST: Final[Mapping[str, int]] = {NETWORKS: 32, SERVICES: 64}
"""How many a probe is given, the nearest ones; the agents take no more."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A target that nobody can ask: its code, and what is wrong with it."""

    code: str
    why: str


def fault(target: Target) -> str:
    """What is wrong with a target's address for its method; '' when it can be asked."""
    try:
        _line(target)
    except ValueError as error:
        return str(error)
    return ""


def _line(target: Target) -> str:
    label = target.service if target.network is Network.SERVICE else target.network
    return str(asked.make(str(label), str(target.method), target.address))


class Targets:
    """The targets of an estate on a day; each chain of units is worked out once."""

    def __init__(self, estate: Estate, tree: Tree, day: date) -> None:
        refused, lines = [], []
        known = {row.code for row in on(estate.services, day)}
        for target in sorted(on(estate.targets, day), key=lambda row: row.code):
            if target.network is Network.SERVICE and target.service not in known:
                continue  # the service has ended, or has not begun
            if why := fault(target):
                refused.append(Refused(target.code, why))
                continue
            unit = tree.resolve(target.unit, day).unit if target.unit else ""
            if unit is not None:
                probe = SERVICES if target.network is Network.SERVICE else NETWORKS
                lines.append((unit, probe, _line(target)))
        self.refused: tuple[Refused, ...] = tuple(refused)
        self._lines = lines
        self._known: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {}

    def of(self, chain: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """The lines by the name of the probe that asks them, for a machine with these scopes."""
        units = tuple(scope.removeprefix(UNIT) for scope in chain if scope.startswith(UNIT))
        if units not in self._known:
            self._known[units] = self._work_out(units)
        return self._known[units]

    def _work_out(self, units: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        near = {unit: place for place, unit in enumerate((*units, ""))}
        mine = sorted((row for row in self._lines if row[0] in near), key=lambda row: near[row[0]])
        found: dict[str, list[str]] = {}
        for _, probe, line in mine:
            lines = found.setdefault(probe, [])
            if line not in lines and len(lines) < MOST[probe]:
                lines.append(line)
        return {probe: tuple(lines) for probe, lines in found.items()}
