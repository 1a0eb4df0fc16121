"""The tree of settings as people see it: nodes, what is in force at each, whom a change reaches. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hatang_collector.domain.dated import on
from hatang_collector.domain.settings import (
    ALL,
    BOTH,
    MACHINE,
    ROLES,
    SITE,
    UNIT,
    Effective,
    Key,
    Kind,
    Scopes,
    complete,
    effective,
)
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.node_settings import Setting
from hatang_collector.web import format as fmt
from hatang_collector.web.estate import EstateNow
from hatang_collector.web.i18n import Texts

_UNITS: Final = {"_s": "settings.unit.s", "_mb": "settings.unit.mb", "_percent": "settings.unit.percent"}
_MINUTE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Node:
    """A place where settings can stand. ``machines`` below it, ``own`` settings at it."""

    scope: str
    name: str
    machines: int
    own: Sequence[Setting] = ()
    children: Sequence[Node] = ()


@dataclass(frozen=True, slots=True)
class Fleet:
    """Machines in use with their chains of scopes, and the settings. Made for one request."""

    now: EstateNow
    machines: Mapping[str, Machine]
    scopes: Scopes
    chains: Mapping[str, Sequence[str]]
    counts: Mapping[str, int]
    at: Mapping[str, Sequence[Setting]]
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, now: EstateNow, machines: Iterable[Machine], every: str) -> Fleet:
        """Work out every chain once; ``every`` is what the scope of all machines is called."""
        scopes = Scopes(now.estate, now.tree, now.today)
        used = {one.agent: one for one in machines if one.retired_ms is None}
        chains = {agent: scopes.of(agent, now.placements.get(agent)) for agent in used}
        at: dict[str, list[Setting]] = {}
        for one in now.settings:
            at.setdefault(one.scope, []).append(one)
        names = {ALL: every}
        names |= {f"{MACHINE}{agent}": one.label or agent for agent, one in used.items()}
        names |= {f"{UNIT}{one.code}": one.name for one in on(now.estate.units, now.today)}
        names |= {f"{SITE}{one.code}": one.name for one in on(now.estate.sites, now.today)}
        counts = Counter(scope for chain in chains.values() for scope in chain)
        return cls(now, used, scopes, chains, counts, at, names)

    def node(self, scope: str, children: Sequence[Node] = ()) -> Node:
        """One node; its name is the code of what is no longer there."""
        name = self.names.get(scope) or scope.partition(":")[2]
        return Node(scope, name, self.counts.get(scope, 0), self.at.get(scope, ()), children)

    def chain(self, scope: str) -> Sequence[str]:
        """A scope and those it inherits from, nearest first."""
        if scope.startswith(MACHINE):
            return self.chains[scope.removeprefix(MACHINE)]
        return self.scopes.of_scope(scope)

    def below(self, scope: str) -> list[Machine]:
        """The machines that a scope has anything to say to."""
        return [self.machines[agent] for agent, chain in self.chains.items() if scope in chain]

    def strays(self) -> list[Setting]:
        """Settings at places that are no longer there: they reach nobody."""
        return [one for scope, found in self.at.items() if scope not in self.names for one in found]

    def tree(self) -> Node:
        """All, units and sites, without machines."""
        sites = self._sites()
        today = self.now.today
        roots = [self._unit(one.code, sites) for one in self.now.tree.roots(today)]
        housed = {site for found in sites.values() for site in found}
        alone = [self.node(scope) for scope in sorted(self.names) if scope.startswith(SITE)]
        return self.node(ALL, [*roots, *(one for one in alone if one.scope not in housed)])

    def children(self, scope: str) -> list[Node]:
        """What stands right below a node: units and sites first, then the machines nobody placed deeper."""
        if scope.startswith(MACHINE):
            return []
        found = _find(self.tree(), scope)
        here = [one for one in self.machines.values() if self.home(one.agent) == scope]
        named = sorted(here, key=lambda one: (one.label or one.agent).casefold())
        machines = [self.node(f"{MACHINE}{one.agent}") for one in named]
        return [*(found.children if found else ()), *machines]

    def home(self, agent: str) -> str:
        """The nearest place of a machine that is there today."""
        return next(scope for scope in self.chains[agent][1:] if scope in self.names)

    def _unit(self, code: str, sites: Mapping[str, Sequence[str]]) -> Node:
        below = [self._unit(one.code, sites) for one in self.now.tree.children(code, self.now.today)]
        return self.node(f"{UNIT}{code}", [*below, *(self.node(scope) for scope in sites.get(code, ()))])

    def _sites(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in on(self.now.estate.site_units, self.now.today):
            if f"{SITE}{row.site}" in self.names:
                found.setdefault(row.unit, []).append(f"{SITE}{row.site}")
        return found


def _find(node: Node, scope: str) -> Node | None:
    if node.scope == scope:
        return node
    return next((found for child in node.children if (found := _find(child, scope))), None)


# One key at one node.


@dataclass(frozen=True, slots=True)
class Cell:
    """The value in force for a role: ``scope`` and ``place`` say where from, both '' for a default."""

    role: str
    text: str
    scope: str
    place: str


@dataclass(frozen=True, slots=True)
class Row:
    """One key: what it is, what is in force, what is set right here, how many machines a change reaches."""

    key: Key
    name: str
    hint: str
    unit: str
    limits: str
    cells: Sequence[Cell]
    here: Sequence[tuple[Setting, str]]
    reach: Mapping[str, int]
    shielded: int
    follows: str


def rows(fleet: Fleet, scope: str, keys: Iterable[Key], t: Texts) -> dict[str, list[Row]]:
    """Every key at a node, by the title of its table."""
    keys = list(keys)
    chain = fleet.chain(scope)
    near = [one for place in chain for one in fleet.at.get(place, ())]
    roles = _roles(fleet, scope)
    known = {role: complete(keys, effective(near, chain, role), role) for role in roles}
    tables: dict[str, list[Row]] = {}
    for key in keys:
        cells = [_cell(fleet, key, role, known[role][key.name], t) for role in roles]
        tables.setdefault(_title(key, t), []).append(_row(fleet, scope, key, cells, t))
    return tables


def _roles(fleet: Fleet, scope: str) -> Sequence[str]:
    """Both roles, at a machine its own."""
    if scope.startswith(MACHINE):
        return [fleet.machines[scope.removeprefix(MACHINE)].role]
    return ROLES


def _cell(fleet: Fleet, key: Key, role: str, found: Effective, t: Texts) -> Cell:
    place = fleet.node(found.scope).name if found.scope else ""
    return Cell(role, value_text(key, found.value, t), found.scope, place)


def _row(fleet: Fleet, scope: str, key: Key, cells: Sequence[Cell], t: Texts) -> Row:
    here = [(one, value_text(key, one.value, t)) for one in fleet.at.get(scope, ()) if one.key == key.name]
    total, reach = reached(fleet, scope, key.name)
    return Row(
        key=key,
        name=key_name(key, t),
        hint=key_hint(key, t),
        unit=_unit(key, t),
        limits=limits(key, t),
        cells=cells,
        here=here,
        reach=reach,
        shielded=total - reach[BOTH],
        follows=t.or_name(f"setting.{key.follows}", key.follows) if key.follows else "",
    )


def reached(fleet: Fleet, scope: str, key: str) -> tuple[int, dict[str, int]]:
    """(machines below a node, machines whose value a setting there decides, by the setting's role)."""
    own = {one.role for one in fleet.at.get(scope, ()) if one.key == key}
    elsewhere = {place: found for place, found in fleet.at.items() if any(one.key == key for one in found)}
    total, reach = 0, dict.fromkeys((BOTH, *ROLES), 0)
    for agent, chain in fleet.chains.items():
        if scope not in chain:
            continue
        total += 1
        role = fleet.machines[agent].role
        nearer = [one for place in chain[: chain.index(scope)] for one in elsewhere.get(place, ())]
        if any(one.key == key and one.role in (BOTH, role) for one in nearer):
            continue
        reach[BOTH] += role not in own
        if role in reach:
            reach[role] += 1
    return total, reach


# Words.


def key_name(key: Key, t: Texts) -> str:
    """What a key is called: its own text, that of its last word, else the agent's explanation."""
    last = key.name.rpartition(".")[2]
    return t.or_name(f"setting.{key.name}", t.or_name(f"setting.{last}", key.help or key.name))


def whole_name(key: Key, t: Texts) -> str:
    """The name of a key where its table is not in sight."""
    name = key_name(key, t)
    return f"{_title(key, t)}, {name[:1].lower()}{name[1:]}" if key.table.startswith("probes.") else name


def key_hint(key: Key, t: Texts) -> str:
    """What else is to be said about a key, if anything."""
    last = key.name.rpartition(".")[2]
    return t.or_name(f"setting.{key.name}.hint", t.or_name(f"setting.{last}.hint", ""))


def _title(key: Key, t: Texts) -> str:
    if key.table.startswith("probes."):
        name = key.table.removeprefix("probes.")
        return t("settings.probe", probe=t.or_name(f"probe.{name}", name))
    return t.or_name(f"settings.table.{key.table}", key.table)


def _unit(key: Key, t: Texts) -> str:
    return next((t(text) for ending, text in _UNITS.items() if key.name.endswith(ending)), "")


def value_text(key: Key, value: Any, t: Texts) -> str:
    """A value in words: ``300 giây (5 phút)``."""
    if value is None or value in ("", []):
        return t("settings.empty_value")
    if isinstance(value, bool):
        return t("yes") if value else t("no")
    if isinstance(value, list):
        return "; ".join(typed(one, t) for one in value)
    text = f"{typed(value, t)} {_unit(key, t)}".strip()
    if isinstance(value, int | float) and key.name.endswith("_s") and value > _MINUTE_S:
        return f"{text} ({fmt.duration(value, t.language)})"
    return text


def typed(value: Any, t: Texts) -> str:
    """A value as a person would type it: a decimal comma where the language has one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        text = f"{value:.6f}".rstrip("0").rstrip(".")
        return text.replace(".", ",") if t.language == "vi" else text
    return "; ".join(typed(one, t) for one in value) if isinstance(value, list) else str(value)


def limits(key: Key, t: Texts) -> str:
    """What may be given, in words."""
    if key.kind is Kind.LIST:
        return t("settings.limits.list")
    low, high = (None if one is None else typed(one, t) for one in (key.minimum, key.maximum))
    if low is not None and high is not None:
        return t("settings.limits.between", low=low, high=high)
    if low is not None:
        return t("settings.limits.least", low=low)
    return t("settings.limits.most", high=high) if high is not None else ""
